"""What runs are worth: every measure with its interval, and what is better about one way than about another."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rebalance.scoring.confidence import Calibration, Multiplicities, Ranking, Values
from rebalance.scoring.decisions import OF_CLASSES, Counts, Settings, overall_measures
from rebalance.scoring.predictions import Predictions
from rebalance.scoring.resampling import (
    Estimate,
    Resampling,
    basic_interval,
    percentile_interval,
    wilson_interval,
)

FEW = 10
"""Images of a class below which its numbers say too little."""
_LEANING = "expected_calibration_error"
LESS_IS_BETTER = frozenset({"brier_score", "expected_calibration_error"})
Progress = Callable[[int, int], None]
_Measures = tuple[dict[str, Values], dict[str, Values]]
"""Of all classes, shape (n_resamples,), and of each, (n_resamples, n_classes)."""


class ClassScore(NamedTuple):
    """One class."""

    name: str
    support: int
    """Images that are it."""
    n_called: float
    """Images that are called so, in the mean of the runs."""
    measures: dict[str, Estimate]

    @property
    def is_too_few(self) -> bool:
        """Whether there are too few images to tell."""
        return self.support < FEW


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


class _Run:
    """The predictions of a run, sorted so that many resamples are counted at once."""

    def __init__(self, predictions: Predictions, settings: Settings) -> None:
        self.n_classes, self.settings = len(predictions.names), settings
        cells = predictions.truth * self.n_classes + predictions.called
        self.by_cell = np.argsort(cells, kind="stable")
        self.cells, self.starts = np.unique(cells[self.by_cell], return_index=True)
        self.rankings: list[Ranking] = []
        self.calibration = None
        if (found := predictions.probabilities) is not None:
            self.rankings = [Ranking.of(found[:, label], predictions.truth == label) for label in range(self.n_classes)]
            self.calibration = Calibration.of(found, predictions.truth)

    def confusions(self, multiplicities: Multiplicities) -> Values:
        """Return the confusion matrix of each resample."""
        matrices = np.zeros((len(multiplicities), self.n_classes**2))
        matrices[:, self.cells] = np.add.reduceat(multiplicities[:, self.by_cell], self.starts, axis=1)
        return matrices.reshape(-1, self.n_classes, self.n_classes)

    def measures(self, multiplicities: Multiplicities) -> _Measures:
        """Return what is measured of all classes, shape (n_resamples,), and of each, (n_resamples, n_classes)."""
        counts, settings = Counts.of(self.confusions(multiplicities)), self.settings
        overall = {name: measure(counts, settings) for name, measure in overall_measures(settings).items()}
        of_classes = {name: measure(counts, settings) for name, measure in OF_CLASSES.items()}
        if self.calibration is not None:
            found = np.stack([ranking.average_precision(multiplicities) for ranking in self.rankings], axis=1)
            of_classes["average_precision"] = found
            n_told = np.isfinite(found).sum(axis=1)
            overall["macro_average_precision"] = np.nansum(found, axis=1) / n_told
            overall["brier_score"] = self.calibration.brier_score(multiplicities)
            overall["expected_calibration_error"] = self.calibration.expected_calibration_error(multiplicities)
        return overall, of_classes


@dataclass(frozen=True, slots=True)
class _Samples:
    """One side: its measures on the data and in every resample, means over runs."""

    overall: dict[str, Values]
    """Shape (1 + n_resamples,), the data first."""
    of_classes: dict[str, Values]
    """Shape (1 + n_resamples, n_classes)."""


def _sample(
    sides: Sequence[Sequence[Predictions]], settings: Settings, resampling: Resampling, progress: Progress
) -> list[_Samples]:
    """Return every side under the same resamples of the images, each under its own resamples of its runs."""
    prepared = [[_Run(predictions, settings) for predictions in side] for side in sides]
    shares = [_run_shares(resampling, len(side), number) for number, side in enumerate(sides)]
    parts: list[list[_Measures]] = [[] for _ in sides]
    for which, multiplicities in resampling.blocks(sides[0][0]):
        rows = slice(which.start + 1, which.stop + 1) if which else slice(0, 1)
        for part, runs, share in zip(parts, prepared, shares, strict=True):
            part.append(_mean_of_runs([run.measures(multiplicities) for run in runs], share[rows]))
        progress(which.stop, resampling.n_resamples)
    return [
        _Samples(_joined([overall for overall, _ in part]), _joined([of_classes for _, of_classes in part]))
        for part in parts
    ]


def _run_shares(resampling: Resampling, n_runs: int, side: int) -> Values:
    """Return the weight of each run on the data, and in every resample, shape (1 + n_resamples, n_runs)."""
    drawn = resampling.runs(n_runs, side)
    counted = np.stack([(drawn == run).sum(axis=1) for run in range(n_runs)], axis=1) / drawn.shape[1]
    return np.concatenate([np.full((1, n_runs), 1 / n_runs), counted])


def _mean_of_runs(found: Sequence[_Measures], shares: Values) -> _Measures:
    """Return the means over runs, each with its share in each resample."""
    if len(found) == 1:
        return found[0]
    weights = shares.T
    overall = {name: _weighted(weights, [one[name] for one, _ in found]) for name in found[0][0]}
    of_classes = {name: _weighted(weights[..., None], [one[name] for _, one in found]) for name in found[0][1]}
    return overall, of_classes


def _weighted(weights: Values, values: Sequence[Values]) -> Values:
    mean: Values = (weights * np.stack(values)).sum(axis=0)
    return mean


def _joined(blocks: Sequence[dict[str, Values]]) -> dict[str, Values]:
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def score(runs: Sequence[Predictions], settings: Settings, resampling: Resampling, progress: Progress) -> Score:
    """Measure runs that are `aligned`; the values are means over them.

    Intervals are percentiles of a bootstrap of images, and of runs where there are several. Of a single run without
    groups, shares of counted images (recall, precision, specificity) have Wilson's, which says something of 0 and 1,
    too. The calibration error, which grows when images are drawn twice, has the basic interval.
    """
    (samples,) = _sample([runs], settings, resampling, progress)
    every = np.ones((1, len(runs[0].paths)), np.int64)
    confusion = np.mean([_Run(run, settings).confusions(every)[0] for run in runs], axis=0)
    is_counted = len(runs) == 1 and runs[0].groups is None
    classes = []
    for label, name in enumerate(runs[0].names):
        measures = {key: _interval(values[:, label]) for key, values in samples.of_classes.items()}
        support = int(confusion[label].sum())
        if is_counted:
            measures |= _shares(confusion, label)
        classes.append(ClassScore(name, support, float(confusion[:, label].sum()), measures))
    overall = {key: _interval(values) for key, values in samples.overall.items()}
    if _LEANING in overall:
        overall[_LEANING] = basic_interval(overall[_LEANING].value, samples.overall[_LEANING][1:], 0.0)
    return Score(overall, tuple(classes), confusion)


def _shares(confusion: Values, label: int) -> dict[str, Estimate]:
    """Return what is a share of counted images, of one class."""
    right, true, called = (int(n) for n in (confusion[label, label], confusion[label].sum(), confusion[:, label].sum()))
    total = int(confusion.sum())
    return {
        "precision": wilson_interval(right, called),
        "recall": wilson_interval(right, true),
        "specificity": wilson_interval(total - true - called + right, total - true),
    }


def _interval(samples: Values) -> Estimate:
    return percentile_interval(float(samples[0]), samples[1:])


def compare(
    first: Sequence[Predictions],
    second: Sequence[Predictions],
    settings: Settings,
    resampling: Resampling,
    progress: Progress,
) -> Iterator[Difference]:
    """Yield the difference of every measure of all classes, and of the recall of each, between two ways.

    The runs of both are `aligned` with each other. Both are resampled on the same images, so that what makes an image
    hard counts on both sides.
    """
    one, other = _sample([first, second], settings, resampling, progress)
    for name, values in one.overall.items():
        yield _difference(name, None, values, other.overall[name])
    for label, name in enumerate(first[0].names):
        yield _difference("recall", name, one.of_classes["recall"][:, label], other.of_classes["recall"][:, label])


def _difference(measure: str, class_name: str | None, first: Values, second: Values) -> Difference:
    return Difference(measure, class_name, float(first[0]), float(second[0]), _interval(second - first))
