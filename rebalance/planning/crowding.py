"""How crowded the neighborhood of each image is within its class, and weights that make up for it."""

import numpy as np
from numpy.typing import NDArray

from rebalance.planning.likeness import Indices, nearest, on_one_processor
from rebalance.vectors import RowSource, picked

N_NEIGHBORS = 50
"""Images that crowd another at most."""
_CROWD = 0.5
"""What the neighbors of an ordinary image of a class count together, itself aside."""
_N_HALVINGS = 40
_DECIMALS = 9

Values = NDArray[np.float64]


def density_weights(rows: RowSource, labels: Indices) -> Values:
    """Return a weight for each image, shape (n_images,): smaller where its class is crowded, mean 1 in every class.

    The weight goes as one over 1 + the sum of exp(-d^2 / 2 h^2) over the 50 nearest images of the class, where d is the
    Euclidean distance of rows of unit length: copies of a picture share little more than the weight of one. The width h
    is that of each class at which the median of these sums is 1/2, as perplexity sets it in t-SNE (van der Maaten and
    Hinton 2008): in many dimensions all distances are alike, and a width by their size would tell nothing apart.
    """
    weights = np.ones(len(labels))
    with on_one_processor():
        for label in np.unique(labels):
            members = np.flatnonzero(labels == label)
            weights[members] = _within(picked(rows, members))
    return weights


def _within(rows: RowSource) -> Values:
    n_rows = len(rows)
    k = min(N_NEIGHBORS, n_rows - 1)
    if not k:
        return np.ones(n_rows)
    distances = nearest(rows, rows, k, own=np.arange(n_rows)).distances
    shares = 1 / (1 + _crowds(distances, _width(distances)))
    weights: Values = np.round(shares / shares.mean(), _DECIMALS)
    return weights


def _crowds(distances: Values, width: float) -> Values:
    """Return what the neighbors of each image count together."""
    crowds: Values = np.exp(-((distances / width) ** 2) / 2).sum(axis=1)
    return crowds


def _width(distances: Values) -> float:
    """Return the width at which an ordinary image is crowded as much as it should be, or the least that is sensible."""
    apart = distances[distances > 0]
    if not len(apart):
        return 1.0
    wanted = min(_CROWD, distances.shape[1] / 2)
    low, high = np.log(apart.min() / 10), np.log(apart.max() * 10)
    for _ in range(_N_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if np.median(_crowds(distances, float(np.exp(middle)))) > wanted else (middle, high)
    return float(np.exp(low))
