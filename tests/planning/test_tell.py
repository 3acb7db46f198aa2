import numpy as np
import pytest
from numpy.typing import NDArray

from rebalance.planning.estimates import Families, families_of
from rebalance.planning.tell import area_within_classes, find_tell

KINDS = {"first": (0,), "others": (1, 2)}


def lots(number: int, *shape: int) -> NDArray[np.float64]:
    """Return numbers of unit spread, nearly normal."""
    words = np.random.PCG64(number).random_raw(12 * int(np.prod(shape))).reshape(*shape, 12)
    return np.asarray((words / 2.0**64).sum(axis=-1) - 6)


def tree(n_families: int = 60, n_copies: int = 2) -> tuple[Families, NDArray[np.bool_]]:
    """Return two classes of families, each an original and its copies."""
    names = [(str(family), family % 2) for family in range(n_families) for _ in range(1 + n_copies)]
    return families_of(names), np.array([place % (1 + n_copies) > 0 for place in range(len(names))])


def test_what_is_the_same_in_both_is_not_told() -> None:
    families, is_made = tree()
    for number in range(5):
        found = find_tell(lots(number, len(is_made), 3), is_made, families, KINDS, seed=0)
        assert found is not None
        assert not found.overall.is_found(5)
        assert found.overall.chance == 0.5


def test_a_trace_is_told_and_its_kind_named() -> None:
    families, is_made = tree()
    features = lots(1, len(is_made), 3)
    features[is_made, 0] += 2
    found = find_tell(features, is_made, families, KINDS, seed=0)
    assert found is not None
    assert found.overall.value > 0.85
    assert found.overall.low > 0.8
    assert found.by_kind["first"].is_found(2)
    assert not found.by_kind["others"].is_found(2)
    assert found.by_statistic[0] > 0.85
    assert max(found.by_statistic[1:]) < 0.65


def test_what_tells_classes_apart_tells_nothing_of_what_is_made() -> None:
    names = [(f"{label} {number}", label) for label in (0, 1) for number in range(60)]
    families = families_of(names)
    is_made = np.array([number % 60 < (10 if number < 60 else 50) for number in range(120)])
    features = lots(2, 120, 3)
    features[families.classes == 1, 0] += 5
    found = find_tell(features, is_made, families, KINDS, seed=0)
    assert found is not None
    assert not found.overall.is_found()


def test_a_trace_is_told_although_classes_differ_more_and_the_other_way() -> None:
    """The class of which nearly all is made has larger features, what is made smaller ones."""
    names = [(f"{label} {number}", label) for label in (0, 1) for number in range(100)]
    is_made = np.array([number % 100 < (10 if number < 100 else 90) for number in range(200)])
    features = lots(4, 200, 3)
    features[100:, 0] += 4
    features[is_made, 0] -= 1.5
    found = find_tell(features, is_made, families_of(names), KINDS, seed=0)
    assert found is not None
    assert found.overall.value > 0.75


def test_what_a_family_shares_is_not_learned_by_heart() -> None:
    families, is_made = tree(n_copies=5)
    is_made = np.array([families.members[place] % 4 < 2 for place in range(len(is_made))])  # whole families
    features = lots(3, families.n_families, 3)[families.members]
    found = find_tell(features, is_made, families, KINDS, seed=0)
    assert found is not None
    assert not found.overall.is_found()


def test_without_both_in_a_class_there_is_nothing_to_tell() -> None:
    families, is_made = tree()
    assert find_tell(lots(0, len(is_made), 3), is_made | True, families, KINDS, seed=0) is None
    assert find_tell(lots(0, len(is_made), 3), families.classes == 0, families, KINDS, seed=0) is None


def test_the_area_is_the_share_of_pairs_within_a_class_that_are_in_order() -> None:
    scores, is_made = np.array([1.0, 3.0, 2.0, 9.0, 2.0]), np.array([False, True, True, False, False])
    classes = np.array([0, 0, 0, 1, 0])
    assert area_within_classes(scores, is_made, classes) == pytest.approx((2 + 1.5) / 4)
    assert np.isnan(area_within_classes(scores, is_made | True, classes))


def test_features_that_say_nothing_give_one_half() -> None:
    families, is_made = tree()
    found = find_tell(np.ones((len(is_made), 3)), is_made, families, KINDS, seed=0)
    assert found is not None
    assert found.overall.value == 0.5
    assert not found.overall.is_found()
