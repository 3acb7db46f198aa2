"""Models of little capacity, fitted to a few features of files: each class weighs the same."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebalance.planning.estimates import Features, Labels

Counts = NDArray[np.float64]
"""How much each file weighs in its class."""

_DEPTH = 3
_LEAST_SHARE = 0.01
"""Of all files, that a leaf of a tree holds."""
_NEWTON = 400
"""Coefficients up to which Newton's method is the fastest: its memory is their square."""


def fit_tree(features: Features, classes: Labels, counts: Counts | None = None) -> Callable[[Features], Labels]:
    """Return what says the class of further files: a decision tree of depth 3."""
    from sklearn.tree import DecisionTreeClassifier  # noqa: PLC0415  takes seconds

    model = DecisionTreeClassifier(
        max_depth=_DEPTH, min_weight_fraction_leaf=_LEAST_SHARE, class_weight="balanced", random_state=0
    )
    model.fit(features, classes, counts)
    return lambda shown: np.asarray(model.predict(shown), np.intp)


def fit_linear(features: Features, classes: Labels, counts: Counts | None = None) -> Callable[[Features], Labels]:
    """Return what says the class of further files: logistic regression on features of unit spread."""
    if len(np.unique(classes)) == 1:
        return lambda shown: np.full(len(shown), classes[0])
    mean, spread = features.mean(axis=0), features.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    model = fit_logistic((features - mean) / spread, classes, counts)
    return lambda shown: np.asarray(model.predict((shown - mean) / spread), np.intp)


def fit_logistic(features: Features, labels: NDArray[Any], counts: Counts | None = None) -> Any:
    """Return scikit-learn's logistic regression, fitted to features as they are."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415  takes seconds

    is_small = features.shape[1] * len(np.unique(labels)) <= _NEWTON
    model = LogisticRegression(
        class_weight="balanced", max_iter=1000, solver="newton-cholesky" if is_small else "lbfgs"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where Newton's method gets stuck, another goes on
        return model.fit(features, labels, counts)
