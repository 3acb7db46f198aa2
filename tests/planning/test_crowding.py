import numpy as np
import pytest

from rebalance.planning.crowding import density_weights
from rebalance.vectors import Rows


def unit_rows(n_rows: int, n_dimensions: int = 40, seed: int = 0) -> Rows:
    words = np.random.PCG64(seed).random_raw(n_rows * n_dimensions).reshape(n_rows, n_dimensions)
    rows = words.astype(np.float64) / 2**64 - 0.5
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def test_copies_of_a_picture_share_little_more_than_the_weight_of_one() -> None:
    rows = unit_rows(30)
    rows[:5] = rows[0]
    weights = density_weights(rows, np.zeros(30, np.intp))
    assert weights.mean() == pytest.approx(1)
    assert weights[:5].tolist() == [weights[0]] * 5
    ordinary = np.median(weights[5:])
    assert 5 * weights[0] == pytest.approx(1.5 * ordinary, rel=0.1)  # an ordinary one shares with half a neighbor


def test_every_class_has_mean_one_and_only_its_own_images_crowd() -> None:
    rows, labels = unit_rows(40), np.repeat([0, 1], [30, 10]).astype(np.intp)
    weights = density_weights(rows, labels)
    assert weights[:30].mean() == pytest.approx(1)
    assert weights[30:].mean() == pytest.approx(1)
    assert weights[30:].tolist() == density_weights(rows[30:], np.zeros(10, np.intp)).tolist()


@pytest.mark.parametrize("n_rows", [1, 2, 3])
def test_tiny_classes(n_rows: int) -> None:
    weights = density_weights(unit_rows(n_rows), np.zeros(n_rows, np.intp))
    assert np.isfinite(weights).all()
    assert weights.mean() == pytest.approx(1)


def test_a_class_of_one_picture_many_times() -> None:
    rows = np.repeat(unit_rows(1), 7, axis=0)
    assert density_weights(rows, np.zeros(7, np.intp)).tolist() == [1] * 7


def test_more_than_half_copies() -> None:
    rows = unit_rows(20)
    rows[:15] = rows[0]
    weights = density_weights(rows, np.zeros(20, np.intp))
    assert 15 * weights[0] == pytest.approx(weights[19], rel=0.01)
