"""Measures of probabilities, under many multiplicities of the images at once."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebalance.scoring.predictions import Labels, Probabilities

Values = NDArray[np.float64]
Multiplicities = NDArray[np.float64]
"""What each image counts in each resample, shape (n_resamples, n_images)."""

N_BINS = 15
"""Of the expected calibration error."""


class Curve(NamedTuple):
    """Precision and recall where the threshold falls from one distinct probability to the next."""

    recall: Values
    precision: Values


@dataclass(frozen=True, slots=True)
class Ranking:
    """The images by the probability of one class, the most probable first, cut where a positive is found.

    Only there does recall rise, so that precision is looked at nowhere else.
    """

    order: Labels
    """All images up to the last positive, and those that are as probable."""
    starts: Labels
    """Where a stretch of them begins that ends with a distinct probability of a positive."""
    positives: Labels
    """The positives in that order."""
    positive_starts: Labels
    """Where those of each stretch begin among them."""

    @classmethod
    def of(cls, probabilities: Values, is_positive: NDArray[np.bool_]) -> "Ranking":
        """Rank by the probabilities of one class, shape (n_images,)."""
        order = np.argsort(-probabilities, kind="stable")
        ranked = probabilities[order]
        last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
        ends, positive_starts = np.unique(
            last[np.searchsorted(last, np.flatnonzero(is_positive[order]))], return_index=True
        )
        starts = np.append(0, ends[:-1] + 1)[: len(ends)]
        return cls(
            order[: ends[-1] + 1] if len(ends) else order[:0], starts, order[is_positive[order]], positive_starts
        )

    def average_precision(self, multiplicities: Multiplicities) -> Values:
        """Return sum (R_n - R_{n-1}) P_n of each resample, NaN where no positive is in it; scikit-learn's."""
        if not len(self.positives):
            return np.full(len(multiplicities), np.nan)
        right, called = self._counts(multiplicities)
        n_true = right[:, -1]
        steps = np.diff(right, axis=1, prepend=0)
        precision = np.divide(right, called, out=np.zeros_like(right), where=called > 0)
        area = (steps * precision).sum(axis=1)
        found: Values = np.divide(area, n_true, out=np.full(len(n_true), np.nan), where=n_true > 0)
        return found

    def curve(self) -> Curve:
        """Return the curve of the images as they are; of a class that is not there, nothing."""
        if not len(self.positives):
            return Curve(np.zeros(0), np.zeros(0))
        right, called = (counts[0] for counts in self._counts(np.ones((1, int(self.order.max()) + 1))))
        return Curve(right / right[-1], right / called)

    def _counts(self, multiplicities: Multiplicities) -> tuple[Values, Values]:
        """Return how many are called the class at the end of each stretch, rightly and in all."""
        called = np.add.reduceat(multiplicities[:, self.order], self.starts, axis=1).cumsum(axis=1)
        right = np.add.reduceat(multiplicities[:, self.positives], self.positive_starts, axis=1).cumsum(axis=1)
        return right, called


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far off the probabilities of each image are."""

    squared: Values
    """Sum over the classes of (p - y)^2; half of that where there are two, shape (n_images,)."""
    bins: Labels
    """Where the largest probability of each image lies."""
    excess: Values
    """That probability, less 1 where its class is the true one."""

    @classmethod
    def of(cls, probabilities: Probabilities, truth: Labels) -> "Calibration":
        """Take probabilities and true classes."""
        n_images, n_classes = probabilities.shape
        rows = np.arange(n_images)
        is_true = np.zeros_like(probabilities)
        is_true[rows, truth] = 1
        squared = ((probabilities - is_true) ** 2).sum(axis=1) / (2 if n_classes == 2 else 1)
        likeliest = probabilities.argmax(axis=1)
        most = probabilities[rows, likeliest]
        bins = np.clip(np.ceil(most * N_BINS).astype(np.intp) - 1, 0, N_BINS - 1)
        return cls(squared, bins, most - (likeliest == truth))

    def brier_score(self, multiplicities: Multiplicities) -> Values:
        """Return the mean squared error (Brier 1950): from 0 to 2, or to 1 with two classes, as scikit-learn has it."""
        mean: Values = multiplicities @ self.squared / multiplicities.sum(axis=1)
        return mean

    def expected_calibration_error(self, multiplicities: Multiplicities) -> Values:
        """Return the mean of |accuracy - confidence| over 15 bins ]a, b] by the images in each (Guo et al. 2017)."""
        in_bins = np.zeros((len(self.bins), N_BINS))
        in_bins[np.arange(len(self.bins)), self.bins] = self.excess
        mean: Values = np.abs(multiplicities @ in_bins).sum(axis=1) / multiplicities.sum(axis=1)
        return mean
