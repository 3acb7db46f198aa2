"""Numbers with an interval and what chance gives: folds and resamples that keep a family of images on one side."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.intp]
Weights = NDArray[np.float32]
"""Shape (n_rows, n_files): how often each file is there."""
Features = NDArray[np.float64]
"""Shape (n_files, n_features)."""

N_FOLDS = 5
N_RESAMPLES = 1000
_DECIMALS = 9
"""Of what is compared with chance: the last bits of a float are no finding."""
_MOST_DEALS, _DEALT = 5, 10_000
"""Times that files are dealt into folds, and files that this makes in all."""
_NEARLY_ALL = 97.5
"""Percentile that ends a 95 % interval."""


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
    def n_deals(self) -> int:
        """How often they are dealt out anew."""
        return max(1, min(_MOST_DEALS, _DEALT // max(len(self.members), 1)))

    @property
    def class_of(self) -> Labels:
        """The class of each family."""
        classes = np.zeros(self.n_families, np.intp)
        classes[self.members] = self.classes
        return classes

    def picked(self, is_picked: NDArray[np.bool_]) -> Self:
        """Return the families of some of the files."""
        return replace(
            self,
            classes=self.classes[is_picked],
            members=np.unique(self.members[is_picked], return_inverse=True)[1].ravel(),
        )

    def repeated(self, is_repeated: NDArray[np.bool_]) -> Self:
        """Return the families of all files, and then of some of them once more."""
        return replace(
            self,
            classes=np.concatenate([self.classes, self.classes[is_repeated]]),
            members=np.concatenate([self.members, self.members[is_repeated]]),
        )

    def deals(self, seed: int) -> Labels:
        """Return the fold of each file, shape (n_deals, n_files): what one deal says is luck, the mean is less so.

        There are more deals of few files. The families of a class are dealt out as evenly as they can be.
        """
        of_family = np.empty((self.n_deals, self.n_families), np.intp)
        for deal, folds in enumerate(of_family):
            lots = _lots((seed, deal), self.n_families)
            start = 0
            for own in _by_class(self.class_of):
                dealt = own[np.argsort(lots[own], kind="stable")]
                folds[dealt] = (start + np.arange(len(own))) % N_FOLDS
                start += len(own)
        return of_family[:, self.members]

    def lots(self, seed: int) -> NDArray[np.uint64]:
        """Return a random word for each file in each deal, shape (n_deals, n_files)."""
        return np.stack([_lots((seed, deal, 1), len(self.members)) for deal in range(self.n_deals)])

    def resamples(self, seed: int) -> Weights:
        """Return how often each file is there when families of a class are drawn anew, with replacement.

        Shape (N_RESAMPLES, n_files): the cluster bootstrap, stratified by class (Davison and Hinkley 1997, 3.8).
        """
        counts = np.zeros((N_RESAMPLES, self.n_families), np.float32)
        for number, own in enumerate(_by_class(self.class_of)):
            drawn = _lots((seed, _MOST_DEALS, number), N_RESAMPLES * len(own)) % np.uint64(len(own))
            places = own[drawn.astype(np.intp)].reshape(N_RESAMPLES, len(own))
            np.add.at(counts, (np.arange(N_RESAMPLES)[:, None], places), 1)
        return counts[:, self.members]


def families_of(names: Sequence[tuple[str, int]]) -> Families:
    """Return the families of files by a name and a class each; what has one name in two classes is two families."""
    numbers: dict[tuple[str, int], int] = {}
    members = [numbers.setdefault(name, len(numbers)) for name in names]
    return Families(np.array([number for _, number in names], np.intp), np.array(members, np.intp))


def estimate(value: float, resampled: NDArray[np.float64], chance: float) -> Estimate:
    """Return a number with what resamples say of it; where none of them can be computed, with the widest interval."""
    value, chance = round(value, _DECIMALS), round(chance, _DECIMALS)
    finite = np.round(resampled[np.isfinite(resampled)], _DECIMALS)
    if not len(finite):
        return Estimate(value, -math.inf, math.inf, chance, 1.0)
    low, high = np.percentile(finite, [100 - _NEARLY_ALL, _NEARLY_ALL])
    spread = float(finite.std())
    if finite.min() == finite.max():
        return Estimate(value, float(low), float(high), chance, 0.0 if value > chance else 1.0)
    p = 0.5 * math.erfc((value - chance) / spread / math.sqrt(2))
    return Estimate(value, float(low), float(high), chance, p)


def balanced_shares(is_right: NDArray[np.float64], classes: Labels, weights: Weights) -> NDArray[np.float64]:
    """Return, for each row of weights (n_rows, n_files), the mean over the classes of the share that is right.

    How often each file is right, of several times, lies between 0 and 1.
    """
    shares = [
        weights[:, own] @ is_right[own] / weights[:, own].sum(axis=1, dtype=np.float64) for own in _by_class(classes)
    ]
    found: NDArray[np.float64] = np.mean(shares, axis=0)
    return found


def _by_class(classes: Labels) -> Iterator[Labels]:
    for label in np.unique(classes):
        yield np.flatnonzero(classes == label)


def _lots(seed: tuple[int, ...], n_lots: int) -> NDArray[np.uint64]:
    """Return random words, whose stream is stable over the releases of numpy."""
    lots: NDArray[np.uint64] = np.random.PCG64(np.random.SeedSequence(seed)).random_raw(n_lots)
    return lots
