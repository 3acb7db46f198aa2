"""Vectors as an .npz: the one that is written, and what is read of any."""

import contextlib
import json
import math
import os
import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from rebalance.dataset import to_bytes
from rebalance.errors import VectorsError
from rebalance.storage.arrays import (
    BAD_ZIP,
    BLOCK,
    Head,
    check_paths,
    fill,
    mapped,
    read_exactly,
    read_head,
    scale,
    whole,
)
from rebalance.storage.single import whole_file
from rebalance.vectors import RowSource, Vectors

_MAX_SMALL = 2**26
_MAX_RATIO = 200
"""What a compressed member may unfold to: `_MAX_SMALL` bytes, or so many times its size. Vectors reach 20 or so."""


@contextlib.contextmanager
def _archive(file: BinaryIO, path: str) -> Iterator[zipfile.ZipFile]:
    """Open a zip, and answer for what is wrong with it while it is open. Raises VectorsError."""
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except BAD_ZIP as error:
        reason = " ".join(str(error).split())[:80]
        raise VectorsError(f"{path}: is truncated, damaged or no .npz ({reason}): save it again") from None


@contextlib.contextmanager
def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str) -> Iterator[tuple[BinaryIO, Head]]:
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
        yield binary, read_head(binary, info.file_size, place)


def read_npz(file: BinaryIO, path: str) -> Vectors:
    """Return what an .npz holds. Raises VectorsError."""
    with _archive(file, path) as archive:
        infos = _named_members(archive, path)
        heads = {}
        for name, info in infos.items():
            with _member(archive, info, path) as (_, heads[name]):
                pass
        _check_heads(heads)
        read = _Reader(archive, infos, path)
        paths = read.paths()
        rows, lengths = read.rows(paths)
        return Vectors(paths, rows, read.embedder(), read.sizes(), read.sums(), read.lengths(lengths))


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


_MEMBERS = ("paths", "vectors", "sizes", "sha256", "lengths", "embedder")


def _check_heads(heads: Mapping[str, Head]) -> None:
    """Check the arrays against each other. Raises VectorsError."""
    heads["vectors"].check("f", None, None)
    n_rows = heads["vectors"].shape[0]
    expected: dict[str, tuple[str, tuple[int, ...]]] = {
        "paths": ("U", (n_rows,)), "sizes": ("iu", (n_rows,)), "sha256": ("u", (n_rows, 32)),
        "lengths": ("f", (n_rows,)), "embedder": ("U", ()),
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
        check_paths(paths, f"{self.path}: paths")
        return tuple(paths)

    def rows(self, paths: Sequence[str]) -> tuple[RowSource, NDArray[np.float64] | None]:
        info = self.infos["vectors"]
        with _member(self.archive, info, self.path) as (file, head):
            if info.compress_type == zipfile.ZIP_STORED and self.archive.fp is not None:
                archive: Any = self.archive.fp
                offset = _data_offset(archive, info) + info.file_size - head.n_bytes
                if (view := mapped(archive, head, offset, paths)) is not None:
                    return view, view.lengths
            rows = np.empty(head.shape, np.float32)
            fill(rows, file, head)
        return rows, scale(rows, paths, f"{self.path}: vectors")

    def lengths(self, of_rows: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
        """Return the lengths that the file says its rows had, else those they have in it."""
        if "lengths" not in self.infos:
            return of_rows
        with _member(self.archive, self.infos["lengths"], self.path) as (file, head):
            lengths = np.frombuffer(read_exactly(file, head.n_bytes, head.place), head.dtype).astype(np.float64)
        if not (np.isfinite(lengths) & (lengths > 0)).all():
            raise VectorsError(f"{head.place}: holds a length that is not above 0: leave it out, or embed again")
        return lengths

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
            return whole(file, head)

    def _texts(self, name: str) -> list[str]:
        """Return the texts of an array, read block by block: one long text makes all of them take as much."""
        with _member(self.archive, self.infos[name], self.path) as (file, head):
            n_texts, size = math.prod(head.shape), head.dtype.itemsize
            if not size:
                return [""]  # each is empty: the first is enough to say so
            texts: list[str] = []
            step = max(1, BLOCK // size)
            for start in range(0, n_texts, step):
                data = read_exactly(file, min(step, n_texts - start) * size, head.place)
                codes = np.frombuffer(data, head.dtype.byteorder.replace("|", "=") + "u4")
                if codes.max() > 0x10FFFF:
                    raise VectorsError(f"{head.place}: is no text: save it again with numpy.savez")
                texts += np.frombuffer(data, head.dtype).tolist()
            return texts


def _data_offset(file: Any, info: zipfile.ZipInfo) -> int:
    """Return where the bytes of a member begin: behind its local header, which has names of its own length."""
    before = file.tell()
    file.seek(info.header_offset + 26)
    n_name, n_extra = struct.unpack("<HH", file.read(4))
    file.seek(before)
    return int(info.header_offset + 30 + n_name + n_extra)


def write_npz(path: str, vectors: Vectors, *, is_replacing: bool, is_locked: bool = False) -> None:
    """Write an .npz whole or not at all, and the same bytes for the same vectors at any time.

    Raises OutputRefusedError where it exists already and nothing `is_replacing`, or its folder does not exist.
    """
    made = whole_file(to_bytes(path), is_replacing=is_replacing, is_locked=is_locked)
    with made as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in _arrays(vectors):
            info = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o644 << 16
            with archive.open(info, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)


def _arrays(vectors: Vectors) -> Iterator[tuple[str, np.ndarray[Any, np.dtype[Any]]]]:
    """Yield the members of an .npz; paths as `to_text` has them, since NumPy keeps lone surrogates."""
    yield "paths", np.array(vectors.paths, dtype="<U")
    yield "vectors", np.ascontiguousarray(vectors.rows[:], dtype="<f4")
    if vectors.sizes:
        yield "sizes", np.array(vectors.sizes, dtype="<i8")
    if vectors.sums:
        yield "sha256", np.frombuffer(bytes.fromhex("".join(vectors.sums)), dtype=np.uint8).reshape(-1, 32)
    if vectors.lengths is not None:
        yield "lengths", np.array(vectors.lengths, "<f8")
    if vectors.embedder:
        yield "embedder", np.array(json.dumps(vectors.embedder, sort_keys=True), dtype="<U")
