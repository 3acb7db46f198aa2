"""What a source tree holds: files, classes, and how lopsided they are."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, Self, overload


def to_bytes(path: str) -> bytes:
    """Return the bytes of a path as the disk stores them, whatever the locale."""
    return path.encode("utf-8", "surrogateescape")


def for_any_process(path: str | bytes) -> bytes:
    """Return a path as one means it who works in another folder."""
    path = path if isinstance(path, bytes) else to_bytes(path)
    return path if is_address(path) else os.path.join(os.getcwdb(), path)


def is_address(path: str | bytes) -> bool:
    """Return whether a path is that of object storage, as `s3://bucket/prefix` is, and lies on no disk."""
    return _ADDRESS.match(path if isinstance(path, bytes) else to_bytes(path)) is not None


_ADDRESS = re.compile(rb"[a-z][a-z0-9+.-]+://+[^/]")


def to_text(path: bytes) -> str:
    """Return a path as text; bytes that are not UTF-8 survive as lone surrogates."""
    return path.decode("utf-8", "surrogateescape")


class Status(Protocol):
    """What is known of a file that was not opened: of `os.stat_result` what is asked for."""

    @property
    def st_size(self) -> int: ...  # noqa: D102
    @property
    def st_mtime_ns(self) -> int: ...  # noqa: D102
    @property
    def st_ctime_ns(self) -> int: ...  # noqa: D102
    @property
    def st_ino(self) -> int: ...  # noqa: D102


class Stamp(NamedTuple):
    """How a file looked when it was seen: enough to notice that it has changed since."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, status: Status) -> Self:
        """Return the stamp of a file from what the system says of it."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)

    def is_of(self, other: "Stamp") -> bool:
        """Return whether two stamps are of one unchanged file; its ctime may differ, which a new hard link moves."""
        return (self.size, self.mtime_ns, self.inode) == (other.size, other.mtime_ns, other.inode)


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One image of the source."""

    path: str
    """POSIX, relative to the root, in `to_text` form: never normalized."""
    stamp: Stamp
    group: str | None = None
    """What it belongs to with others (a patient, a product); None: it stands for itself."""


class NamedImages(Sequence[ImageFile]):
    """The images of a class of which nothing but the names was read, to be counted: their stamps are empty."""

    def __init__(self, directory: str, names: Sequence[str]) -> None:
        """Take the names of files in a folder, whose path ends without a slash."""
        self.directory, self.names = directory, names

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> ImageFile: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ImageFile]: ...
    def __getitem__(self, index: int | slice) -> ImageFile | Sequence[ImageFile]:
        """Return an image without a stamp, or a part of all."""
        if isinstance(index, slice):
            return NamedImages(self.directory, self.names[index])
        return ImageFile(f"{self.directory}/{self.names[index]}", _UNSEEN)


_UNSEEN = Stamp(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class ClassFolder:
    """One class, or one split's part of it: its images, sorted by the bytes of their paths."""

    name: str
    images: Sequence[ImageFile]
    split: str | None = None
    """train, val, ...; None where nothing is split."""
    prefix: str = ""
    """What the paths of its images begin with, or may, because it is their split in the source."""

    @property
    def image_names(self) -> Sequence[str]:
        """The last names of the paths of its images."""
        if isinstance(self.images, NamedImages):
            return self.images.names
        return [image.path.rpartition("/")[2] for image in self.images]

    @property
    def directory(self) -> str:
        """Where its files lie in OUTPUT."""
        return directory_of(self.name, self.split)


def directory_of(class_name: str, split: str | None) -> str:
    """Return the directory of OUTPUT in which the files of a class lie."""
    return class_name if split is None else f"{split}/{class_name}"


def names_by_folder(directories: Iterable[str]) -> dict[bytes, set[bytes]]:
    """Return what the root of OUTPUT holds, and each folder of a split, where files lie in these directories."""
    names: dict[bytes, set[bytes]] = {b"": set()}
    for directory in directories:
        split, _, class_name = to_bytes(directory).rpartition(b"/")
        names.setdefault(split, set()).add(class_name)
        names[b""].add(split or class_name)
    return names


class Remark(NamedTuple):
    """A path of the source and what there is to say about it."""

    path: str
    reason: str


class Leak(NamedTuple):
    """An image, and one of another split that has its bytes, or is of its group."""

    kind: str
    """content or group."""
    path: str
    other: str
    split: str
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """A source tree, its classes in the index order of Keras and torchvision."""

    root: str
    classes: tuple[ClassFolder, ...]
    """What is balanced; where there are splits, the classes of one of them."""
    ignored: tuple[Remark, ...] = ()
    """What is neither an image nor a class, and why."""
    problems: tuple[Remark, ...] = ()
    """What no balanced tree can be made from until it is mended or excluded."""
    carried: tuple[ClassFolder, ...] = ()
    """The classes of the other splits, which go over as they are."""
    is_listed: bool = False
    """Whether a list says what belongs to it; then it is these images, and not all that lies below the root."""

    @property
    def class_counts(self) -> dict[str, int]:
        """Images of each class."""
        return {folder.name: len(folder.images) for folder in self.classes}

    @property
    def class_indices(self) -> dict[str, int]:
        """Return the integer a trainer gives to each class."""
        return {folder.name: index for index, folder in enumerate(self.classes)}

    @property
    def imbalance_ratio(self) -> float | None:
        """Largest class / smallest class, at least 1; None without classes or with an empty one."""
        counts = self.class_counts.values()
        return max(counts) / min(counts) if counts and min(counts) else None

    @property
    def split(self) -> str | None:
        """The split that is balanced, where there are several."""
        return self.classes[0].split if self.classes else None

    @property
    def folders(self) -> tuple[ClassFolder, ...]:
        """Every class of every split, what is balanced first."""
        return (*self.classes, *self.carried)

    def images(self) -> Iterator[ImageFile]:
        """Yield every image, class by class, what is balanced first."""
        for folder in self.folders:
            yield from folder.images
