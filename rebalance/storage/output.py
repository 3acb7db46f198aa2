"""What may become of OUTPUT: what stands there, what lies around it, and what its disk can hold."""

import os
import stat
from collections.abc import Iterator

from rebalance.dataset import to_bytes
from rebalance.errors import OutputRefusedError, TargetError
from rebalance.storage.manifest import NAME, has_manifest

_PATH_MAX = 4095


def check_output(source: str, output: str) -> bool:
    """Return whether an output tree of ours stands at OUTPUT already.

    Raises OutputRefusedError where something else stands there, where OUTPUT and SOURCE lie in each other, or where
    nothing can be written. Nothing is followed at OUTPUT itself.
    """
    path = os.path.abspath(to_bytes(output))
    parent = os.path.dirname(path)
    if not os.path.isdir(parent):
        raise OutputRefusedError(f"{output}: the folder it would lie in does not exist: make it first")
    _check_apart(source, output)
    if os.path.lexists(path):
        _check_ours(output, path)
        exists = True
    else:
        exists = False
    if not os.access(parent, os.W_OK | os.X_OK):
        raise OutputRefusedError(f"{output}: the folder it would lie in cannot be written to")
    return exists


def check_path_lengths(tree: bytes, longest: int) -> None:
    """Raise TargetError where the longest path of the tree would pass what the system takes."""
    if len(tree) + 1 + longest > _PATH_MAX:
        raise TargetError(
            f"a path of OUTPUT would have {len(tree) + 1 + longest} bytes, {_PATH_MAX} fit: take a shorter one"
        )


def _check_ours(output: str, path: bytes) -> None:
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        raise OutputRefusedError(f"{output}: is a symbolic link: name what it points to, or remove it")
    if not stat.S_ISDIR(mode):
        raise OutputRefusedError(f"{output}: is there and is not a folder: choose another OUTPUT")
    if os.path.ismount(path):
        raise OutputRefusedError(f"{output}: is a mount point: choose a folder below it")
    if not has_manifest(path):
        empty = not os.listdir(path)
        way_out = "it is empty: remove it with rmdir" if empty else "choose another OUTPUT"
        raise OutputRefusedError(f"{output}: is there and holds no {NAME}, so it is not ours to replace; {way_out}")


def _check_apart(source: str, output: str) -> None:
    """Compare devices and inodes, which neither links nor `..` nor bind mounts can disguise."""
    root, path = os.path.realpath(to_bytes(source)), os.path.realpath(to_bytes(output))
    if _identity(root) in {_identity(folder) for folder in _upwards(path)}:
        raise OutputRefusedError(
            f"{output}: lies in SOURCE, or is it; nothing is ever written there: choose another OUTPUT"
        )
    if os.path.isdir(path) and _identity(path) in {_identity(folder) for folder in _upwards(root)}:
        raise OutputRefusedError(f"{output}: SOURCE lies in it: choose another OUTPUT")


def _upwards(path: bytes) -> Iterator[bytes]:
    """Yield what exists of a path and the folders above it."""
    while True:
        if os.path.exists(path):
            yield path
        if path == os.path.dirname(path):
            return
        path = os.path.dirname(path)


def _identity(path: bytes) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino
