"""What may become of OUTPUT: what stands there, what lies around it, and what its disk can hold."""

import os
from collections.abc import Iterable, Iterator, Sequence

from rebalance.dataset import Dataset, is_address, to_bytes, to_text
from rebalance.errors import OutputRefusedError, TargetError
from rebalance.planning.naming import NAME_MAX
from rebalance.storage.bucket import Bucket
from rebalance.storage.claim import OWN
from rebalance.storage.manifest import NAME, has_manifest

_PATH_MAX = 4095


def located(output: str) -> str:
    """Return OUTPUT as the kernel finds it, where `..` behind a link would make its text mean another place."""
    if is_address(output):
        return output.rstrip("/")
    parent, name = os.path.split(to_bytes(output).rstrip(b"/"))
    if name in (b"", b".", b".."):
        return to_text(os.path.realpath(to_bytes(output)))
    is_plain = os.path.realpath(parent) == os.path.abspath(parent)
    return to_text(os.path.join(parent if is_plain else os.path.realpath(parent), name))


def check_output(dataset: Dataset, output: str, files_read: Iterable[str] = ()) -> bool:
    """Return whether an output tree of ours stands at OUTPUT already.

    `files_read` are lists and tables that say what SOURCE is. Raises OutputRefusedError where something else stands
    there, where OUTPUT and SOURCE lie in each other, or where nothing can be written; TargetError where its name is too
    long. Nothing is followed at OUTPUT itself.
    """
    if is_address(output):
        return _check_prefix(dataset, output, files_read)
    _check_place(dataset, output, files_read)
    path = os.path.abspath(to_bytes(output))
    if is_there := os.path.lexists(path):
        _check_ours(output, path)
    return is_there


def check_replaceable(output: str) -> None:
    """Raise OutputRefusedError where no tree can be replaced as a whole."""
    if is_address(output):
        raise OutputRefusedError(
            f"{output}: object storage replaces no tree as a whole: choose another OUTPUT, or delete this one first"
        )


def _check_prefix(dataset: Dataset, output: str, files_read: Iterable[str]) -> bool:
    """Do what `check_output` does where OUTPUT is an address."""
    _check_apart_from_prefix(dataset, output, files_read)
    above = output
    while not (above := above.rpartition("/")[0]).endswith("/"):
        if has_manifest(to_bytes(above)):
            raise OutputRefusedError(f"{output}: lies in {above}, which rebalance made: choose another place")
    try:
        names = {to_text(entry.name) + "/" * entry.is_dir() for entry in Bucket(output).entries()}
    except FileNotFoundError:
        return False
    except OSError as error:
        raise OutputRefusedError(f"{output}: cannot be looked at: {error.strerror}: choose another place") from None
    is_there = NAME in names and has_manifest(to_bytes(output))
    if (not is_there and (NAME in names or f"{OWN}/" not in names)) or OWN in names:
        raise OutputRefusedError(
            f"{output}: is there and holds no {NAME} of ours, so it is not ours to fill: choose another OUTPUT"
        )
    return is_there


def _check_apart_from_prefix(dataset: Dataset, output: str, files_read: Iterable[str]) -> None:
    """Raise OutputRefusedError where OUTPUT lies in SOURCE, or anything that is read in OUTPUT."""
    read = {*files_read}
    if dataset.is_listed:
        read |= {f"{dataset.root.rstrip('/')}/{folder}" for folder in _folders_of(dataset)}
    else:
        check_apart(dataset.root, output)
    for path in sorted(filter(is_address, read)):
        if Bucket(path).lies_in(Bucket(output)):
            raise OutputRefusedError(f"{output}: {path} lies in it and is read: choose another OUTPUT")


def check_new_tree(dataset: Dataset, output: str) -> None:
    """Raise what `check_output` raises of where OUTPUT would lie; OutputRefusedError where anything stands there."""
    check_on_disk(output)
    _check_place(dataset, output, ())
    if os.path.lexists(to_bytes(output)):
        raise OutputRefusedError(f"{output}: is there already: move it away, or choose another name")


