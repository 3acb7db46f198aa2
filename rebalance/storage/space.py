"""How much a disk has room for, in bytes and in files."""

import os
from dataclasses import dataclass

from rebalance.dataset import to_text
from rebalance.errors import StorageError

_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")


@dataclass(frozen=True, slots=True)
class Room:
    """What is free on the disk of a folder."""

    folder: bytes
    n_bytes: int
    n_files: int | None
    """None where the disk makes room for files as they come."""
    block: int
    """Bytes in which the disk counts a file."""

    def check(self, n_files: int, n_bytes: int) -> None:
        """Raise StorageError where there is not enough for so much more."""
        where = to_text(os.path.dirname(self.folder))
        ways_out = "make room, take a smaller target or another disk, and run again"
        if n_bytes > self.n_bytes:
            needed, free = told(n_bytes), told(self.n_bytes)
            raise StorageError(f"{where}: about {needed} more are needed and {free} are free: {ways_out}")
        if self.n_files is not None and n_files > self.n_files:
            raise StorageError(
                f"{where}: {n_files} more files are needed and the disk takes {self.n_files}: {ways_out}"
            )


def room_of(folder: bytes) -> Room:
    """Return what is free on the disk of a folder for this user."""
    status = os.statvfs(folder)
    is_root = os.geteuid() == 0  # for whom a part is kept back
    n_blocks = status.f_bfree if is_root else status.f_bavail
    n_files = status.f_ffree if is_root else status.f_favail
    return Room(folder, n_blocks * status.f_frsize, n_files if status.f_files else None, status.f_frsize)


def told(n_bytes: int) -> str:
    """Return a number of bytes as people read it."""
    number, unit = float(n_bytes), _UNITS[0]
    for unit in _UNITS:
        if number < 1000 or unit == _UNITS[-1]:
            break
        number /= 1000
    return f"{n_bytes} bytes" if unit == "bytes" else f"{number:.1f} {unit}"
