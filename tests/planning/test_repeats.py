from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalance.labels import LabelSet
from rebalance.planning.repeats import Problem, Solution, solve


def problem(
    sets: Sequence[LabelSet], n_images: Sequence[int], targets: Sequence[int], *, most: int = 100, keeping: bool = False
) -> Problem:
    n_labels = len(targets)
    counts = np.array(n_images, np.intp)
    base = np.zeros(n_labels, np.intp)
    for label_set, n in zip(sets, n_images, strict=True):
        base[list(label_set)] += n
    return Problem(
        tuple(sets), n_labels, np.zeros(n_labels, np.intp) if keeping else base, np.array(targets, np.intp),
        counts if keeping else counts * most, counts,
    )  # fmt: skip


def achieved(given: Problem, solution: Solution) -> list[int]:
    return [int(count) for count in given.base + given.incidence @ solution.taken]


def test_targets_that_can_be_met_are_met_exactly() -> None:
    asked = problem([(0,), (0, 1), (1,), (2,)], [50, 5, 3, 4], [55, 55, 55])
    solution = solve(asked, is_keeping=False)
    assert achieved(asked, solution) == [55, 55, 55]
    assert solution.taken.tolist() == [0, 0, 47, 51]
    assert (solution.deviation, solution.bound) == (0, 0)


def test_what_cannot_be_met_comes_as_near_as_the_bound_says() -> None:
    """The second label never occurs without the first, which has enough: each copy costs as much as it gives."""
    asked = problem([(0,), (0, 1)], [20, 5], [25, 25])
    solution = solve(asked, is_keeping=False)
    assert solution.deviation == pytest.approx(20 / 25)
    assert solution.bound == pytest.approx(20 / 25)


def test_a_cap_is_kept() -> None:
    asked = problem([(0,), (1,)], [50, 1], [50, 50], most=9)
    solution = solve(asked, is_keeping=False)
    assert solution.taken.tolist() == [0, 9]
    assert solution.bound == pytest.approx(40 / 50)


def test_of_choices_that_are_as_near_the_even_one_is_taken() -> None:
    """Label 1 is on sets of 1 and of 9 images that are alike otherwise: 20 copies are two of each."""
    asked = problem([(0,), (1,), (1, 2), (2,)], [30, 1, 9, 21], [30, 30, 30])
    solution = solve(asked, is_keeping=False)
    assert achieved(asked, solution) == [30, 30, 30]
    assert solution.taken[1] <= 20
    asked = problem([(0,), (1,), (1, 2)], [30, 5, 5], [30, 30, 25])
    assert solve(asked, is_keeping=False).taken.tolist() == [0, 0, 20]


def test_copies_are_spread_where_the_labels_do_not_say_which() -> None:
    """Twenty copies give label 0 what it lacks; however they are split, labels 1 and 2 lack ninety together."""
    asked = problem([(0, 1), (0, 2)], [5, 5], [30, 60, 60])
    assert solve(asked, is_keeping=False).taken.tolist() == [10, 10]


def test_keeping_takes_most_images_of_what_is_as_near() -> None:
    asked = problem([(0,), (1,), ()], [50, 10, 7], [10, 10], keeping=True)
    solution = solve(asked, is_keeping=True)
    assert solution.taken.tolist() == [10, 10, 7]


def test_keeping_lets_no_label_vanish() -> None:
    asked = problem([(0, 1), (0,), (1, 2)], [30, 30, 1], [1, 1, 1], keeping=True)
    assert min(achieved(asked, solve(asked, is_keeping=True))) >= 1
    asked = problem([(0, 1, 2, 3), (0, 2, 3, 4)], [1, 1], [1] * 5, keeping=True)  # three labels twice, or one never
    assert solve(asked, is_keeping=True).taken.tolist() == [1, 1]


def test_nothing_to_choose_from() -> None:
    asked = problem([], [], [3])
    assert solve(asked, is_keeping=False).deviation == 1


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_random_choice_is_nearer_than_the_bound_and_ours_is_hardly_farther(data: st.DataObject) -> None:
    n_labels = data.draw(st.integers(1, 6))
    subsets = st.lists(st.integers(0, n_labels - 1), max_size=4, unique=True).map(lambda one: tuple(sorted(one)))
    sets = data.draw(st.lists(subsets, min_size=1, max_size=12, unique=True))
    if len(set().union(*sets)) < n_labels:  # every label is to occur
        sets = [*(one for one in sets if len(one) < n_labels), tuple(range(n_labels))]
    n_images = [data.draw(st.integers(1, 20)) for _ in sets]
    targets = [data.draw(st.integers(1, 60)) for _ in range(n_labels)]
    keeping = data.draw(st.booleans())
    asked = problem(sets, n_images, targets, most=3, keeping=keeping)
    solution = solve(asked, is_keeping=keeping)
    assert ((solution.taken >= 0) & (solution.taken <= asked.most)).all()
    assert solution.deviation == pytest.approx(asked.deviation(solution.taken))
    assert solution.bound <= solution.deviation + 1e-9
    if not keeping:
        assert solution.deviation <= solution.bound + sum(2 / target for target in targets)
        other = np.array([data.draw(st.integers(0, int(most))) for most in asked.most], np.intp)
        assert asked.deviation(other) >= solution.bound - 1e-6
