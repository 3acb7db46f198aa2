"""Measures against scikit-learn and imbalanced-learn, and by hand."""

from typing import Any

import numpy as np
import pytest

from rebalance.scoring.decisions import Settings, overall_measures
from rebalance.scoring.measuring import CountedRun
from rebalance.scoring.predictions import Predictions
from tests.scoring.made import decisions, random_predictions, uniform


def exactly(value: Any) -> Any:
    return pytest.approx(value, abs=1e-12, rel=0)


def measured(predictions: Predictions, settings: Settings | None = None) -> tuple[dict[str, float], dict[str, Any]]:
    """Return what is measured of all classes, and of each."""
    overall, of_classes = {}, dict[str, Any]()
    run = CountedRun(predictions, settings or Settings())
    for (measure, label), values in run.measures(np.ones((1, len(predictions.paths)))).items():
        if label is None:
            overall[measure] = float(values[0])
        else:
            of_classes.setdefault(measure, []).append(float(values[0]))
    return overall, of_classes


@pytest.mark.parametrize("n_classes", [2, 7])
@pytest.mark.parametrize("decimals", [None, 1])
def test_every_measure_that_the_libraries_have_is_theirs(n_classes: int, decimals: int | None) -> None:
    import imblearn.metrics as imblearn  # noqa: PLC0415  takes seconds
    from sklearn import metrics  # noqa: PLC0415  the same

    given = random_predictions(n_classes, decimals=decimals)
    true, called, probabilities = given.truth, given.called, given.probabilities
    assert probabilities is not None
    index = imblearn.make_index_balanced_accuracy(alpha=0.1, squared=True)(imblearn.geometric_mean_score)
    corrected = imblearn.geometric_mean_score(true, called, average="multiclass", correction=0.001)
    is_true = true[:, None] == np.arange(n_classes)
    overall, of_classes = measured(given)
    assert overall["accuracy"] == exactly(metrics.accuracy_score(true, called))
    assert overall["balanced_accuracy"] == exactly(metrics.balanced_accuracy_score(true, called))
    assert overall["macro_f1"] == exactly(metrics.f1_score(true, called, average="macro"))
    assert overall["weighted_f1"] == exactly(metrics.f1_score(true, called, average="weighted"))
    assert overall["macro_f_beta"] == exactly(metrics.fbeta_score(true, called, beta=2, average="macro"))
    assert overall["weighted_f_beta"] == exactly(metrics.fbeta_score(true, called, beta=2, average="weighted"))
    assert overall["geometric_mean"] == exactly(imblearn.geometric_mean_score(true, called, average="multiclass"))
    assert overall["geometric_mean_corrected"] == exactly(corrected)
    assert overall["index_balanced_accuracy"] == exactly(index(true, called))
    assert overall["matthews_correlation"] == exactly(metrics.matthews_corrcoef(true, called))
    assert overall["cohen_kappa"] == exactly(metrics.cohen_kappa_score(true, called))
    assert overall["brier_score"] == exactly(
        metrics.brier_score_loss(true, probabilities[:, 1] if n_classes == 2 else probabilities)
    )
    precisions = [
        metrics.average_precision_score(is_true[:, label], probabilities[:, label]) for label in range(n_classes)
    ]
    assert overall["macro_average_precision"] == exactly(np.mean(precisions))
    assert of_classes["average_precision"] == exactly(precisions)
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(true, called)
    assert of_classes["precision"] == exactly(precision)
    assert of_classes["recall"] == exactly(recall)
    assert of_classes["f1"] == exactly(f1)
    assert of_classes["specificity"] == exactly(imblearn.specificity_score(true, called, average=None))
    assert of_classes["geometric_mean"] == exactly(imblearn.geometric_mean_score(true, called, average=None))
    assert of_classes["index_balanced_accuracy"] == exactly(index(true, called, average=None))
    assert overall["mean_one_vs_rest_geometric_mean"] == exactly(np.mean(of_classes["geometric_mean"]))


def test_multiplicities_are_repeated_images() -> None:
    """What the bootstrap counts twice is what scikit-learn is given twice."""
    from sklearn import metrics  # noqa: PLC0415  takes seconds

    given = random_predictions(3, decimals=1)
    assert given.probabilities is not None
    times = (uniform(9, 400) * 3).astype(np.intp)
    run = CountedRun(given, Settings()).measures(np.stack([np.ones(400), times.astype(np.float64)]))
    rows = np.repeat(np.arange(400), times)
    true, probabilities = given.truth[rows], given.probabilities[rows]
    assert run["macro_f1", None][1] == exactly(metrics.f1_score(true, given.called[rows], average="macro"))
    assert run["average_precision", 1][1] == exactly(metrics.average_precision_score(true == 1, probabilities[:, 1]))
    assert run["brier_score", None][1] == exactly(metrics.brier_score_loss(true, probabilities))


