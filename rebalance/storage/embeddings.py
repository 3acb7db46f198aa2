"""Files of embeddings: read with mistrust, joined to a source by path, written as one .npz."""

import contextlib
import io
import json
import math
import os
import re
import stat
import tokenize
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from rebalance.dataset import Dataset, ImageFile, to_bytes, to_text
from rebalance.errors import OutputRefusedError, VectorsError
from rebalance.planning.naming import folded_name
from rebalance.storage.publish import rename_to_new, sync_folder
from rebalance.vectors import Rows, Vectors

_MAX_NAMED = 20
_PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".joblib")
_SAFE = (
    "is a pickle, which may run any code when it is read: save the vectors with numpy.save and name the paths with "
    "--embedding-paths, or save both with numpy.savez(FILE, paths=..., vectors=...)"
)
_BLOCK = 2**24
"""Bytes that are read or scaled at a time."""
_MAX_HEAD = 10_000
_MAX_SMALL = 2**26
_MAX_RATIO = 200
"""What a compressed member may unfold to: `_MAX_SMALL` bytes, or so many times its size. Vectors reach 20 or so."""
_UNIT = 2e-7
"""A norm this near to 1 is 1 in float32: such rows stay as they are, so that what is written is read bit for bit."""
_BAD_HEAD = (ValueError, SyntaxError, TypeError, LookupError, RecursionError, MemoryError, tokenize.TokenError)
_BAD_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError)


def read_vectors(path: str, paths_file: str | None = None) -> Vectors:
    """Read an .npz, an .npy whose paths are the lines of `paths_file`, or a folder that clip-retrieval wrote.

    No pickle is ever read, and nothing is allocated that the file does not have the bytes for. Raises VectorsError.
    """
    suffix = os.path.splitext(path)[1].lower()
    if suffix in _PICKLES:
        raise VectorsError(f"{path}: {_SAFE}")
    is_folder = os.path.isdir(to_bytes(path))
    if paths_file is not None and (is_folder or suffix != ".npy"):
        raise VectorsError(f"{path}: brings its own paths: leave out --embedding-paths, which is for .npy files")
    if is_folder:
        return _read_folder(path)
    with _opened(path) as file:
        if _is_pickle(file):
            raise VectorsError(f"{path}: {_SAFE}")
        if suffix == ".npz":
            return _read_npz(file, path)
        if suffix == ".npy":
            return _read_npy(file, path, paths_file)
    raise VectorsError(
        f"{path}: is no file of embeddings: give an .npz, an .npy and --embedding-paths, or a folder of clip-retrieval"
    )


@contextlib.contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
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


def _is_pickle(file: BinaryIO) -> bool:
    """Return whether a file begins as pickles do, or is a zip as torch writes it."""
    start = file.read(4)
    file.seek(0)
    if start == b"PK\3\4":
        with contextlib.suppress(*_BAD_ZIP), zipfile.ZipFile(file) as archive:
            return any(name.rpartition("/")[2] == "data.pkl" for name in archive.namelist())
    return len(start) > 1 and start[0] == 0x80 and 2 <= start[1] <= 5


@dataclass(frozen=True, slots=True)
class _Head:
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


def _read_head(file: BinaryIO, n_bytes: int, place: str) -> _Head:
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
        raise VectorsError(f"{place}: is of dtype object: {_SAFE}")
    if _n_bytes(dtype, shape) != n_bytes - len(text):
        raise VectorsError(
            f"{place}: its head claims shape {shape} of {dtype}, but {n_bytes - len(text)} bytes follow: "
            "it is truncated or was edited; save it again"
        )
    return _Head(place, dtype, shape, is_fortran)


