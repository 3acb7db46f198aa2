"""What is printed: tables and JSON on stdout for programs and people, remarks on stderr for people."""

import csv
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from textwrap import indent
from typing import Any, TextIO

import click

from rebalance.cli.terminal import aside, fitted_lines, is_terminal, plain_lines, toned
from rebalance.plan import Drop, Interpolate, LabelTarget, Operation, Plan, Repeat, Row
from rebalance.storage.names import encode_names

_ROWS = 10_000
"""That are in memory together."""
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
_SHOWN = _CONTROLS | {
    code: f"\\u{code:04x}" for code in (0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}


class StdoutError(Exception):
    """Stdout takes no more; the argument is the error number."""


def emit(text: str) -> None:
    """Print a line on stdout. Raises StdoutError."""
    try:
        click.echo(toned(text, sys.stdout))
    except OSError as error:
        _silence(sys.stdout)
        raise StdoutError(error.errno) from None


def say(message: str) -> None:
    """Print a remark on stderr; a closed stderr stops nothing."""
    try:
        with aside():
            click.echo(toned(displayed(f"rebalance: {message}"), sys.stderr), err=True)
    except OSError:
        _silence(sys.stderr)


def tell(given: Mapping[str, Any], remarks: Iterable[str]) -> None:
    """Print remarks on stderr, unless --quiet asks for none."""
    if not given["quiet"]:
        for remark in remarks:
            say(remark)


def _silence(stream: TextIO) -> None:
    """Lead a stream that takes no more to nowhere, or the flush at exit would fail once more."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, stream.fileno())
    os.close(descriptor)


def displayed(name: str) -> str:
    """Return a name that no terminal takes for a command, nor writes from right to left."""
    return name.translate(_SHOWN).encode("utf-8", "backslashreplace").decode()


def print_table(header: Sequence[str], rows: Iterable[Sequence[object]], bars: Sequence[int] = ()) -> None:
    """Print columns, the first to the left, the others to the right; on a terminal, bars of so many images each."""
    cells = [list(header), *([displayed(str(cell)) for cell in row] for row in rows)]
    for line in fitted_lines(cells, bars, sys.stdout) if is_terminal(sys.stdout) else plain_lines(cells):
        emit(line)


def print_json(content: object) -> None:
    """Print one JSON document, its names as `storage.names` has them; what is not ASCII is escaped for any terminal."""
    emit(json.dumps(encode_names(content), indent=2))


def print_json_rows(content: Mapping[str, object], key: str, rows: Iterable[object]) -> None:
    """Print one JSON document that ends with an array, whose rows are never in memory together."""
    opening, closing = json.dumps(encode_names({**content, key: []}), indent=2).rsplit("[]", 1)
    last, n_rows = f"{opening}[", 0
    for row in rows:
        emit(f"{last}," if n_rows else last)
        last, n_rows = indent(json.dumps(encode_names(row), indent=2), "    "), n_rows + 1
    emit(f"{last}\n  ]{closing}" if n_rows else f"{last}]{closing}")


def print_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    r"""Print comma-separated values; a name that is not UTF-8 has its odd bytes as \xNN, and so have controls."""
    for some in _portions(chain([header], rows)):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([_cell(cell) for cell in row] for row in some)
        emit(text.getvalue().removesuffix("\n"))


def _portions(rows: Iterable[Sequence[object]]) -> Iterator[list[Sequence[object]]]:
    """Yield rows some at a time, so that many are never in memory together."""
    remaining = iter(rows)
    return iter(lambda: list(islice(remaining, _ROWS)), [])


def _cell(value: object) -> object:
    if isinstance(value, str):
        return value.translate(_CONTROLS).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "" if value is None else value


def print_plan(plan: Plan, report_format: str) -> None:
    """Print what OUTPUT will hold: per class as text, per file as JSON or CSV."""
    if report_format == "text":
        print_summary(plan, "text", {})
    elif report_format == "csv":
        print_csv(_FILE_KEYS, ([row.get(key) for key in _FILE_KEYS] for row in _files(plan)))
    else:
        told = {"schema": 1, "command": plan.command, "request": plan.request, "remarks": plan.remarks}
        print_json_rows({**told, "classes": class_rows(plan), **_label_rows(plan)}, "files", _files(plan))


_FILE_KEYS = (
    "path", "class", "kind", "source", "copy_number", "neighbor", "step", "repetitions", "split", "group"
)  # fmt: skip
_COLUMNS = {
    False: (
        ("class", "before", "kept", "after", "generated", "copies/image"),
        ("name", "n_before", "n_kept", "n_after", "generated_share", "most_copies"),
    ),
    True: (("class", "before", "after", "left out"), ("name", "n_before", "n_after", "n_left_out")),
}
"""Whether images are only left out -> the columns of a summary, and what they are called elsewhere."""


def print_summary(plan: Plan, report_format: str, more: Mapping[str, object]) -> None:
    """Print counts before and after, class by class; of splits that are carried over, a column each."""
    if report_format == "json":
        print_json({"schema": 1, **more, "classes": class_rows(plan), **_label_rows(plan)})
        return
    if plan.labeling is not None:
        _print_label_summary(plan, plan.labeling.targets, report_format)
        return
    titles, keys = _COLUMNS[plan.command == "undersample"]
    splits = list(dict.fromkeys(str(target.split) for target in plan.carried))
    rows = [[*(row[key] for key in keys), *(row["carried"][name] for name in splits)] for row in class_rows(plan)]
    if report_format == "csv":
        print_csv((*keys, *splits), rows)
        return
    shown = ([f"{cell:.0%}" if isinstance(cell, float) else cell for cell in row] for row in rows)
    print_table((*titles, *(displayed(name) for name in splits)), shown)
    emit(displayed(_total(plan, splits)))


def _label_rows(plan: Plan) -> dict[str, Any]:
    return {} if plan.labeling is None else {"labels": [label._asdict() for label in plan.labeling.targets]}


def _print_label_summary(plan: Plan, labels: Sequence[LabelTarget], report_format: str) -> None:
    """Print what becomes of each label, where an image has several."""
    if report_format == "csv":
        print_csv(LabelTarget._fields, labels)
        return
    print_table(
        ("label", "before", "asked", "after"),
        (["-" if cell is None else cell for cell in label[:4]] for label in labels),
    )
    for label in labels:
        if label.reason:
            emit(displayed(f"{label.name}: {label.n_after} where {label.n_target or 0} are asked: {label.reason}"))
    emit(f"{len(labels)} labels, {sum(plan.class_counts.values())} images -> {plan.n_outputs}")


def _total(plan: Plan, splits: Sequence[str]) -> str:
    """Return the last line of a summary."""
    n_before, n_after = sum(plan.class_counts.values()), sum(target.n_target for target in plan.targets)
    total = f"{len(plan.targets)} classes, {n_before} files -> {n_after}"
    if splits:
        carried = {name: sum(target.n_target for target in plan.carried if target.split == name) for name in splits}
        total += f" in {plan.targets[0].split}"
        total += "".join(f"; {n_files} in {name} as they are" for name, n_files in carried.items())
    how = {"list": ", as a list", "vectors": ", as vectors", "both": ", and their vectors"}
    return total + how.get(str(plan.request.get("write")), "")


def class_rows(plan: Plan) -> list[dict[str, Any]]:
    """Return what a plan does to each class."""
    carried = {(target.class_name, target.split): target.n_target for target in plan.carried}
    splits = dict.fromkeys(target.split for target in plan.carried)
    return [
        {
            "name": target.class_name,
            "n_before": plan.class_counts[target.class_name],
            "n_kept": target.n_target - plan.n_generated[target.class_name],
            "n_after": target.n_target,
            "n_left_out": plan.class_counts[target.class_name] - target.n_current,
            "generated_share": round(plan.n_generated[target.class_name] / target.n_target, 6),
            "most_copies": plan.most_copies[target.class_name],
            **({"carried": {name: carried.get((target.class_name, name), 0) for name in splits}} if splits else {}),
        }
        for target in plan.targets
    ]


def _neighbor_of(operation: Operation) -> str | None:
    neighbor = operation.neighbor if isinstance(operation, Interpolate | Row) else None
    return None if neighbor is None else neighbor.path


def _files(plan: Plan) -> Iterator[dict[str, Any]]:
    """Yield the files of a plan, or the sources of a list."""
    for target in plan.all_targets:
        for operation in plan.operations(target.directory):
            if isinstance(operation, Drop):
                continue
            row = {
                "path": None if isinstance(operation, Repeat | Row) else operation.output,
                "class": target.class_name,
                "kind": operation.kind,
                "source": operation.source.path,
                "copy_number": getattr(operation, "copy_number", None),
                "neighbor": operation.neighbor.path
                if isinstance(operation, Interpolate | Row) and operation.neighbor
                else None,
                "step": getattr(operation, "step", None),
                "repetitions": operation.repetitions if isinstance(operation, Repeat) else None,
                "split": target.split,
                "group": operation.source.group,
            }
            yield {key: value for key, value in row.items() if value is not None}
