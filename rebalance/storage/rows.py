"""Vectors of a balanced set: an array for each class, and an index that says what each row is."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np

from rebalance.vectors import Rows

ROWS_NAME = "vectors.npy"
"""Of the array in the directory of each class."""
INDEX_NAME = "vectors.csv"
_COLUMNS = ("split", "class", "row", "kind", "source", "neighbor", "step", "path")


def write_array(file: BinaryIO, n_rows: int, blocks: Iterator[Rows]) -> None:
    """Write blocks of rows as one .npy of little-endian float32."""
    n_written = 0
    for block in blocks:
        if not n_written:
            header = {"descr": "<f4", "fortran_order": False, "shape": (n_rows, block.shape[1])}
            np.lib.format.write_array_header_1_0(file, header)
        file.write(np.ascontiguousarray(block, "<f4").tobytes())
        n_written += len(block)
    if n_written != n_rows:
        message = f"{n_rows} rows were planned and there are {n_written}"
        raise AssertionError(message)


def render_index(rows: Callable[[], Iterable[Mapping[str, Any]]]) -> bytes:
    """Return the index of lines whose names are decoded, as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    numbers: dict[tuple[Any, ...], int] = {}
    for row in rows():
        if row["kind"] == "removed":
            continue
        home = row.get("split"), row["class"]
        numbers[home] = numbers.get(home, -1) + 1
        kind = row["kind"] if row["kind"] != "vector" else "synthetic" if "neighbor" in row else "original"
        cells = {**row, "row": numbers[home], "kind": kind}
        writer.writerow(["" if cells.get(name) is None else cells[name] for name in _COLUMNS])
    return text.getvalue().encode("utf-8", "surrogateescape")
