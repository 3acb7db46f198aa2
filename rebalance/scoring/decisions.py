"""Measures of decisions, from confusion matrices, many at once. What cannot be told (0 / 0) is NaN."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
"""Shape (n_matrices,), or (n_matrices, n_classes)."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the formulas leave open."""

    f_beta: float = 2.0
    """Recall weighs so many times as much as precision."""
    alpha: float = 0.1
    """Of the index of balanced accuracy: what dominance weighs."""
    correction: float = 0.001
    """What a recall of 0 counts in the corrected geometric mean."""
    class_weights: tuple[float, ...] | None = None
    """Of the mean class-weighted accuracy, in the order of the classes."""


class Counts(NamedTuple):
    """What measures are made of, shape (n_matrices, n_classes), and (n_matrices, 1) the images in all."""

    right: Values
    true: Values
    called: Values
    total: Values

    @classmethod
    def of(cls, confusions: Values) -> Self:
        """Take matrices of shape (n_matrices, n_classes, n_classes): how many images of class i are called j."""
        true = confusions.sum(axis=2)
        right = np.diagonal(confusions, axis1=1, axis2=2)
        return cls(right, true, confusions.sum(axis=1), true.sum(axis=1, keepdims=True))

    @property
    def others(self) -> Values:
        """Images that are not the class."""
        return _less(self.total, self.true)

    @property
    def right_others(self) -> Values:
        """Those of them that are not called so: the true negatives."""
        return _less(self.total + self.right, self.true + self.called)


_ROUNDING = 1e-12
"""What is left of a difference by rounding, against what is taken from: images may count n / (n - 1) each."""


def _less(above: Values, below: Values) -> Values:
    """Return a - b, neither below 0, and 0 where no more than rounding is left of it."""
    found = above - below
    return np.where(found > _ROUNDING * above, found, 0.0)


def _ratio(above: Values, below: Values) -> Values:
    """Return a / b, NaN where b is 0."""
    found: Values = np.divide(above, below, out=np.full(np.broadcast(above, below).shape, np.nan), where=below != 0)
    return found


def _mean(values: Values) -> Values:
    """Return the mean over the classes of which there is a value."""
    return _ratio(np.nansum(values, axis=1), (~np.isnan(values)).sum(axis=1).astype(float))


def precision(counts: Counts, _: Settings) -> Values:
    """Return the share of what is called a class that is it."""
    return _ratio(counts.right, counts.called)


def recall(counts: Counts, _: Settings) -> Values:
    """Return the share of a class that is called so: the true positive rate."""
    return _ratio(counts.right, counts.true)


def specificity(counts: Counts, _: Settings) -> Values:
    """Return the share of all others that is not called the class: the true negative rate."""
    return _ratio(counts.right_others, counts.others)


def _f(counts: Counts, beta: float) -> Values:
    """Return (1 + b^2) TP / ((1 + b^2) TP + b^2 FN + FP) (van Rijsbergen 1979)."""
    return _ratio((1 + beta**2) * counts.right, beta**2 * counts.true + counts.called)


def f1(counts: Counts, _: Settings) -> Values:
    """Return the harmonic mean of precision and recall."""
    return _f(counts, 1.0)


def f_beta(counts: Counts, settings: Settings) -> Values:
    """Return the same with recall weighing more."""
    return _f(counts, settings.f_beta)


def geometric_mean(counts: Counts, settings: Settings) -> Values:
    """Return sqrt(TPR TNR) of each class against the rest (Kubat and Matwin 1997)."""
    return np.sqrt(recall(counts, settings) * specificity(counts, settings))


def index_balanced_accuracy(counts: Counts, settings: Settings) -> Values:
    """Return (1 + alpha (TPR - TNR)) TPR TNR of each class against the rest (Garcia, Sanchez and Mollineda 2012)."""
    positive, negative = recall(counts, settings), specificity(counts, settings)
    return (1 + settings.alpha * (positive - negative)) * positive * negative


def optimized_precision(counts: Counts, settings: Settings) -> Values:
    """Return ACC - |TNR - TPR| / (TNR + TPR) of each class against the rest (Ranawana and Palade 2006)."""
    positive, negative = recall(counts, settings), specificity(counts, settings)
    accuracy = (counts.right_others + counts.right) / counts.total
    return accuracy - _ratio(np.abs(negative - positive), negative + positive)


def adjusted_geometric_mean(counts: Counts, settings: Settings) -> Values:
    """Return (G + TNR N) / (1 + N) where TPR > 0, else 0, with N the share of negatives (Batuwita and Palade 2009)."""
    positive, negative = recall(counts, settings), specificity(counts, settings)
    share = counts.others / counts.total
    adjusted = (np.sqrt(positive * negative) + negative * share) / (1 + share)
    return np.where(positive == 0, 0.0, adjusted)


