from dataclasses import replace

import numpy as np
import pytest

from rebalance.scoring.measuring import Samples
from rebalance.scoring.predictions import Predictions
from rebalance.scoring.scores import Difference, compare, score
from tests.scoring.made import decisions, judging, random_predictions, uniform


def balanced_accuracy(first: list[Predictions], second: list[Predictions], seed: int = 0) -> Difference:
    return next(one for one in compare(first, second, judging(seed=seed)) if one.measure == "balanced_accuracy")


def test_a_single_run_has_values_and_intervals_around_them() -> None:
    given = random_predictions(4)
    found = score([given], judging())
    assert found.confusion.sum() == 400
    assert [one.support for one in found.classes] == np.bincount(given.truth).tolist()
    assert [one.n_called for one in found.classes] == np.bincount(given.called).tolist()
    for one in [found.overall, *(one.measures for one in found.classes)]:
        assert all(estimate.low <= estimate.value <= estimate.high for estimate in one.values())


def test_shares_are_wilsons_unless_images_belong_together() -> None:
    given = decisions([0] * 10 + [1] * 5, [0] * 8 + [1] * 2 + [1] * 5)
    first, second = score([given], judging()).classes
    assert first.measures["recall"] == pytest.approx((0.8, 0.490162, 0.943318), abs=1e-6)
    assert second.measures["recall"] == pytest.approx((1, 0.565518, 1), abs=1e-6)
    assert second.measures["precision"][0] == pytest.approx(5 / 7)
    assert second.measures["specificity"] == first.measures["recall"]
    assert second.is_too_few
    assert not first.is_too_few
    grouped = replace(given, groups=np.arange(15) // 5)
    alone = score([grouped], judging()).classes
    assert alone[1].measures["recall"] == (1, 1, 1)
    assert [one.n_drawn for one in alone] == [2, 1]
    assert all(one.is_too_few for one in alone)


def test_groups_widen_the_interval() -> None:
    """Ten photographs of each of 40 animals, all right or all wrong."""
    is_right = np.repeat(uniform(3, 40) < 0.6, 10)
    given = decisions(
        [0] * 200 + [1] * 200, np.where(is_right, np.repeat([0, 1], 200), np.repeat([1, 0], 200)).tolist()
    )
    alone = score([given], judging()).overall["balanced_accuracy"]
    grouped = score([replace(given, groups=np.arange(400) // 10)], judging()).overall["balanced_accuracy"]
    assert grouped.value == alone.value
    assert grouped.high - grouped.low > 2.5 * (alone.high - alone.low)


def test_the_order_of_the_rows_changes_no_value() -> None:
    given = random_predictions(3, decimals=1)
    order = np.argsort(uniform(5, 400))
    shuffled = given.ordered([given.paths[row] for row in order])
    values = [
        {name: round(one.value, 12) for name, one in score([runs], judging(100)).overall.items()}
        for runs in (given, shuffled)
    ]
    assert values[0] == values[1]


def test_several_runs_are_their_mean_and_widen_the_interval() -> None:
    truth = [0] * 100 + [1] * 100
    runs = [decisions(truth, [0] * n + [1] * (100 - n) + [1] * n + [0] * (100 - n)) for n in (60, 75, 90)]
    found = score(runs, judging(500))
    accuracy = found.overall["accuracy"]
    assert accuracy.value == pytest.approx(0.75)
    assert found.classes[0].measures["recall"].value == pytest.approx(0.75)
    single = score(runs[1:2], judging(500)).overall["accuracy"]
    assert accuracy.high - accuracy.low > 1.5 * (single.high - single.low)


def test_the_same_predictions_are_the_same() -> None:
    given = random_predictions(3)
    differences = list(compare([given], [given], judging()))
    assert {one.verdict for one in differences} == {"the same"}
    assert {one.measure for one in differences} >= {"brier_score", "recall", "macro_f1"}
    assert [one.class_name for one in differences][-3:] == ["c0", "c1", "c2"]


def test_what_differs_is_better_or_worse_by_its_measure() -> None:
    given = random_predictions(3, 300)
    assert given.probabilities is not None
    is_true = given.truth[:, None] == np.arange(3)
    surer = given.probabilities * 0.5 + is_true * 0.5
    better = replace(given, probabilities=surer, called=surer.argmax(axis=1))
    verdicts = {one.measure: one.verdict for one in compare([given], [better], judging())}
    assert verdicts["balanced_accuracy"] == verdicts["brier_score"] == "better"
    back = {one.measure: one for one in compare([better], [given], judging())}
    assert back["balanced_accuracy"].verdict == back["brier_score"].verdict == "worse"
    assert back["brier_score"].difference.value > 0


def test_both_sides_are_drawn_on_the_same_images() -> None:
    """Nine tenths are right on both sides, two images differ: the difference is sharper than either side."""
    truth = [0] * 100 + [1] * 100
    first = decisions(truth, [0] * 90 + [1] * 10 + [1] * 90 + [0] * 10)
    second = decisions(truth, [0] * 92 + [1] * 8 + [1] * 92 + [0] * 8)
    found = balanced_accuracy([first], [second])
    assert found.difference.value == pytest.approx(0.02)
    own = score([first], judging()).overall["balanced_accuracy"]
    assert found.difference.high - found.difference.low < 0.6 * (own.high - own.low)


def test_the_interval_of_a_known_difference_holds_it_as_often_as_it_says() -> None:
    """Over 200 seeds, 95 % within what chance gives; `benchmarks/coverage.py` prints more of the same."""
    from benchmarks.coverage import coverage  # noqa: PLC0415  a script

    ways, _, _ = coverage(3, 200, 200)
    assert 0.9 <= ways <= 0.99
    _, models, _ = coverage(1, 200, 200)
    assert 0.88 <= models <= 0.99


def test_resamples_of_both_are_drawn_together_by_what_they_count_twice() -> None:
    """Of variances 4 and 4 and 7 of both, 2 x 8 - 7 are left; of 4 and 1, 2 x 5 - 7 would be less than 4."""
    images, runs, both = (np.array([-1.0, 1.0]) * spread for spread in (2.0, 1.0, np.sqrt(7)))
    assert np.var(Samples(0.0, images, runs, both).spread) == pytest.approx(4)
    nearer = Samples(0.0, images, 2 * runs, both)
    assert np.var(nearer.spread) == pytest.approx(2 * (4 + 4) - 7)
    assert np.var(Samples(0.0, images, 0 * runs, images).spread) == pytest.approx(4)
