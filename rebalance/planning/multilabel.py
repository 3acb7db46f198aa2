"""How lopsided labels are where an image has several, and what they weigh."""

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from rebalance.labels import Labels


@dataclass(frozen=True, slots=True)
class LabelMeasures:
    """The measures of a set (Charte, Rivera, del Jesus and Herrera 2013, 2015), over the labels that occur."""

    imbalance_ratios: tuple[float | None, ...]
    """IRLbl: the count of the most frequent label / that of each; None of one that never occurs."""
    mean_ir: float | None
    cvir: float | None
    """Standard deviation of IRLbl (n - 1) / MeanIR; None of one label."""
    scumble: float
    """Mean over the images of 1 - geometric / arithmetic mean of the IRLbl of their labels; 0 of an image with none."""
    cardinality: float
    """Labels an image."""
    density: float
    """That, as a share of the labels."""
    n_label_sets: int
    """Combinations that occur, no label at all among them."""


def measure_labels(labels: Labels) -> LabelMeasures:
    """Return the measures of a set; of no images, or none with a label, what can be told."""
    positives = labels.positives
    most = max(positives, default=0)
    ratios = tuple(most / count if count else None for count in positives)
    there = [ratio for ratio in ratios if ratio is not None]
    mean_ir = statistics.fmean(there) if there else None
    scumbles = (
        n_images * _scumble([ratio for label in label_set if (ratio := ratios[label]) is not None])
        for label_set, n_images in zip(labels.sets, labels.n_with, strict=True)
    )
    n_images, n_labels = labels.n_images, len(there)
    cardinality = sum(positives) / n_images if n_images else 0.0
    return LabelMeasures(
        imbalance_ratios=ratios,
        mean_ir=mean_ir,
        cvir=statistics.stdev(there) / mean_ir if mean_ir and len(there) > 1 else None,
        scumble=math.fsum(scumbles) / n_images if n_images else 0.0,
        cardinality=cardinality,
        density=cardinality / n_labels if n_labels else 0.0,
        n_label_sets=len(labels.sets),
    )


def _scumble(ratios: list[float]) -> float:
    """Return how far frequent and rare labels meet in one image: 0 not at all, towards 1 the more."""
    if len(ratios) < 2:
        return 0.0
    return max(0.0, 1 - statistics.geometric_mean(ratios) / statistics.fmean(ratios))


class LabelWeight(NamedTuple):
    """What a label weighs in a loss of one binary decision a label."""

    positive: float
    """N / (2 P) where it is there: with `negative`, scikit-learn's balanced of two classes."""
    negative: float
    """N / (2 (N - P)) where it is not."""
    pos_weight: float
    """(N - P) / P, as torch's BCEWithLogitsLoss has it."""


def label_weights(labels: Labels) -> list[LabelWeight | None]:
    """Return the weights of every label; None of one that is on no image, or on all."""
    return [_weight(positive, labels.n_images) for positive in labels.positives]


def _weight(positive: int, n_images: int) -> LabelWeight | None:
    negative = n_images - positive
    if not positive or not negative:
        return None
    return LabelWeight(n_images / (2 * positive), n_images / (2 * negative), negative / positive)


def always_together(labels: Labels) -> Iterator[tuple[str, ...]]:
    """Yield the labels that stand on exactly the same images, two and more."""
    places: dict[tuple[int, ...], list[str]] = {}
    for label, where in enumerate(_where(labels)):
        if where:
            places.setdefault(tuple(where), []).append(labels.names[label])
    yield from (tuple(names) for names in places.values() if len(names) > 1)


def never_without(labels: Labels) -> list[tuple[int, ...]]:
    """Return, for each label, the others that stand on every image that it stands on."""
    found: list[tuple[int, ...]] = []
    for label, where in enumerate(_where(labels)):
        shared = set.intersection(*(set(labels.sets[place]) for place in where)) if where else set()
        found.append(tuple(sorted(shared - {label})))
    return found


def _where(labels: Labels) -> list[list[int]]:
    """Return the combinations that each label is in."""
    where: list[list[int]] = [[] for _ in labels.names]
    for place, label_set in enumerate(labels.sets):
        for label in label_set:
            where[label].append(place)
    return where
