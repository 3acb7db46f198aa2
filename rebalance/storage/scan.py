"""Reading a source tree: names and stamps only, no image is opened, nothing is followed out of it."""

import fnmatch
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rebalance.dataset import ClassFolder, Dataset, ImageFile, Remark, Stamp, to_bytes, to_text
from rebalance.errors import SourceTreeError
from rebalance.storage.manifest import NAME

IMAGE_SUFFIXES = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".apng",
        ".webp",
        ".bmp",
        ".dib",
        ".ppm",
        ".pgm",
        ".pbm",
        ".pnm",
        ".tif",
        ".tiff",
        ".gif",
        ".mpo",
        ".heic",
        ".heif",
        ".avif",
        ".jxl",
        ".jp2",
    ]
)
"""What counts as an image by its name; what cannot be decoded among it is refused by name later."""

_FOREIGN_FOLDERS = frozenset({"__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found"})
_NESTED = "is a folder inside a class: the images of a class lie directly in its folder"
_SPLITS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing", "holdout", "hold"})


def scan(source: str, *, exclude: Sequence[str] = (), follow_symlinks: bool = False) -> Dataset:
    """Return what a folder-per-class tree holds, sorted by bytes; what is odd is listed in it, not raised.

    `exclude` holds shell patterns; one is compared with the path below the root and with each name of it. Links are
    problems unless `follow_symlinks`, and are followed only to what lies inside the root.
    Raises SourceTreeError where the root is no folder of class folders at all.
    """
    root = to_bytes(source)
    if not os.path.isdir(root):
        raise SourceTreeError(f"{source}: no such folder" if not os.path.lexists(root) else f"{source}: not a folder")
    scanned = _Scan(root, tuple(pattern.rstrip("/") for pattern in exclude), follow_symlinks)
    folders = [scanned.class_folder(name) for name in scanned.class_names()]
    dataset = Dataset(
        root=source,
        classes=tuple(sorted(folders, key=lambda folder: folder.name)),
        ignored=tuple(sorted(scanned.ignored)),
        problems=tuple(sorted(scanned.problems)),
    )
    _check_not_splits(dataset)
    return dataset


def raise_problems(dataset: Dataset) -> None:
    """Raise SourceTreeError where the tree holds what no balanced tree can be made from; all of it is named."""
    if not dataset.problems:
        return
    path, reason = dataset.problems[0]
    n_more = len(dataset.problems) - 1
    others = f" (and {n_more} more, listed by `rebalance inspect`)" if n_more else ""
    raise SourceTreeError(f"{path!r} {reason}{others}: mend it, or leave it out with --exclude")


@dataclass(slots=True)
class _Scan:
    root: bytes
    exclude: tuple[str, ...]
    is_following: bool
    ignored: list[Remark] = field(default_factory=list)
    problems: list[Remark] = field(default_factory=list)

    def class_names(self) -> list[bytes]:
        """Return the names of the class folders; remark on everything else at the root."""
        names = []
        for entry in self._entries(b""):
            if self._is_ignored(entry, b""):
                continue
            if entry.name == NAME.encode() and entry.is_dir():
                self.problems.append(Remark(to_text(entry.name), "is a folder with the name of the manifest"))
            elif entry.is_dir(follow_symlinks=self.is_following):
                names.append(entry.name)
            elif not entry.is_dir() and self._is_image(entry, b"") and self._image(entry, b"") is not None:
                self.problems.append(Remark(to_text(entry.name), "is an image outside of the class folders"))
        return names

    def class_folder(self, name: bytes) -> ClassFolder:
        """Return one class and its images."""
        images = []
        for entry in self._entries(name):
            if self._is_ignored(entry, name):
                continue
            if entry.is_dir(follow_symlinks=self.is_following):
                self.problems.append(Remark(_joined(name, entry), _NESTED))
            elif self._is_image(entry, name) and (image := self._image(entry, name)):
                images.append(image)
        images.sort(key=lambda image: to_bytes(image.path))
        return ClassFolder(to_text(name), tuple(images))

    def _entries(self, folder: bytes) -> Iterator["os.DirEntry[bytes]"]:
        try:
            with os.scandir(os.path.join(self.root, folder)) as entries:
                yield from entries
        except OSError as error:
            raise SourceTreeError(
                f"{to_text(folder) or to_text(self.root)}: cannot be read: {error.strerror}"
            ) from None

    def _is_ignored(self, entry: "os.DirEntry[bytes]", folder: bytes) -> bool:
        """Remark on what is no part of the data whatever it holds; a link that stays is a problem, not ignored."""
        path = _joined(folder, entry)
        name = to_text(entry.name)
        if any(fnmatch.fnmatchcase(path, pattern) or fnmatch.fnmatchcase(name, pattern) for pattern in self.exclude):
            self.ignored.append(Remark(path, "excluded"))
        elif name.startswith("."):
            self.ignored.append(Remark(path, "hidden"))
        elif name in _FOREIGN_FOLDERS and entry.is_dir(follow_symlinks=False):
            self.ignored.append(Remark(path, "left by another program"))
        elif entry.is_symlink() and (reason := self._link_problem(entry)):
            self.problems.append(Remark(path, reason))
        else:
            return False
        return True

    def _link_problem(self, entry: "os.DirEntry[bytes]") -> str | None:
        if not self.is_following:
            return "is a symbolic link (--symlinks follow takes what it points to inside SOURCE)"
        if not os.path.exists(entry.path):
            return "is a symbolic link to nothing"
        real, inside = os.path.realpath(entry.path), os.path.realpath(self.root)
        if not real.startswith(inside + b"/"):
            return "is a symbolic link out of SOURCE"
        return None

    def _is_image(self, entry: "os.DirEntry[bytes]", folder: bytes) -> bool:
        suffix = os.path.splitext(to_text(entry.name))[1].lower()
        if suffix not in IMAGE_SUFFIXES:
            self.ignored.append(Remark(_joined(folder, entry), "not an image by its name"))
        return suffix in IMAGE_SUFFIXES

    def _image(self, entry: "os.DirEntry[bytes]", folder: bytes) -> ImageFile | None:
        """Return a regular file as an image; a pipe, socket or device is a problem and is never opened."""
        path = _joined(folder, entry)
        try:
            status = entry.stat(follow_symlinks=self.is_following)
        except OSError as error:
            self.problems.append(Remark(path, f"cannot be looked at: {error.strerror}"))
            return None
        if not stat.S_ISREG(status.st_mode):
            self.problems.append(Remark(path, "is not a regular file"))
            return None
        return ImageFile(path, Stamp.of(status))


def _joined(folder: bytes, entry: "os.DirEntry[bytes]") -> str:
    return to_text(os.path.join(folder, entry.name))


def _check_not_splits(dataset: Dataset) -> None:
    """Raise where the root holds train, val and test folders of classes instead of classes."""
    names = [folder.name for folder in dataset.classes]
    with_folders = {path.partition("/")[0] for path, reason in dataset.problems if reason == _NESTED}
    if not names or not with_folders.issuperset(names) or any(folder.images for folder in dataset.classes):
        return
    if all(name.lower() in _SPLITS for name in names):
        first = next((name for name in names if name.lower() in ("train", "training")), names[0])
        raise SourceTreeError(
            f"{dataset.root} holds splits ({', '.join(names)}), not classes: type {os.path.join(dataset.root, first)} "
            "instead (balance the training part alone, never what you validate or test on)"
        )
