"""Tables in CSV: a line of names, then rows, of which the columns that have a role are read."""

import csv
import io
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from typing import Protocol

from rebalance.dataset import to_bytes
from rebalance.errors import SourceTreeError, did_you_mean, listed
from rebalance.storage.transfer import read_file

ROLES = ("path", "label", "group", "split")
_DELIMITERS = (",", ";", "\t")
_FOREIGN_MARKS = {
    b"\xff\xfe\0\0": "UTF-32", b"\0\0\xfe\xff": "UTF-32", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16",
}  # fmt: skip

Columns = Mapping[str, str]
"""Role -> the column's name, where it is another."""


def is_table(path: str) -> bool:
    """Return whether a path names a table by its suffix, and no folder."""
    return path.lower().endswith((".csv", ".tsv")) and not os.path.isdir(to_bytes(path))


def render_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Return a table as CSV that reads back to the same cells; a name that is not UTF-8 keeps its bytes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    careful = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)  # csv leaves a lone \r unquoted
    for row in chain([header], rows):
        (careful if any("\r" in str(cell) for cell in row) else writer).writerow(row)
    return to_bytes(text.getvalue())


class Rows(Protocol):
    """What a list of images is read from."""

    @property
    def path(self) -> str: ...  # noqa: D102
    @property
    def header(self) -> tuple[str, ...]: ...  # noqa: D102
    def rows(self) -> Iterator[tuple[int, dict[str, str]]]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a file that have a role."""

    path: str
    sha256: str
    header: tuple[str, ...]
    text: str
    delimiter: str
    places: Mapping[str, int]
    """Role -> the column's place."""

    def rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield the number of the line each row ends in, and its cells by role. Raises SourceTreeError."""
        lines = _records(self.path, self.text, self.delimiter)
        next(lines)
        for line, cells in lines:
            if len(cells) != len(self.header):
                raise SourceTreeError(
                    f"{self.path}: line {line} has {len(cells)} fields where the first line has {len(self.header)}"
                )
            yield line, {role: cells[place] for role, place in self.places.items()}


def used_columns(columns: Columns, table: Table) -> dict[str, str]:
    """Return the names that a table has of those that were given."""
    return {role: name for role, name in columns.items() if name in table.header}


def read_table(
    path: str, columns: Columns, *, required: Sequence[str], roles: Sequence[str] = ROLES, option: str = "--column"
) -> Table:
    """Read a CSV with a header line: UTF-8, separated by commas, semicolons or tabs.

    `option` is what names columns. Raises SourceTreeError where it is not that, or a required column is missing.
    """
    text = _read(path)
    names = {role: columns.get(role, role) for role in roles}
    header, delimiter = _header(path, text, [names[role] for role in required])
    places = {role: header.index(name) for role, name in names.items() if name in header}
    for role in (*required, *columns):
        if role not in places:
            hint = "" if role in columns else f": say which with {option} {role}=NAME"
            raise SourceTreeError(
                f"{path}: has no column {names[role]!r}; it has {listed(map(repr, header))}{hint}"
                f"{did_you_mean(names[role], header)}"
            )
    return Table(path, sha256(text.encode()).hexdigest(), tuple(header), text, delimiter, places)


def _read(path: str) -> str:
    try:
        data = read_file(b"", path)
    except OSError as error:
        raise SourceTreeError(f"{path}: cannot be read: {error.strerror}") from None
    for mark, encoding in _FOREIGN_MARKS.items():
        if data.startswith(mark):
            raise SourceTreeError(f"{path}: is {encoding}: save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SourceTreeError(f"{path}: line {line} is not UTF-8: save it as UTF-8") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise SourceTreeError(f"{path}: line {line}: holds a NUL, which no text does: write it anew as UTF-8")
    return text if "\n" in text else text.replace("\r", "\n")  # as old spreadsheets end their lines


def _header(path: str, text: str, wanted: Sequence[str]) -> tuple[list[str], str]:
    """Return the names of the columns and what separates them: what gives the wanted ones, else the most."""
    found: list[tuple[list[str], str]] = []
    faults = []
    for delimiter in _DELIMITERS:
        try:
            found.append((next(_records(path, text, delimiter), (0, []))[1], delimiter))
        except SourceTreeError as error:
            faults.append(error)
    if not found:
        raise faults[0]
    header, delimiter = max(found, key=lambda one: (set(wanted) <= set(one[0]), len(one[0])))
    if not header:
        raise SourceTreeError(f"{path}: names no columns: its first line is to say path, label ...")
    name, n_times = Counter(header).most_common(1)[0]
    if n_times > 1:
        raise SourceTreeError(f"{path}: two of its columns are called {name!r}")
    return header, delimiter


def _records(path: str, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not empty, with the numbers of the lines they end in."""
    reader = csv.reader(_lines(text), delimiter=delimiter, strict=True)
    try:
        yield from ((reader.line_num, cells) for cells in reader if cells)
    except csv.Error as error:
        raise SourceTreeError(f"{path}: line {reader.line_num} is no CSV: {error}") from None


def _lines(text: str) -> Iterator[str]:
    """Yield the lines one by one, so that a large text is not there twice."""
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end
