"""Labels of images in CSV: a 0/1 column a label, or a column that lists them; read beside the images, and written."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from posixpath import normpath
from typing import Any, NamedTuple

from rebalance.dataset import ClassFolder, Dataset, ImageFile, Remark, to_bytes
from rebalance.errors import SourceTreeError, did_you_mean
from rebalance.labels import LabelForm, Labels, LabelSet, labels_of
from rebalance.storage.lists import read_list
from rebalance.storage.scan import find_images, is_excluded
from rebalance.storage.tables import Table, render_table

FOLDER = "images"
"""The one folder of OUTPUT that holds images, whatever their labels."""
FILE_NAME = "labels.csv"
_ONES = {"1": True, "1.0": True, "0": False, "0.0": False}
Tell = Callable[[str], None]
"""Takes what someone should know of a file."""


class Labeled(NamedTuple):
    """Images and their labels."""

    dataset: Dataset
    """Of one class folder."""
    labels: Labels
    form: LabelForm
    described: Mapping[str, object]
    """Where they were read: the sha256 of a file and its columns, or the folders."""


def find_form(table: Table, asked: Sequence[str], delimiter: str, tell: Tell) -> LabelForm:
    """Return how a table says the labels: by the columns that are asked for, a column `label`, or all of 0 and 1.

    Raises SourceTreeError where a column is not there or no column says them.
    """
    path_column = table.header[table.places["path"]]
    if "split" in table.places:
        tell(
            f"warning: {table.path}: its column {table.header[table.places['split']]!r} is not read: images of every "
            "split are balanced, those to validate and test on, too; take their rows out"
        )
    for name in asked:
        if name not in table.header:
            raise SourceTreeError(
                f"{table.path}: has no column {name!r}, which --label-columns names{did_you_mean(name, table.header)}"
            )
    if asked:
        return LabelForm(path_column, tuple(asked))
    if "label" in table.places:
        return LabelForm(path_column, (table.header[table.places["label"]],), delimiter)
    others = [name for name in table.header if name != path_column]
    found = _columns_of_ones(table, others)
    if not found:
        raise SourceTreeError(
            f"{table.path}: has no column of 0 and 1, and none called 'label': say which with --column label=NAME"
        )
    if unread := [name for name in others if name not in found]:
        tell(f"note: {table.path}: not read, since they are not of 0 and 1 alone: {', '.join(map(repr, unread))}")
    return LabelForm(path_column, tuple(found))


def _columns_of_ones(table: Table, names: Sequence[str]) -> list[str]:
    left = dict.fromkeys(names)
    for _, cells in _rows(table, left):
        for name in [name for name in left if cells[name] not in _ONES]:
            del left[name]
    return list(left)


def _rows(table: Table, names: Iterable[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows with the cells of these columns by name."""
    return replace(table, places={name: table.header.index(name) for name in names}).rows()


