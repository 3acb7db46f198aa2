"""What lies below an address, looked up file by file without asking for each."""

import errno
import os

from rebalance.dataset import to_bytes
from rebalance.storage.bucket import Bucket
from rebalance.storage.entries import ObjectStatus


class Listing:
    """What lies below an address as it was when its folder was listed; the folders looked at last are remembered."""

    def __init__(self, address: bytes, n_folders: int | None = 1) -> None:
        """Take the address, and how many folders are remembered; None: all of them."""
        self._bucket, self._n_folders = Bucket(address), n_folders
        self._folders: dict[bytes, dict[bytes, ObjectStatus | None]] = {}

    def status_of(self, path: str) -> ObjectStatus:
        """Return what is known of an object. Raises OSError."""
        folder, name = os.path.split(to_bytes(path))
        status = self.folder(folder).get(name)
        if status is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return status

    def folder(self, folder: bytes) -> dict[bytes, ObjectStatus | None]:
        """Return what lies in a folder, by name; None of what are folders in it. Raises OSError."""
        if folder not in self._folders:
            if self._n_folders is not None and len(self._folders) >= self._n_folders:
                del self._folders[next(iter(self._folders))]
            try:
                self._folders[folder] = {entry.name: entry.status for entry in self._bucket.entries(folder)}
            except FileNotFoundError:
                self._folders[folder] = {}
        return self._folders[folder]

    def forget(self, folder: bytes) -> None:
        """Look at a folder anew the next time."""
        self._folders.pop(folder, None)
