"""One run at a time for one OUTPUT: a lock beside it that ends with its holder, however that ends."""

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


def _acquire(path: bytes) -> int:
    """Return the locked file; one that its holder removed while this run waited to lock it does not count."""
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        except OSError as error:
            kind = StorageError if error.errno in OF_THE_MACHINE else OutputRefusedError
            raise kind(f"{to_text(path)}: a lock cannot be made there: {error.strerror}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise LockedError(
                f"{to_text(path)}: another run{f' (process {holder})' if holder else ''} is writing this OUTPUT; "
                "wait for it, or end it"
            ) from None
        with contextlib.suppress(FileNotFoundError):
            if os.stat(path).st_ino == os.fstat(descriptor).st_ino:
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, str(os.getpid()).encode(), 0)
                return descriptor
        os.close(descriptor)
