"""Vectors of a balanced set: an array for each class, and an index that says what each row is."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np

from rebalance.storage.names import encode_name
from rebalance.storage.stage import WorkTree
from rebalance.storage.tables import render_table
from rebalance.vectors import Rows

ROWS_NAME = "vectors.npy"
"""Of the array in the directory of each class."""
_COLUMNS = ("split", "class", "row", "kind", "source", "neighbor", "step", "path")


def write_rows(staged: WorkTree, name: str, n_rows: int, blocks: Iterator[Rows]) -> dict[str, Any]:
    """Write an array of vectors into a staged tree; return its path, bytes, sha256 and rows as a manifest has them."""
    with staged.made(name) as file:
        hashing = _Hashing(file)
        _write_array(hashing, n_rows, blocks)
    return {"path": encode_name(name), "bytes": hashing.n_bytes, "sha256": hashing.sha256.hexdigest(), "rows": n_rows}


class _Hashing:
    """A file that is written on, and the sum of what was."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.sha256, self.n_bytes = file, hashlib.sha256(), 0

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        self.n_bytes += len(data)
        return self.file.write(data)


def _write_array(file: _Hashing, n_rows: int, blocks: Iterator[Rows]) -> None:
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
    return render_table(_COLUMNS, _index(rows()))


def _index(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[object]]:
    numbers: dict[tuple[Any, ...], int] = {}
    for row in rows:
        if row["kind"] == "removed":
            continue
        home = row.get("split"), row["class"]
        numbers[home] = numbers.get(home, -1) + 1
        kind = row["kind"] if row["kind"] != "vector" else "synthetic" if "neighbor" in row else "original"
        cells = {**row, "row": numbers[home], "kind": kind}
        yield ["" if cells.get(name) is None else cells[name] for name in _COLUMNS]
