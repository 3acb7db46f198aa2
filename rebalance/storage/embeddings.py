"""Files of embeddings, whatever form they have."""

import os
from typing import BinaryIO

import numpy as np

from rebalance.dataset import to_bytes, to_text
from rebalance.errors import VectorsError
from rebalance.storage.arrays import SAFE, check_paths, fill, is_pickle, mapped, opened, read_head, scale
from rebalance.storage.clip import read_folder
from rebalance.storage.npz import read_npz
from rebalance.vectors import Vectors

_PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".joblib")


def read_vectors(path: str, paths_file: str | None = None) -> Vectors:
    """Read an .npz, an .npy whose paths are the lines of `paths_file`, or a folder that clip-retrieval wrote.

    No pickle is ever read, and nothing is allocated that the file does not have the bytes for. Raises VectorsError.
    """
    suffix = os.path.splitext(path)[1].lower()
    if suffix in _PICKLES:
        raise VectorsError(f"{path}: {SAFE}")
    is_folder = os.path.isdir(to_bytes(path))
    if paths_file is not None and (is_folder or suffix != ".npy"):
        raise VectorsError(f"{path}: brings its own paths: leave out --embedding-paths, which is for .npy files")
    if is_folder:
        return read_folder(path)
    with opened(path) as file:
        if is_pickle(file):
            raise VectorsError(f"{path}: {SAFE}")
        if suffix == ".npz":
            return read_npz(file, path)
        if suffix == ".npy":
            return _read_npy(file, path, paths_file)
    raise VectorsError(
        f"{path}: is no file of embeddings: give an .npz, an .npy and --embedding-paths, or a folder of clip-retrieval"
    )


def _read_npy(file: BinaryIO, path: str, paths_file: str | None) -> Vectors:
    if paths_file is None:
        raise VectorsError(f"{path}: does not say which row is which image: name a list of paths, --embedding-paths")
    head = read_head(file, os.fstat(file.fileno()).st_size, path)
    head.check("f", None, None)
    paths = _read_lines(paths_file)
    if len(paths) != head.shape[0]:
        raise VectorsError(f"{paths_file}: names {len(paths)} paths where {path} has {head.shape[0]} rows")
    check_paths(paths, paths_file)
    if (view := mapped(file, head, file.tell(), paths)) is not None:
        return Vectors(tuple(paths), view, lengths=view.lengths)
    rows = np.empty(head.shape, np.float32)
    fill(rows, file, head)
    lengths = scale(rows, paths, path)
    return Vectors(tuple(paths), rows, lengths=lengths)


def _read_lines(path: str) -> list[str]:
    """Return the lines of a file without what ends them, nor empty ones at its end."""
    with opened(path) as file:
        lines = file.read().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if all(line.endswith(b"\r") for line in lines[:-1]):  # else it is part of a name
        lines = [line.removesuffix(b"\r") for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    return [to_text(line) for line in lines]
