"""Writing one new file or one new tree of small files, whole or not at all."""

import contextlib
import os
import shutil
from collections.abc import Iterable

from rebalance.dataset import to_bytes, to_text
from rebalance.errors import OutputRefusedError
from rebalance.storage.publish import publish, rename_to_new, sync_filesystem, sync_folder


def write_new_file(path: bytes, data: bytes) -> None:
    """Write a file that must not exist yet. Raises OutputRefusedError where it does, or its folder does not."""
    parent = os.path.dirname(os.path.abspath(path))
    temporary = os.path.join(parent, b".rebalance.%d.tmp" % os.getpid())
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        rename_to_new(temporary, path)
        sync_folder(parent)
    except (FileNotFoundError, NotADirectoryError):
        raise OutputRefusedError(f"{to_text(path)}: the folder it would lie in does not exist: make it first") from None
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
