"""Measures of probabilities, under many multiplicities of the images at once."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebalance.scoring.predictions import Labels, Probabilities

Values = NDArray[np.float64]
Multiplicities = NDArray[np.int64]
"""How often each image counts in each resample, shape (n_resamples, n_images)."""

N_BINS = 15
"""Of the expected calibration error."""


class Curve(NamedTuple):
    """Precision and recall where the threshold falls from one distinct probability to the next."""

    recall: Values
    precision: Values


@dataclass(frozen=True, slots=True)
class Ranking:
    """The images by the probability of one class, the most probable first."""

    order: Labels
    is_positive: NDArray[np.bool_]
    """Of each image in that order."""
    ends: Labels
    """The last image of each distinct probability."""

    @classmethod
    def of(cls, probabilities: Values, is_positive: NDArray[np.bool_]) -> "Ranking":
        """Rank by the probabilities of one class, shape (n_images,)."""
        order = np.argsort(-probabilities, kind="stable")
        ranked = probabilities[order]
        ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
        return cls(order, is_positive[order], ends)

    def average_precision(self, multiplicities: Multiplicities) -> Values:
        """Return sum (R_n - R_{n-1}) P_n of each resample, NaN where no positive is in it; scikit-learn's."""
        right, called = self._counts(multiplicities)
        n_true = right[:, -1]
        steps = np.diff(right, axis=1, prepend=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            precision = np.where(called > 0, right / called, 0.0)
            return np.where(n_true > 0, (steps * precision).sum(axis=1) / n_true, np.nan)

    def curve(self) -> Curve:
        """Return the curve of the images as they are; of a class that is not there, nothing."""
        right, called = (counts[0] for counts in self._counts(np.ones((1, len(self.order)), np.int64)))
        if not right[-1]:
            return Curve(np.zeros(0), np.zeros(0))
        return Curve(right / right[-1], right / called)

    def _counts(self, multiplicities: Multiplicities) -> tuple[Multiplicities, Multiplicities]:
        """Return how many are called the class at each threshold, rightly and in all."""
        ranked = multiplicities[:, self.order]
        return (ranked * self.is_positive).cumsum(axis=1)[:, self.ends], ranked.cumsum(axis=1)[:, self.ends]


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
