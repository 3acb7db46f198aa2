import math

import numpy as np
import pytest

from rebalance.planning.estimates import N_FOLDS, Estimate, Families, estimate, families_of, recalls

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
    for known, asked in families.splits(0):
        assert (known != asked).all()
        assert not set(families.members[known].tolist()) & set(families.members[asked].tolist())


def test_the_families_of_a_class_are_dealt_out_evenly_and_each_is_held_out_once_a_deal(families: Families) -> None:
    splits = families.splits(3)
    for deal in range(0, len(splits), N_FOLDS):
        asked = np.array([split.asked for split in splits[deal : deal + N_FOLDS]])
        assert (asked.sum(axis=0) == 1).all()
        for label, n_families in enumerate((20, 10, 3)):
            counts = [len(set(families.members[of & (families.classes == label)].tolist())) for of in asked]
            assert sum(counts) == n_families
            assert max(counts) - min(counts) <= 1


def test_every_deal_is_another_and_the_same_for_the_same_seed(families: Families) -> None:
    splits = families.splits(0)
    assert len(splits) == 25
    assert len({split.asked.tobytes() for split in splits}) == 25
    assert all((one.asked == other.asked).all() for one, other in zip(splits, families.splits(0), strict=True))
    assert any((one.asked != other.asked).any() for one, other in zip(splits, families.splits(1), strict=True))


def test_many_files_are_dealt_twice() -> None:
    assert len(families_of([(str(number), 0) for number in range(6000)]).splits(0)) == 10


def test_some_files_have_the_families_of_these_files(families: Families) -> None:
    is_picked = families.classes != 0
    picked = families.picked(is_picked)
    assert picked.n_families == 13
    assert picked.classes.tolist() == [1] * 30 + [2] * 9


def test_files_that_come_again_stay_in_their_families(families: Families) -> None:
    again = families.repeated(families.classes == 2, 2)
    assert again.classes.tolist() == [*families.classes.tolist(), *[2] * 18]
    assert again.members.tolist()[-9:] == families.members.tolist()[-9:]


def test_the_interval_is_wider_than_that_of_independent_splits() -> None:
    found = estimate(np.array([0.5, 0.6, 0.7, 0.6, 0.6]))
    assert found.value == pytest.approx(0.6)
    assert found.high - found.value == pytest.approx(2.776445 * math.sqrt((1 / 5 + 1 / 4) * 0.005), abs=1e-6)


def test_the_chance_of_as_much_is_that_of_students_t() -> None:
    values = np.array([0.5, 0.6, 0.7, 0.6, 0.6])
    assert estimate(values, chance=0.6).p == pytest.approx(0.5)
    quantile = 2.131847 * math.sqrt((1 / 5 + 1 / 4) * 0.005)  # of 4 degrees of freedom, 95 %
    assert estimate(values, chance=0.6 - quantile).p == pytest.approx(0.05, abs=1e-5)


def test_splits_without_a_value_do_not_count_and_an_interval_ends_where_values_do() -> None:
    assert estimate(np.array([np.nan, 1.0, 0.0]), 0.5, 0, 1)[:3] == (0.5, 0, 1)
    assert estimate(np.array([0.25]), 0.1, 0, 1) == Estimate(0.25, 0, 1, 0.1, 1.0)
    assert estimate(np.array([np.nan]), 0.1, 0, 1) == Estimate(0.1, 0, 1, 0.1, 1.0)


def test_the_last_bits_of_a_float_are_no_finding() -> None:
    assert not estimate(np.array([1e-16, 2e-16, 1e-16])).is_found()
    assert estimate(np.array([0.5, 0.5]), 0.1) == Estimate(0.5, 0.5, 0.5, 0.1, 0.0)


def test_an_estimate_is_found_where_chance_would_hardly_give_it() -> None:
    values = np.linspace(-0.1, 0.1, 25)
    assert estimate(0.9 + values, 0.5).is_found()
    assert not estimate(0.52 + values, 0.5).is_found()
    assert not estimate(0.1 + values, 0.5).is_found()


def test_the_more_is_looked_at_the_more_it_takes() -> None:
    one = Estimate(0.6, 0.5, 0.7, 0.5, p=0.02)
    assert one.is_found()
    assert one.is_found(2)
    assert not one.is_found(3)


def test_a_class_that_is_not_there_has_no_recall() -> None:
    found = recalls(np.array([True, True, False, False]), np.array([0, 0, 0, 2]), 3)
    assert found[[0, 2]].tolist() == pytest.approx([2 / 3, 0])
    assert np.isnan(found[1])