def _parsed_head(text: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    file = io.BytesIO(text)
    version = np.lib.format.read_magic(file)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
    with warnings.catch_warnings(action="ignore"):  # that it was written by Python 2
        shape, is_fortran, dtype = read(file, max_header_size=_MAX_HEAD)
    if len(shape) > 64 or not all(0 <= length < 2**63 for length in shape):
        message = "no array has such a shape"
        raise ValueError(message)
    return shape, is_fortran, dtype


def _read_exactly(file: BinaryIO, n_bytes: int, place: str) -> bytes:
    data = file.read(n_bytes)
    if len(data) < n_bytes:
        raise VectorsError(f"{place}: is truncated: save it again")
    return data


def _whole(file: BinaryIO, head: _Head) -> np.ndarray[Any, np.dtype[Any]]:
    data = _read_exactly(file, head.n_bytes, head.place)
    return np.frombuffer(data, head.dtype).reshape(head.shape, order="F" if head.is_fortran else "C")


def _fill(rows: Rows, file: BinaryIO, head: _Head) -> None:
    """Fill rows with the values of an array of floats, block by block."""
    target = rows.T if head.is_fortran else rows
    n_lines, n_values = target.shape
    step = max(1, _BLOCK // (n_values * head.dtype.itemsize))
    for start in range(0, n_lines, step):
        block = target[start : start + step]
        data = _read_exactly(file, block.size * head.dtype.itemsize, head.place)
        with np.errstate(all="ignore"):  # what becomes infinite is found when it is scaled
            block[:] = np.frombuffer(data, head.dtype).reshape(block.shape)


def _scale(rows: Rows, paths: Sequence[str], place: str) -> None:
    """Scale rows to unit length in place, by norms in float64. Raises VectorsError for the first that has none."""
    step = max(1, _BLOCK // (rows.shape[1] * 8))
    for start in range(0, len(rows), step):
        with np.errstate(invalid="ignore"):  # a NaN that signals, which is found below
            block = rows[start : start + step].astype(np.float64)
        norms = np.sqrt(np.einsum("ij,ij->i", block, block))
        bad = np.flatnonzero(~(np.isfinite(norms) & (norms > 0)))
        if bad.size:
            row = start + int(bad[0])
            raise VectorsError(
                f"{place}: row {row} (the first is 0), which is {paths[row]!r}, {_fault(rows[row])}: "
                "embed that image again, or take its row out"
            )
        is_off = np.abs(norms - 1) > _UNIT
        rows[start : start + step][is_off] = block[is_off] / norms[is_off, None]


def _fault(row: Rows) -> str:
    if np.isnan(row).any():
        return "has a NaN"
    return "has a value that is infinite in float32" if np.isinf(row).any() else "is all zeros in float32"


def _check_paths(paths: Sequence[str], place: str) -> None:
    for row, path in enumerate(paths):
        if not _is_path(path):
            raise VectorsError(f"{place}: row {row} (the first is 0) has no path, but {path!r}")
    if len(set(paths)) < len(paths):
        twice = [path for path, count in Counter(paths).items() if count > 1]
        raise VectorsError(f"{place}: has more than one row for {_listed(map(repr, twice))}: leave one of each")


def _is_path(path: str) -> bool:
    try:
        return b"\0" not in (to_bytes(path) or b"\0")
    except UnicodeEncodeError:
        return False


def _listed(texts: Iterable[str]) -> str:
    """Return up to 20 texts on one line."""
    texts = list(texts)
    return ", ".join([*texts[:_MAX_NAMED], *(["..."] if len(texts) > _MAX_NAMED else [])])


def _read_npy(file: BinaryIO, path: str, paths_file: str | None) -> Vectors:
    if paths_file is None:
        raise VectorsError(f"{path}: does not say which row is which image: name a list of paths, --embedding-paths")
    head = _read_head(file, os.fstat(file.fileno()).st_size, path)
    head.check("f", None, None)
    paths = _read_lines(paths_file)
    if len(paths) != head.shape[0]:
        raise VectorsError(f"{paths_file}: names {len(paths)} paths where {path} has {head.shape[0]} rows")
    _check_paths(paths, paths_file)
    rows = np.empty(head.shape, np.float32)
    _fill(rows, file, head)
    _scale(rows, paths, path)
    return Vectors(tuple(paths), rows)


def _read_lines(path: str) -> list[str]:
    """Return the lines of a file without what ends them, nor empty ones at its end."""
    with _opened(path) as file:
        lines = file.read().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if all(line.endswith(b"\r") for line in lines[:-1]):  # else it is part of a name
        lines = [line.removesuffix(b"\r") for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    return [to_text(line) for line in lines]


@contextlib.contextmanager
def _archive(file: BinaryIO, path: str) -> Iterator[zipfile.ZipFile]:
    """Open a zip, and answer for what is wrong with it while it is open. Raises VectorsError."""
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except _BAD_ZIP as error:
        reason = " ".join(str(error).split())[:80]
        raise VectorsError(f"{path}: is truncated, damaged or no .npz ({reason}): save it again") from None


@contextlib.contextmanager
def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str) -> Iterator[tuple[BinaryIO, _Head]]:
    """Open an array in a zip at its values, once it is sure that it can be as large as it says."""
    name = info.filename.removesuffix(".npy")
    place = f"{path}: {name}"
    largest = {
        zipfile.ZIP_STORED: info.compress_size,
        zipfile.ZIP_DEFLATED: max(_MAX_SMALL, _MAX_RATIO * info.compress_size),
    }.get(info.compress_type, 0)
    n_file = os.stat(archive.fp.fileno()).st_size if archive.fp else 0
    if info.compress_size > n_file or info.file_size > largest:
        raise VectorsError(
            f"{place}: claims {info.file_size} bytes where the file has {info.compress_size} for it: "
            "it is damaged or made to fill the memory; save it again with numpy.savez"
        )
    with archive.open(info) as file:
        binary: Any = file
        yield binary, _read_head(binary, info.file_size, place)


def _read_npz(file: BinaryIO, path: str) -> Vectors:
    with _archive(file, path) as archive:
        infos = _named_members(archive, path)
        heads = {}
        for name, info in infos.items():
            with _member(archive, info, path) as (_, heads[name]):
                pass
        _check_heads(heads)
        read = _Reader(archive, infos, path)
        paths = read.paths()
        rows = read.rows(paths)
        return Vectors(paths, rows, embedder=read.embedder(), sizes=read.sizes(), sums=read.sums())


def _named_members(archive: zipfile.ZipFile, path: str) -> dict[str, zipfile.ZipInfo]:
    """Return the members that have a meaning; others are not read. Raises VectorsError."""
    infos: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        name = info.filename.removesuffix(".npy")
        if name not in _MEMBERS or name == info.filename:
            continue
        if name in infos:
            raise VectorsError(f"{path}: has two members called {name!r}: save it again with numpy.savez")
        infos[name] = info
    for name in ("paths", "vectors"):
        if name not in infos:
            raise VectorsError(
                f"{path}: has no member {name!r}: save it with numpy.savez(FILE, paths=..., vectors=...)"
            )
    return infos


_MEMBERS = ("paths", "vectors", "sizes", "sha256", "embedder")


def _check_heads(heads: Mapping[str, _Head]) -> None:
    """Check the arrays against each other. Raises VectorsError."""
    heads["vectors"].check("f", None, None)
    n_rows = heads["vectors"].shape[0]
    expected: dict[str, tuple[str, tuple[int, ...]]] = {
        "paths": ("U", (n_rows,)), "sizes": ("iu", (n_rows,)), "sha256": ("u", (n_rows, 32)), "embedder": ("U", ()),
    }  # fmt: skip
    for name, (kinds, shape) in expected.items():
        if name in heads:
            heads[name].check(kinds, *shape)


@dataclass(frozen=True, slots=True)
class _Reader:
    """The members of an .npz whose heads have been checked."""

    archive: zipfile.ZipFile
    infos: Mapping[str, zipfile.ZipInfo]
    path: str

    def paths(self) -> tuple[str, ...]:
        paths = self._texts("paths")
        _check_paths(paths, f"{self.path}: paths")
        return tuple(paths)

    def rows(self, paths: Sequence[str]) -> Rows:
        with _member(self.archive, self.infos["vectors"], self.path) as (file, head):
            rows = np.empty(head.shape, np.float32)
            _fill(rows, file, head)
        _scale(rows, paths, f"{self.path}: vectors")
        return rows

    def embedder(self) -> Mapping[str, Any]:
        try:
            embedder = json.loads(self._texts("embedder")[0]) if "embedder" in self.infos else {}
        except (ValueError, RecursionError):
            embedder = None
        if not isinstance(embedder, dict):
            raise VectorsError(f"{self.path}: embedder: is no JSON object: leave it out, or embed again")
        return embedder

    def sizes(self) -> tuple[int, ...]:
        return tuple(self._small("sizes").tolist())

    def sums(self) -> tuple[str, ...]:
        return tuple(row.tobytes().hex() for row in self._small("sha256"))

    def _small(self, name: str) -> np.ndarray[Any, np.dtype[Any]]:
        if name not in self.infos:
            return np.empty(0)
        with _member(self.archive, self.infos[name], self.path) as (file, head):
            return _whole(file, head)

    def _texts(self, name: str) -> list[str]:
        """Return the texts of an array, read block by block: one long text makes all of them take as much."""
        with _member(self.archive, self.infos[name], self.path) as (file, head):
            n_texts, size = math.prod(head.shape), head.dtype.itemsize
            if not size:
                return [""]  # each is empty: the first is enough to say so
            texts: list[str] = []
            step = max(1, _BLOCK // size)
            for start in range(0, n_texts, step):
                data = _read_exactly(file, min(step, n_texts - start) * size, head.place)
                codes = np.frombuffer(data, head.dtype.byteorder.replace("|", "=") + "u4")
                if codes.max() > 0x10FFFF:
                    raise VectorsError(f"{head.place}: is no text: save it again with numpy.savez")
                texts += np.frombuffer(data, head.dtype).tolist()
            return texts


def _read_folder(path: str) -> Vectors:
    """Read what clip-retrieval wrote: img_emb/img_emb_N.npy, and metadata/metadata_N.parquet for its paths."""
    arrays = _parts(path, "img_emb", r"img_emb_(\d+)\.npy")
    tables = _parts(path, "metadata", r"metadata_(\d+)\.parquet")
    if arrays.keys() != tables.keys():
        lonely = min(arrays.keys() ^ tables.keys())
        there = arrays.get(lonely) or tables[lonely]
        raise VectorsError(
            f"{path}: img_emb has {len(arrays)} parts and metadata {len(tables)}; {there} has no counterpart"
        )
    numbers = sorted(arrays)
    heads = [_part_head(arrays[number]) for number in numbers]
    for head in heads:
        if head.shape[1] != heads[0].shape[1]:
            raise VectorsError(
                f"{head.place}: has {head.shape[1]} columns where {heads[0].place} has {heads[0].shape[1]}"
            )
    parts = [_image_paths(tables[number], head) for number, head in zip(numbers, heads, strict=True)]
    paths = tuple(name for part in parts for name in part)
    _check_paths(paths, path)
    rows, start = np.empty((len(paths), heads[0].shape[1]), np.float32), 0
    for number, part in zip(numbers, parts, strict=True):
        _fill_part(rows[start : start + len(part)], arrays[number], part)
        start += len(part)
    return Vectors(paths, rows)


def _parts(path: str, folder: str, pattern: str) -> dict[int, str]:
    """Return the parts of a folder by their numbers. Raises VectorsError."""
    where = f"{path}/{folder}"
    try:
        names = [to_text(name) for name in os.listdir(to_bytes(where))]
    except OSError as error:
        raise VectorsError(f"{where}: cannot be read: {error.strerror}: not a folder of clip-retrieval") from None
    parts: dict[int, str] = {}
    for name in sorted(names):
        if found := re.fullmatch(pattern, name, re.ASCII):
            part = f"{where}/{name}"
            if (other := parts.setdefault(int(found[1]), part)) != part:
                raise VectorsError(f"{part}: has the number of {other}: they are of two runs; leave those of one")
    if not parts:
        raise VectorsError(f"{where}: has no parts as clip-retrieval names them, from 0 on")
    return parts


def _part_head(path: str) -> _Head:
    with _opened(path) as file:
        if _is_pickle(file):
            raise VectorsError(f"{path}: {_SAFE}")
        head = _read_head(file, os.fstat(file.fileno()).st_size, path)
    head.check("f", None, None)
    return head


def _fill_part(rows: Rows, path: str, paths: Sequence[str]) -> None:
    with _opened(path) as file:
        head = _read_head(file, os.fstat(file.fileno()).st_size, path)
        head.check("f", *rows.shape)
        _fill(rows, file, head)
    _scale(rows, paths, path)


def _image_paths(path: str, head: _Head) -> list[str]:
    """Return the column image_path of a Parquet file, one a row of an array. Raises VectorsError."""
    try:
        import pyarrow as arrow  # type: ignore[import-untyped, unused-ignore] # noqa: PLC0415
        from pyarrow import parquet  # type: ignore[import-untyped, unused-ignore] # noqa: PLC0415
    except ImportError:
        raise VectorsError(f"{path}: is read with pyarrow: pip install 'rebalance-images[clip]'") from None
    with _opened(path) as file:
        try:
            table = parquet.ParquetFile(file)
            n_rows = table.metadata.num_rows
            if "image_path" not in table.schema_arrow.names:
                raise VectorsError(f"{path}: has no column 'image_path': embed images with clip-retrieval, not texts")
            if n_rows != head.shape[0]:
                raise VectorsError(f"{path}: has {n_rows} rows where {head.place} has {head.shape[0]}")
            names: list[Any] = table.read(columns=["image_path"]).column(0).to_pylist()
        except (arrow.ArrowException, ValueError) as error:
            raise VectorsError(f"{path}: is no sound Parquet file: {str(error).splitlines()[0]}") from None
    for row, name in enumerate(names):
        if not isinstance(name, str):
            raise VectorsError(f"{path}: row {row} (the first is 0) has no path, but {name!r}")
    return names


def joined(vectors: Vectors, dataset: Dataset, where: str) -> tuple[Vectors, tuple[str, ...]]:
    """Return the vectors of a dataset's images, in their order, and the paths that have none of its images.

    They are joined by path alone; `where` is the file that is named in errors. Raises VectorsError where an image has
    no vector, or has changed since.
    """
    images = tuple(dataset.images())
    rows = _rows_by_name(vectors.paths, {image.path for image in images}, dataset.root, where)
    used = set(rows.values())
    extra = tuple(path for row, path in enumerate(vectors.paths) if row not in used)
    _check_missing(
        [image.path for image in images if image.path not in rows], extra, len(images), (where, dataset.root)
    )
    order = [rows[image.path] for image in images]
    if vectors.sizes:
        _check_sizes(images, [vectors.sizes[row] for row in order], where)
    kept = Vectors(
        paths=tuple(image.path for image in images),
        rows=vectors.rows if order == list(range(len(vectors.paths))) else vectors.rows[order],
        embedder=vectors.embedder,
        sizes=tuple(vectors.sizes[row] for row in order) if vectors.sizes else (),
        sums=tuple(vectors.sums[row] for row in order) if vectors.sums else (),
    )
    return kept, extra


def _rows_by_name(paths: Sequence[str], known: set[str], root: str, where: str) -> dict[str, int]:
    """Return the rows of the images, under the first reading of all paths that finds any. Raises VectorsError."""
    for reading in _READINGS:
        rows: dict[str, int] = {}
        for row, name in enumerate(reading(paths, root)):
            if name in known and rows.setdefault(name, row) != row:
                raise VectorsError(f"{where}: has two rows for {name!r}: {paths[rows[name]]!r} and {paths[row]!r}")
        if rows:
            return rows
    theirs, ours = _listed(map(repr, paths[:1])), _listed(map(repr, sorted(known)[:1]))
    raise VectorsError(
        f"{where}: none of its paths is that of an image of {root}: it has {theirs or 'none'}, and SOURCE "
        f"{ours or 'none'}: give paths relative to SOURCE"
    )


def _as_they_stand(paths: Sequence[str], _: str) -> Iterator[str]:
    return (path.removeprefix("./") for path in paths)


def _below_root(paths: Sequence[str], root: str) -> Iterator[str]:
    """Yield what follows the root in absolute paths and those relative to the working directory, else nothing."""
    top = os.path.join(os.path.abspath(to_bytes(root)), b"")
    for path in paths:
        full = os.path.abspath(to_bytes(path))
        yield to_text(full.removeprefix(top)) if full.startswith(top) else ""


def _below_real_root(paths: Sequence[str], root: str) -> Iterator[str]:
    """Do the same where symbolic links lead to the root, or to the folders of the paths."""
    top = os.path.join(os.path.realpath(to_bytes(root)), b"")
    real: dict[bytes, bytes] = {}
    for path in paths:
        folder, name = os.path.split(to_bytes(path))
        if folder not in real:
            real[folder] = os.path.realpath(folder)
        full = os.path.join(real[folder], name)
        yield to_text(full.removeprefix(top)) if full.startswith(top) else ""


def _without_common_folders(paths: Sequence[str], _: str) -> Iterator[str]:
    """Yield paths without the leading folders that all have: those of another machine."""
    shared = os.path.commonprefix(paths)  # noqa: RUF071 (what follows its last slash is left)
    n_dropped = shared.rfind("/") + 1
    return (path[n_dropped:] for path in paths)


_Reading = Callable[[Sequence[str], str], Iterator[str]]
_READINGS: tuple[_Reading, ...] = (_as_they_stand, _below_root, _below_real_root, _without_common_folders)
"""What paths may be meant to say, the likeliest first; one holds for a whole file."""


def _check_missing(missing: Sequence[str], extra: Sequence[str], n_images: int, places: tuple[str, str]) -> None:
    if not missing:
        return
    where, root = places
    named = missing[: _MAX_NAMED + 1]
    alike = _look_alikes(named, extra)
    texts = [repr(path) + (f" (the file has {alike[path]!r})" if path in alike else "") for path in named]
    raise VectorsError(
        f"{where}: has no vector for {len(missing)} of the {n_images} images of {root}: {_listed(texts)}; "
        "embed it again, or --exclude them"
    )


def _look_alikes(missing: Iterable[str], extra: Iterable[str]) -> dict[str, str]:
    """Return which path of the file differs from each that is missing by case or Unicode form alone."""
    wanted = {folded_name(path): path for path in missing}
    return {wanted[folded]: path for path in extra if (folded := folded_name(path)) in wanted}


def _check_sizes(images: Sequence[ImageFile], sizes: Sequence[int], where: str) -> None:
    changed = [image.path for image, size in zip(images, sizes, strict=True) if image.stamp.size != size]
    if changed:
        raise VectorsError(
            f"{where}: {len(changed)} of the {len(images)} images were changed since they were embedded: "
            f"{_listed(map(repr, changed))}; embed them again"
        )


def write_vectors(path: str, vectors: Vectors, *, is_replacing: bool) -> None:
    """Write an .npz: whole or not at all, and the same bytes for the same vectors at any time.

    Raises OutputRefusedError where it exists already and nothing `is_replacing`, or its folder does not exist.
    """
    with _new_file(to_bytes(path), is_replacing=is_replacing) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in _arrays(vectors):
            info = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o644 << 16
            with archive.open(info, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)


def _arrays(vectors: Vectors) -> Iterator[tuple[str, np.ndarray[Any, np.dtype[Any]]]]:
    """Yield the members of an .npz; paths as `to_text` has them, since NumPy keeps lone surrogates."""
    yield "paths", np.array(vectors.paths, dtype="<U")
    yield "vectors", np.ascontiguousarray(vectors.rows, dtype="<f4")
    if vectors.sizes:
        yield "sizes", np.array(vectors.sizes, dtype="<i8")
    if vectors.sums:
        yield "sha256", np.frombuffer(bytes.fromhex("".join(vectors.sums)), dtype=np.uint8).reshape(-1, 32)
    if vectors.embedder:
        yield "embedder", np.array(json.dumps(vectors.embedder, sort_keys=True), dtype="<U")


@contextlib.contextmanager
def _new_file(path: bytes, *, is_replacing: bool) -> Iterator[BinaryIO]:
    """Open a file that gets its name when it is whole and durable; else nothing is left of it."""
    parent = os.path.dirname(os.path.abspath(path))
    temporary = os.path.join(parent, b".rebalance.%d.tmp" % os.getpid())
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        (os.replace if is_replacing else rename_to_new)(temporary, path)
        sync_folder(parent)
    except (FileNotFoundError, NotADirectoryError):
        raise OutputRefusedError(f"{to_text(path)}: the folder it would lie in does not exist: make it first") from None
    except IsADirectoryError:
        raise OutputRefusedError(f"{to_text(path)}: is a folder: choose another name") from None
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
