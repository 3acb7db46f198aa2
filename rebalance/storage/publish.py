"""The moment a staged tree becomes OUTPUT: durable first, then one rename that replaces nothing by accident."""

import ctypes
import errno
import os

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
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if libc.syncfs(descriptor):
            code = ctypes.get_errno()
            raise StorageError(f"{to_text(folder)}: cannot be made durable: {os.strerror(code)}; run again to resume")
    finally:
        os.close(descriptor)


def sync_folder(folder: bytes) -> None:
    """Make the names in a folder durable; some file systems refuse, and need no such call."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def publish(tree: bytes, output: bytes, *, is_replacing: bool) -> None:
    """Give the staged tree its name; with `is_replacing` the old OUTPUT takes its place in the staging.

    Raises OutputRefusedError where OUTPUT has appeared meanwhile.
    """
    sync_folder(tree)
    if is_replacing:
        _exchange(tree, output)
    else:
        rename_to_new(tree, output)
    sync_folder(os.path.dirname(os.path.abspath(output)))


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
