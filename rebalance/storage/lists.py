"""Lists of images: a CSV of paths and labels read as a dataset, and a balanced set written as one."""

import os
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from posixpath import normpath
from typing import Any

from rebalance.dataset import ClassFolder, Dataset, ImageFile, Remark, Stamp, is_address, to_bytes, to_text
from rebalance.errors import SourceTreeError, TargetError, did_you_mean
from rebalance.planning.naming import NAME_MAX, Place
from rebalance.storage.listing import Listing
from rebalance.storage.manifest import NAME as MANIFEST_NAME
from rebalance.storage.names import encode_name
from rebalance.storage.scan import is_excluded, is_image_name, link_problem, told_splits
from rebalance.storage.tables import Rows, render_table

LIST_NAME = "rebalance.csv"
REPETITIONS = "repetitions"
"""The column that says how often an image counts."""


def read_list(
    table: Rows,
    root: str,
    *,
    split: str | None = None,
    exclude: Sequence[str] = (),
    follow_symlinks: bool = False,
    below: str = "--images, which is the folder of the list unless you say otherwise",
) -> Dataset:
    """Return the images that a table names below `root` as a dataset; what is odd is listed in it, not raised.

    A column `split` asks for the `split` that is balanced; the others are carried over. Raises SourceTreeError for
    what contradicts itself: two labels, groups or splits of one image, two images that would have one name in OUTPUT.
    """
    if not (is_address(root) or os.path.isdir(to_bytes(root))):
        raise SourceTreeError(f"{root}: no such folder: --images is to be where the paths of {table.path} begin")
    gathered = _Gathered(
        table.path, to_bytes(root), tuple(pattern.rstrip("/") for pattern in exclude), follow_symlinks, below
    )
    if is_address(root):
        gathered.listing = Listing(to_bytes(root), n_folders=None)
    for line, cells in table.rows():
        gathered.take(line, cells)
    splits = sorted({key[1] for key in gathered.images if key[1] is not None})
    if splits and split is None:
        raise SourceTreeError(told_splits(table.path, splits))
    if split is not None and split not in splits:
        raise SourceTreeError(f"{table.path}: has no rows for --split {split!r}{did_you_mean(split, splits)}")
    if REPETITIONS in table.header:
        reason = f"its column {REPETITIONS!r} is not read: every image counts once"
        gathered.ignored.append(Remark(table.path, reason))
    folders = gathered.class_folders()
    return Dataset(
        root=root,
        classes=tuple(folder for folder in folders if folder.split == split),
        ignored=tuple(sorted(gathered.ignored)),
        problems=tuple(sorted(gathered.problems)),
        carried=tuple(folder for folder in folders if folder.split != split),
        is_listed=True,
    )


_Key = tuple[str, str | None]
"""Label and split."""


