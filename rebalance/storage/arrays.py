"""Arrays in NumPy's format, read with mistrust: nothing is allocated that a file does not have the bytes for."""

import contextlib
import errno
import io
import math
import os
import stat
import tokenize
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from rebalance.dataset import to_bytes
from rebalance.errors import VectorsError, listed
from rebalance.vectors import Rows, RowView

SAFE = (
    "is a pickle, which may run any code when it is read: save the vectors with numpy.save and name the paths with "
    "--embedding-paths, or save both with numpy.savez(FILE, paths=..., vectors=...)"
)
LARGE = 2**28
"""Bytes from which an array is left where it lies, instead of being read into memory."""
BLOCK = 2**24
"""Bytes that are read or scaled at a time."""
_MAX_HEAD = 10_000
_UNIT = 2e-7
"""A norm this near to 1 is 1 in float32: such rows stay as they are, so that what is written is read bit for bit."""
_BAD_HEAD = (ValueError, SyntaxError, TypeError, LookupError, RecursionError, MemoryError, tokenize.TokenError)
BAD_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError)
"""What a damaged zip raises."""


@contextlib.contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """Open a regular file, and answer for the disk while it is open. Raises VectorsError."""
    try:
        descriptor = os.open(to_bytes(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise VectorsError(f"{path}: is not a file")
        with open(descriptor, "rb") as file:
            yield file
    except OSError as error:
        raise VectorsError(f"{path}: cannot be read: {error.strerror or error}") from None
    except MemoryError:
        raise VectorsError(f"{path}: does not fit in memory") from None


def is_pickle(file: BinaryIO) -> bool:
    """Return whether a file begins as pickles do, or is a zip as torch writes it."""
    start = file.read(4)
    file.seek(0)
    if start == b"PK\3\4":
        with contextlib.suppress(*BAD_ZIP), zipfile.ZipFile(file) as archive:
            return any(name.rpartition("/")[2] == "data.pkl" for name in archive.namelist())
    return len(start) > 1 and start[0] == 0x80 and 2 <= start[1] <= 5


@dataclass(frozen=True, slots=True)
class Head:
    """What an array in NumPy's format is, by its head, which agrees with the bytes there are."""

    place: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    is_fortran: bool

    @property
    def n_bytes(self) -> int:
        """Return the size of the array."""
        return _n_bytes(self.dtype, self.shape)

    def check(self, kinds: str, *shape: int | None) -> None:
        """Refuse a dtype of another kind, or a shape that differs where one is said. Raises VectorsError."""
        if self.dtype.kind not in kinds or self.dtype.itemsize not in _ITEM_SIZES.get(kinds, [self.dtype.itemsize]):
            raise VectorsError(f"{self.place}: is of dtype {self.dtype}: save it as {_WANTED[kinds]}")
        fits = [
            there == wanted or (wanted is None and there > 0) for there, wanted in zip(self.shape, shape, strict=False)
        ]
        if len(self.shape) != len(shape) or not all(fits):
            belongs = "(images, dimensions) belongs, neither of them 0" if None in shape else f"{shape} belongs"
            raise VectorsError(f"{self.place}: has shape {self.shape} where {belongs}")


_WANTED = {"f": "float16, float32 or float64", "U": "an array of str", "iu": "int64", "u": "uint8"}
_ITEM_SIZES = {"f": [2, 4, 8], "u": [1]}


def _n_bytes(dtype: np.dtype[Any], shape: Iterable[int]) -> int:
    return math.prod((dtype.itemsize, *shape))


def read_head(file: BinaryIO, n_bytes: int, place: str) -> Head:
    """Read the head of an array of so many bytes in all, and leave the file at its values. Raises VectorsError."""
    start = file.read(8)
    length = file.read(2 if start[6:7] == b"\1" else 4)
    n_head = int.from_bytes(length, "little")
    if not start.startswith(b"\x93NUMPY") or n_head > _MAX_HEAD:
        raise VectorsError(f"{place}: is not an array as numpy.save writes it")
    text = start + length + file.read(n_head)
    try:
        shape, is_fortran, dtype = _parsed_head(text)
    except _BAD_HEAD:
        raise VectorsError(f"{place}: its head is not that of an array: save it with numpy.save") from None
    if dtype.hasobject:
        raise VectorsError(f"{place}: is of dtype object: {SAFE}")
    if _n_bytes(dtype, shape) != n_bytes - len(text):
        raise VectorsError(
            f"{place}: its head claims shape {shape} of {dtype}, but {n_bytes - len(text)} bytes follow: "
            "it is truncated or was edited; save it again"
        )
    return Head(place, dtype, shape, is_fortran)


def _parsed_head(text: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    file = io.BytesIO(text)
    version = np.lib.format.read_magic(file)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
    with warnings.catch_warnings(action="ignore"):  # that it was written by Python 2
        shape, is_fortran, dtype = read(file, max_header_size=_MAX_HEAD)
    if len(shape) > 64 or not all(type(length) is int and 0 <= length < 2**63 for length in shape):
        message = "no array has such a shape"
        raise ValueError(message)
    return shape, is_fortran, dtype


def read_exactly(file: BinaryIO, n_bytes: int, place: str) -> bytes:
    """Return so many bytes. Raises VectorsError where there are fewer."""
    data = file.read(n_bytes)
    if len(data) < n_bytes:
        raise VectorsError(f"{place}: is truncated: save it again")
    return data


def whole(file: BinaryIO, head: Head) -> np.ndarray[Any, np.dtype[Any]]:
    """Return the values of a small array."""
    data = read_exactly(file, head.n_bytes, head.place)
    return np.frombuffer(data, head.dtype).reshape(head.shape, order="F" if head.is_fortran else "C")


def fill(rows: Rows, file: BinaryIO, head: Head) -> None:
    """Fill rows with the values of an array of floats, block by block."""
    target = rows.T if head.is_fortran else rows
    n_lines, n_values = target.shape
    step = max(1, BLOCK // (n_values * head.dtype.itemsize))
    for start in range(0, n_lines, step):
        block = target[start : start + step]
        data = read_exactly(file, block.size * head.dtype.itemsize, head.place)
        with np.errstate(all="ignore"):  # what becomes infinite is found when it is scaled
            block[:] = np.frombuffer(data, head.dtype).reshape(block.shape)


def scale(rows: Rows, paths: Sequence[str], place: str) -> NDArray[np.float64] | None:
    """Scale rows to unit length in place, by norms in float64; return these where any was another.

    Raises VectorsError for the first row that has none.
    """
    lengths = measure(rows, paths, place)
    step = max(1, BLOCK // (rows.shape[1] * 8))
    if lengths is None:
        return None
    for start in range(0, len(rows), step):
        part = lengths[start : start + step, None]
        rows[start : start + step] = rows[start : start + step].astype(np.float64) / part
    return lengths


def measure(rows: NDArray[Any], paths: Sequence[str], place: str) -> NDArray[np.float64] | None:
    """Return the norm of every row in float64, 1 for what is near enough to it, block by block; None where all are 1.

    Raises VectorsError for the first row that has none.
    """
    lengths = np.ones(len(rows))
    step = max(1, BLOCK // (rows.shape[1] * 8))
    for start in range(0, len(rows), step):
        with np.errstate(all="ignore"):  # a NaN that signals, and what is infinite, are found below
            block = rows[start : start + step].astype(np.float32).astype(np.float64)
        norms = np.sqrt(np.einsum("ij,ij->i", block, block))
        bad = np.flatnonzero(~(np.isfinite(norms) & (norms > 0)))
        if bad.size:
            row = start + int(bad[0])
            raise VectorsError(
                f"{place}: row {row} (the first is 0), which is {paths[row]!r}, {_fault(block[bad[0]])}: "
                "embed that image again, or take its row out"
            )
        lengths[start : start + step] = np.where(np.abs(norms - 1) > _UNIT, norms, 1.0)
    return None if (lengths == 1).all() else lengths


def mapped(file: BinaryIO, head: Head, offset: int, paths: Sequence[str]) -> RowView | None:
    """Return an array that begins at `offset` of a file as it lies there, where it is too large to be read at once.

    Raises VectorsError as `measure` does.
    """
    if head.n_bytes < LARGE or head.is_fortran:
        return None
    try:
        stored = np.memmap(file, head.dtype, "r", offset, head.shape)
    except OSError as error:
        if error.errno == errno.ENOMEM:  # there is no room to map it, either
            raise MemoryError from None
        raise
    return RowView(stored, np.arange(len(stored)), measure(stored, paths, head.place))


def _fault(row: NDArray[Any]) -> str:
    if np.isnan(row).any():
        return "has a NaN"
    return "has a value that is infinite in float32" if np.isinf(row).any() else "is all zeros in float32"


def check_paths(paths: Sequence[str], place: str) -> None:
    """Raise VectorsError where a row has no path, or two have the same."""
    for row, path in enumerate(paths):
        if not _is_path(path):
            raise VectorsError(f"{place}: row {row} (the first is 0) has no path, but {path!r}")
    if len(set(paths)) < len(paths):
        twice = [path for path, count in Counter(paths).items() if count > 1]
        raise VectorsError(f"{place}: has more than one row for {listed(map(repr, twice))}: leave one of each")


def _is_path(path: str) -> bool:
    try:
        return b"\0" not in (to_bytes(path) or b"\0")
    except UnicodeEncodeError:
        return False