def check_output_file(dataset: Dataset, output: str, files_read: Iterable[str] = ()) -> bool:
    """Do the same where OUTPUT is a single file; whether it is ours is for its reader to say."""
    check_on_disk(output)
    _check_place(dataset, output, files_read)
    path = os.path.abspath(to_bytes(output))
    if is_there := os.path.lexists(path):
        _check_no_link(output, path)
        if not os.path.isfile(path):
            raise OutputRefusedError(f"{output}: is there and is not a file: choose another name")
    return is_there


def check_side_file(path: str, trees: Sequence[str], start: bytes, kind: str) -> None:
    """Raise OutputRefusedError where a file beside OUTPUT would lie in a tree, or replace another kind.

    The trees are these and every one that rebalance made. A file is of the kind where it starts so.
    """
    check_on_disk(path)
    if path == "-":
        raise OutputRefusedError("-: is written to no stream; name a file (./- if it is to be called so)")
    for tree in trees:
        check_apart(tree, path)
    folder = os.path.dirname(to_bytes(path)) or b"."
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK | os.X_OK):
        raise OutputRefusedError(f"{path}: the folder it would lie in cannot be written to, or is not there")
    _check_in_no_output(path, folder)
    full = os.path.abspath(to_bytes(path))
    if full in {os.path.abspath(to_bytes(tree)) for tree in trees} or len(os.path.basename(full)) > NAME_MAX:
        raise OutputRefusedError(f"{path}: is OUTPUT itself, or too long a name: choose another name")
    if os.path.lexists(full):
        if not os.path.isfile(full) or os.path.islink(full):
            raise OutputRefusedError(f"{path}: is there and is no file: choose another name")
        with open(full, "rb") as file:
            if file.read(len(start)) != start:
                raise OutputRefusedError(f"{path}: is there and is no {kind}: choose another name")


def check_on_disk(path: str) -> None:
    """Raise OutputRefusedError for an address: only trees of images are written to object storage."""
    if is_address(path):
        raise OutputRefusedError(f"{path}: is written to a disk only: name a file or folder of this machine")


def _check_place(dataset: Dataset, output: str, files_read: Iterable[str]) -> None:
    """Raise what `check_output` raises of where OUTPUT would lie."""
    path = os.path.abspath(to_bytes(output))
    parent, name = os.path.split(path)
    if len(name) > NAME_MAX:
        raise TargetError(f"{output}: a name of {len(name)} bytes, {NAME_MAX} fit: take a shorter one")
    if not os.path.isdir(parent):
        raise OutputRefusedError(f"{output}: the folder it would lie in does not exist: make it first")
    folders = _folders_of(dataset)
    if dataset.is_listed:
        _check_keeps(output, [*(os.path.join(dataset.root, folder) for folder in folders), *files_read])
    else:
        check_apart(dataset.root, output, folders)
        _check_keeps(output, files_read)
    _check_in_no_output(output, parent)
    if not os.access(parent, os.W_OK | os.X_OK):
        raise OutputRefusedError(f"{output}: the folder it would lie in cannot be written to: choose another place")


def _check_in_no_output(path: str, folder: bytes) -> None:
    """Raise OutputRefusedError where a folder is, or lies in, a tree of ours, of which every file is accounted for."""
    if outer := next((above for above in _upwards(os.path.realpath(folder)) if has_manifest(above)), None):
        raise OutputRefusedError(f"{path}: lies in {to_text(outer)}, which rebalance made: choose another place")


