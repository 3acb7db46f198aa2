"""Lists of images: a CSV of paths and labels read as a dataset, and a balanced set written as one."""

import csv
import io
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from posixpath import normpath
from typing import Any, NamedTuple

from rebalance.dataset import ClassFolder, Dataset, ImageFile, Remark, Stamp, to_bytes, to_text
from rebalance.errors import SourceTreeError, TargetError, did_you_mean
from rebalance.planning.naming import NAME_MAX, Place
from rebalance.storage.names import encode_name
from rebalance.storage.scan import is_excluded, is_image_name, link_problem, told_splits
from rebalance.storage.tables import Table

LIST_NAME = "rebalance.csv"
REPETITIONS = "repetitions"
"""The column that says how often an image counts."""


def read_list(
    table: Table, root: str, *, split: str | None = None, exclude: Sequence[str] = (), follow_symlinks: bool = False
) -> Dataset:
    """Return the images that a table names below `root` as a dataset; what is odd is listed in it, not raised.

    A column `split` asks for the `split` that is balanced; the others are carried over. Raises SourceTreeError for
    what contradicts itself: two labels, groups or splits of one image, two images that would have one name in OUTPUT.
    """
    if not os.path.isdir(to_bytes(root)):
        raise SourceTreeError(f"{root}: no such folder: --images is to be where the paths of {table.path} begin")
    gathered = _Gathered(table.path, to_bytes(root), tuple(exclude), follow_symlinks)
    for line, cells in table.rows:
        gathered.take(line, cells)
    splits = sorted({row.split for row in gathered.rows.values() if row.split is not None})
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
    )


class _Row(NamedTuple):
    line: int
    label: str
    split: str | None
    image: ImageFile


@dataclass(slots=True)
class _Gathered:
    """The rows of a list so far."""

    list_path: str
    root: bytes
    exclude: tuple[str, ...]
    is_following: bool
    rows: dict[str, _Row] = field(default_factory=dict)
    places: dict[tuple[str, str], str] = field(default_factory=dict)
    folders: dict[bytes, str | None] = field(default_factory=dict)
    ignored: list[Remark] = field(default_factory=list)
    problems: list[Remark] = field(default_factory=list)

    def take(self, line: int, cells: Mapping[str, str]) -> None:
        """Take a row in. Raises SourceTreeError where it cannot be meant."""
        label, split = cells["label"], cells.get("split")
        for role, value in (("label", label), ("split", split)):
            if value is not None and (fault := _fault_of_name(value)):
                raise SourceTreeError(f"{self.list_path}: line {line}: {role} {value!r} {fault}")
        path = self._path(line, cells["path"])
        if is_excluded(path, self.exclude) or is_excluded(label, self.exclude):
            self.ignored.append(Remark(path, "excluded"))
            return
        stamp = self._stamp(path)
        if isinstance(stamp, str):
            self.problems.append(Remark(path, f"of line {line} {stamp}"))
            return
        row = _Row(line, label, split, ImageFile(path, stamp, cells.get("group") or None))
        self._check_new(row)
        self.rows[path] = row

    def class_folders(self) -> list[ClassFolder]:
        """Return the classes of each split, by name."""
        images: dict[tuple[str, str | None], list[ImageFile]] = {}
        for row in self.rows.values():
            images.setdefault((row.label, row.split), []).append(row.image)
        return [
            ClassFolder(label, tuple(sorted(images[label, split], key=lambda image: to_bytes(image.path))), split)
            for label, split in sorted(images, key=lambda key: (key[1] or "", key[0]))
        ]

    def _path(self, line: int, path: str) -> str:
        fault = "is no path" if not path or "\0" in path else "is absolute" if path.startswith("/") else None
        path = normpath(path) if not fault else path
        if path in (".", "..") or path.startswith("../"):
            fault = "leads out of the images"
        if fault:
            raise SourceTreeError(
                f"{self.list_path}: line {line}: {path!r} {fault}: paths begin below --images, which is the folder of "
                "the list unless you say otherwise"
            )
        return path

    def _stamp(self, path: str) -> Stamp | str:
        """Return how a file looks, or why it cannot be taken."""
        if not is_image_name(path):
            return "is not an image by its name"
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

    def _folder_problem(self, folder: bytes) -> str | None:
        """Return why nothing is taken from a folder, which links may lead elsewhere, or None."""
        if folder not in self.folders:
            path, root = os.path.join(self.root, folder), os.path.realpath(self.root)
            is_plain = os.path.realpath(path) == os.path.normpath(os.path.join(root, folder))
            reason = None if is_plain else link_problem(path, self.root, is_following=self.is_following)
            self.folders[folder] = reason and f"lies in {to_text(folder)!r}, which {reason}"
        return self.folders[folder]

    def _check_new(self, row: _Row) -> None:
        """Raise SourceTreeError where a row takes the image of another, or the name of its file in OUTPUT."""
        path = row.image.path
        if other := self.rows.get(path):
            differing = [
                f"{role} {theirs!r} and {ours!r}"
                for role, theirs, ours in (("label", other.label, row.label), ("split", other.split, row.split))
                if theirs != ours
            ]
            told = f": {', '.join(differing)}; an image has one" if differing else "; every image stands there once"
            raise SourceTreeError(f"{self.list_path}: {path!r} stands in lines {other.line} and {row.line}{told}")
        place = Place.of(path, row.label, row.split)
        if len(to_bytes(place.name)) > NAME_MAX or place.name.startswith("."):
            what = "hidden" if place.name.startswith(".") else f"longer than {NAME_MAX} bytes"
            self.problems.append(Remark(path, f"would be {place.name!r} in OUTPUT, which is {what}"))
        other_path = self.places.setdefault((place.directory, place.name), path)
        if other_path != path:
            raise SourceTreeError(
                f"{self.list_path}: {other_path!r} and {path!r} would both become '{place.directory}/{place.name}' in "
                "OUTPUT: rename one of them"
            )


def _fault_of_name(name: str) -> str | None:
    """Return why a label or split cannot be the name of a folder, or None."""
    if not name.strip():
        return "is empty"
    if "/" in name or "\0" in name or name.startswith("."):
        return "cannot be the name of a folder that loaders read: no '/', no '.' at the start"
    if len(to_bytes(name)) > NAME_MAX:
        return f"has more than {NAME_MAX} bytes"
    return None


_SHOWN = {"path": "source", "label": "class", "group": "group", "split": "split"}
"""A column of a list that is written -> what a line of the manifest calls it."""


def render_list(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Return the sources of a manifest's lines, names decoded, as CSV: what a source can be again.

    Path and label, group and split where there are any, repetitions. Raises TargetError for a name that is not UTF-8.
    """
    listed = [row for row in rows if row["kind"] == "listed"]
    columns = {role: key for role, key in _SHOWN.items() if any(key in row for row in listed)}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*columns, REPETITIONS])
    writer.writerows([*(row.get(key, "") for key in columns.values()), row["repetitions"]] for row in listed)
    try:
        return text.getvalue().encode()
    except UnicodeEncodeError:
        names = (row.get(key, "") for row in listed for key in columns.values())
        odd = next(name for name in names if isinstance(encode_name(name), dict))
        raise TargetError(f"{odd!r} is not UTF-8, and a list holds nothing else: rename it, or --exclude it") from None
