"""How often images with several labels are copied or kept, for labels to come as near to their targets as can be."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebalance.labels import LabelSet

Counts = NDArray[np.intp]
_TOLERANCE = 1e-9
"""Of reduced costs, which are shares of a target."""
_N_PASSES = 50


@dataclass(frozen=True)
class Problem:
    """Images by their label sets, and what is wanted of the labels; without slots, for the incidence to stay."""

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

    @cached_property
    def incidence(self) -> Any:
        """Which label is in which set, sparse, shape (n_labels, n_sets)."""
        from scipy.sparse import csr_array  # noqa: PLC0415  takes a while

        rows = [label for label_set in self.sets for label in label_set]
        columns = [place for place, label_set in enumerate(self.sets) for _ in label_set]
        return csr_array((np.ones(len(rows)), (rows, columns)), shape=(self.n_labels, len(self.sets)))

    def achieved(self, taken: Counts) -> Counts:
        """Return how many images of each label there are then."""
        counts: Counts = (self.base + self.incidence @ taken).astype(np.intp)
        return counts

    def deviation(self, taken: Counts) -> float:
        """Return the sum over the labels of |achieved - target| / target."""
        return float((np.abs(self.achieved(taken) - self.targets) / self.targets).sum())


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
    A second one looks among all that reach it, which are those that keep every variable with a reduced cost at its
    bound: for the one that copies images most evenly, the k-th copy of an image costing k (from the third on, the mean
    of 3 and 4, of 5 to 8 ...), or, `is_keeping`, for the one that keeps most images. Then whole numbers are looked for
    next to it, one set after the other.
    """
    if not len(problem.sets):
        return Solution(np.zeros(0, np.intp), problem.deviation(np.zeros(0, np.intp)), 0.0)
    divided, bound = _relaxed(problem, is_keeping=is_keeping)
    taken = _rounded(problem, divided, is_keeping=is_keeping)
    deviation = problem.deviation(taken)
    return Solution(taken, deviation, min(bound, deviation))


def _relaxed(problem: Problem, *, is_keeping: bool) -> tuple[NDArray[np.float64], float]:
    """Return how many images of each set are taken, as fractions, and the least deviation."""
    from scipy.sparse import csc_array, eye_array, hstack  # noqa: PLC0415  takes a while

    n_labels, n_sets = problem.n_labels, len(problem.sets)
    eye = eye_array(n_labels)
    balance = csc_array(hstack([problem.incidence, eye, -eye]))  # taken, short of the target, beyond it
    wanted = (problem.targets - problem.base).astype(np.float64)
    short = problem.targets - 1.0 if is_keeping else np.full(n_labels, np.inf)  # no label is to vanish
    upper = np.concatenate([problem.most.astype(np.float64), short, np.full(n_labels, np.inf)])
    cost = np.concatenate([np.zeros(n_sets), 1 / problem.targets, 1 / problem.targets])
    first = _minimized(cost, balance, wanted, upper)
    assert first is not None  # what is short or beyond makes up for anything
    is_full = first.upper.marginals < -_TOLERANCE
    fixed = np.where(is_full, upper, 0.0)
    is_free = ~is_full & (first.lower.marginals <= _TOLERANCE)
    sets, others = np.flatnonzero(is_free[:n_sets]), np.flatnonzero(is_free[n_sets:]) + n_sets
    steps = [(-1.0, problem.most[sets])] if is_keeping else list(_steps(problem, sets))
    second = _minimized(
        np.concatenate([*(np.full(len(sets), price) for price, _ in steps), np.zeros(len(others))]),
        csc_array(hstack([*[balance[:, sets]] * len(steps), balance[:, others]])),
        wanted - balance @ fixed,
        np.concatenate([*(most for _, most in steps), upper[others]]).astype(np.float64),
    )
    if second is None:  # by a hair of arithmetic: the first is as near to the targets
        return np.asarray(first.x[:n_sets]), float(first.fun)
    divided = fixed[:n_sets].copy()
    divided[sets] += second.x[: len(steps) * len(sets)].reshape(len(steps), len(sets)).sum(axis=0)
    return divided, float(first.fun)


def _steps(problem: Problem, sets: Counts) -> Iterator[tuple[float, Counts]]:
    """Yield what further images of each set cost, and how many may be taken at that price."""
    n_before, n_each, left = 0, 1, problem.most[sets]
    while (left > 0).any():
        at_this = np.minimum(problem.per_image[sets] * n_each, left)
        yield n_before + (n_each + 1) / 2, at_this
        left = left - at_this
        n_before += n_each
        n_each = n_before


def _minimized(cost: NDArray[np.float64], matrix: Any, wanted: NDArray[np.float64], upper: NDArray[np.float64]) -> Any:
    """Return the solution of a linear program with variables from 0 to their upper bounds, None where it finds none."""
    from scipy.optimize import linprog  # noqa: PLC0415  takes a while

    bounds = np.stack([np.zeros(len(upper)), upper], axis=1)
    found = linprog(cost, A_eq=matrix, b_eq=wanted, bounds=bounds, method="highs-ipm")
    return found if found.x is not None else None


def _rounded(problem: Problem, divided: NDArray[np.float64], *, is_keeping: bool) -> Counts:
    """Return whole numbers from fractions: each set in turn is moved by one while that brings labels nearer.

    First those whose fraction is largest. Where images are kept, those of a label never become none.
    """
    taken = np.minimum(np.floor(divided + 1e-6).astype(np.intp), problem.most)
    targets, order = problem.targets.tolist(), np.argsort(taken - divided, kind="stable").tolist()
    counts, most, labels = taken.tolist(), problem.most.tolist(), problem.achieved(taken).tolist()
    for _ in range(_N_PASSES):
        is_moved = False
        for place in order:
            label_set = problem.sets[place]
            for step in (1, -1):
                while 0 <= counts[place] + step <= most[place] and _gain(label_set, labels, targets, step) > _TOLERANCE:
                    if is_keeping and any(labels[label] + step < 1 for label in label_set):
                        break
                    counts[place] += step
                    is_moved = True
                    for label in label_set:
                        labels[label] += step
        if not is_moved:
            break
    return np.array(counts, np.intp)


def _gain(label_set: LabelSet, achieved: Sequence[int], targets: Sequence[int], step: int) -> float:
    """Return how much nearer the labels of a set come to their targets by one image more or less of it."""
    return sum(
        (abs(targets[label] - achieved[label]) - abs(targets[label] - achieved[label] - step)) / targets[label]
        for label in label_set
    )