def check_link(dataset: Dataset, output: str, link: str) -> None:
    """Raise OutputRefusedError where links are asked for that cannot be had between SOURCE and OUTPUT."""
    if link in ("hardlink", "symlink") and (is_address(dataset.root) or is_address(output)):
        raise OutputRefusedError(f"{output}: --link {link} is of disks, and object storage has no links; take auto")
    if link != "hardlink":
        return
    disk = os.stat(os.path.dirname(os.path.abspath(to_bytes(output)))).st_dev
    folders = (os.path.join(dataset.root, folder) for folder in _folders_of(dataset))
    if any(os.stat(to_bytes(folder)).st_dev != disk for folder in folders):
        raise OutputRefusedError(f"{output}: --link hardlink cannot be done from one disk to another; take --link copy")


def _folders_of(dataset: Dataset) -> set[str]:
    """Return where the images lie, relative to the root."""
    return {os.path.dirname(image.path) for image in dataset.images()}


def check_path_lengths(tree: bytes, longest: int) -> None:
    """Raise TargetError where the longest path of the tree would pass what the system takes."""
    if len(tree) + 1 + longest > _PATH_MAX:
        raise TargetError(
            f"a path of OUTPUT would have {len(tree) + 1 + longest} bytes, {_PATH_MAX} fit: take a shorter one"
        )


def _check_ours(output: str, path: bytes) -> None:
    _check_no_link(output, path)
    if not os.path.isdir(path):
        raise OutputRefusedError(f"{output}: is there and is not a folder: choose another OUTPUT")
    if os.path.ismount(path):
        raise OutputRefusedError(f"{output}: is a mount point: choose a folder below it")
    if not has_manifest(path):
        empty = not os.listdir(path)
        way_out = "it is empty: remove it with rmdir" if empty else "choose another OUTPUT"
        raise OutputRefusedError(
            f"{output}: is there and holds no {NAME} of ours, so it is not ours to replace; {way_out}"
        )


def _check_no_link(output: str, path: bytes) -> None:
    if os.path.islink(path):
        raise OutputRefusedError(f"{output}: is a symbolic link: name what it points to, or remove it")


def check_apart(tree: str, path: str, folders: Iterable[str] = ()) -> None:
    """Raise OutputRefusedError where a path lies in a tree or in one of these folders of it, or the tree in the path.

    Devices and inodes are compared, which neither links nor `..` nor bind mounts can disguise.
    """
    if is_address(tree) or is_address(path):
        if is_address(tree) and is_address(path):
            _check_apart_in_storage(tree, path)
        return
    root, real = os.path.realpath(to_bytes(tree)), os.path.realpath(to_bytes(path))
    if not os.path.isdir(root):
        return
    inside = {_identity(folder) for folder in (root, *(os.path.join(root, to_bytes(name)) for name in folders))}
    if any(_identity(folder) in inside for folder in _upwards(real)):
        raise OutputRefusedError(
            f"{path}: lies in {tree}, or is it; nothing is ever written there: choose another place"
        )
    if os.path.isdir(real) and any(_identity(folder) == _identity(real) for folder in _upwards(root)):
        raise OutputRefusedError(f"{path}: {tree} lies in it: choose another place")


def _check_apart_in_storage(tree: str, path: str) -> None:
    """Do the same of addresses."""
    own, other = Bucket(tree), Bucket(path)
    if other.lies_in(own):
        raise OutputRefusedError(
            f"{path}: lies in {tree}, or is it; nothing is ever written there: choose another place"
        )
    if own.lies_in(other):
        raise OutputRefusedError(f"{path}: {tree} lies in it: choose another place")


def _check_keeps(output: str, paths: Iterable[str]) -> None:
    """Raise OutputRefusedError where OUTPUT stands and one of these paths lies in it, or is it."""
    real = os.path.realpath(to_bytes(output))
    if not os.path.isdir(real):
        return
    identity = _identity(real)
    for path in paths:
        if any(_identity(folder) == identity for folder in _upwards(os.path.realpath(to_bytes(path)))):
            raise OutputRefusedError(f"{output}: {path} lies in it and is read: choose another OUTPUT")


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
