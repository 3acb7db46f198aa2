"""Numbers with an interval and what chance gives, from splits that keep a family of images on one side."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from rebalance.lots import lots

Labels = NDArray[np.intp]
Which = NDArray[np.bool_]
Values = NDArray[np.float64]
"""What a number is in each split, shape (n_splits,); NaN where it cannot be told."""
Features = NDArray[np.float64]
"""Shape (n_files, n_features)."""

N_FOLDS = 5
_LEAST_DEALS, _MOST_DEALS, _DEALT = 2, 5, 10_000
"""Times that files are dealt into folds, and files that this makes in all."""
_LEVEL = 0.975
"""Quantile that ends a 95 % interval."""
_DECIMALS = 9
"""Of a mean and the chance that it is compared with: the last bits of a float are no finding."""


class Estimate(NamedTuple):
    """A number, its 95 % interval, what chance gives, and how likely chance is to give as much (one-sided)."""

    value: float
    low: float
    high: float
    chance: float
    p: float

    def is_found(self, n_looks: int = 1) -> bool:
        """Return whether it is above chance at the 5 % level, where so many numbers are looked at (Bonferroni)."""
        return self.value > self.chance and self.p <= 0.05 / n_looks


def estimate(values: Values, chance: float = 0.0, least: float = -np.inf, most: float = np.inf) -> Estimate:
    """Return the mean over splits by the corrected resampled t (Nadeau and Bengio 2003).

    Splits share what is fitted to, so that their variance over their number is too small by n_test / n_train, which is
    1 / 4. Splits without a value do not count; the interval ends at what a value may be at `least` and at `most`.
    """
    from scipy.stats import t  # noqa: PLC0415  takes seconds

    values, chance = values[np.isfinite(values)], round(chance, _DECIMALS)
    if len(values) < 2:
        return Estimate(float(values.mean()) if len(values) else chance, least, most, chance, 1.0)
    mean = round(float(values.mean()), _DECIMALS)
    spread = float(np.sqrt((1 / len(values) + 1 / (N_FOLDS - 1)) * values.var(ddof=1)))
    if spread == 0:
        return Estimate(mean, mean, mean, chance, 0.0 if mean > chance else 1.0)
    half = float(t.ppf(_LEVEL, len(values) - 1)) * spread
    p = float(t.sf((mean - chance) / spread, len(values) - 1))
    return Estimate(mean, max(mean - half, least), min(mean + half, most), chance, p)


class Split(NamedTuple):
    """Which files a model is fitted to, and which it is judged on: families that it has not seen."""

    known: Which
    asked: Which


@dataclass(frozen=True, slots=True)
class Families:
    """Files by the source that they were made of: an original and its copies belong together."""

    classes: Labels
    """Of each file, shape (n_files,)."""
    members: Labels
    """The family of each file, from 0; a family has one class."""

    @property
    def n_families(self) -> int:
        """How many there are."""
        return int(self.members.max(initial=-1)) + 1

    @property
    def class_of(self) -> Labels:
        """The class of each family."""
        classes = np.zeros(self.n_families, np.intp)
        classes[self.members] = self.classes
        return classes

    def picked(self, is_picked: Which) -> Self:
        """Return the families of some of the files."""
        return replace(
            self,
            classes=self.classes[is_picked],
            members=np.unique(self.members[is_picked], return_inverse=True)[1].ravel(),
        )

    def repeated(self, is_repeated: Which, n_times: int = 1) -> Self:
        """Return the families of all files, and then of some of them so many times more."""
        return replace(
            self,
            classes=np.concatenate([self.classes, *[self.classes[is_repeated]] * n_times]),
            members=np.concatenate([self.members, *[self.members[is_repeated]] * n_times]),
        )

    def splits(self, seed: int) -> list[Split]:
        """Return the splits in which each family is held out once, for each time that families are dealt into folds.

        The families of a class are dealt out as evenly as they can be; more often where there are few files.
        """
        n_deals = max(_LEAST_DEALS, min(_MOST_DEALS, _DEALT // max(len(self.members), 1)))
        deals = [self._dealt(lots((seed, deal), self.n_families)) for deal in range(n_deals)]
        return [Split(folds != fold, folds == fold) for folds in deals for fold in range(N_FOLDS)]

    def _dealt(self, of_family: NDArray[np.uint64]) -> Labels:
        """Return the fold of each file."""
        folds, start = np.empty(self.n_families, np.intp), 0
        for own in by_class(self.class_of):
            folds[own[np.argsort(of_family[own], kind="stable")]] = (start + np.arange(len(own))) % N_FOLDS
            start += len(own)
        dealt: Labels = folds[self.members]
        return dealt


def families_of(names: Sequence[tuple[str, int]]) -> Families:
    """Return the families of files by a name and a class each; what has one name in two classes is two families."""
    numbers: dict[tuple[str, int], int] = {}
    members = [numbers.setdefault(name, len(numbers)) for name in names]
    return Families(np.array([number for _, number in names], np.intp), np.array(members, np.intp))


def recalls(is_right: Which, classes: Labels, n_classes: int) -> Values:
    """Return the share of each class that is right; NaN of a class that is not there."""
    counts = np.bincount(classes, minlength=n_classes)
    right = np.bincount(classes, is_right, minlength=n_classes)
    return np.where(counts > 0, right / np.maximum(counts, 1), np.nan)


def by_class(classes: Labels) -> Iterator[Labels]:
    """Yield the places of each class that is there."""
    for label in np.unique(classes):
        yield np.flatnonzero(classes == label)
