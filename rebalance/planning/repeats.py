"""How often images with several labels are copied or kept, so that the labels come as near to their targets as can be."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebalance.labels import LabelSet

Counts = NDArray[np.intp]
_SLACK = 1e-7
"""What the best deviation may be passed by where other things are made better."""
_N_PASSES = 50


@dataclass(frozen=True, slots=True)
class Problem:
    """Images by their label sets, and what is wanted of the labels."""

    sets: tuple[LabelSet, ...]
    n_labels: int
    base: Counts
    """What each label has already, shape (n_labels,)."""
    targets: Counts
    """What each label is to have, above 0."""
    most: Counts
    """How many images of each set may be taken at most, shape (n_sets,)."""
    per_image: Counts
    """How many images each set has to take from."""

    @property
    def incidence(self) -> Any:
        """Return which label is in which set, sparse, shape (n_labels, n_sets)."""
        from scipy.sparse import csr_array  # noqa: PLC0415  takes a while

        rows = [label for label_set in self.sets for label in label_set]
        columns = [place for place, label_set in enumerate(self.sets) for _ in label_set]
        return csr_array((np.ones(len(rows)), (rows, columns)), shape=(self.n_labels, len(self.sets)))

    def deviation(self, taken: Counts) -> float:
        """Return the sum over the labels of |achieved - target| / target."""
        achieved = self.base + self.incidence @ taken
        return float((np.abs(achieved - self.targets) / self.targets).sum())


@dataclass(frozen=True, slots=True)
class Solution:
    """How many images of each set are taken."""

    taken: Counts
    deviation: float
    """Sum over the labels of |achieved - target| / target."""
    bound: float
    """What no choice whatever can be below, by linear programming: the certificate."""


def solve(problem: Problem, *, is_keeping: bool) -> Solution:
    """Return the choice with the least deviation, within what rounding to whole images costs.

    A linear program, solved by HiGHS (Huangfu and Hall 2018), gives the least deviation where images could be divided.
    A second one looks among those that reach it: the one in which the most used set is used least, or, `is_keeping`,
    the one that takes most. Then whole numbers next to it are looked for, one set after the other.
    """
    if not len(problem.sets):
        return Solution(np.zeros(0, np.intp), problem.deviation(np.zeros(0, np.intp)), 0.0)
    divided, bound = _relaxed(problem, is_keeping=is_keeping)
    taken = _rounded(problem, divided)
    return Solution(taken, problem.deviation(taken), min(bound, problem.deviation(taken)))


def _relaxed(problem: Problem, *, is_keeping: bool) -> tuple[NDArray[np.float64], float]:
    """Return how many images of each set are taken, as fractions, and the least deviation."""
    from scipy.optimize import linprog  # noqa: PLC0415  takes a while
    from scipy.sparse import csr_array, eye_array, hstack, vstack  # noqa: PLC0415  the same

    n_labels, n_sets = problem.n_labels, len(problem.sets)
    weights = 1 / problem.targets
    eye = eye_array(n_labels)
    balance = hstack([problem.incidence, eye, -eye], format="csr")
    wanted = (problem.targets - problem.base).astype(np.float64)
    bounds = [(0, int(most)) for most in problem.most] + [(0, None)] * (2 * n_labels)
    cost = np.concatenate([np.zeros(n_sets), weights, weights])
    first = linprog(cost, A_eq=balance, b_eq=wanted, bounds=bounds, method="highs")
    _check(first)
    limit = first.fun * (1 + _SLACK) + _SLACK
    if is_keeping:
        second = linprog(
            np.concatenate([-np.ones(n_sets), np.zeros(2 * n_labels)]),
            A_ub=csr_array(cost[None]), b_ub=[limit], A_eq=balance, b_eq=wanted, bounds=bounds, method="highs",
        )  # fmt: skip
        _check(second)
        return second.x[:n_sets], first.fun
    used = hstack([eye_array(n_sets), csr_array((n_sets, 2 * n_labels)), csr_array(-problem.per_image[:, None])])
    best = hstack([csr_array(cost[None]), csr_array((1, 1))])
    least = 1e-6 / max(1, int(problem.per_image.sum()))
    second = linprog(
        np.concatenate([np.full(n_sets, least), np.zeros(2 * n_labels), [1.0]]),
        A_ub=vstack([used, best], format="csr"), b_ub=np.append(np.zeros(n_sets), limit),
        A_eq=hstack([balance, csr_array((n_labels, 1))], format="csr"), b_eq=wanted, bounds=[*bounds, (0, None)],
        method="highs",
    )  # fmt: skip
    _check(second)
    return second.x[:n_sets], first.fun


def _check(result: Any) -> None:
    if result.x is None:
        raise AssertionError(result.message)  # a bounded problem that can always be met has a solution


def _rounded(problem: Problem, divided: NDArray[np.float64]) -> Counts:
    """Return whole numbers from fractions: each set in turn is moved by one while that brings labels nearer.

    First those whose fraction is largest.
    """
    taken = np.minimum(np.floor(divided + 1e-9).astype(np.intp), problem.most)
    gap = (problem.targets - problem.base - problem.incidence @ taken).astype(np.intp).tolist()
    weights = (1 / problem.targets).tolist()
    order = np.argsort(taken - divided, kind="stable").tolist()
    counts, most = taken.tolist(), problem.most.tolist()
    for _ in range(_N_PASSES):
        is_moved = False
        for place in order:
            for step in (1, -1):
                while 0 <= counts[place] + step <= most[place] and _gain(problem.sets[place], gap, weights, step) > 1e-12:
                    counts[place] += step
                    is_moved = True
                    for label in problem.sets[place]:
                        gap[label] -= step
        if not is_moved:
            break
    return np.array(counts, np.intp)


def _gain(label_set: LabelSet, gap: Sequence[int], weights: Sequence[float], step: int) -> float:
    """Return how much nearer the labels of a set come to their targets by one image more or less of it."""
    return sum(weights[label] * (abs(gap[label]) - abs(gap[label] - step)) for label in label_set)
