"""Thresholds of decisions, picked on validation data: what balancing does to decisions, at no cost."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebalance.lots import lots
from rebalance.scoring.confidence import Values
from rebalance.scoring.decisions import OVERALL, Counts, Settings
from rebalance.scoring.predictions import Labels, Predictions, Probabilities

FEW = 10
"""Validation images below which a class gets no threshold of its own."""
_POWERS = np.linspace(0, 2, 41)
_N_FOLDS = 5
_N_CANDIDATES = 200
_NUMBERS = 2**24
"""In memory for the confusion matrices of the candidates."""
_N_SWEEPS = 20
_GAIN = 1e-12
"""What is no more than this is no gain."""


class Tuned(NamedTuple):
    """Thresholds of the classes, and what they do on the validation data that they were picked on."""

    thresholds: Values
    """Shape (n_classes,), above 0, their sum 1: what is called a class has the largest probability / threshold."""
    power: float | None
    """They go as the shares of the classes to this power; None: they were picked class by class."""
    before: float
    held_out: float
    """On fifths of the validation data, with thresholds that were picked on the other four."""


def decide(probabilities: Probabilities, thresholds: Values) -> Labels:
    """Return the class of each image with the largest probability / threshold, the first of several."""
    called: Labels = (probabilities / thresholds).argmax(axis=1)
    return called


def tune(predictions: Predictions, measure: str, settings: Settings, seed: int) -> Tuned:
    """Pick the thresholds that make one of OVERALL largest; with two classes this is the threshold of either.

    One number is fitted first, the power of the shares of the classes to which thresholds go: logit adjustment after
    training (Menon et al. 2021), which a few images suffice for. Thresholds that are moved class by class from there
    are taken where they do better on held-out fifths. Where the measure cannot be told, thresholds are even.
    """
    probabilities = predictions.probabilities
    assert probabilities is not None
    n_classes = len(predictions.names)
    search = _Search(probabilities, predictions.truth, measure, settings)
    even = np.full(n_classes, 1 / n_classes)
    before = search.value(even)
    if before == -np.inf:
        return Tuned(even, 0.0, before, before)
    folds = _folds(predictions.truth, seed)
    one, many = (_held_out(search, folds, pick) for pick in (_by_power, _by_class))
    power = None if many > one + _GAIN else _power(search)
    thresholds = _by_class(search) if power is None else search.shares**power
    return Tuned(thresholds / thresholds.sum(), power, before, max(one, many))


def _folds(truth: Labels, seed: int) -> Labels:
    """Return the fold of each image: those of a class are dealt out evenly, by lot."""
    folds = np.empty(len(truth), np.intp)
    dealt = np.argsort(lots((seed,), len(truth)), kind="stable")
    by_class = dealt[np.argsort(truth[dealt], kind="stable")]
    folds[by_class] = np.arange(len(truth)) % _N_FOLDS
    return folds


def _held_out(search: "_Search", folds: Labels, pick: Callable[["_Search"], Values]) -> float:
    """Return what thresholds are worth on images that they were not picked on."""
    cells = np.zeros(search.n_classes**2)
    for fold in range(_N_FOLDS):
        is_asked = folds == fold
        if is_asked.all() or not is_asked.any():
            continue
        cells += search.only(is_asked).cells(pick(search.only(~is_asked)))
    return search.worth(cells)


def _power(search: "_Search") -> float:
    """Return the best power of the shares; of several, the one nearest to 0."""
    shares = search.shares
    worth = [search.value(shares**power) for power in _POWERS]
    return float(_POWERS[int(np.argmax(np.array(worth) >= max(worth) - _GAIN))])


def _by_power(search: "_Search") -> Values:
    thresholds: Values = search.shares ** _power(search)
    return thresholds


def _by_class(search: "_Search") -> Values:
    """Return thresholds that are moved one after the other until none gains; of classes with enough images."""
    thresholds = _by_power(search)
    best = search.value(thresholds)
    support = np.bincount(search.truth, minlength=search.n_classes)
    for _ in range(_N_SWEEPS):
        start = best
        for label in np.argsort(support, kind="stable").tolist():
            if support[label] >= FEW:
                thresholds[label], best = search.improved(thresholds, label, best)
        if best <= start + _GAIN:
            break
    return thresholds


class _Search:
    """What thresholds are worth on some images."""

    def __init__(self, probabilities: Probabilities, truth: Labels, measure: str, settings: Settings) -> None:
        self.probabilities, self.truth = probabilities, truth
        self.measure, self.settings = measure, settings
        self.n_classes = probabilities.shape[1]

    def only(self, is_picked: NDArray[np.bool_]) -> "_Search":
        """Return the same on some of the images."""
        return _Search(self.probabilities[is_picked], self.truth[is_picked], self.measure, self.settings)

    @property
    def shares(self) -> Values:
        """The shares of the classes, of one that is not there as if half an image were."""
        counts = np.maximum(np.bincount(self.truth, minlength=self.n_classes), 0.5)
        return np.asarray(counts / counts.sum())

    def cells(self, thresholds: Values) -> Values:
        """Return the cells of the confusion matrix under thresholds, shape (n_classes^2,)."""
        called = decide(self.probabilities, thresholds)
        return np.bincount(self.truth * self.n_classes + called, minlength=self.n_classes**2).astype(np.float64)

    def worth(self, cells: Values) -> float:
        """Return the measure of a confusion matrix; where it cannot be told, nothing is worse."""
        value = float(self._values(cells[None])[0])
        return -np.inf if np.isnan(value) else value

    def value(self, thresholds: Values) -> float:
        """Return the measure under thresholds."""
        return self.worth(self.cells(thresholds))

    def improved(self, thresholds: Values, label: int, best: float) -> tuple[float, float]:
        """Return the best threshold of one class beside those of the others, and what it is worth."""
        scaled = self.probabilities / thresholds
        scaled[:, label] = -1
        otherwise = scaled.argmax(axis=1)
        most = scaled.max(axis=1)
        turns = np.full(len(most), np.inf)
        np.divide(self.probabilities[:, label], most, out=turns, where=most > 0)
        candidates = self._candidates(turns)
        if not len(candidates):
            return float(thresholds[label]), best
        values = self._values(self._confusions(candidates, turns, otherwise, label))
        values[np.isnan(values)] = -np.inf
        if values.max() <= best + _GAIN:
            return float(thresholds[label]), best
        good = candidates[values >= values.max() - _GAIN]
        nearest = good[np.abs(np.log(good / thresholds[label])).argmin()]
        return float(nearest), float(values.max())

    def _candidates(self, turns: Values) -> Values:
        """Return thresholds between those at which an image turns, from below to above; evenly some of very many."""
        places = np.unique(turns[(turns > 0) & np.isfinite(turns)])
        if not len(places):
            return places
        between = np.sqrt(places[1:] * places[:-1])
        candidates = np.concatenate([places[:1] / 2, between, places[-1:] * 2])
        n_most = max(16, min(_N_CANDIDATES, _NUMBERS // self.n_classes**2))
        picked = np.unique(np.linspace(0, len(candidates) - 1, n_most).round().astype(np.intp))
        return candidates[picked] if len(candidates) > n_most else candidates

    def _confusions(self, candidates: Values, turns: Values, otherwise: Labels, label: int) -> Values:
        """Return the cells of the confusion matrix under each candidate, shape (n_candidates, n_classes^2)."""
        n_cells = self.n_classes**2
        elsewhere = self.truth * self.n_classes + otherwise
        here = self.truth * self.n_classes + label
        turned = np.searchsorted(candidates, turns)  # an image is called the class under the first so many candidates
        change = np.zeros((len(candidates) + 1) * n_cells)
        np.add.at(change, turned * n_cells + elsewhere, 1)
        np.add.at(change, turned * n_cells + here, -1)
        called = np.bincount(here, minlength=n_cells)  # under no candidate at all, every image is
        cells: Values = called + change.reshape(-1, n_cells).cumsum(axis=0)[: len(candidates)]
        return cells

    def _values(self, cells: Values) -> Values:
        matrices = cells.reshape(-1, self.n_classes, self.n_classes)
        return OVERALL[self.measure](Counts.of(matrices), self.settings)
