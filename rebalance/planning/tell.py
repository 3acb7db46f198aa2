"""How well statistics of pictures tell generated files from originals of their class."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebalance.planning.estimates import N_FOLDS, Estimate, Families, Features, Labels, Weights, estimate
from rebalance.planning.models import Scores, fit_logistic

CHANCE = 0.5


class Tell(NamedTuple):
    """How well a linear model tells them apart, as the area under the ROC curve within classes."""

    overall: Estimate
    by_kind: Mapping[str, Estimate]
    """By what statistics are about, with these alone."""
    by_statistic: tuple[float, ...]
    """With each alone."""


def find_tell(
    features: Features, is_made: NDArray[np.bool_], families: Families, kinds: Mapping[str, Sequence[int]], seed: int
) -> Tell | None:
    """Return how well the files that are made are told from the others; None where no class has both.

    Features are compared within each class, by their distance from its mean. The model, logistic regression, is judged
    on families that it was not fitted on. `kinds` are columns of the features by what they are about.
    """
    has_both = np.isin(families.classes, _classes_with_both(is_made, families.classes))
    if not has_both.any():
        return None
    families, is_made = families.picked(has_both), is_made[has_both]
    centered = _centered(features[has_both], families.classes)
    deals, weights = families.deals(seed), families.resamples(seed)

    def judged(columns: Sequence[int], weights: Weights) -> Scores:
        scores = (
            _scores(centered[:, list(columns)], is_made, folds) for folds in deals[: None if len(weights) > 1 else 1]
        )
        areas = [area_within_classes(of_deal, is_made, families.classes, weights) for of_deal in scores]
        mean: Scores = np.mean(areas, axis=0)
        return mean

    once = np.ones((1, len(is_made)), np.float32)

    def estimated(columns: Sequence[int]) -> Estimate:
        found = judged(columns, np.concatenate([once, weights]))
        return estimate(float(found[0]), found[1:], CHANCE)

    return Tell(
        overall=estimated(range(features.shape[1])),
        by_kind={kind: estimated(columns) for kind, columns in kinds.items()},
        by_statistic=tuple(float(judged([column], once)[0]) for column in range(features.shape[1])),
    )


def area_within_classes(scores: Scores, is_made: NDArray[np.bool_], classes: Labels, weights: Weights) -> Scores:
    """Return, for each row of weights, how often a made file scores above one of its class that is not made.

    Over all such pairs of all classes; ties count half (Hanley and McNeil 1982). NaN where there is no pair.
    """
    above, pairs = np.zeros(len(weights)), np.zeros(len(weights))
    for label in np.unique(classes):
        own = np.flatnonzero(classes == label)
        own = own[np.argsort(scores[own], kind="stable")]
        starts = np.flatnonzero(np.diff(scores[own], prepend=-np.inf))
        counts = weights[:, own].astype(np.float64)
        made = np.add.reduceat(counts * is_made[own], starts, axis=1)
        other = np.add.reduceat(counts * ~is_made[own], starts, axis=1)
        below = np.cumsum(other, axis=1) - other
        above += (made * (below + other / 2)).sum(axis=1)
        pairs += made.sum(axis=1) * other.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return above / pairs


def _classes_with_both(is_made: NDArray[np.bool_], classes: Labels) -> Labels:
    return np.intersect1d(classes[is_made], classes[~is_made])


def _centered(features: Features, classes: Labels) -> Features:
    """Return features as distances from the mean of their class, in units of what is usual within classes."""
    centered = features.copy()
    for label in np.unique(classes):
        centered[classes == label] -= features[classes == label].mean(axis=0)
    spread = centered.std(axis=0)
    centered /= np.where(spread > 0, spread, 1.0)
    return centered


def _scores(features: Features, is_made: NDArray[np.bool_], folds: Labels) -> Scores:
    """Return a score for each file, by a model that was fitted on the other folds; 0 where there is none."""
    scores = np.zeros(len(features))
    for fold in _folds_with_both(is_made, folds):
        model = fit_logistic(features[folds != fold], is_made[folds != fold])
        scores[folds == fold] = model.decision_function(features[folds == fold])
    return scores


def _folds_with_both(is_made: NDArray[np.bool_], folds: Labels) -> Iterator[int]:
    """Yield the folds without which there are still files of both kinds."""
    for fold in range(N_FOLDS):
        others = is_made[folds != fold]
        if others.any() and not others.all() and (folds == fold).any():
            yield fold
