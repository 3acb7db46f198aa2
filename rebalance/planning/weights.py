"""Class weights for a loss, as an alternative to writing files."""

import math
from collections.abc import Mapping


def balanced_weights(counts: Mapping[str, int]) -> dict[str, float]:
    """Return N / (K n) for each class with images, as scikit-learn's `balanced` (King and Zeng 2001)."""
    n_images = sum(counts.values())
    n_classes = sum(1 for count in counts.values() if count)
    return {name: n_images / (n_classes * count) for name, count in counts.items() if count}


def log_weights(counts: Mapping[str, int], mu: float) -> dict[str, float]:
    """Return max(1, ln(mu N / n)) for each class with images."""
    n_images = sum(counts.values())
    return {name: max(1.0, math.log(mu) + math.log(n_images / count)) for name, count in counts.items() if count}
