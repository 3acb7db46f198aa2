"""Which images are alike: nearest neighbors, the same picture, nearly the same picture."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebalance.vectors import Rows, RowSource

Indices = NDArray[np.intp]

_BLOCK = 512
"""Rows that are compared with others at once."""
_TILE = 16_384
"""Others that they are compared with at once: memory does not depend on how many there are."""
_SPARE = 4
"""Candidates beyond the k nearest by float32 products, among which exact distances decide."""
_OFF = 1e-6
"""How far the product of two rows of unit length may be off their cosine."""


class Neighbors(NamedTuple):
    """The nearest rows of each query."""

    indices: Indices
    """Shape (n_queries, k), the nearest first; where distances are equal, in the order of the rows."""
    distances: NDArray[np.float64]
    """Euclidean, of the same shape."""


def nearest(rows: RowSource, queries: RowSource, k: int, *, own: Indices | None = None) -> Neighbors:
    """Return the k nearest rows of each query, but for the row that it is itself, as `own` says.

    Rows are of unit length. Candidates are found by float32 products; exact distances decide among them, and where one
    that is no candidate could be as near, among all rows. k must be at most the number of rows, less one where there is
    `own`.
    """
    indices, distances = np.empty((len(queries), k), np.intp), np.empty((len(queries), k))
    for start in range(0, len(queries), _BLOCK):
        part = slice(start, start + _BLOCK)
        excluded = own[part] if own is not None else np.full(len(queries[part]), -1)
        indices[part], distances[part] = _nearest_to_few(rows, queries[part], k, excluded)
    return Neighbors(indices, distances)


def _nearest_to_few(rows: RowSource, queries: Rows, k: int, excluded: Indices) -> Neighbors:
    candidates, bound = _candidates(rows, queries, min(len(rows), k + 1 + _SPARE), excluded)
    apart = np.subtract(rows[candidates], queries[:, None], dtype=np.float64)
    exact = np.sqrt(np.einsum("ijk,ijk->ij", apart, apart))
    exact[candidates == excluded[:, None]] = np.inf
    first = np.lexsort((candidates, exact))[:, :k]
    indices, distances = np.take_along_axis(candidates, first, axis=1), np.take_along_axis(exact, first, axis=1)
    error = queries.shape[1] * 2.0**-24 + _OFF
    for place in np.flatnonzero(bound + error >= 1 - distances[:, -1] ** 2 / 2).tolist():
        indices[place], distances[place] = _nearest_of_all(rows, queries[place], k, int(excluded[place]))
    return Neighbors(indices, distances)


def _candidates(
    rows: RowSource, queries: Rows, n_candidates: int, excluded: Indices
) -> tuple[Indices, NDArray[np.float64]]:
    """Return the rows with the largest products with each query, and what the products of all others do not pass."""
    found = np.zeros((len(queries), 0), np.intp)
    products = np.zeros((len(queries), 0), np.float32)
    bound = np.full(len(queries), -np.inf)
    for start in range(0, len(rows), _TILE):
        tile = queries @ rows[start : start + _TILE].T
        inside = np.flatnonzero((excluded >= start) & (excluded < start + tile.shape[1]))
        tile[inside, excluded[inside] - start] = -np.inf
        first = _largest(tile, n_candidates)
        found = np.concatenate([found, first + start], axis=1)
        products = np.concatenate([products, np.take_along_axis(tile, first, axis=1)], axis=1)
        if first.shape[1] < tile.shape[1]:
            bound = np.maximum(bound, products[:, -n_candidates:].min(axis=1))
        first = _largest(products, n_candidates)
        if first.shape[1] < products.shape[1]:
            found = np.take_along_axis(found, first, axis=1)
            products = np.take_along_axis(products, first, axis=1)
            bound = np.maximum(bound, products.min(axis=1))
    return found, bound


def _largest(products: Rows, n_largest: int) -> Indices:
    """Return the places of the largest numbers of each row, in any order."""
    if n_largest >= products.shape[1]:
        return np.broadcast_to(np.arange(products.shape[1]), products.shape)
    return np.argpartition(products, -n_largest, axis=1)[:, -n_largest:]


def _nearest_of_all(rows: RowSource, query: Rows, k: int, excluded: int) -> tuple[Indices, NDArray[np.float64]]:
    """Return the k nearest rows of a query by exact distances to all that could be."""
    wide = query.astype(np.float64)
    starts = range(0, len(rows), _TILE)
    products = np.concatenate([rows[start : start + _TILE].astype(np.float64) @ wide for start in starts])
    products[max(excluded, 0)] = -np.inf if excluded >= 0 else products[0]
    near = np.flatnonzero(products >= np.partition(products, -k)[-k] - 2 * _OFF)
    distances = np.concatenate(
        [np.linalg.norm(rows[near[start : start + _BLOCK]] - wide, axis=1) for start in range(0, len(near), _BLOCK)]
    )
    first = np.lexsort((near, distances))[:k]
    return near[first], distances[first]


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
