"""Every measure of the runs of a way, on the data and in resamples of images and of runs."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rebalance.scoring.confidence import Calibration, Multiplicities, Ranking, Values
from rebalance.scoring.decisions import OF_CLASSES, Counts, Settings, overall_measures
from rebalance.scoring.predictions import Predictions
from rebalance.scoring.resampling import Resampling

Progress = Callable[[int, int], None]
Key = tuple[str, int | None]
"""Measure and class; None: of all classes together."""


class Judging(NamedTuple):
    """How predictions are judged."""

    settings: Settings
    resampling: Resampling
    progress: Progress


@dataclass(frozen=True, slots=True)
class Samples:
    """One number: on the data, and in every resample, shape (n_resamples,)."""

    value: float
    of_images: Values
    """Images are drawn; the mean of all runs."""
    of_runs: Values
    """Runs are drawn; on the images as they are."""
    of_both: Values

    def less(self, other: "Samples") -> "Samples":
        """Return how far it is above another under the same resamples."""
        return Samples(
            self.value - other.value,
            self.of_images - other.of_images,
            self.of_runs - other.of_runs,
            self.of_both - other.of_both,
        )

    @property
    def spread(self) -> Values:
        """The resamples of both, as far apart as new images and new runs would be; those that can be told.

        Drawing images and runs at once counts twice what a run does with one image. The variance is V_i + V_r less that
        part once, which is V_both - V_i - V_r (Owen 2007, the pigeonhole bootstrap).
        """
        is_told = np.isfinite(self.of_both)
        told, of_runs = self.of_both[is_told], float(np.var(self.of_runs))
        if not len(told) or not of_runs or math.isnan(of_runs):
            return told
        of_images, of_both = float(np.var(self.of_images[is_told])), float(np.var(told))
        if not of_both:
            return told
        variance = max(2 * (of_images + of_runs) - of_both, of_images, of_runs)
        spread: Values = told.mean() + (told - told.mean()) * np.sqrt(variance / of_both)
        return spread


class CountedRun:
    """The predictions of a run, sorted so that many resamples are counted at once."""

    def __init__(self, predictions: Predictions, settings: Settings) -> None:
        """Take what it says of the images of `predictions`."""
        self.n_classes, self.settings = len(predictions.names), settings
        cells = predictions.cells
        self.by_cell = np.argsort(cells, kind="stable")
        self.cells, self.starts = np.unique(cells[self.by_cell], return_index=True)
        self.rankings: list[Ranking] = []
        self.calibration = None
        if (found := predictions.probabilities) is not None:
            is_true = predictions.truth[:, None] == np.arange(self.n_classes)
            self.rankings = [Ranking.of(found[:, label], is_true[:, label]) for label in range(self.n_classes)]
            self.calibration = Calibration.of(found, predictions.truth)

    def confusions(self, multiplicities: Multiplicities) -> Values:
        """Return the confusion matrix of each resample, shape (n_resamples, n_classes, n_classes)."""
        matrices = np.zeros((len(multiplicities), self.n_classes**2))
        matrices[:, self.cells] = np.add.reduceat(multiplicities[:, self.by_cell], self.starts, axis=1)
        return matrices.reshape(-1, self.n_classes, self.n_classes)

    def measures(self, multiplicities: Multiplicities) -> dict[Key, Values]:
        """Return every measure of each resample, shape (n_resamples,)."""
        counts, settings = Counts.of(self.confusions(multiplicities)), self.settings
        found: dict[Key, Values] = {
            (name, None): measure(counts, settings) for name, measure in overall_measures(settings).items()
        }
        of_classes = {name: measure(counts, settings) for name, measure in OF_CLASSES.items()}
        if self.calibration is not None:
            precisions = np.stack([ranking.average_precision(multiplicities) for ranking in self.rankings], axis=1)
            of_classes["average_precision"] = precisions
            found["macro_average_precision", None] = np.nansum(precisions, axis=1) / (~np.isnan(precisions)).sum(axis=1)
            found["brier_score", None] = self.calibration.brier_score(multiplicities)
            found["expected_calibration_error", None] = self.calibration.expected_calibration_error(multiplicities)
        for name, values in of_classes.items():
            found |= {(name, label): values[:, label] for label in range(self.n_classes)}
        return found


def sample(sides: Sequence[Sequence[Predictions]], judging: Judging) -> list[Mapping[Key, Samples]]:
    """Return every side under the same resamples of the images, each under its own resamples of its runs."""
    settings, resampling, progress = judging
    ways = [
        _Way([CountedRun(predictions, settings) for predictions in side], resampling.runs(len(side), number))
        for number, side in enumerate(sides)
    ]
    for which, multiplicities in resampling.blocks(sides[0][0]):
        for way in ways:
            way.take(which, multiplicities)
        progress(which.stop, resampling.n_resamples)
    return [way.samples() for way in ways]


class _Way:
    """The runs of one way, and their means so far."""

    def __init__(self, runs: Sequence[CountedRun], shares: Values) -> None:
        self.runs, self.shares = runs, shares
        every = np.ones((1, len(runs[0].by_cell)))
        self.on_data = [run.measures(every) for run in runs]
        self.of_images: dict[Key, Values] = {key: np.zeros(len(shares)) for key in self.on_data[0]}
        self.of_both: dict[Key, Values] = {key: np.zeros(len(shares)) for key in self.on_data[0]}

    def take(self, which: range, multiplicities: Multiplicities) -> None:
        """Measure some resamples."""
        rows = slice(which.start, which.stop)
        for run, shares in zip(self.runs, self.shares[rows].T, strict=True):
            for key, values in run.measures(multiplicities).items():
                self.of_images[key][rows] += values / len(self.runs)
                self.of_both[key][rows] += values * shares

    def samples(self) -> Mapping[Key, Samples]:
        """Return each measure."""
        found = {}
        for key in self.on_data[0]:
            on_data = np.array([measures[key][0] for measures in self.on_data])
            found[key] = Samples(float(on_data.mean()), self.of_images[key], self.shares @ on_data, self.of_both[key])
        return found
