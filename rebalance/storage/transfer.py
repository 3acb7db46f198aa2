"""What a worker does with the disk: read a source, put a file into the staged tree, carry an original over."""

import contextlib
import errno
import fcntl
import hashlib
import itertools
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO

from rebalance.dataset import ImageFile, Stamp, is_address, to_bytes, to_text
from rebalance.errors import (
    OF_THE_MACHINE,
    BadImageError,
    OutputRefusedError,
    SourceTreeError,
    StorageError,
    UnreadableError,
)
from rebalance.storage.bucket import Bucket

LINKS = ("auto", "copy", "hardlink", "symlink")
_numbers = itertools.count()
"""Of the files that this process has made."""
HERE = os.urandom(6).hex().encode()
"""What tells this process and its forks from those of other machines that make files in the same folder."""
_FICLONE = 0x40049409
_END = 4096
_OF_ONE_FILE = frozenset({errno.EIO, errno.ENODATA, errno.EBADMSG, errno.EUCLEAN})
"""How a disk says that a part of it is damaged."""


@dataclass(frozen=True, slots=True)
class SourceBytes:
    """A source as it was read: its bytes, their sum, where it lies, and the stamp of the open file."""

    data: bytes
    sha256: str
    path: bytes
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class StagedTree:
    """The two folders a worker writes to: files are made in `temporary` and renamed into `tree` when they are whole."""

    tree: bytes
    temporary: bytes
    link: str = "auto"

    def put(self, output: str, data: bytes) -> None:
        """Write a file whole or not at all."""
        with self.made(output) as file:
            file.write(data)

    @contextlib.contextmanager
    def made(self, output: str) -> Iterator[BinaryIO]:
        """Open a file that gets its name when it is whole."""
        temporary = self._new_name()
        with _removed_on_error(temporary), _said_of(output):
            with open(_created(temporary), "wb") as file:
                yield file
            self._move(temporary, output)

    def discard(self, output: str) -> None:
        """Let a file go that is made anew: what is made takes its place."""

    def carry(self, source: SourceBytes, output: str) -> None:
        """Bring an original over, byte for byte: a clone where the disk can, else a copy, or the link asked for."""
        if self.link in ("hardlink", "symlink"):
            self._carry_link(source, output)
            return
        temporary = self._new_name()
        with _removed_on_error(temporary), _said_of(output):
            with open(_created(temporary), "wb") as file:
                if not (self.link == "auto" and clone(source.path, file.fileno(), source.stamp)):
                    file.write(source.data)
            self._move(temporary, output)

    def _carry_link(self, source: SourceBytes, output: str) -> None:
        temporary = self._new_name()
        try:
            if self.link == "hardlink":
                os.link(_resolved(source.path), temporary, follow_symlinks=False)
            else:
                os.symlink(_resolved(source.path), temporary)
        except OSError as error:
            raise OutputRefusedError(
                f"{to_text(source.path)}: --link {self.link} cannot be done: {error.strerror}; take --link copy"
            ) from None
        with _removed_on_error(temporary):
            self._move(temporary, output)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)  # rename leaves both names where they already are one file

    def _new_name(self) -> bytes:
        return os.path.join(self.temporary, b"%d-%d-%b" % (os.getpid(), next(_numbers), HERE))

    def _move(self, temporary: bytes, output: str) -> None:
        target = os.path.join(self.tree, to_bytes(output))
        try:
            os.rename(temporary, target)
        except FileNotFoundError:
            if not os.path.isdir(self.tree):
                raise StorageError("is made too late: its staging is gone; run again to resume") from None
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.rename(temporary, target)


