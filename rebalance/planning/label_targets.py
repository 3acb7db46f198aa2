"""Targets of labels as a problem of how often each label set is taken, and its solution told label by label."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from rebalance.errors import listed
from rebalance.labels import Labels
from rebalance.plan import LabelTarget
from rebalance.planning.multilabel import never_without
from rebalance.planning.repeats import Counts, Problem, Solution


class Posed(NamedTuple):
    """A problem over the labels that occur."""

    labels: Labels
    problem: Problem
    place_of: Mapping[int, int]
    """Place of a label among all -> its place in the problem."""


def pose(labels: Labels, targets: Mapping[str, int], most: Counts, per_image: Counts, *, is_keeping: bool) -> Posed:
    """Return the problem of targets by the names of labels; `is_keeping`: nothing is there before images are taken."""
    occurring = [place for place, name in enumerate(labels.names) if name in targets]
    place_of = {place: index for index, place in enumerate(occurring)}
    sets = tuple(tuple(place_of[label] for label in label_set) for label_set in labels.sets)
    wanted = np.array([targets[labels.names[place]] for place in occurring], np.intp)
    has = np.array([labels.positives[place] for place in occurring], np.intp)
    base = np.zeros(len(occurring), np.intp) if is_keeping else has
    return Posed(labels, Problem(sets, len(occurring), base, wanted, most, per_image), place_of)


def certificate(problem: Problem, solution: Solution, before: Counts) -> str:
    """Return how near the labels come, and that nothing comes nearer, in a line."""
    return (
        f"labels are off their targets by {solution.deviation:.4g} targets in all, {problem.deviation(before):.4g} "
        f"before; no choice comes below {solution.bound:.4g} (linear programming)"
    )


def label_targets(posed: Posed, solution: Solution) -> tuple[LabelTarget, ...]:
    """Return what becomes of each label, with the reason where that is not its target."""
    labels, problem, place_of = posed
    reasons = _Reasons(posed, solution)
    found = []
    for label, (name, positive) in enumerate(zip(labels.names, labels.positives, strict=True)):
        if label not in place_of:
            found.append(LabelTarget(name, 0, 0, 0, "it never occurs"))
            continue
        place = place_of[label]
        target, after = int(problem.targets[place]), int(reasons.achieved[place])
        found.append(LabelTarget(name, positive, target, after, "" if after == target else reasons.of(label)))
    return tuple(found)


class _Reasons:
    """Why labels miss their targets."""

    def __init__(self, posed: Posed, solution: Solution) -> None:
        labels, self.problem, self.place_of = posed
        self.solution = solution
        self.achieved = self.problem.achieved(solution.taken)
        self.gaps = (self.problem.targets - self.achieved).tolist()
        self.never_without = never_without(labels)
        self.names = {place: labels.names[label] for label, place in self.place_of.items()}
        self.where: list[list[int]] = [[] for _ in self.gaps]
        for index, label_set in enumerate(self.problem.sets):
            for place in label_set:
                self.where[place].append(index)

    def of(self, label: int) -> str:
        """Return the reason of one label."""
        place = self.place_of[label]
        is_short = self.gaps[place] > 0
        where = self.where[place]
        if is_short and all(self.solution.taken[index] == self.problem.most[index] for index in where):
            n_images = int(self.problem.per_image[where].sum())
            return f"its {n_images} images are used as often as may be (--max-copies)"
        others = [self.place_of[other] for other in self.never_without[label]]
        if hindering := [other for other in others if (self.gaps[other] <= 0 if is_short else self.gaps[other] >= 0)]:
            told = "would have still more" if is_short else "would have still less"
            return f"it never occurs without {self._named(hindering)}, which {told}"
        if near := self._neighbors(where, is_short=is_short):
            told = "of which there is too much" if is_short else "of which there is too little"
            return f"its images also have {self._named(near)}, {told}"
        return "counts are whole"

    def _named(self, places: Sequence[int]) -> str:
        return listed((repr(self.names[place]) for place in places), 3)

    def _neighbors(self, where: Sequence[int], *, is_short: bool) -> list[int]:
        """Return the labels on the same images that miss their targets the other way, the most frequent first."""
        counts = Counter(
            place
            for index in where
            for place in self.problem.sets[index]
            if (self.gaps[place] < 0 if is_short else self.gaps[place] > 0)
        )
        return sorted(counts, key=lambda place: (-counts[place], place))
