"""What a tree says of its files without being read, on a disk and in object storage."""

import os
from collections.abc import Callable

from rebalance.dataset import is_address, to_bytes
from rebalance.storage.bucket import Bucket
from rebalance.storage.listing import Listing


def sizes_of(root: bytes) -> Callable[[str], int]:
    """Return what tells the bytes of a file of a tree by its path, and raises OSError where there is none.

    In object storage, folders are listed, each once where its files are asked for one after the other.
    """
    if is_address(root):
        listing = Listing(root)
        return lambda path: listing.status_of(path).st_size
    return lambda path: os.stat(os.path.join(root, to_bytes(path))).st_size


def have_one_clock(one: bytes, other: bytes) -> bool:
    """Return whether the times of what lies at two paths are those of this machine, or of one storage."""
    if is_address(one) and is_address(other):
        return Bucket(one).has_clock_of(Bucket(other))
    return not (is_address(one) or is_address(other))
