"""Seeded resamples of images and of runs, and the intervals that they give."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebalance.lots import lots
from rebalance.scoring.confidence import Multiplicities, Values
from rebalance.scoring.predictions import Labels, Predictions

LEVEL = 0.95
_ENDS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
_Z = 1.959963984540054
"""The normal quantile of the upper end."""
_BLOCK = 2**22
"""Numbers that are in memory for the resamples of a block."""


class Estimate(NamedTuple):
    """A number and its 95 % interval; NaN where it cannot be told."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Resampling:
    """How often, and from which seed."""

    n_resamples: int
    seed: int

    def blocks(self, predictions: Predictions) -> Iterator[tuple[range, Multiplicities]]:
        """Yield some resamples at a time: which, and what each image counts in each.

        Images are drawn with replacement within their true class; where there are groups, whole groups are, among those
        of which most images are of the same class. Of n, n - 1 are drawn and count n / (n - 1) each: so the variance is
        that of new images (McCarthy and Snowden 1985), where drawing n gives too little in small classes.
        """
        n_images = len(predictions.paths)
        units, strata = _units(predictions)
        slots = _Slots.of(strata)
        n_rows = max(1, _BLOCK // max(n_images, len(predictions.names) ** 2))
        for start in range(0, self.n_resamples, n_rows):
            which = range(start, min(start + n_rows, self.n_resamples))
            yield which, np.stack([slots.drawn((self.seed, number))[units] for number in which])

    def runs(self, n_runs: int, side: int) -> Values:
        """Return the share of each run in each resample, shape (n_resamples, n_runs); one less is drawn of several."""
        if n_runs == 1:
            return np.ones((self.n_resamples, 1))
        words = lots((self.seed, side, n_runs), self.n_resamples * (n_runs - 1))
        drawn = _picks(words, np.full(len(words), n_runs)).reshape(self.n_resamples, n_runs - 1)
        return np.stack([(drawn == run).mean(axis=1) for run in range(n_runs)], axis=1)


def _units(predictions: Predictions) -> tuple[Labels, Labels]:
    """Return the unit that is drawn with each image, and the stratum of each unit."""
    if predictions.groups is None:
        return np.arange(len(predictions.paths)), predictions.truth
    counts = np.zeros((int(predictions.groups.max()) + 1, len(predictions.names)), np.intp)
    np.add.at(counts, (predictions.groups, predictions.truth), 1)
    return predictions.groups, counts.argmax(axis=1)


@dataclass(frozen=True, slots=True)
class _Slots:
    """Places into which units are drawn, stratum by stratum: one less than a stratum has, or its only one."""

    order: Labels
    """The units by stratum."""
    starts: Labels
    """Where the stratum of each place starts in that order."""
    sizes: Labels
    """How many units it has."""
    weights: Values
    """What each unit counts where it is drawn."""

    @classmethod
    def of(cls, strata: Labels) -> "_Slots":
        """Take the stratum of each unit."""
        counts = np.bincount(strata)
        n_drawn = np.where(counts > 1, counts - 1, counts)
        starts = np.repeat(np.cumsum(counts) - counts, n_drawn)
        weights = np.divide(counts, n_drawn, out=np.ones(len(counts)), where=n_drawn > 0)
        return cls(np.argsort(strata, kind="stable"), starts, np.repeat(counts, n_drawn), weights[strata])

    def drawn(self, seed: tuple[int, ...]) -> Values:
        """Return what each unit counts in one resample."""
        picked = self.order[self.starts + _picks(lots(seed, len(self.starts)), self.sizes)]
        return np.bincount(picked, minlength=len(self.order)) * self.weights


def _picks(words: NDArray[np.uint64], sizes: Labels) -> Labels:
    """Return a number from 0 to below each size."""
    return ((words >> np.uint64(11)).astype(np.float64) * 2.0**-53 * sizes).astype(np.intp)


def basic_interval(value: float, samples: Values, least: float) -> Estimate:
    """Return twice the value less the ends of the middle 95 % of the resamples (Davison and Hinkley 1997).

    For what is larger in resamples than in the data: distances that are never below `least`. Where every resample is
    larger, so that it would lie below the value, it is widened to hold that.
    """
    middle = percentile_interval(value, samples)
    low, high = max(2 * value - middle.high, least), max(2 * value - middle.low, least)
    return Estimate(value, min(low, value), max(high, value))


def percentile_interval(value: float, samples: Values) -> Estimate:
    """Return the middle 95 % of the resamples in which there is a value (Efron 1979)."""
    told = samples[np.isfinite(samples)]
    if not math.isfinite(value) or not len(told):
        return Estimate(value, math.nan, math.nan)
    low, high = np.quantile(told, _ENDS).tolist()
    return Estimate(value, low, high)


def wilson_interval(n_right: int, n_images: int) -> Estimate:
    """Return a share and its 95 % score interval (Wilson 1927); NaN of no images."""
    if not n_images:
        return Estimate(math.nan, math.nan, math.nan)
    share, spread = n_right / n_images, _Z**2 / n_images
    middle = (share + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * math.sqrt(share * (1 - share) / n_images + spread / (4 * n_images))
    return Estimate(share, max(middle - half, 0.0), min(middle + half, 1.0))
