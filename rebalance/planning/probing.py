"""Whether balancing would help at all: the ways to do it tried on vectors, with logistic regression."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebalance.errors import TargetError
from rebalance.planning.estimates import N_FOLDS, Estimate, Families, estimate, recalls
from rebalance.planning.ways import BASE, WAYS, Fitted, Material, Places, Trial, nothing_done

_STRENGTHS = (1.0, 10.0, 100.0, 1000.0)
"""Inverse weight decay, a training image: the one with the least log loss is taken for all ways."""
_MOST_STEPS = 100
"""Of fitting: what has not converged by then is as good as stopped early."""
_LEVEL = 0.975
"""Quantile that ends a 95 % interval."""

Weights = NDArray[np.float64]
Losses = NDArray[np.float64]


class Score(NamedTuple):
    """How one way does on images that nothing was fitted to."""

    way: str
    balanced_accuracy: Estimate
    behind: Estimate
    """How far behind the best way that is."""
    worst_class: str
    worst_recall: Estimate
    """Of that class, the least of all."""
    lost: Estimate
    """What the largest class loses of its recall where nothing is done."""
    log_loss: Estimate
    """In nats, on classes as frequent as they are."""


@dataclass(frozen=True, slots=True)
class Probe:
    """The ways that were tried, the cheapest first."""

    scores: tuple[Score, ...]
    n_classes: int
    """Those that could be tried."""
    n_splits: int
    remarks: tuple[str, ...]

    @property
    def best(self) -> Score:
        """The way with the largest balanced accuracy."""
        return max(self.scores, key=lambda score: score.balanced_accuracy.value)

    @property
    def advised(self) -> Score:
        """The cheapest way that is not worse than the best, at the 5 % level."""
        return next(score for score in self.scores if score.behind.low <= 0)


def probe_ways(material: Material) -> Probe:
    """Try every way on all splits. Raises TargetError where there are fewer than two classes of two families."""
    families = material.families
    told, remarks = _told_classes(material)
    if len(told) < 2:
        raise TargetError("a probe takes two classes of two images, or groups, and more: there is nothing to compare")
    kept = np.isin(families.classes, told)
    material = _picked(material, kept)
    trial = Trial.of(material)
    ways = [way for way in WAYS if way != "augmented copies" or len(material.copies)]
    splits = list(trial.splits())
    found, losses = _tried(trial, ways, splits)
    return _scored(material, ways, found, losses, tuple(remarks))


def _tried(trial: Trial, ways: Sequence[str], splits: Sequence[Places]) -> tuple[Losses, Losses]:
    """Return recalls, shape (n_ways, n_splits, n_classes), NaN of what is not there, and log losses."""
    strength = _strength(trial, splits[:N_FOLDS])
    n_classes = len(trial.material.names)
    found, losses = np.zeros((len(ways), len(splits), n_classes)), np.zeros((len(ways), len(splits)))
    for number, split in enumerate(splits):
        own = trial.material.families.classes[split.asked]
        for place, way in enumerate(ways):
            logs = _judged(trial, WAYS[way](trial, split), split, strength)
            found[place, number] = recalls(logs.argmax(axis=1) == own, own, n_classes)
            losses[place, number] = -logs[np.arange(len(own)), own].mean()
    return found, losses


def _strength(trial: Trial, splits: Sequence[Places]) -> float:
    """Return the inverse weight decay with which doing nothing has the least log loss."""

    def loss(strength: float) -> float:
        total = 0.0
        for split in splits:
            own = trial.material.families.classes[split.asked]
            logs = _judged(trial, nothing_done(trial, split), split, strength)
            total -= float(logs[np.arange(len(own)), own].sum())
        return total

    return min(_STRENGTHS, key=loss)


def _judged(trial: Trial, fitted: Fitted, split: Places, strength: float) -> NDArray[np.float64]:
    """Return the logarithms of the probabilities of each class, shape (n_asked, n_classes).

    The mean loss of what is fitted to is minimized, with the same weight decay whatever weighs how much.
    """
    from scipy.special import log_softmax  # noqa: PLC0415  takes seconds
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415  the same

    model = LogisticRegression(C=strength * len(split.known), max_iter=_MOST_STEPS, tol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(fitted.rows, fitted.classes, fitted.weights / fitted.weights.sum())
    logits = np.asarray(model.decision_function(trial.rows[split.asked]), np.float64)
    if logits.ndim == 1:
        logits = np.stack([-logits / 2, logits / 2], axis=1)
    if fitted.offsets is not None:
        logits = logits - fitted.offsets
    return np.asarray(log_softmax(logits, axis=1), np.float64)


def _told_classes(material: Material) -> tuple[list[int], list[str]]:
    """Return the classes with two families or more, and what there is to say of the others."""
    counts = np.bincount(material.families.class_of, minlength=len(material.names))
    remarks = [
        f"class {name!r} has {count or 'no'} image or group: nothing could be held back, so it is left out"
        for name, count in zip(material.names, counts.tolist(), strict=True)
        if count < 2
    ]
    return np.flatnonzero(counts >= 2).tolist(), remarks


def _picked(material: Material, is_kept: NDArray[np.bool_]) -> Material:
    """Return what is left where some classes are left out, the others counted from 0."""
    labels = np.unique(material.families.classes[is_kept])
    families = material.families.picked(is_kept)
    place_of = np.cumsum(is_kept) - 1
    has_source = is_kept[material.sources]
    return material._replace(
        names=[material.names[label] for label in labels],
        paths=[path for path, kept in zip(material.paths, is_kept, strict=True) if kept],
        rows=material.rows[is_kept],
        families=Families(np.searchsorted(labels, families.classes), families.members),
        copies=material.copies[has_source],
        sources=place_of[material.sources[has_source]],
    )


def _scored(material: Material, ways: Sequence[str], found: Losses, losses: Losses, remarks: tuple[str, ...]) -> Probe:
    accuracies = np.nanmean(found, axis=2)
    best = accuracies.mean(axis=1).argmax()
    largest = np.bincount(material.families.classes).argmax()
    of_classes = np.nanmean(found, axis=1)
    scores = []
    for place, way in enumerate(ways):
        worst = int(of_classes[place].argmin())
        scores.append(
            Score(
                way=way,
                balanced_accuracy=estimate(accuracies[place], 1 / len(material.names), 0, 1),
                behind=estimate(accuracies[best] - accuracies[place]),
                worst_class=material.names[worst],
                worst_recall=estimate(found[place, :, worst], 0.0, 0, 1),
                lost=estimate(found[ways.index(BASE), :, largest] - found[place, :, largest]),
                log_loss=estimate(losses[place]),
            )
        )
    return Probe(tuple(scores), len(material.names), found.shape[1], remarks)
