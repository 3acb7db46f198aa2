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
_LEAST = 1e-100
"""What is no more than this times something is nothing to it."""
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
    """Return what thresholds are worth on images that they were not picked on; of a single image, nothing."""
    found = []
    for fold in range(_N_FOLDS):
        is_asked = folds == fold
        if is_asked.all() or not is_asked.any():
            continue
        found.append(search.only(is_asked).counts(pick(search.only(~is_asked))))
    if not found:
        return -np.inf
    return search.worth(Counts(*(np.sum(counted, axis=0) for counted in zip(*found, strict=True))))


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
    movable = [label for label in np.argsort(support, kind="stable").tolist() if support[label] >= FEW]
    ranked = search.ranked(thresholds)
    for _ in range(_N_SWEEPS):
        start = best
        for label in movable:
            moved, best = search.improved(ranked, thresholds[label], label, best)
            if moved != thresholds[label]:
                thresholds[label] = moved
                ranked = search.ranked(thresholds)
        if best <= start + _GAIN:
            break
    return thresholds


class _Ranked(NamedTuple):
    """The two classes of each image with the largest probability / threshold, the first of several, and these."""

    first: Labels
    second: Labels
    most: Values
    next_most: Values


class _Search:
    """What thresholds are worth on some images."""

    def __init__(self, probabilities: Probabilities, truth: Labels, measure: str, settings: Settings) -> None:
        self.probabilities, self.truth = probabilities, truth
        self.measure, self.settings = measure, settings
        self.n_images, self.n_classes = probabilities.shape

    def only(self, is_picked: NDArray[np.bool_]) -> "_Search":
        """Return the same on some of the images."""
        return _Search(self.probabilities[is_picked], self.truth[is_picked], self.measure, self.settings)

    @property
    def shares(self) -> Values:
        """The shares of the classes, of one that is not there as if half an image were."""
        counts = np.maximum(np.bincount(self.truth, minlength=self.n_classes), 0.5)
        return np.asarray(counts / counts.sum())

    def counts(self, thresholds: Values) -> Counts:
        """Return what is called each class under thresholds, rightly and in all, shape (1, n_classes)."""
        called = decide(self.probabilities, thresholds)
        is_right = called == self.truth
        return self._counted(self._by_class(called[is_right])[None], self._by_class(called)[None])

    def _by_class(self, labels: Labels) -> Values:
        return np.bincount(labels, minlength=self.n_classes).astype(np.float64)

    def _counted(self, right: Values, called: Values) -> Counts:
        true = np.broadcast_to(self._by_class(self.truth), right.shape)
        return Counts(right, true, called, np.full((len(right), 1), float(self.n_images)))

    def _values(self, counts: Counts) -> Values:
        """Return the measure; where it cannot be told, nothing is worse."""
        values = OVERALL[self.measure](counts, self.settings)
        return np.where(np.isnan(values), -np.inf, values)

    def worth(self, counts: Counts) -> float:
        """Return the measure of what is counted once."""
        return float(self._values(counts)[0])

    def value(self, thresholds: Values) -> float:
        """Return the measure under thresholds."""
        return self.worth(self.counts(thresholds))

    def ranked(self, thresholds: Values) -> _Ranked:
        """Return what is called under thresholds, and what would be called else."""
        rows = np.arange(self.n_images)
        scaled = self.probabilities / thresholds
        first = scaled.argmax(axis=1)
        most = scaled[rows, first]
        scaled[rows, first] = -1
        second = scaled.argmax(axis=1)
        return _Ranked(first, second, most, scaled[rows, second])

    def improved(self, ranked: _Ranked, threshold: float, label: int, best: float) -> tuple[float, float]:
        """Return the best threshold of one class beside those of the others, and what it is worth."""
        is_first = ranked.first == label
        otherwise = np.where(is_first, ranked.second, ranked.first)
        most = np.where(is_first, ranked.next_most, ranked.most)
        turns = np.full(self.n_images, np.inf)
        np.divide(self.probabilities[:, label], most, out=turns, where=most > _LEAST)
        candidates = _candidates(turns)
        if not len(candidates):
            return threshold, best
        values = self._values(self._counts_under(candidates, turns, otherwise, label))
        if values.max() <= best + _GAIN:
            return threshold, best
        good = candidates[values >= values.max() - _GAIN]
        nearest = good[np.abs(np.log(good / threshold)).argmin()]
        return float(nearest), float(values.max())

    def _counts_under(self, candidates: Values, turns: Values, otherwise: Labels, label: int) -> Counts:
        """Return what is counted under each candidate, shape (n_candidates, n_classes)."""
        turned = np.searchsorted(candidates, turns)  # an image is called the class under the first so many candidates
        is_right, is_true = otherwise == self.truth, self.truth == label
        called = self._so_far(turned, otherwise, len(candidates))
        right = self._so_far(turned[is_right], otherwise[is_right], len(candidates))
        lost = self._so_far(turned[is_true], self.truth[is_true], len(candidates))[:, label]
        called[:, label] = self.n_images - called.sum(axis=1)
        right[:, label] = is_true.sum() - lost
        return self._counted(right, called)

    def _so_far(self, turned: Labels, labels: Labels, n_candidates: int) -> Values:
        """Return how many images of each label have turned under each candidate."""
        counts = np.bincount(turned * self.n_classes + labels, minlength=(n_candidates + 1) * self.n_classes)
        found: Values = counts.reshape(-1, self.n_classes)[:n_candidates].cumsum(axis=0).astype(np.float64)
        return found


def _candidates(turns: Values) -> Values:
    """Return thresholds between those at which an image turns, from below to above; evenly some of very many."""
    places = np.unique(turns[(turns > _LEAST) & (turns < 1 / _LEAST)])
    if not len(places):
        return places
    between = np.sqrt(places[1:]) * np.sqrt(places[:-1])
    candidates = np.concatenate([places[:1] / 2, between, places[-1:] * 2])
    picked = np.unique(np.linspace(0, len(candidates) - 1, _N_CANDIDATES).round().astype(np.intp))
    return candidates[picked] if len(candidates) > _N_CANDIDATES else candidates
