"""Reading a source tree: names and stamps only, no image is opened, nothing is followed out of it."""

import errno
import fnmatch
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter

from rebalance.dataset import ClassFolder, Dataset, ImageFile, NamedImages, Remark, Stamp, is_address, to_bytes, to_text
from rebalance.errors import SourceTreeError, did_you_mean
from rebalance.storage.bucket import Bucket
from rebalance.storage.entries import Entry
from rebalance.storage.manifest import NAME

IMAGE_SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".bmp", ".dib", ".ppm", ".pgm",
    ".pbm", ".pnm", ".tif", ".tiff", ".gif", ".mpo", ".heic", ".heif", ".avif", ".jxl", ".jp2",
})  # fmt: skip
"""What counts as an image by its name; what cannot be decoded among it is refused by name later."""

_LONGEST_SUFFIX = max(map(len, IMAGE_SUFFIXES))
_FOREIGN_FOLDERS = frozenset({"__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found"})
_NESTED = "is a folder inside a class: the images of a class lie directly in its folder"
TRAINING = ("train", "training")
"""Names of the split that is balanced."""
HELD_BACK = ("val", "valid", "validation", "test", "testing", "holdout")
"""Names of the splits that never are."""


def scan(
    source: str,
    *,
    split: str | None = None,
    exclude: Sequence[str] = (),
    follow_symlinks: bool = False,
    is_counting: bool = False,
) -> Dataset:
    """Return what a folder-per-class tree holds, sorted by bytes; what is odd is listed in it, not raised.

    With `split`, each folder of the root is such a tree, that one is balanced and the others are carried over.
    `exclude` holds shell patterns; one is compared with the path below the root and with each name of it. Links are
    problems unless `follow_symlinks`, and are followed only to what lies inside the root. Where the images are only to
    be counted, regular files are not looked at, and nothing but their names is returned.
    Raises SourceTreeError where the root is no folder of class folders at all, or has no such split.
    """
    root = to_bytes(source)
    check_folder(source)
    scanned = _Scan(root, tuple(pattern.rstrip("/") for pattern in exclude), follow_symlinks, is_counting)
    splits: list[str] = []
    if split is not None:
        splits = sorted(to_text(name) for name in scanned.folders_in(b""))
        if split not in splits:
            raise SourceTreeError(f"{source}: has no folder for --split {split!r}{did_you_mean(split, splits)}")
    dataset = Dataset(
        root=source,
        classes=scanned.class_folders(split),
        carried=tuple(chain.from_iterable(scanned.class_folders(name) for name in splits if name != split)),
        ignored=tuple(sorted(scanned.ignored)),
        problems=tuple(sorted(scanned.problems)),
    )
    if split is None:
        _check_not_splits(dataset)
    return dataset


def check_folder(path: str) -> None:
    """Raise SourceTreeError where a folder is to be and is none; what lies in object storage is listed later."""
    place = to_bytes(path)
    if not is_address(place) and not os.path.isdir(place):
        raise SourceTreeError(f"{path}: not a folder" if os.path.lexists(place) else f"{path}: no such folder")


def find_images(root: bytes) -> Iterator[ImageFile | str]:
    """Yield every regular file below a folder that is an image by its name, however deep, hidden ones aside.

    A file or folder that cannot be looked at is yielded as its path.
    """
    if is_address(root):
        yield from _images_of_bucket(root)
        return
    unread: list[bytes] = []
    for folder, folders, names in os.walk(root, onerror=lambda error: unread.append(error.filename)):
        folders[:] = sorted(name for name in folders if not name.startswith(b"."))
        for name in sorted(names):
            path = os.path.join(folder, name)
            if name.startswith(b".") or not is_image_name(to_text(name)):
                continue
            try:
                status = os.stat(path)
            except OSError:
                unread.append(path)
                continue
            if stat.S_ISREG(status.st_mode):
                yield ImageFile(to_text(os.path.relpath(path, root)), Stamp.of(status))
    yield from (to_text(os.path.relpath(path, root)) for path in unread)


