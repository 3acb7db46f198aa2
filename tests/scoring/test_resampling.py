from dataclasses import replace

import numpy as np
import pytest

from rebalance.scoring import resampling
from rebalance.scoring.confidence import Multiplicities
from rebalance.scoring.predictions import Predictions
from rebalance.scoring.resampling import Resampling, basic_interval, percentile_interval, wilson_interval
from tests.scoring.made import decisions, random_predictions


def drawn(predictions: Predictions, n_resamples: int = 50, seed: int = 0) -> Multiplicities:
    return np.concatenate([block for _, block in Resampling(n_resamples, seed).blocks(predictions)])


def test_each_class_counts_as_much_in_every_resample_as_in_the_data() -> None:
    given = decisions([0] * 30 + [1] * 5 + [2], [0] * 36, n_classes=3)
    found = drawn(given)
    assert found.shape == (50, 36)
    assert found[:, :30].sum(axis=1) == pytest.approx(30)
    assert found[:, 30:35].sum(axis=1) == pytest.approx(5)
    assert (found[:, 35] == 1).all()
    assert np.allclose(found[:, :30] % (30 / 29) % (30 / 29 - 1e-9), 0, atol=1e-6)  # 29 are drawn
    assert len(np.unique(found, axis=0)) == 50


def test_every_image_is_drawn_as_often_as_any_other() -> None:
    found = drawn(decisions([0] * 10 + [1] * 10, [0] * 20), 2000)
    assert found.mean(axis=0) == pytest.approx([1] * 20, abs=0.1)


def test_a_resample_depends_on_seed_and_number_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    given = random_predictions(3)
    whole = drawn(given, 40)
    monkeypatch.setattr(resampling, "_BLOCK", 1200)
    assert (drawn(given, 40) == whole).all()
    assert (drawn(given, 20) == whole[:20]).all()
    assert (drawn(given, 40, seed=1) != whole).any()


def test_groups_are_drawn_whole() -> None:
    groups = np.array([0, 0, 0, 1, 1, 2, 2, 3, 3, 3])
    given = replace(decisions([0] * 5 + [1] * 5, [0] * 10), groups=groups)
    found = drawn(given)
    for group in range(4):
        members = found[:, groups == group]
        assert (members == members[:, :1]).all()
    assert set(np.unique(found)) == {0.0, 2.0}  # of two groups of a class, one is drawn and counts twice


def test_several_runs_are_drawn_one_less() -> None:
    shares = Resampling(300, 0).runs(3, side=0)
    assert shares.shape == (300, 3)
    assert set(np.unique(shares)) == {0, 0.5, 1}
    assert (shares.sum(axis=1) == 1).all()
    assert shares.mean(axis=0) == pytest.approx([1 / 3] * 3, abs=0.08)
    assert (shares != Resampling(300, 0).runs(3, side=1)).any()
    assert (Resampling(300, 0).runs(1, side=0) == 1).all()


def test_wilson_by_hand() -> None:
    """8 of 10: (0.8 + z^2/20 +- z sqrt(0.016 + z^2/400)) / (1 + z^2/10), z 1.96; 0 of 5: up to z^2/(5 + z^2)."""
    assert wilson_interval(8, 10) == pytest.approx((0.8, 0.490162, 0.943318), abs=1e-6)
    assert wilson_interval(0, 5) == pytest.approx((0, 0, 0.434482), abs=1e-6)
    assert wilson_interval(5, 5) == pytest.approx((1, 0.565518, 1), abs=1e-6)
    assert np.isnan(wilson_interval(0, 0)).all()


def test_intervals_are_the_middle_of_what_can_be_told() -> None:
    samples = np.append(np.arange(1001.0), np.nan)
    assert percentile_interval(480.0, samples) == pytest.approx((480, 25, 975))
    assert basic_interval(480.0, samples, 0.0) == pytest.approx((480, 0, 935))
    assert basic_interval(0.1, np.linspace(0.15, 0.3, 100), 0.0) == (0.1, 0, 0.1)  # all are further off than the data
    assert np.isnan(percentile_interval(1.0, np.array([np.nan]))[1:]).all()
    assert np.isnan(percentile_interval(float("nan"), samples)).all()
