"""Writing one new file or one new tree of small files, whole or not at all."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from rebalance.dataset import to_bytes, to_text
from rebalance.errors import OutputRefusedError
from rebalance.storage.beside import lock_path, making_path
from rebalance.storage.lock import exclusive_lock
from rebalance.storage.publish import publish, sync_filesystem
from rebalance.storage.staging import delete


def write_new_file(path: bytes, data: bytes) -> None:
    """Write a file that must not exist yet. Raises OutputRefusedError where it does, or its folder does not."""
    with whole_file(path) as file:
        file.write(data)


def replace_file(path: str, data: bytes) -> None:
    """Write a file in the place of one that may stand there. Raises OutputRefusedError as `whole_file` does."""
    with whole_file(to_bytes(path), is_replacing=True) as file:
        file.write(data)


@contextlib.contextmanager
def whole_file(path: bytes, *, is_replacing: bool = False, is_locked: bool = False) -> Iterator[BinaryIO]:
    """Open a file that gets its name when it is whole and durable; else nothing is left of it.

    It is made beside its place, under the lock of that, which `is_locked` says that the caller holds; what a kill left
    there is removed. Raises OutputRefusedError where the name is taken and nothing `is_replacing`, or its folder does
    not exist; LockedError.
    """
    parent = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(parent):
        raise OutputRefusedError(f"{to_text(path)}: the folder it would lie in does not exist: make it first")
    if is_replacing and os.path.isdir(path) and not os.path.islink(path):
        raise OutputRefusedError(f"{to_text(path)}: is a folder: choose another name")
    temporary = making_path(path)
    with contextlib.nullcontext() if is_locked else exclusive_lock(lock_path(path)):
        try:
            _remove(temporary)
            with open(temporary, "xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            publish(temporary, path, is_replacing=is_replacing and os.path.lexists(path))
        finally:
            with contextlib.suppress(OSError):
                _remove(temporary)


def write_new_tree(root: bytes, files: Iterable[tuple[str, bytes]]) -> None:
    """Write a tree that must not exist yet, and the folders above it. Raises OutputRefusedError where it does."""
    os.makedirs(os.path.dirname(os.path.abspath(root)), exist_ok=True)
    staged = making_path(root)
    with exclusive_lock(lock_path(root)):
        _remove(staged)
        try:
            os.mkdir(staged)
            for path, data in files:
                target = os.path.join(staged, to_bytes(path))
                os.makedirs(os.path.dirname(target), exist_ok=True)
                with open(target, "xb") as file:
                    file.write(data)
            sync_filesystem(staged)
            publish(staged, root, is_replacing=False)
        finally:
            with contextlib.suppress(OSError):
                _remove(staged)


def remove_unfinished(path: bytes) -> None:
    """Delete what a kill left of a file that was being made; call with the lock of its place held."""
    _remove(making_path(path))


def _remove(path: bytes) -> None:
    with contextlib.suppress(FileNotFoundError):
        delete(path)
