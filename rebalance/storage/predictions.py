"""Predictions in CSV, read and written: path, y_true, y_pred, and a probability column per class."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rebalance.errors import SourceTreeError, did_you_mean
from rebalance.scoring.confidence import Values
from rebalance.scoring.predictions import Predictions
from rebalance.storage.tables import Table, read_table, render_table

PATH, TRUTH, CALLED, GROUP = ROLES = ("path", "y_true", "y_pred", "group")
_OFF = 0.01
"""How far from 1 probabilities may add up to, and a twentieth of it more for each class: what rounding does."""
_ABOVE_ONE = 1e-6
"""What rounding to 32 bits leaves a probability above 1."""
_DECIMAL_COMMA = re.compile(r"\s*\d*,\d+(e[+-]?\d+)?\s*", re.IGNORECASE)

Remark = Callable[[str], None]
"""Takes what someone should know of a file."""


def read_predictions(path: str, columns: Mapping[str, str], remark: Remark) -> Predictions:
    """Read the predictions of one run; `columns` says what a role, or the probability of a class, is called.

    Classes are those of y_true, y_pred and the probability columns. Without y_pred, the likeliest class is called, the
    first of several. Raises SourceTreeError for what is no such table, names an image twice, or has no probabilities
    where it should.
    """
    roles = {role: name for role, name in columns.items() if role in ROLES}
    table = read_table(path, roles, required=(PATH, TRUTH), roles=ROLES, option="--columns")
    if GROUP not in columns:
        table = replace(table, places={role: place for role, place in table.places.items() if role != GROUP})
    cells = _Cells.of(table)
    of_classes = {name: column for name, column in columns.items() if name not in ROLES}
    found = _probabilities(table, cells, of_classes, remark)
    if found is None and cells.called is None:
        raise SourceTreeError(
            f"{path}: has no column {roles.get(CALLED, CALLED)!r}, and none for the probability of "
            f"{min(cells.truth)!r}: say which with --columns {CALLED}=NAME or CLASS=NAME"
        )
    predictions = _predictions(path, cells, found)
    _tell_contradictions(predictions, remark)
    return predictions


def _tell_contradictions(predictions: Predictions, remark: Remark) -> None:
    """Remark where y_pred and probabilities say different things."""
    if predictions.probabilities is None:
        return
    likeliest = predictions.probabilities.argmax(axis=1)
    if len(rows := np.flatnonzero(likeliest != predictions.called)):
        row, names = int(rows[0]), predictions.names
        remark(
            f"note: {predictions.told}: y_pred is not the likeliest class of {len(rows)} of {len(likeliest)} images: "
            f"{predictions.paths[row]!r} is called {names[predictions.called[row]]!r}, and {names[likeliest[row]]!r} "
            "is likelier"
        )


@dataclass(frozen=True, slots=True)
class _Cells:
    """The columns that have a role."""

    paths: Sequence[str]
    truth: Sequence[str]
    called: Sequence[str] | None
    groups: Sequence[str] | None

    @classmethod
    def of(cls, table: Table) -> "_Cells":
        """Read them. Raises SourceTreeError where one is empty, or an image is there twice."""
        columns: dict[str, list[str]] = {role: [] for role in table.places}
        lines: dict[str, int] = {}
        kept: dict[str, str] = {}
        for line, cells in table.rows():
            for role, cell in cells.items():
                if not cell:
                    raise SourceTreeError(f"{table.path}: line {line}: its {role} is empty")
                columns[role].append(cell if role == PATH else kept.setdefault(cell, cell))
            if (other := lines.setdefault(cells[PATH], line)) != line:
                raise SourceTreeError(
                    f"{table.path}: {cells[PATH]!r} stands in lines {other} and {line}: an image has one row"
                )
        if not lines:
            raise SourceTreeError(f"{table.path}: has no rows: nothing to score")
        return cls(columns[PATH], columns[TRUTH], columns.get(CALLED), columns.get(GROUP))

    @property
    def labels(self) -> set[str]:
        """The classes that are true or called."""
        return {*self.truth, *(self.called or ())}


def _predictions(path: str, cells: _Cells, found: Mapping[str, Sequence[float]] | None) -> Predictions:
    names = tuple(sorted(cells.labels if found is None else found))
    place_of = {name: place for place, name in enumerate(names)}
    probabilities = None if found is None else np.array([found[name] for name in names], np.float64).T.copy()
    if cells.called is not None:
        called = np.array([place_of[name] for name in cells.called], np.intp)
    else:
        assert probabilities is not None
        called = probabilities.argmax(axis=1)
    truth = np.array([place_of[name] for name in cells.truth], np.intp)
    predictions = Predictions(path, names, tuple(cells.paths), truth, called, probabilities)
    if cells.groups is None:
        return predictions
    group_names = tuple(sorted(set(cells.groups)))
    number_of = {group: number for number, group in enumerate(group_names)}
    numbers = np.array([number_of[group] for group in cells.groups], np.intp)
    return replace(predictions, groups=numbers, group_names=group_names)


def _probabilities(
    table: Table, cells: _Cells, of_classes: Mapping[str, str], remark: Remark
) -> dict[str, list[float]] | None:
    """Return the probabilities of each class that has a column, or None where no class has one.

    A class is one that stands in y_true or y_pred, or that `of_classes` names; further columns of probabilities are
    classes where all together add up to 1 more closely.
    """
    columns = _class_columns(table, cells, of_classes)
    taken = {*columns.values(), *(table.header[place] for place in table.places.values())}
    others = [name for name in table.header if name not in taken]
    if not columns:
        _tell_unread(table, others, remark)
        return None
    lines, numbers = _numbers(table, list(columns.values()), others)
    found = {name: numbers[column] for name, column in columns.items()}
    every = found | {name: numbers[name] for name in others if name in numbers}
    if _first_off(every) is None and _distance(every) < _distance(found):
        found = every
    _tell_unread(table, [name for name in others if name not in found], remark)
    if (row := _first_off(found)) is not None:
        total = sum(values[row] for values in found.values())
        raise SourceTreeError(
            f"{table.path}: line {lines[row]}: the probabilities of its {len(found)} classes add up to {total:.4g}: "
            "give what softmax gives, all classes, or y_pred alone"
        )
    return found


def _class_columns(table: Table, cells: _Cells, of_classes: Mapping[str, str]) -> dict[str, str]:
    """Return the column of each class, of none or of every one. Raises SourceTreeError where some are missing."""
    for name, column in of_classes.items():
        if column not in table.header:
            raise SourceTreeError(
                f"{table.path}: has no column {column!r}, which --columns {name}={column} names"
                f"{did_you_mean(column, table.header)}"
            )
    taken = {table.header[place] for place in table.places.values()}
    columns = {name: name for name in table.header if name in cells.labels and name not in taken} | dict(of_classes)
    if columns and (missing := sorted(cells.labels - columns.keys())):
        way_out = (
            f"say which with --columns {missing[0]}=NAME" if missing[0] not in ROLES else "call the class otherwise"
        )
        raise SourceTreeError(
            f"{table.path}: has probabilities of {min(columns)!r} and no column for class {missing[0]!r}: {way_out}"
        )
    return columns


def _tell_unread(table: Table, names: Sequence[str], remark: Remark) -> None:
    if names:
        what = "column" if len(names) == 1 else "columns"
        remark(f"note: {table.path}: {what} {', '.join(map(repr, names))} not read: no role, and no class of this name")


def _numbers(table: Table, needed: Sequence[str], others: Sequence[str]) -> tuple[list[int], dict[str, list[float]]]:
    """Return the line of each row, and the numbers of columns; of others, only where all are from 0 to 1.

    Raises SourceTreeError where one that is needed is not.
    """
    columns: dict[str, list[float]] = {name: [] for name in [*needed, *others]}
    lines = []
    for line, cells in replace(table, places={name: table.header.index(name) for name in columns}).rows():
        lines.append(line)
        for name in list(columns):
            number = _number(cells[name], table.delimiter)
            if number is not None:
                columns[name].append(number)
            elif name in needed:
                raise SourceTreeError(
                    f"{table.path}: line {line}: {cells[name]!r} in column {name!r} is no probability"
                )
            else:
                del columns[name]
    return lines, columns


def _number(cell: str, delimiter: str) -> float | None:
    """Return a number from 0 to 1, with a decimal comma where commas do not separate; None of what is none."""
    if delimiter != "," and _DECIMAL_COMMA.fullmatch(cell):
        cell = cell.replace(",", ".")
    try:
        number = float(cell)
    except ValueError:
        return None
    return min(number, 1.0) if 0 <= number <= 1 + _ABOVE_ONE else None


def _off(columns: Mapping[str, Sequence[float]]) -> Values:
    """Return how far from 1 each row adds up to."""
    off: Values = np.abs(np.sum(np.array(list(columns.values())), axis=0) - 1)
    return off


def _first_off(columns: Mapping[str, Sequence[float]]) -> int | None:
    """Return the first row that does not add up to 1, or None."""
    rows = np.flatnonzero(_off(columns) > _OFF * (1 + len(columns) / 20))
    return int(rows[0]) if len(rows) else None


def _distance(columns: Mapping[str, Sequence[float]]) -> float:
    return float(_off(columns).sum())


def check_renderable(predictions: Predictions) -> None:
    """Raise SourceTreeError where a class would have the name of another column."""
    taken = [name for name in predictions.names if name in ROLES]
    if taken and predictions.probabilities is not None:
        raise SourceTreeError(
            f"{predictions.told}: class {taken[0]!r} is called as a column of predictions is: call it otherwise"
        )


def render_predictions(predictions: Predictions) -> bytes:
    """Return predictions as CSV, in the order of the paths; groups, where there are any, are column `group`."""
    group = [] if predictions.groups is None else [GROUP]
    classes = () if predictions.probabilities is None else predictions.names
    return render_table([PATH, TRUTH, CALLED, *group, *classes], _rows(predictions))


def _rows(predictions: Predictions) -> Iterator[list[object]]:
    names, found, groups = predictions.names, predictions.probabilities, predictions.groups
    for row, path in enumerate(predictions.paths):
        group = [] if groups is None else [predictions.group_names[groups[row]]]
        numbers = [] if found is None else found[row].tolist()
        yield [path, names[predictions.truth[row]], names[predictions.called[row]], *group, *numbers]
