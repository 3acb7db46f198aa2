"""One run at a time for one OUTPUT, or several that share it: a lock beside it that ends with its holder."""

import contextlib
import fcntl
import os
from collections.abc import Iterator

from rebalance.dataset import to_text
from rebalance.errors import OF_THE_MACHINE, LockedError, OutputRefusedError, StorageError


@contextlib.contextmanager
def exclusive_lock(path: bytes) -> Iterator[None]:
    """Hold the lock file at `path`, made where it is missing, removed by its holder. Raises LockedError."""
    descriptor = _acquire(path)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)
        with contextlib.suppress(OSError):
            os.close(descriptor)


@contextlib.contextmanager
def shared_lock(path: bytes) -> Iterator[None]:
    """Hold the lock file at `path` together with others that share it; it stays. Raises LockedError."""
    descriptor = _acquire(path, is_shared=True)
    try:
        yield
    finally:
        os.close(descriptor)


def _acquire(path: bytes, *, is_shared: bool = False) -> int:
    """Return the locked file; one that its holder removed while this run waited to lock it does not count."""
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        except OSError as error:
            kind = StorageError if error.errno in OF_THE_MACHINE else OutputRefusedError
            raise kind(f"{to_text(path)}: a lock cannot be made there: {error.strerror}") from None
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise LockedError(
                f"{to_text(path)}: {_told(holder)} is writing this OUTPUT; wait for it, or end it"
            ) from None
        with contextlib.suppress(FileNotFoundError):
            if os.stat(path).st_ino == os.fstat(descriptor).st_ino:
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, _SHARED if is_shared else str(os.getpid()).encode(), 0)
                return descriptor
        os.close(descriptor)


_SHARED = b"shards"
"""What stands in a lock that several hold."""


def _told(holder: str) -> str:
    if holder.encode() == _SHARED:
        return "at least one shard"
    return f"another run (process {holder})" if holder else "another run"