def read_source(root: bytes, image: ImageFile) -> SourceBytes:
    """Read a source whole.

    Raises BadImageError where it may not be read, UnreadableError where the disk does not give it, StorageError where
    it is gone or was changed since it was scanned.
    """
    path = os.path.join(root, to_bytes(image.path))
    try:
        data, before, after = _read_object(root, image) if is_address(root) else _read_regular(path)
    except PermissionError:
        if is_address(root):  # which may be said of a key that has expired
            raise UnreadableError("cannot be read: permission denied") from None
        raise BadImageError("permission denied") from None
    except OSError as error:
        if error.errno in _OF_ONE_FILE:
            raise UnreadableError(f"cannot be read: {error.strerror}") from None
        gone = error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENXIO)
        what = "vanished while it was used" if gone else f"cannot be read: {error.strerror}"
        raise StorageError(f"{to_text(path)}: {what}; run again to resume") from None
    if not (before.is_of(image.stamp) and after.is_of(image.stamp)):
        raise StorageError(f"{to_text(path)}: was changed while it was used; run again to start from what it is now")
    return SourceBytes(data, hashlib.sha256(data).hexdigest(), path, after)


def _read_regular(path: bytes) -> tuple[bytes, Stamp, Stamp]:
    """Return what a file holds, and its stamps before and after that was read. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        data = file.read() if stat.S_ISREG(status.st_mode) else b""
        return data, Stamp.of(status), Stamp.of(os.fstat(descriptor))


def _read_object(root: bytes, image: ImageFile) -> tuple[bytes, Stamp, Stamp]:
    """Return the same of an object; that it is not another one than was listed, the listing at the end shows."""
    data = Bucket(root).read(image.path)
    stamp = image.stamp._replace(size=len(data))
    return data, stamp, stamp


def read_file(root: bytes, path: str) -> bytes:
    """Read a file of a tree whole, without waiting for a pipe. Raises OSError."""
    if is_address(place := os.path.join(root, to_bytes(path))):
        folder, name = os.path.split(place)
        return Bucket(folder).read(to_text(name))
    with _opened(root, path) as file:
        return file.read()


def read_start(path: bytes, n_bytes: int) -> bytes:
    """Read the first bytes of a file. Raises OSError."""
    if is_address(path):
        folder, name = os.path.split(path)
        return Bucket(folder).read_part(to_text(name), 0, n_bytes)
    with open(path, "rb") as file:
        return file.read(n_bytes)


def read_picture(root: bytes, path: str) -> bytes:
    """Read a picture of SOURCE that is asked for by name.

    Raises StorageError where the machine does not give it, SourceTreeError where it is not there or may not be read.
    """
    try:
        return read_file(root, path)
    except OSError as error:
        kind = StorageError if error.errno in OF_THE_MACHINE else SourceTreeError
        raise kind(f"{path!r} of SOURCE cannot be read: {error.strerror}") from None


def read_end(root: bytes, path: str) -> bytes:
    """Read the last bytes of a file of a tree, 4 KiB at most. Raises OSError."""
    if is_address(root):
        return Bucket(root).read_end(path, _END)
    with _opened(root, path) as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _END))
        return file.read()


@contextlib.contextmanager
def _opened(root: bytes, path: str) -> Iterator[BinaryIO]:
    descriptor = os.open(os.path.join(root, to_bytes(path)), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        yield file


def _resolved(path: bytes) -> bytes:
    """Return where a file lies, links followed; those of its folder once for all files of it."""
    if os.path.islink(path):
        return os.path.realpath(path)
    folder, name = os.path.split(path)
    return os.path.join(_resolved_folder(folder), name)


@lru_cache(maxsize=16)
def _resolved_folder(folder: bytes) -> bytes:
    return os.path.realpath(folder)


def _created(path: bytes) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)


@contextlib.contextmanager
def _said_of(output: str) -> Iterator[None]:
    """Let an error of writing, which names no file, name the one that was to be made."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = output
        raise


@contextlib.contextmanager
def _removed_on_error(path: bytes) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise


def clone(source: bytes, descriptor: int, stamp: Stamp) -> bool:
    """Share the blocks of a source that still is what was read; False where the disk cannot."""
    try:
        with open(source, "rb") as file:
            fcntl.ioctl(descriptor, _FICLONE, file.fileno())
            status = os.fstat(file.fileno())
    except OSError:
        return False
    if Stamp.of(status).is_of(stamp):
        return True
    os.ftruncate(descriptor, 0)
    return False