@dataclass(slots=True)
class _Gathered:
    """The rows of a list so far."""

    list_path: str
    root: bytes
    exclude: tuple[str, ...]
    is_following: bool
    below: str
    """Where paths begin, as a message says it."""
    images: dict[_Key, list[ImageFile]] = field(default_factory=dict)
    keys: dict[_Key, _Key] = field(default_factory=dict)
    """Each once, however many rows have it."""
    groups: dict[str, str] = field(default_factory=dict)
    """Likewise."""
    seen: dict[str, tuple[int, _Key]] = field(default_factory=dict)
    """Line and key of each path."""
    folders: dict[bytes, str | None] = field(default_factory=dict)
    ignored: list[Remark] = field(default_factory=list)
    problems: list[Remark] = field(default_factory=list)
    listing: Listing | None = None
    """Of object storage: what lies below the root, folder by folder as rows name them."""

    def take(self, line: int, cells: Mapping[str, str]) -> None:
        """Take a row in. Raises SourceTreeError where it cannot be meant."""
        label, split, group = cells["label"], cells.get("split"), cells.get("group") or None
        for role, value in (("label", label), ("split", split)):
            if value is not None and (fault := _fault_of_name(value)):
                raise SourceTreeError(f"{self.list_path}: line {line}: {role} {value!r} {fault}")
        path = self._path(line, cells["path"])
        if any(is_excluded(name, self.exclude) for name in (path, label, split or label)):
            self.ignored.append(Remark(path, "excluded"))
            return
        stamp = self._stamp(path)
        if isinstance(stamp, str):
            self.problems.append(Remark(path, f"of line {line} {stamp}"))
            return
        key = self.keys.setdefault((label, split), (label, split))
        self._check_new(path, line, key)
        self.seen[path] = (line, key)
        image = ImageFile(path, stamp, group and self.groups.setdefault(group, group))
        self.images.setdefault(key, []).append(image)

    def class_folders(self) -> list[ClassFolder]:
        """Return the classes of each split, by name. Raises SourceTreeError where two images would have one name."""
        self.seen.clear()
        return [
            self._class_folder(key, self.images.pop(key))
            for key in sorted(self.images, key=lambda key: (key[1] or "", key[0]))
        ]

    def _class_folder(self, key: _Key, images: list[ImageFile]) -> ClassFolder:
        label, split = key
        images.sort(key=lambda image: to_bytes(image.path))
        folder = ClassFolder(label, tuple(images), split, f"{split}/" if split is not None else "")
        paths: dict[str, str] = {}
        for image in images:
            name = Place.in_folder(folder, image).name
            if len(to_bytes(name)) > NAME_MAX or name.startswith("."):
                what = "hidden" if name.startswith(".") else f"longer than {NAME_MAX} bytes"
                self.problems.append(Remark(image.path, f"would be {name!r} in OUTPUT, which is {what}"))
            if (other := paths.setdefault(name, image.path)) != image.path:
                output = f"{folder.directory}/{name}"
                raise SourceTreeError(
                    f"{self.list_path}: {other!r} and {image.path!r} would both become {output!r} in OUTPUT: rename one"
                )
        return folder

    def _path(self, line: int, path: str) -> str:
        fault = "is no path" if not path or "\0" in path else "is absolute" if path.startswith("/") else None
        path = normpath(path) if not fault else path
        if path in (".", "..") or path.startswith("../"):
            fault = "leads out of the images"
        if fault:
            raise SourceTreeError(f"{self.list_path}: line {line}: {path!r} {fault}: paths begin below {self.below}")
        return path

    def _stamp(self, path: str) -> Stamp | str:
        """Return how a file looks, or why it cannot be taken."""
        if not is_image_name(path):
            return "is not an image by its name"
        if self.listing is not None:
            return self._stamp_of_object(self.listing, path)
        if reason := self._folder_problem(os.path.dirname(to_bytes(path))):
            return reason
        full = os.path.join(self.root, to_bytes(path))
        try:
            status = os.lstat(full)
            if stat.S_ISLNK(status.st_mode):
                if reason := link_problem(full, self.root, is_following=self.is_following):
                    return reason
                status = os.stat(full)
        except OSError as error:
            return f"cannot be looked at below {to_text(self.root)}: {error.strerror}"
        return Stamp.of(status) if stat.S_ISREG(status.st_mode) else "is not a regular file"

    def _stamp_of_object(self, listing: Listing, path: str) -> Stamp | str:
        try:
            return Stamp.of(listing.status_of(path))
        except OSError as error:
            return f"cannot be looked at below {to_text(self.root)}: {error.strerror}"

    def _folder_problem(self, folder: bytes) -> str | None:
        """Return why nothing is taken from a folder, which links may lead elsewhere, or None."""
        if folder not in self.folders:
            path, root = os.path.join(self.root, folder), os.path.realpath(self.root)
            is_plain = os.path.realpath(path) == os.path.normpath(os.path.join(root, folder))
            reason = None if is_plain else link_problem(path, self.root, is_following=self.is_following)
            self.folders[folder] = reason and f"lies in {to_text(folder)!r}, which {reason}"
        return self.folders[folder]

    def _check_new(self, path: str, line: int, key: _Key) -> None:
        """Raise SourceTreeError where an image has a row already."""
        if path not in self.seen:
            return
        other_line, other = self.seen[path]
        differing = [
            f"{role} {theirs!r} and {ours!r}"
            for role, theirs, ours in zip(("label", "split"), other, key, strict=True)
            if theirs != ours
        ]
        told = f": {', '.join(differing)}; an image has one" if differing else "; every image stands there once"
        raise SourceTreeError(f"{self.list_path}: {path!r} stands in lines {other_line} and {line}{told}")


def _fault_of_name(name: str) -> str | None:
    """Return why a label or split cannot be the name of a folder, or None."""
    if not name.strip():
        return "is empty"
    if "/" in name or "\0" in name or name.startswith("."):
        return "cannot be the name of a folder that loaders read: no '/', no '.' at the start"
    if name == MANIFEST_NAME:
        return "is the name of the manifest"
    if len(to_bytes(name)) > NAME_MAX:
        return f"has more than {NAME_MAX} bytes"
    return None


_SHOWN = {"path": "source", "label": "class", "group": "group", "split": "split"}
"""A column of a list that is written -> what a line of the manifest calls it."""


def render_list(rows: Callable[[], Iterable[Mapping[str, Any]]]) -> bytes:
    """Return the sources of a manifest's lines, names decoded, as CSV: what a source can be again.

    Path and label, group and split where there are any, repetitions; `rows` is called twice.
    """
    keys = {key for row in rows() if row["kind"] == "listed" for key in row}
    columns = {role: key for role, key in _SHOWN.items() if key in keys or role in ("path", "label")}
    listed = (row for row in rows() if row["kind"] == "listed")
    cells = ([*(row.get(key, "") for key in columns.values()), row["repetitions"]] for row in listed)
    return render_table([*columns, REPETITIONS], cells)


def check_listable(dataset: Dataset) -> None:
    """Raise TargetError for a name that is not UTF-8, which no list can hold."""
    for folder in dataset.folders:
        for name in (folder.directory, *(name for image in folder.images for name in (image.path, image.group or ""))):
            if isinstance(encode_name(name), dict):
                raise TargetError(f"{name!r} is not UTF-8, and a list holds nothing else: rename it, or --exclude it")
