"""Facility location: the images of a class that all others of it are nearest to."""

import heapq
from collections.abc import Sequence

import numpy as np

from rebalance.planning.likeness import Indices, on_one_processor
from rebalance.vectors import Rows

_AT_ONCE = 64
"""Gains that are brought up to date together: one product of matrices instead of as many with a vector."""


def spread_out(rows: Rows, n_kept: int, order: Sequence[int]) -> Indices:
    """Return `n_kept` rows in the order they are taken; a larger number only adds to them.

    Greedy for the sum over all rows of 1 + the largest cosine to a row that is taken, which is within 1 - 1/e of the
    best (Nemhauser, Wolsey and Fisher 1978); lazily, by gains that can only shrink (Minoux 1978). Where gains are
    equal, the smaller `order` goes first.
    """
    with on_one_processor():
        return _spread_out(rows, n_kept, order)


def _spread_out(rows: Rows, n_kept: int, order: Sequence[int]) -> Indices:
    gains = (rows.astype(np.float64) @ rows.sum(axis=0, dtype=np.float64) + len(rows)).tolist()
    heap = [(-gain, order[index], index, 0) for index, gain in enumerate(gains)]
    heapq.heapify(heap)
    covered = np.zeros(len(rows))
    taken: list[int] = []
    while len(taken) < n_kept:
        if heap[0][3] == len(taken):
            index = heapq.heappop(heap)[2]
            covered = np.maximum(covered, rows @ rows[index] + 1.0)
            taken.append(index)
            continue
        stale: list[int] = []
        while heap and len(stale) < _AT_ONCE and heap[0][3] < len(taken):
            stale.append(heapq.heappop(heap)[2])
        more = np.maximum(rows @ rows[stale].T + 1.0 - covered[:, None], 0).sum(axis=0, dtype=np.float64)
        for index, gain in zip(stale, more.tolist(), strict=True):
            heapq.heappush(heap, (-gain, order[index], index, len(taken)))
    return np.array(taken, np.intp)
