"""The folder that clip-retrieval writes: vectors in parts, and tables that say of which images they are."""

import os
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from rebalance.dataset import to_bytes, to_text
from rebalance.errors import VectorsError
from rebalance.storage.arrays import SAFE, Head, check_paths, fill, is_pickle, opened, read_head, scale
from rebalance.vectors import Rows, Vectors


def read_folder(path: str) -> Vectors:
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
    check_paths(paths, path)
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


def _part_head(path: str) -> Head:
    with opened(path) as file:
        if is_pickle(file):
            raise VectorsError(f"{path}: {SAFE}")
        head = read_head(file, os.fstat(file.fileno()).st_size, path)
    head.check("f", None, None)
    return head


def _fill_part(rows: Rows, path: str, paths: Sequence[str]) -> None:
    with opened(path) as file:
        head = read_head(file, os.fstat(file.fileno()).st_size, path)
        head.check("f", *rows.shape)
        fill(rows, file, head)
    scale(rows, paths, path)


def _image_paths(path: str, head: Head) -> list[str]:
    """Return the column image_path of a Parquet file, one a row of an array. Raises VectorsError."""
    try:
        import pyarrow as arrow  # noqa: PLC0415  an extra
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise VectorsError(f"{path}: is read with pyarrow: pip install 'rebalance-images[clip]'") from None
    with opened(path) as file:
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
