"""Seeded resamples of images and of runs, and the intervals that they give."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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
        """Yield how often each image counts in some resamples, and which these are; the first block is the data itself.

        Images are drawn with replacement within their true class. Where there are groups, whole groups are, among those
        of which most images are of the same class.
        """
        n_images = len(predictions.paths)
        yield range(0), np.ones((1, n_images), np.int64)
        units, strata = _units(predictions)
        order, starts, sizes = _slots(strata)
        n_rows = max(1, _BLOCK // max(n_images, 1))
        for start in range(0, self.n_resamples, n_rows):
            which = range(start, min(start + n_rows, self.n_resamples))
            block = np.empty((len(which), n_images), np.int64)
            for row, number in enumerate(which):
                drawn = order[starts + _picks(random_words((self.seed, number), len(strata)), sizes)]
                block[row] = np.bincount(drawn, minlength=len(strata))[units]
            yield which, block

    def runs(self, n_runs: int, side: int) -> Labels:
        """Return which runs of a side are in each resample, shape (n_resamples, n_drawn).

        Of several, one less is drawn than there are: their mean then varies as that of new runs would (McCarthy and
        Snowden 1985), where drawing as many gives too narrow an interval.
        """
        if n_runs == 1:
            return np.zeros((self.n_resamples, 1), np.intp)
        words = random_words((self.seed, side, n_runs), self.n_resamples * (n_runs - 1))
        return _picks(words, np.full(len(words), n_runs)).reshape(self.n_resamples, n_runs - 1)


def _units(predictions: Predictions) -> tuple[Labels, Labels]:
    """Return the unit that is drawn with each image, and the stratum of each unit."""
    if predictions.groups is None:
        return np.arange(len(predictions.paths)), predictions.truth
    counts = np.zeros((int(predictions.groups.max()) + 1, len(predictions.names)), np.intp)
    np.add.at(counts, (predictions.groups, predictions.truth), 1)
    return predictions.groups, counts.argmax(axis=1)


def _slots(strata: Labels) -> tuple[Labels, Labels, Labels]:
    """Return the units by stratum, and for each place among them where its stratum starts and how large it is."""
    order = np.argsort(strata, kind="stable")
    counts = np.bincount(strata)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    return order, starts, np.repeat(counts, counts)


def random_words(seed: tuple[int, ...], n_words: int) -> NDArray[np.uint64]:
    """Return random words, whose stream is stable over the releases of numpy."""
    words: NDArray[np.uint64] = np.random.PCG64(np.random.SeedSequence(seed)).random_raw(n_words)
    return words


def _picks(words: NDArray[np.uint64], sizes: Labels) -> Labels:
    """Return a number from 0 to below each size."""
    return ((words >> np.uint64(11)).astype(np.float64) * 2.0**-53 * sizes).astype(np.intp)


def basic_interval(value: float, samples: Values, least: float) -> Estimate:
    """Return twice the value less the ends of the middle 95 % of the resamples (Davison and Hinkley 1997).

    For what is larger in resamples than in the data: distances that are never below `least`.
    """
    middle = percentile_interval(value, samples)
    return Estimate(value, max(2 * value - middle.high, least), max(2 * value - middle.low, least))


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
