"""What lies in a tree beside what its manifest lists."""

import os
from collections.abc import Collection, Container, Iterable, Iterator

from rebalance.dataset import is_address
from rebalance.storage.bucket import Bucket
from rebalance.storage.claim import is_own
from rebalance.storage.manifest import NAME


def find_foreign(root: bytes, listed: Collection[bytes]) -> Iterator[bytes]:
    """Yield every file and folder of a tree that is not listed, and holds nothing listed; links to folders, too."""
    return find_foreign_in(root, listed, {os.path.dirname(path) for path in listed})


def find_foreign_in(root: bytes, listed: Container[bytes], folders: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same, where the folders are known that hold what is listed."""
    folders_listed = {*folders}
    folders_listed |= {os.path.dirname(folder) for folder in folders_listed}
    if is_address(root):
        objects = (path for path, _ in Bucket(root).walk() if path != NAME.encode() and not is_own(path))
        yield from (path for path in objects if path not in listed)
        return
    for folder, below, names in os.walk(root):
        below.sort()
        for name in sorted([*names, *below]):
            path = os.path.relpath(os.path.join(folder, name), root)
            is_folder = path in folders_listed and not os.path.islink(os.path.join(root, path))
            if path not in listed and not is_folder and path != NAME.encode():
                yield path
