"""Predictions made by a stream that stays the same over releases of numpy."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rebalance.scoring.decisions import Settings
from rebalance.scoring.measuring import Judging
from rebalance.scoring.predictions import Predictions
from rebalance.scoring.resampling import Resampling


def uniform(seed: int, *shape: int) -> NDArray[np.float64]:
    return np.asarray(np.random.PCG64(seed).random_raw(int(np.prod(shape))) / 2.0**64).reshape(shape)


def random_predictions(n_classes: int, n_images: int = 400, seed: int = 0, decimals: int | None = None) -> Predictions:
    """Lopsided classes, right a little more often than chance; probabilities have ties where they are rounded."""
    truth = np.minimum((uniform(seed, n_images) ** 2 * n_classes).astype(np.intp), n_classes - 1)
    truth[:n_classes] = np.arange(n_classes)
    weights = -np.log(uniform(seed + 1, n_images, n_classes))
    weights[np.arange(n_images), truth] += 2 * uniform(seed + 2, n_images)
    probabilities = weights / weights.sum(axis=1, keepdims=True)
    if decimals is not None:
        probabilities[:, 1:] = np.floor(probabilities[:, 1:] * 10**decimals) / 10**decimals
        probabilities[:, 0] = 1 - probabilities[:, 1:].sum(axis=1)
    names = tuple(f"c{label}" for label in range(n_classes))
    paths = tuple(f"{number}.jpg" for number in range(n_images))
    return Predictions("random", names, paths, truth, probabilities.argmax(axis=1), probabilities)


def decisions(truth: Sequence[int], called: Sequence[int], n_classes: int = 2) -> Predictions:
    names = tuple("abcdefgh"[:n_classes])
    paths = tuple(f"{number}.jpg" for number in range(len(truth)))
    return Predictions("hand", names, paths, np.array(truth, np.intp), np.array(called, np.intp))


def judging(n_resamples: int = 200, seed: int = 0, settings: Settings | None = None) -> Judging:
    return Judging(settings or Settings(), Resampling(n_resamples, seed), lambda _n_done, _n_all: None)
