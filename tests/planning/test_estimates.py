import math

import numpy as np
import pytest

from rebalance.planning.estimates import (
    N_FOLDS,
    N_RESAMPLES,
    Estimate,
    Families,
    balanced_shares,
    estimate,
    families_of,
)

NAMES = [(f"c{label}/{number // 3}", label) for label, count in enumerate((60, 30, 9)) for number in range(count)]
"""Families of three files: 20, 10 and 3 of a class."""


@pytest.fixture
def families() -> Families:
    return families_of(NAMES)


def test_files_of_one_name_and_class_are_a_family() -> None:
    found = families_of([("a", 0), ("b", 0), ("a", 0), ("a", 1)])
    assert found.members.tolist() == [0, 1, 0, 2]
    assert found.class_of.tolist() == [0, 0, 1]
    assert found.n_families == 3


def test_a_family_is_never_on_two_sides(families: Families) -> None:
    for folds in families.deals(0):
        sides = {(member, fold) for member, fold in zip(families.members.tolist(), folds.tolist(), strict=True)}
        assert len(sides) == families.n_families


def test_the_families_of_a_class_are_dealt_out_evenly(families: Families) -> None:
    for folds in families.deals(3):
        for label, n_families in enumerate((20, 10, 3)):
            own = np.unique(np.stack([families.members, folds])[:, families.classes == label], axis=1)[1]
            counts = np.bincount(own, minlength=N_FOLDS)
            assert counts.sum() == n_families
            assert counts.max() - counts.min() <= 1


def test_every_deal_is_another_and_the_same_for_the_same_seed(families: Families) -> None:
    deals = families.deals(0)
    assert len(deals) == 5
    assert len({folds.tobytes() for folds in deals}) == 5
    assert (families.deals(0) == deals).all()
    assert (families.deals(1) != deals).any()


def test_many_files_are_dealt_once() -> None:
    assert families_of([(str(number), 0) for number in range(6000)]).n_deals == 1


def test_families_are_drawn_whole_and_as_many_of_a_class_as_there_are(families: Families) -> None:
    weights = families.resamples(0)
    assert weights.shape == (N_RESAMPLES, len(NAMES))
    for first in range(0, len(NAMES), 3):
        assert (weights[:, first] == weights[:, first + 1]).all()
    for label, count in enumerate((60, 30, 9)):
        assert (weights[:, families.classes == label].sum(axis=1) == count).all()
    assert weights.mean() == pytest.approx(1, abs=0.01)
    assert (families.resamples(0) == weights).all()


def test_some_files_have_the_families_of_these_files(families: Families) -> None:
    is_picked = families.classes != 0
    picked = families.picked(is_picked)
    assert picked.n_families == 13
    assert picked.classes.tolist() == [1] * 30 + [2] * 9
    assert picked.repeated(picked.classes == 2).members.tolist()[-9:] == picked.members.tolist()[-9:]


def test_the_interval_of_a_mean_is_that_of_the_formula() -> None:
    values = np.sin(np.arange(400.0))
    own = families_of([(str(number), 0) for number in range(400)])
    found = estimate(float(values.mean()), own.resamples(0) @ values / 400, 0.0)
    half = 1.96 * values.std() / 20
    assert found.low == pytest.approx(values.mean() - half, abs=0.005)
    assert found.high == pytest.approx(values.mean() + half, abs=0.005)


def test_the_interval_of_families_is_wider_than_that_of_files() -> None:
    values = np.repeat(np.sin(np.arange(100.0)), 4)
    alone = families_of([(str(number), 0) for number in range(400)]).resamples(0) @ values / 400
    together = families_of([(str(number // 4), 0) for number in range(400)]).resamples(0) @ values / 400
    assert together.std() == pytest.approx(2 * alone.std(), rel=0.15)


def test_an_estimate_is_found_where_chance_would_hardly_give_it() -> None:
    spread = np.linspace(-1, 1, 1001)
    assert estimate(0.9, 0.9 + spread / 10, 0.5).is_found()
    assert not estimate(0.55, 0.55 + spread / 10, 0.5).is_found()
    assert not estimate(0.1, 0.1 + spread / 10, 0.5).is_found()


def test_the_more_is_looked_at_the_more_it_takes() -> None:
    one = Estimate(0.6, 0.5, 0.7, 0.5, p=0.02)
    assert one.is_found()
    assert one.is_found(2)
    assert not one.is_found(3)


def test_where_resamples_do_not_differ_or_say_nothing_there_is_an_answer() -> None:
    assert estimate(1.0, np.ones(5), 0.5) == Estimate(1.0, 1.0, 1.0, 0.5, 0.0)
    assert estimate(0.5, np.full(5, 0.5), 0.5).p == 1
    assert estimate(0.7, np.full(5, np.nan), 0.5) == Estimate(0.7, -math.inf, math.inf, 0.5, 1.0)


def test_each_class_weighs_the_same() -> None:
    classes = np.array([0, 0, 0, 1])
    shares = balanced_shares(
        np.array([1.0, 1.0, 0.0, 0.0]), classes, np.array([[1, 1, 1, 1], [0, 0, 2, 1]], np.float32)
    )
    assert shares.tolist() == pytest.approx([1 / 3, 0])