@dataclass(frozen=True, slots=True)
class _InOneFolder:
    """A table of images that has no classes."""

    path: str
    header: tuple[str, ...]
    table: Table

    def rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield the rows as if all images were of one class."""
        for line, cells in self.table.rows():
            yield line, {**cells, "label": FOLDER}


def read_labels(
    table: Table, form: LabelForm, root: str, *, exclude: Sequence[str] = (), follow_symlinks: bool = False
) -> Labeled:
    """Return the images that a table names below `root`, and their labels.

    Rows without a file are problems of the dataset, files without a row are ignored in it. Raises SourceTreeError for
    what contradicts itself.
    """
    rows = _InOneFolder(table.path, table.header, replace(table, places={"path": table.places["path"]}))
    dataset = read_list(rows, root, exclude=exclude, follow_symlinks=follow_symlinks, below="SOURCE")
    dataset = replace(dataset, is_listed=False)  # SOURCE is a folder of its own, in which nothing is written
    names, sets = _label_sets(table, form)
    there = {image.path for image in dataset.images()}
    found = {path: label_set for path, label_set in sets.items() if path in there}
    described = {"sha256": table.sha256, **form._asdict()}
    extra = tuple(_without_row(root, table, sets.keys(), exclude))
    return Labeled(replace(dataset, ignored=(*dataset.ignored, *extra)), labels_of(names, found), form, described)


def _label_sets(table: Table, form: LabelForm) -> tuple[tuple[str, ...], dict[str, LabelSet]]:
    """Return the labels, and those of each row by path."""
    if form.delimiter is not None:
        return _listed_sets(table, form, form.delimiter)
    sets = {}
    for line, cells in _rows(table, (form.path_column, *form.columns)):
        for name in form.columns:
            if cells[name] not in _ONES:
                raise SourceTreeError(
                    f"{table.path}: line {line}: {cells[name]!r} in column {name!r} is neither 0 nor 1"
                )
        path = normpath(cells[form.path_column])
        sets[path] = tuple(label for label, name in enumerate(form.columns) if _ONES[cells[name]])
    return form.columns, sets


def _listed_sets(table: Table, form: LabelForm, delimiter: str) -> tuple[tuple[str, ...], dict[str, LabelSet]]:
    """Return the same of a column that lists labels; labels go by name."""
    (column,) = form.columns
    listed = {}
    for _, cells in _rows(table, (form.path_column, column)):
        own = (name.strip() for name in cells[column].split(delimiter))
        listed[normpath(cells[form.path_column])] = {name for name in own if name}
    names = tuple(sorted(set().union(*listed.values())))
    place_of = {name: place for place, name in enumerate(names)}
    return names, {path: tuple(sorted(place_of[name] for name in own)) for path, own in listed.items()}


def _without_row(root: str, table: Table, known: Collection[str], exclude: Sequence[str]) -> Iterator[Remark]:
    """Yield the images below the root that no row names."""
    patterns = tuple(pattern.rstrip("/") for pattern in exclude)
    for image in find_images(to_bytes(root)):
        if isinstance(image, ImageFile) and image.path not in known and not is_excluded(image.path, patterns):
            yield Remark(image.path, f"has no row in {table.path}")


def render_labels(rows: Iterable[tuple[str, LabelSet]], names: Sequence[str], form: LabelForm) -> bytes:
    """Return paths and their labels as CSV, in the form in which they were read."""
    cells = ([path, *_cells(label_set, names, form)] for path, label_set in rows)
    return render_table([form.path_column, *form.columns], cells)


def _cells(label_set: LabelSet, names: Sequence[str], form: LabelForm) -> list[object]:
    if form.delimiter is not None:
        return [form.delimiter.join(names[label] for label in label_set)]
    own = set(label_set)
    return [int(label in own) for label in range(len(names))]


def render_made(rows: Callable[[], Iterable[Mapping[str, Any]]], labels: Labels, form: LabelForm) -> bytes:
    """Return the labels of the files of OUTPUT, from a manifest's lines, names decoded: the form that a source has."""
    made = (row for row in rows() if "path" in row)
    labeled = ((row["path"].removeprefix(f"{FOLDER}/"), labels.of(row["source"])) for row in made)
    return render_labels(labeled, labels.names, form)


def merge_folders(dataset: Dataset, sums: Mapping[str, str]) -> Labeled:
    """Return the images of a tree whose class folders are labels: what stands in several is one image with several.

    `sums` are the sha256 of the images that have the bytes of another. An image goes by its first path.
    """
    first: dict[str, ImageFile] = {}
    found: dict[str, set[int]] = {}
    for label, folder in enumerate(dataset.classes):
        for image in folder.images:
            kept = first.setdefault(sums.get(image.path, image.path), image)
            found.setdefault(kept.path, set()).add(label)
    images = tuple(sorted(first.values(), key=lambda image: to_bytes(image.path)))
    names = tuple(folder.name for folder in dataset.classes)
    merged = replace(dataset, classes=(ClassFolder(FOLDER, images),))
    labels = labels_of(names, {path: tuple(sorted(labels)) for path, labels in found.items()})
    return Labeled(merged, labels, LabelForm("path", names), {"folders": list(names)})
