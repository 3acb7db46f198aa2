"""Tables in CSV: a line of names, then rows, of which the columns that have a role are read."""

import contextlib
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from rebalance.dataset import to_bytes
from rebalance.errors import SourceTreeError, did_you_mean

ROLES = ("path", "label", "group", "split")
_DELIMITERS = (",", ";", "\t")
_FOREIGN_MARKS = {
    b"\xff\xfe\0\0": "UTF-32", b"\0\0\xfe\xff": "UTF-32", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16",
}  # fmt: skip

Columns = Mapping[str, str]
"""Role -> the column's name, where it is another."""


def is_table(path: str) -> bool:
    """Return whether a path names a table by its suffix."""
    return path.lower().endswith((".csv", ".tsv"))


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a file that have a role."""

    path: str
    sha256: str
    header: tuple[str, ...]
    rows: tuple[tuple[int, Mapping[str, str]], ...]
    """Number of the line a row ends in, and its cells by role."""


def read_table(path: str, columns: Columns, *, required: Sequence[str]) -> Table:
    """Read a CSV with a header line: UTF-8, separated by commas, semicolons or tabs.

    Raises SourceTreeError where it is not that, or a required column is missing.
    """
    data = _read(path)
    names = {role: columns.get(role, role) for role in ROLES}
    header, delimiter = _header(path, data, [names[role] for role in required])
    places = {role: header.index(name) for role, name in names.items() if name in header}
    for role in (*required, *columns):
        if role not in places:
            hint = "" if role in columns else f": say which with --column {role}=NAME"
            raise SourceTreeError(
                f"{path}: has no column {names[role]!r}; it has {', '.join(map(repr, header))}{hint}"
                f"{did_you_mean(names[role], header)}"
            )
    rows = []
    for line, cells in _rows(path, data, delimiter):
        if len(cells) != len(header):
            raise SourceTreeError(f"{path}: line {line} has {len(cells)} fields where the first line has {len(header)}")
        rows.append((line, {role: cells[place] for role, place in places.items()}))
    return Table(path, sha256(data.encode()).hexdigest(), tuple(header), tuple(rows[1:]))


def _read(path: str) -> str:
    try:
        with open(to_bytes(path), "rb") as file:
            data = file.read()
    except OSError as error:
        raise SourceTreeError(f"{path}: cannot be read: {error.strerror}") from None
    for mark, encoding in _FOREIGN_MARKS.items():
        if data.startswith(mark):
            raise SourceTreeError(f"{path}: is {encoding}: save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SourceTreeError(f"{path}: line {line} is not UTF-8: save it as UTF-8") from None


def _header(path: str, data: str, wanted: Sequence[str]) -> tuple[list[str], str]:
    """Return the names of the columns and what separates them: what gives the wanted ones, else the most."""
    headers: list[tuple[list[str], str]] = []
    for delimiter in _DELIMITERS:
        with contextlib.suppress(SourceTreeError):
            headers.append((next(_rows(path, data, delimiter), (0, []))[1], delimiter))
    header, delimiter = max(headers, key=lambda found: (set(wanted) <= set(found[0]), len(found[0])), default=([], ","))
    if not header:
        raise SourceTreeError(f"{path}: names no columns: its first line is to say path, label ...")
    for name in header:
        if header.count(name) > 1:
            raise SourceTreeError(f"{path}: two of its columns are called {name!r}")
    return header, delimiter


def _rows(path: str, data: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not empty, with the numbers of the lines they end in."""
    reader = csv.reader(io.StringIO(data, newline=""), delimiter=delimiter, strict=True)
    try:
        yield from ((reader.line_num, cells) for cells in reader if cells)
    except csv.Error as error:
        raise SourceTreeError(f"{path}: line {reader.line_num} is no CSV: {error}") from None
