"""Class weights for a loss, as an alternative to writing files."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

Counts = Mapping[str, int]
Weights = dict[str, float]
"""By class; a class without images has none."""

LOGIT = "logit"
"""The scheme that is no weight: what is added to the logits."""
NORMALIZATIONS = ("samples", "classes", "majority", "none")
STEEP = 100
"""Largest / smallest weight from which one mislabeled image can rule the loss."""


@dataclass(frozen=True, slots=True)
class WeightSettings:
    """What the formulas leave open."""

    mu: float = 0.15
    """Of `log`, above 0."""
    beta: float = 0.999
    """Of `effective`, in [0, 1)."""
    normalize: str | None = None
    """One of NORMALIZATIONS; None: as a scheme's authors do."""
    max_weight: float | None = None
    """What larger weights become, after they were normalized."""


class Scheme(NamedTuple):
    """A way to weigh classes."""

    title: str
    formula: str
    weigh: Callable[[Counts, WeightSettings], Weights]
    """Takes counts above 0."""
    normalized: str = "none"
    """As its authors do."""


def _balanced(counts: Counts, _settings: WeightSettings) -> Weights:
    """As scikit-learn's `balanced` (King and Zeng 2001): the mean over samples is 1."""
    return {name: sum(counts.values()) / (len(counts) * count) for name, count in counts.items()}


def _inverse(counts: Counts, _settings: WeightSettings) -> Weights:
    return {name: max(counts.values()) / count for name, count in counts.items()}


def _log(counts: Counts, settings: WeightSettings) -> Weights:
    n_images = sum(counts.values())
    return {name: max(1.0, math.log(settings.mu) + math.log(n_images / count)) for name, count in counts.items()}


def _inverse_sqrt(counts: Counts, _settings: WeightSettings) -> Weights:
    return {name: 1 / math.sqrt(count) for name, count in counts.items()}


def _effective(counts: Counts, settings: WeightSettings) -> Weights:
    return {name: 1 / number for name, number in effective_numbers(counts, settings.beta).items()}


SCHEMES: Mapping[str, Scheme] = {
    "balanced": Scheme("balanced", "N / (K n)", _balanced),
    "inverse": Scheme("inverse", "n_max / n", _inverse),
    "log": Scheme("log", "max(1, ln(mu N / n))", _log),
    "inverse-sqrt": Scheme("1/sqrt(n)", "1 / sqrt(n), mean 1 over samples", _inverse_sqrt, "samples"),
    "effective": Scheme("effective", "(1 - beta) / (1 - beta^n), mean 1 over classes", _effective, "classes"),
}
"""N images in K classes, n of them in one."""


def class_weights(counts: Counts, scheme: str, settings: WeightSettings) -> Weights:
    """Return the weight of each class with images by one of SCHEMES, normalized and cut as the settings say."""
    there = {name: count for name, count in counts.items() if count}
    if not there:
        return {}
    raw = SCHEMES[scheme].weigh(there, settings)
    scale = _scale(raw, there, settings.normalize or SCHEMES[scheme].normalized)
    most = math.inf if settings.max_weight is None else settings.max_weight
    return {name: min(weight * scale, most) for name, weight in raw.items()}


def _scale(weights: Weights, counts: Counts, normalize: str) -> float:
    """Return the factor that makes the mean over samples or classes, or the weight of the largest class, 1."""
    match normalize:
        case "samples":
            return sum(counts.values()) / sum(weights[name] * count for name, count in counts.items())
        case "classes":
            return len(weights) / sum(weights.values())
        case "majority":
            return 1 / weights[max(counts, key=lambda name: counts[name])]
    return 1.0


def effective_numbers(counts: Counts, beta: float) -> Weights:
    """Return E = (1 - beta^n) / (1 - beta) of each class with images (Cui et al. 2019), beta in [0, 1)."""
    return {
        name: -math.expm1(count * math.log(beta)) / (1 - beta) if beta else 1.0
        for name, count in counts.items()
        if count
    }


def logit_adjustments(counts: Counts) -> Weights:
    """Return ln(n / N) of each class with images, which is added to its logit in training (Menon et al. 2021)."""
    n_images = sum(counts.values())
    return {name: math.log(count / n_images) for name, count in counts.items() if count}


def steepness(weights: Weights) -> float:
    """Return largest / smallest, 1 where there are none."""
    return max(weights.values()) / min(weights.values()) if weights else 1.0