OneOfClasses = Callable[[Counts, Settings], Values]

OF_CLASSES: Mapping[str, OneOfClasses] = {
    "precision": precision,
    "recall": recall,
    "specificity": specificity,
    "f1": f1,
    "geometric_mean": geometric_mean,
    "index_balanced_accuracy": index_balanced_accuracy,
    "optimized_precision": optimized_precision,
    "adjusted_geometric_mean": adjusted_geometric_mean,
}
"""Of each class; the last four take it against the rest."""


def _accuracy(counts: Counts, _: Settings) -> Values:
    return _ratio(counts.right.sum(axis=1), counts.total[:, 0])


def _balanced_accuracy(counts: Counts, settings: Settings) -> Values:
    return _mean(recall(counts, settings))


def _weighted(measure: OneOfClasses) -> OneOfClasses:
    """Return the mean in which classes weigh as they are frequent."""
    return lambda counts, settings: np.nansum(measure(counts, settings) * counts.true, axis=1) / counts.total[:, 0]


def _macro(measure: OneOfClasses) -> OneOfClasses:
    """Return the mean in which classes weigh the same."""
    return lambda counts, settings: _mean(measure(counts, settings))


def _geometric(recalls: Values) -> Values:
    """Return the K-th root of the product of the recalls of the K classes that are there."""
    with np.errstate(divide="ignore"):
        root: Values = np.exp(_mean(np.log(recalls)))
    return root


def _recalls_geometric_mean(counts: Counts, settings: Settings) -> Values:
    return _geometric(recall(counts, settings))


def _corrected_geometric_mean(counts: Counts, settings: Settings) -> Values:
    recalls = recall(counts, settings)
    return _geometric(np.where(recalls == 0, settings.correction, recalls))


def _recalls_index_balanced_accuracy(counts: Counts, settings: Settings) -> Values:
    """Return what imbalanced-learn makes of several classes: dominance of the mean rates, times G squared."""
    dominance = _mean(recall(counts, settings)) - _mean(specificity(counts, settings))
    return (1 + settings.alpha * dominance) * _recalls_geometric_mean(counts, settings) ** 2


def _mean_class_weighted_accuracy(counts: Counts, settings: Settings) -> Values:
    """Return sum w_c recall_c / sum w_c over the classes that are there (Cohen et al. 2006)."""
    recalls = recall(counts, settings)
    given = np.array(settings.class_weights)
    weights = np.where(np.isfinite(recalls), given / given.max(), 0.0)
    return _ratio(np.nansum(weights * recalls, axis=1), weights.sum(axis=1))


def _matthews(counts: Counts, _: Settings) -> Values:
    """Return R_K (Gorodkin 2004), Matthews' correlation where there are two classes; 0 where one side is constant."""
    total = counts.total[:, 0]
    covariance = counts.right.sum(axis=1) * total - (counts.true * counts.called).sum(axis=1)
    of_true, of_called = (_less(total**2, (counted**2).sum(axis=1)) for counted in (counts.true, counts.called))
    return np.nan_to_num(_ratio(covariance, np.sqrt(of_true) * np.sqrt(of_called)), nan=0.0)


def _kappa(counts: Counts, settings: Settings) -> Values:
    """Return (p_o - p_e) / (1 - p_e), agreement beyond chance (Cohen 1960)."""
    by_chance = (counts.true * counts.called).sum(axis=1) / counts.total[:, 0] ** 2
    return _ratio(_accuracy(counts, settings) - by_chance, _less(np.ones_like(by_chance), by_chance))


OVERALL: Mapping[str, OneOfClasses] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "macro_f1": _macro(f1),
    "weighted_f1": _weighted(f1),
    "macro_f_beta": _macro(f_beta),
    "weighted_f_beta": _weighted(f_beta),
    "geometric_mean": _recalls_geometric_mean,
    "geometric_mean_corrected": _corrected_geometric_mean,
    "index_balanced_accuracy": _recalls_index_balanced_accuracy,
    "mean_one_vs_rest_geometric_mean": _macro(geometric_mean),
    "mean_one_vs_rest_index_balanced_accuracy": _macro(index_balanced_accuracy),
    "mean_one_vs_rest_optimized_precision": _macro(optimized_precision),
    "mean_one_vs_rest_adjusted_geometric_mean": _macro(adjusted_geometric_mean),
    "mean_class_weighted_accuracy": _mean_class_weighted_accuracy,
    "matthews_correlation": _matthews,
    "cohen_kappa": _kappa,
}
"""Of all classes together."""


def overall_measures(settings: Settings) -> Mapping[str, OneOfClasses]:
    """Return those of OVERALL that can be made."""
    left_out = "mean_class_weighted_accuracy" if settings.class_weights is None else None
    return {name: measure for name, measure in OVERALL.items() if name != left_out}
