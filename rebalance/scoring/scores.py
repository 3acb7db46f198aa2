"""What runs are worth: every measure with its interval, and what is better about one way than about another."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rebalance.scoring.confidence import Values
from rebalance.scoring.measuring import Judging, Key, Samples, sample
from rebalance.scoring.predictions import Predictions
from rebalance.scoring.resampling import (
    Estimate,
    basic_interval,
    percentile_interval,
    wilson_interval,
)

FEW = 10
"""Images of a class, or groups where these are drawn, below which its numbers say too little."""
_LEANING = "expected_calibration_error"
LESS_IS_BETTER = frozenset({"brier_score", "expected_calibration_error"})


class ClassScore(NamedTuple):
    """One class."""

    name: str
    support: int
    """Images that are it."""
    n_drawn: int
    """What of them is drawn on its own: images, or their groups."""
    n_called: float
    """Images that are called so, in the mean of the runs."""
    measures: dict[str, Estimate]

    @property
    def is_too_few(self) -> bool:
        """Whether there are too few to tell."""
        return self.n_drawn < FEW


@dataclass(frozen=True, slots=True)
class Score:
    """One way of making models, by one run or the mean of several."""

    overall: dict[str, Estimate]
    classes: tuple[ClassScore, ...]
    confusion: Values
    """Shape (n_classes, n_classes): images of class i called j, in the mean of the runs."""


class Difference(NamedTuple):
    """One measure of two ways."""

    measure: str
    class_name: str | None
    """None: of all classes together."""
    first: float
    second: float
    difference: Estimate
    """Second less first."""

    @property
    def verdict(self) -> str:
        """What the interval says of the second."""
        if self.difference == (0, 0, 0):
            return "the same"
        if not self.difference.low > 0 and not self.difference.high < 0:
            return "cannot be told"
        return "better" if (self.difference.low > 0) != (self.measure in LESS_IS_BETTER) else "worse"


def score(runs: Sequence[Predictions], judging: Judging) -> Score:
    """Measure runs that are `aligned`; the values are means over them.

    Intervals are percentiles of a bootstrap of images, and of runs where there are several. Of a single run without
    groups, shares of counted images (recall, precision, specificity) have Wilson's, which says something of 0 and 1,
    too. The calibration error, which grows when images are drawn twice, has the basic interval.
    """
    (found,) = sample([runs], judging)
    confusion: Values = np.mean([run.confusion() for run in runs], axis=0)
    is_counted = len(runs) == 1 and runs[0].groups is None
    classes = []
    for label, name in enumerate(runs[0].names):
        measures = {measure: _interval(samples) for (measure, of), samples in found.items() if of == label}
        if is_counted:
            measures |= _shares(confusion, label)
        support, n_called = int(confusion[label].sum()), float(confusion[:, label].sum())
        classes.append(ClassScore(name, support, _n_drawn(runs[0], label), n_called, measures))
    return Score(_overall(found), tuple(classes), confusion)


def _n_drawn(run: Predictions, label: int) -> int:
    is_true = run.truth == label
    return int(is_true.sum()) if run.groups is None else len(np.unique(run.groups[is_true]))


def _overall(found: Mapping[Key, Samples]) -> dict[str, Estimate]:
    overall = {measure: _interval(samples) for (measure, of), samples in found.items() if of is None}
    if (key := (_LEANING, None)) in found:
        overall[_LEANING] = basic_interval(found[key].value, found[key].spread, 0.0)
    return overall


def _shares(confusion: Values, label: int) -> dict[str, Estimate]:
    """Return what is a share of counted images, of one class."""
    right, true, called = (int(n) for n in (confusion[label, label], confusion[label].sum(), confusion[:, label].sum()))
    total = int(confusion.sum())
    return {
        "precision": wilson_interval(right, called),
        "recall": wilson_interval(right, true),
        "specificity": wilson_interval(total - true - called + right, total - true),
    }


def _interval(samples: Samples) -> Estimate:
    return percentile_interval(samples.value, samples.spread)


def compare(first: Sequence[Predictions], second: Sequence[Predictions], judging: Judging) -> Iterator[Difference]:
    """Yield the difference of every measure of all classes, and of the recall of each, between two ways.

    The runs of both are `aligned` with each other. Both are resampled on the same images, so that what makes an image
    hard counts on both sides.
    """
    one, other = sample([first, second], judging)
    for (measure, label), samples in one.items():
        if label is None or measure == "recall":
            name = None if label is None else first[0].names[label]
            difference = _interval(other[measure, label].less(samples))
            yield Difference(measure, name, samples.value, other[measure, label].value, difference)
