"""Which images are alike: nearest neighbors, the same picture, nearly the same picture."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebalance.vectors import Rows

Indices = NDArray[np.intp]

_BLOCK = 512
"""Rows that are compared with all others at once: memory stays linear in the number of images."""
_OFF = 1e-6
"""How far the product of two rows of unit length may be off their cosine."""
_SPARE = 8
"""Candidates beyond the k nearest by float32 products, among which exact distances decide."""


class Neighbors(NamedTuple):
    """The nearest rows of each query."""

    indices: Indices
    """Shape (n_queries, k), the nearest first; where distances are equal, in the order of the rows."""
    distances: NDArray[np.float64]
    """Euclidean, of the same shape."""


def nearest(rows: Rows, queries: Rows, k: int, *, own: Indices | None = None) -> Neighbors:
    """Return the k nearest rows of each query, but for the row that it is itself, as `own` says.

    k must be at most the number of rows, less one where there is `own`.
    """
    n_candidates = min(len(rows), k + 1 + _SPARE)
    indices = np.empty((len(queries), k), np.intp)
    distances = np.empty((len(queries), k))
    for start in range(0, len(queries), _BLOCK):
        block = queries[start : start + _BLOCK]
        products = block @ rows.T
        if own is not None:
            products[np.arange(len(block)), own[start : start + _BLOCK]] = -np.inf
        found = np.argpartition(-products, n_candidates - 1, axis=1)[:, :n_candidates]
        found.sort(axis=1)
        exact = np.linalg.norm(rows[found].astype(np.float64) - block[:, None].astype(np.float64), axis=2)
        if own is not None:
            exact[found == own[start : start + _BLOCK, None]] = np.inf
        first = np.argsort(exact, axis=1, kind="stable")[:, :k]
        indices[start : start + _BLOCK] = np.take_along_axis(found, first, axis=1)
        distances[start : start + _BLOCK] = np.take_along_axis(exact, first, axis=1)
    return Neighbors(indices, distances)


@contextlib.contextmanager
def on_one_processor() -> Iterator[None]:
    """Keep the last bits of products from depending on the number of processors."""
    from threadpoolctl import threadpool_limits  # noqa: PLC0415  belongs to scikit-learn

    with threadpool_limits(limits=1):
        yield


def same_pictures(rows: Rows, sums: Sequence[str]) -> Indices:
    """Return, for each image, the first that has its vector or its content; `sums` may be empty where unknown.

    No distance tells such images apart. A content that is not known is an empty string.
    """
    firsts = list(range(len(rows)))
    seen: dict[bytes | str, int] = {}

    def first_of(index: int) -> int:
        while firsts[index] != index:
            firsts[index] = firsts[firsts[index]]
            index = firsts[index]
        return index

    for keys in ((row.tobytes() for row in rows), sums):
        for index, key in enumerate(keys):
            if key:
                one, other = sorted((first_of(index), first_of(seen.setdefault(key, index))))
                firsts[other] = one
    return np.array([first_of(index) for index in range(len(rows))], np.intp)


def leaders(rows: Rows, similarity: float) -> Indices:
    """Return, for each row, the first row before it that is a leader and nearly the same, else itself: a leader."""
    with on_one_processor():
        return _leaders(rows, similarity - _OFF)


def _leaders(rows: Rows, similarity: float) -> Indices:
    led_by = np.arange(len(rows))
    is_leader = np.zeros(len(rows), bool)
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        earlier = np.flatnonzero(is_leader)
        if len(earlier):
            alike = block @ rows[earlier].T >= similarity
            led = alike.any(axis=1)
            led_by[start : start + len(block)][led] = earlier[alike.argmax(axis=1)[led]]
        within = block @ block.T >= similarity
        for index in range(len(block)):
            if led_by[start + index] == start + index:
                is_leader[start + index] = True
                follows = np.flatnonzero(within[index, index + 1 :]) + start + index + 1
                free = follows[led_by[follows] == follows]
                led_by[free] = start + index
    return led_by


def near_duplicate_groups(rows: Rows, similarity: float) -> list[list[int]]:
    """Return the groups of two and more images that a chain of pairs as similar as this joins (cosine)."""
    from scipy.sparse import coo_array  # noqa: PLC0415  SciPy takes long to import
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    labels = np.arange(len(rows))
    with on_one_processor():
        for first, second in _alike_pairs(rows, similarity - _OFF):
            links = coo_array((np.ones(len(first), bool), (labels[first], labels[second])), shape=(len(rows),) * 2)
            _, merged = connected_components(links, directed=False)
            labels = merged[labels]
    groups: dict[int, list[int]] = {}
    for index, label in enumerate(labels.tolist()):
        groups.setdefault(label, []).append(index)
    return [group for group in groups.values() if len(group) > 1]


def _alike_pairs(rows: Rows, similarity: float) -> Iterator[tuple[Indices, Indices]]:
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        first, second = np.nonzero(block @ rows[start:].T >= similarity)
        is_pair = first < second
        if is_pair.any():
            yield first[is_pair] + start, second[is_pair] + start
