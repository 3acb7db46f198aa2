"""The moment a staged tree becomes OUTPUT: durable first, then one rename that replaces nothing by accident."""

import contextlib
import ctypes
import errno
import os
from collections.abc import Iterator

from rebalance.dataset import to_text
from rebalance.errors import OutputRefusedError, StorageError

_AT_FDCWD = -100
_NO_REPLACE = 1
_EXCHANGE = 2


def sync_filesystem(folder: bytes) -> None:
    """Make everything written to the disk of a folder durable (where syncfs is missing: everything written at all)."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "syncfs"):
        os.sync()
        return
    with _opened(folder) as descriptor:
        if libc.syncfs(descriptor):
            code = ctypes.get_errno()
            raise StorageError(f"{to_text(folder)}: cannot be made durable: {os.strerror(code)}; run again to resume")


def publish(made: bytes, output: bytes, *, is_replacing: bool) -> None:
    """Give what is made and durable its name, durably; with `is_replacing` the old OUTPUT takes the place it had.

    Raises OutputRefusedError where OUTPUT has appeared meanwhile, StorageError where the name cannot be made durable:
    then all stands as it did.
    """
    name = _exchange if is_replacing else rename_to_new
    if os.path.isdir(made):
        with _opened(made) as folder:
            _sync(folder, made)
    parent = os.path.dirname(os.path.abspath(output))
    with _opened(parent) as folder:
        name(made, output)
        try:
            _sync(folder, parent)
        except StorageError:
            name(output, made)
            raise


@contextlib.contextmanager
def _opened(folder: bytes) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _sync(descriptor: int, folder: bytes) -> None:
    """Make the names in a folder durable; some file systems refuse, and need no such call."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise StorageError(
                f"{to_text(folder)}: cannot be made durable: {error.strerror}; run again to resume"
            ) from None


def rename_to_new(tree: bytes, output: bytes) -> None:
    """Give a file or folder a name that nothing has. Raises OutputRefusedError where something has it."""
    code = _renameat2(tree, output, _NO_REPLACE)
    if code in (errno.ENOSYS, errno.EINVAL):
        code = errno.EEXIST if os.path.lexists(output) else 0
        if not code:
            os.rename(tree, output)
    if code == errno.EEXIST:
        raise OutputRefusedError(f"{to_text(output)}: is there already: move it away, or choose another name")
    if code:
        raise StorageError(f"{to_text(output)}: cannot be given its name: {os.strerror(code)}; run again to resume")


def _exchange(tree: bytes, output: bytes) -> None:
    code = _renameat2(tree, output, _EXCHANGE)
    if code in (errno.ENOSYS, errno.EINVAL):
        aside = tree + b".old"
        os.rename(output, aside)
        os.rename(tree, output)
        os.rename(aside, tree)
    elif code == errno.EXDEV:
        raise StorageError(
            f"{to_text(output)}: cannot be replaced, it lies in a lower layer of its file system; the work is kept: "
            "delete it, and run again"
        )
    elif code:
        raise StorageError(f"{to_text(output)}: cannot be replaced: {os.strerror(code)}; run again to resume")


def _renameat2(old: bytes, new: bytes, flags: int) -> int:
    """Return 0 or the error code; ENOSYS where the system has no such call."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        return errno.ENOSYS
    return ctypes.get_errno() if libc.renameat2(_AT_FDCWD, old, _AT_FDCWD, new, flags) else 0
