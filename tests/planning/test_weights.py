import pytest

from rebalance.planning.weights import balanced_weights, log_weights

COUNTS = {"a": 5000, "b": 500, "c": 40, "d": 1}


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    assert list(balanced_weights(COUNTS).values()) == pytest.approx([0.27705, 2.7705, 34.63125, 1385.25])


def test_log_weights_are_never_below_one() -> None:
    """ln(0.15 x 5541 / 40) = 3.0339, ln(0.15 x 5541) = 6.7228."""
    assert list(log_weights(COUNTS, 0.15).values()) == pytest.approx([1, 1, 3.0339, 6.7228], abs=1e-4)


def test_a_huge_factor_stays_finite() -> None:
    assert log_weights({"a": 1, "b": 1}, 1e308) == pytest.approx({"a": 709.889, "b": 709.889}, abs=1e-3)


def test_a_class_without_images_has_no_weight() -> None:
    assert balanced_weights({"a": 2, "b": 0}) == {"a": 1.0}
    assert log_weights({"a": 2, "b": 0}, 0.15) == {"a": 1.0}
