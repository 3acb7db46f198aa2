"""How well statistics of pictures tell generated files from originals of their class."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from rebalance.planning.estimates import (
    Estimate,
    Families,
    Features,
    Labels,
    Split,
    Values,
    Which,
    by_class,
    estimate,
)
from rebalance.planning.models import fit_logistic

CHANCE = 0.5


class Tell(NamedTuple):
    """How well a linear model tells them apart, as the area under the ROC curve within classes."""

    overall: Estimate
    by_kind: Mapping[str, Estimate]
    """By what statistics are about, with these alone."""
    by_statistic: tuple[float, ...]
    """With each alone."""


def find_tell(
    features: Features, is_made: Which, families: Families, kinds: Mapping[str, Sequence[int]], seed: int
) -> Tell | None:
    """Return how well the files that are made are told from the others; None where no class has both.

    Features are compared within each class, by their distance from its mean. The model, logistic regression, is judged
    on families that it was not fitted to. `kinds` are columns of the features by what they are about.
    """
    has_both = np.isin(families.classes, np.intersect1d(families.classes[is_made], families.classes[~is_made]))
    if not has_both.any():
        return None
    families, is_made = families.picked(has_both), is_made[has_both]
    centered = _centered(features[has_both], families.classes)
    splits = families.splits(seed)

    def judged(columns: Sequence[int], n_splits: int | None = None) -> Values:
        own = centered[:, list(columns)]
        return np.array([_area(own, is_made, families.classes, split) for split in splits[:n_splits]])

    return Tell(
        overall=estimate(judged(range(features.shape[1])), CHANCE, 0, 1),
        by_kind={kind: estimate(judged(columns), CHANCE, 0, 1) for kind, columns in kinds.items()},
        by_statistic=tuple(
            estimate(judged([column], _SPLITS_OF_ONE), CHANCE).value for column in range(features.shape[1])
        ),
    )


_SPLITS_OF_ONE = 5
"""Splits that each statistic alone is tried in: of it no interval is told."""


def area_within_classes(scores: Values, is_made: Which, classes: Labels) -> float:
    """Return how often a made file scores above one of its class that is not made.

    Over all such pairs of all classes; ties count half (Hanley and McNeil 1982). NaN where there is no pair.
    """
    above = pairs = 0.0
    for own in by_class(classes):
        made, others = scores[own[is_made[own]]], np.sort(scores[own[~is_made[own]]])
        below = np.searchsorted(others, made, "left").sum()
        above += (below + np.searchsorted(others, made, "right").sum()) / 2
        pairs += len(made) * len(others)
    return above / pairs if pairs else np.nan


def _centered(features: Features, classes: Labels) -> Features:
    """Return features as distances from the mean of their class, in units of what is usual within classes."""
    centered = features.copy()
    for own in by_class(classes):
        centered[own] -= features[own].mean(axis=0)
    spread = centered.std(axis=0)
    centered /= np.where(spread > 0, spread, 1.0)
    return centered


def _area(features: Features, is_made: Which, classes: Labels, split: Split) -> float:
    """Return the area under the curve in one split; NaN where there is nothing to fit to or to be judged on."""
    known, asked = is_made[split.known], is_made[split.asked]
    if not known.any() or known.all() or not asked.any() or asked.all():
        return np.nan
    model = fit_logistic(features[split.known], known)
    return area_within_classes(model.decision_function(features[split.asked]), asked, classes[split.asked])
