"""Probabilities of a model trained on other class frequencies, put back to the natural ones."""

from collections.abc import Mapping, Sequence

import numpy as np

from rebalance.errors import SourceTreeError, did_you_mean
from rebalance.scoring.confidence import Values
from rebalance.scoring.predictions import Probabilities


def prior_ratios(names: Sequence[str], before: Mapping[str, int], after: Mapping[str, int], tree: str) -> Values:
    """Return share before / share after of each class, from the images before and after it was balanced.

    Raises SourceTreeError where the classes of the tree are others than those of the predictions, or one had no image.
    """
    if missing := [name for name in names if name not in after]:
        hint = did_you_mean(missing[0], after)
        raise SourceTreeError(f"{tree}: has no class {missing[0]!r}, which the predictions have{hint}")
    if extra := [name for name in after if name not in names]:
        raise SourceTreeError(f"{tree}: has a class {extra[0]!r}, of which the predictions have no column")
    if empty := [name for name in names if not (before[name] and after[name])]:
        raise SourceTreeError(f"{tree}: its class {empty[0]!r} had no image or has none: there is no share to go by")
    n_before, n_after = sum(before.values()), sum(after.values())
    return np.array([before[name] / n_before / (after[name] / n_after) for name in names])


def corrected(probabilities: Probabilities, ratios: Values) -> Probabilities:
    """Return p_c r_c / sum p_j r_j, r the ratio of new to old priors (Saerens, Latinne and Decaestecker 2002)."""
    weighed = probabilities * ratios
    back: Probabilities = weighed / weighed.sum(axis=1, keepdims=True)
    return back
