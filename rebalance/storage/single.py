"""Writing one new file or one new tree of small files, whole or not at all."""

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from rebalance.dataset import to_bytes, to_text
from rebalance.errors import OutputRefusedError
from rebalance.storage.publish import publish, rename_to_new, sync_filesystem, sync_folder


def write_new_file(path: bytes, data: bytes) -> None:
    """Write a file that must not exist yet. Raises OutputRefusedError where it does, or its folder does not."""
    with whole_file(path) as file:
        file.write(data)


@contextlib.contextmanager
def whole_file(path: bytes, *, is_replacing: bool = False, temporary: bytes | None = None) -> Iterator[BinaryIO]:
    """Open a file that gets its name when it is whole and durable; else nothing is left of it.

    `temporary` is where it is made; who holds a lock says so, and what a kill left there is removed.
    Raises OutputRefusedError where the name is taken and nothing `is_replacing`, or its folder does not exist.
    """
    parent = os.path.dirname(os.path.abspath(path))
    if temporary is None:
        temporary = os.path.join(parent, b".rebalance.%d.tmp" % os.getpid())
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        (os.replace if is_replacing else rename_to_new)(temporary, path)
        sync_folder(parent)
    except (FileNotFoundError, NotADirectoryError):
        raise OutputRefusedError(f"{to_text(path)}: the folder it would lie in does not exist: make it first") from None
    except IsADirectoryError:
        raise OutputRefusedError(f"{to_text(path)}: is a folder: choose another name") from None
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def write_new_tree(root: bytes, files: Iterable[tuple[str, bytes]]) -> None:
    """Write a tree that must not exist yet, and the folders above it. Raises OutputRefusedError where it does."""
    parent, name = os.path.split(os.path.abspath(root))
    staged = os.path.join(parent, b".%b.%d.tmp" % (name, os.getpid()))
    try:
        os.makedirs(staged)
        for path, data in files:
            target = os.path.join(staged, to_bytes(path))
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "xb") as file:
                file.write(data)
        sync_filesystem(staged)
        publish(staged, root, is_replacing=False)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
