"""What lies in a tree beside what its manifest lists."""

import os
from collections.abc import Collection, Iterator

from rebalance.dataset import is_address
from rebalance.storage.bucket import Bucket
from rebalance.storage.manifest import NAME


def find_foreign(root: bytes, listed: Collection[bytes]) -> Iterator[bytes]:
    """Yield every file and folder of a tree that is not listed, and holds nothing listed; links to folders, too."""
    folders_listed = {os.path.dirname(path) for path in listed}
    folders_listed |= {os.path.dirname(folder) for folder in folders_listed}
    if is_address(root):
        yield from (path for path, _ in Bucket(root).walk() if path not in listed and path != NAME.encode())
        return
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted([*names, *folders]):
            path = os.path.relpath(os.path.join(folder, name), root)
            is_folder = path in folders_listed and not os.path.islink(os.path.join(root, path))
            if path not in listed and not is_folder and path != NAME.encode():
                yield path