def _images_of_bucket(root: bytes) -> Iterator[ImageFile]:
    for path, status in Bucket(root).walk():
        if not any(name.startswith(b".") for name in path.split(b"/")) and is_image_name(to_text(path)):
            yield ImageFile(to_text(path), Stamp.of(status))


def is_image_name(name: str) -> bool:
    """Return whether a file is an image by its name."""
    stem, _, suffix = name.rpartition(".")
    return f".{suffix.lower()}" in IMAGE_SUFFIXES and stem[-1:] not in ("", "/")


def raise_problems(dataset: Dataset) -> None:
    """Raise SourceTreeError where the tree holds what no balanced tree can be made from; all of it is named."""
    if not dataset.problems:
        return
    path, reason = dataset.problems[0]
    n_more = len(dataset.problems) - 1
    others = f" (and {n_more} more, listed by `rebalance inspect`)" if n_more else ""
    raise SourceTreeError(f"{path!r} {reason}{others}: mend it, or leave it out with --exclude")


_Entry = os.DirEntry[bytes] | Entry


@dataclass(slots=True)
class _Scan:
    root: bytes
    exclude: tuple[str, ...]
    is_following: bool
    is_counting: bool
    ignored: list[Remark] = field(default_factory=list)
    problems: list[Remark] = field(default_factory=list)

    def class_folders(self, split: str | None) -> tuple[ClassFolder, ...]:
        """Return the classes of the root, or of a split of it, by name."""
        parent = b"" if split is None else to_bytes(split)
        folders = [self._class_folder(parent, name, split) for name in self.folders_in(parent)]
        return tuple(sorted(folders, key=lambda folder: folder.name))

    def folders_in(self, parent: bytes) -> list[bytes]:
        """Return the names of the folders of classes, or of splits, in a folder; remark on everything else there."""
        names = []
        for entry in self._entries(parent):
            path = _joined(parent, entry.name)
            if self._is_ignored(entry, path):
                continue
            if entry.name == NAME.encode() and entry.is_dir():
                self.problems.append(Remark(path, "is a folder with the name of the manifest"))
            elif entry.is_dir(follow_symlinks=self.is_following):
                names.append(entry.name)
            elif not entry.is_dir() and self._is_image(path) and self._image(entry, path) is not None:
                self.problems.append(Remark(path, "is an image outside of the class folders"))
        return names

    def _class_folder(self, parent: bytes, name: bytes, split: str | None) -> ClassFolder:
        """Return one class and its images."""
        folder = os.path.join(parent, name)
        prefix = f"{split}/" if split is not None else ""
        if self.is_counting:
            names = sorted(self._names_of_images(folder), key=to_bytes)
            return ClassFolder(to_text(name), NamedImages(to_text(folder), names), split, prefix)
        images = sorted(self._images(folder, self._entries(folder)), key=lambda image: to_bytes(image.path))
        return ClassFolder(to_text(name), tuple(images), split, prefix)

    def _names_of_images(self, folder: bytes) -> list[str]:
        """Return the names of the images of a class; where all are plain ones, none is looked at for itself."""
        files: list[_Entry] = []
        others: list[_Entry] = []
        for entry in self._entries(folder):
            (files if entry.is_file(follow_symlinks=False) else others).append(entry)
        names = [entry.name for entry in files]
        if self.exclude or not _are_plain_images(names):
            others, names = files + others, []
        odd = [image.path.rpartition("/")[2] for image in self._images(folder, others)]
        return [*(to_text(b"\0".join(names)).split("\0") if names else ()), *odd]

    def _images(self, folder: bytes, entries: Iterable[_Entry]) -> Iterator[ImageFile]:
        """Yield the images among what lies in a class; remark on everything else."""
        for entry in entries:
            path = _joined(folder, entry.name)
            if self._is_ignored(entry, path):
                continue
            if entry.is_dir(follow_symlinks=self.is_following):
                self.problems.append(Remark(path, _NESTED))
            elif self._is_image(path) and (image := self._image(entry, path)):
                yield image

    def _entries(self, folder: bytes) -> Iterator[_Entry]:
        """Yield what lies in a folder; that it cannot be read or entered is a problem, of the root an error."""
        path = os.path.join(self.root, folder)
        try:
            if is_address(path):
                yield from Bucket(self.root).entries(folder)
                return
            if not os.access(path, os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            with os.scandir(path) as entries:
                yield from entries
        except OSError as error:
            if not folder:
                raise SourceTreeError(f"{to_text(self.root)}: cannot be read: {error.strerror}") from None
            self.problems.append(Remark(to_text(folder), f"is a folder that cannot be read: {error.strerror}"))

    def _is_ignored(self, entry: _Entry, path: str) -> bool:
        """Remark on what is no part of the data whatever it holds; a link that stays is a problem, not ignored."""
        name = path.rpartition("/")[2]
        if self.exclude and is_excluded(path, self.exclude):
            self.ignored.append(Remark(path, "excluded"))
        elif name.startswith("."):
            self.ignored.append(Remark(path, "hidden"))
        elif name in _FOREIGN_FOLDERS and entry.is_dir(follow_symlinks=False):
            self.ignored.append(Remark(path, "left by another program"))
        elif entry.is_symlink() and (reason := link_problem(entry.path, self.root, is_following=self.is_following)):
            self.problems.append(Remark(path, reason))
        else:
            return False
        return True

    def _is_image(self, path: str) -> bool:
        is_image = is_image_name(path)
        if not is_image:
            self.ignored.append(Remark(path, "not an image by its name"))
        return is_image

    def _image(self, entry: _Entry, path: str) -> ImageFile | None:
        """Return a regular file as an image; a pipe, socket or device is a problem and is never opened."""
        try:
            status = entry.stat(follow_symlinks=self.is_following)
        except OSError as error:
            self.problems.append(Remark(path, f"cannot be looked at: {error.strerror}"))
            return None
        if not stat.S_ISREG(status.st_mode):
            self.problems.append(Remark(path, "is not a regular file"))
            return None
        return ImageFile(path, Stamp.of(status))


def _are_plain_images(names: Sequence[bytes]) -> bool:
    """Return whether all are images by their names, and none is hidden; of a million there are few endings."""
    endings, first = set(map(itemgetter(slice(-_LONGEST_SUFFIX, None)), names)), set(map(itemgetter(0), names))
    return b"."[0] not in first and all(is_image_name(f"_{to_text(ending)}") for ending in endings)


def is_excluded(path: str, patterns: Sequence[str]) -> bool:
    """Return whether a shell pattern matches the path, or its last name."""
    name = path.rpartition("/")[2]
    return any(fnmatch.fnmatchcase(path, pattern) or fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def link_problem(path: bytes, root: bytes, *, is_following: bool) -> str | None:
    """Return why a symbolic link is not followed, or None where it is."""
    if not is_following:
        return "is a symbolic link (--symlinks follow takes what it points to inside SOURCE)"
    if not os.path.exists(path):
        return "is a symbolic link to nothing"
    if not os.path.realpath(path).startswith(os.path.realpath(root) + b"/"):
        return "is a symbolic link out of SOURCE"
    return None


def told_splits(source: str, names: Sequence[str]) -> str:
    """Return what to say of a source that holds splits where none is asked for."""
    return (
        f"{source} holds splits ({', '.join(names)}), not classes: --split {_training_of(names) or 'NAME'} takes that "
        "part and carries the others over (balance what you train on, never what you validate or test on)"
    )


def _training_of(names: Sequence[str]) -> str | None:
    return next((name for name in names if name.lower() in TRAINING), None)


def _joined(folder: bytes, name: bytes) -> str:
    return to_text(folder + b"/" + name if folder else name)


def _check_not_splits(dataset: Dataset) -> None:
    """Raise where the root holds train, val and test folders of classes instead of classes."""
    names = [folder.name for folder in dataset.classes]
    with_folders = {path.partition("/")[0] for path, reason in dataset.problems if reason == _NESTED}
    if not names or not with_folders.issuperset(names) or any(folder.images for folder in dataset.classes):
        return
    if all(name.lower() in (*TRAINING, *HELD_BACK) for name in names):
        first = os.path.join(dataset.root, _training_of(names) or names[0])
        raise SourceTreeError(f"{told_splits(dataset.root, names)}; or type {first} instead, for that part alone")