def test_the_binary_measures_by_hand() -> None:
    """TP 8, FN 2, TN 85, FP 5: TPR 0.8, TNR 17/18, accuracy 0.93, nine tenths are negative."""
    given = decisions([1] * 10 + [0] * 90, [1] * 8 + [0] * 2 + [0] * 85 + [1] * 5)
    overall, of_classes = measured(given, Settings(class_weights=(0.3, 0.7)))
    assert of_classes["geometric_mean"][1] == pytest.approx(0.869227, abs=5e-7)
    assert of_classes["index_balanced_accuracy"][1] == pytest.approx(0.744642, abs=5e-7)
    assert of_classes["optimized_precision"] == pytest.approx([0.847197] * 2, abs=5e-7)
    assert of_classes["adjusted_geometric_mean"][1] == pytest.approx(0.904856, abs=5e-7)
    assert of_classes["adjusted_geometric_mean"][0] == pytest.approx((0.869227 + 0.8 * 0.1) / 1.1, abs=5e-7)
    assert overall["mean_class_weighted_accuracy"] == pytest.approx(0.843333, abs=5e-7)
    assert overall["mean_one_vs_rest_optimized_precision"] == pytest.approx(0.847197, abs=5e-7)
    assert overall["mean_one_vs_rest_adjusted_geometric_mean"] == pytest.approx((0.904856 + 0.862934) / 2, abs=5e-7)
    assert overall["geometric_mean"] == pytest.approx(0.869227, abs=5e-7)


def test_a_class_that_is_never_found_has_no_adjusted_geometric_mean() -> None:
    overall, of_classes = measured(decisions([0, 0, 0, 1], [0, 0, 0, 0]))
    assert of_classes["adjusted_geometric_mean"][1] == 0
    assert overall["geometric_mean"] == 0
    assert overall["geometric_mean_corrected"] == pytest.approx(0.001**0.5)
    assert np.isnan(of_classes["precision"][1])
    assert of_classes["f1"][1] == 0
    assert overall["matthews_correlation"] == 0


def test_a_class_that_is_never_there_is_in_no_mean_of_recalls() -> None:
    """As scikit-learn has it: its F1 is 0 since it is called, and recall cannot be told."""
    overall, of_classes = measured(decisions([0, 0, 1, 1], [0, 2, 1, 1], n_classes=4))
    assert np.isnan(of_classes["recall"][2:]).all()
    assert overall["balanced_accuracy"] == 0.75
    assert of_classes["f1"][2] == 0
    assert np.isnan(of_classes["f1"][3])
    assert overall["macro_f1"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert overall["geometric_mean"] == pytest.approx(0.5**0.5)


def test_one_class_alone() -> None:
    overall, of_classes = measured(decisions([0, 0], [0, 0], n_classes=1))
    assert overall["balanced_accuracy"] == 1
    assert np.isnan(of_classes["specificity"]).all()
    assert np.isnan(overall["cohen_kappa"])


def test_class_weights_are_only_asked_of_those_who_gave_them() -> None:
    assert "mean_class_weighted_accuracy" not in overall_measures(Settings())
    assert "mean_class_weighted_accuracy" in overall_measures(Settings(class_weights=(1, 1)))


def test_the_calibration_error_by_hand() -> None:
    """Bins of 1/15: two images at 0.9, one of them right, and one at 0.6 that is right: (|1.8 - 1| + |0.6 - 1|) / 3."""
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]])
    given = Predictions("p", ("a", "b"), ("1", "2", "3"), np.array([0, 1, 1]), np.array([0, 0, 1]), probabilities)
    overall, _ = measured(given)
    assert overall["expected_calibration_error"] == pytest.approx(1.2 / 3)
    assert overall["brier_score"] == pytest.approx((0.01 + 0.81 + 0.16) / 3)


def test_the_calibration_error_of_several_classes_takes_the_likeliest() -> None:
    probabilities = np.array([[0.2, 0.5, 0.3]] * 4)
    given = Predictions(
        "p", ("a", "b", "c"), ("1", "2", "3", "4"), np.array([1, 1, 1, 0]), np.array([1] * 4), probabilities
    )
    overall, _ = measured(given)
    assert overall["expected_calibration_error"] == pytest.approx(0.25)
    assert overall["brier_score"] == pytest.approx((3 * (0.04 + 0.25 + 0.09) + 0.64 + 0.25 + 0.09) / 4)
