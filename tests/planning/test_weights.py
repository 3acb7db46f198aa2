import math
from collections.abc import Mapping

import numpy as np
import pytest

from rebalance.planning.weights import (
    SCHEMES,
    WeightSettings,
    class_weights,
    effective_numbers,
    logit_adjustments,
    steepness,
)

COUNTS = {"a": 5000, "b": 500, "c": 40, "d": 1}


def weights(scheme: str, counts: Mapping[str, int] = COUNTS, **settings: object) -> list[float]:
    return list(class_weights(counts, scheme, WeightSettings(**settings)).values())  # type: ignore[arg-type]


def test_each_scheme_by_hand() -> None:
    """ln(0.15 x 5541 / 40) = 3.0339, ln(0.15 x 5541) = 6.7228; 5541 / (70.711 + 22.361 + 6.325 + 1) = 55.19."""
    assert weights("balanced") == pytest.approx([0.27705, 2.7705, 34.63125, 1385.25])
    assert weights("inverse") == pytest.approx([1, 10, 125, 5000])
    assert weights("log") == pytest.approx([1, 1, 3.0339, 6.7228], abs=1e-4)
    assert weights("inverse-sqrt") == pytest.approx([0.7805, 2.4682, 8.7265, 55.1915], abs=1e-4)
    assert weights("effective") == pytest.approx([0.0039, 0.0099, 0.0991, 3.8871], abs=5e-5)
    assert list(effective_numbers(COUNTS, 0.999).values()) == pytest.approx([993.28, 393.62, 39.23, 1], abs=5e-3)
    assert list(logit_adjustments({"a": 3, "b": 1}).values()) == pytest.approx([-0.287682, -1.386294], abs=1e-6)


def test_balanced_is_what_scikit_learn_gives() -> None:
    from sklearn.utils.class_weight import compute_class_weight  # noqa: PLC0415  takes seconds

    labels = ["a"] * 31 + ["b"] * 5 + ["c"]
    theirs = compute_class_weight("balanced", classes=np.array(["a", "b", "c"]), y=labels)
    assert weights("balanced", {"a": 31, "b": 5, "c": 1}) == pytest.approx(list(theirs), rel=1e-15)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_normalizes_and_cuts(scheme: str) -> None:
    of_samples = weights(scheme, normalize="samples")
    assert sum(w * n for w, n in zip(of_samples, COUNTS.values(), strict=True)) == pytest.approx(5541)
    assert sum(weights(scheme, normalize="classes")) == pytest.approx(4)
    assert weights(scheme, normalize="majority")[0] == 1
    raw = weights(scheme, normalize="none")
    assert weights(scheme, normalize="none", max_weight=0.5) == [min(weight, 0.5) for weight in raw]
    assert raw == sorted(raw)


def test_without_normalization_a_scheme_is_its_formula() -> None:
    assert weights("inverse-sqrt", {"a": 4, "b": 1}, normalize="none") == [0.5, 1]
    assert weights("effective", {"a": 2, "b": 1}, normalize="none", beta=0.5) == pytest.approx([1 / 1.5, 1])


def test_effective_numbers_at_the_ends_of_beta() -> None:
    assert effective_numbers(COUNTS, 0) == dict.fromkeys("abcd", 1)
    assert list(effective_numbers(COUNTS, 1 - 1e-12).values()) == pytest.approx([5000, 500, 40, 1], rel=1e-4)


def test_a_huge_factor_stays_finite() -> None:
    assert weights("log", {"a": 1, "b": 1}, mu=1e308) == pytest.approx([709.889, 709.889], abs=1e-3)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_class_without_images_has_no_weight(scheme: str) -> None:
    found = class_weights({"a": 2, "b": 0}, scheme, WeightSettings())
    assert list(found) == ["a"]
    assert math.isfinite(found["a"])
    assert class_weights({"a": 0}, scheme, WeightSettings()) == {}
    assert logit_adjustments({"a": 2, "b": 0}) == {"a": 0}


def test_steepness_is_largest_over_smallest() -> None:
    assert steepness({"a": 0.5, "b": 4, "c": 1}) == 8
    assert steepness({}) == 1
