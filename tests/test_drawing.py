from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalance.drawing import attempt_key, draw_key, draw_unit


@pytest.mark.threat(85)
def test_the_key_of_a_copy_is_what_it_has_always_been() -> None:
    assert draw_key(0, "Hat/a.jpg", 1).hex() == "84e3fbe58676c76394d3ccde8d1d72e8db055032737ed048609ea8fad41d2698"
    assert draw_key(0, "Hat/a.jpg", 1) != draw_key(1, "Hat/a.jpg", 1) != draw_key(1, "Hat/a.jpg", 11)


def test_drawn_units_are_what_they_have_always_been() -> None:
    assert [draw_unit("rotation", 0, "Hat/a.jpg", copy) for copy in (1, 2, 3, 257)] == [
        0.03259207873172609,
        0.6945391547625412,
        0.8300661104448424,
        0.9593625162340611,
    ]


def test_neither_digits_nor_nul_can_move_between_the_parts_of_a_key() -> None:
    assert draw_key(1, "2", 3) != draw_key(12, "", 3)
    assert draw_key(0, "a1", 2) != draw_key(0, "a", 12)


@given(st.integers(0, 2**64 - 1), st.text(max_size=20), st.integers(1, 10**9))
def test_a_unit_lies_in_its_range_and_is_drawn_again_the_same(seed: int, path: str, copy_number: int) -> None:
    unit = draw_unit("zoom_x", seed, path, copy_number)
    assert 0 <= unit < 1
    assert unit == draw_unit("zoom_x", seed, path, copy_number)


@given(st.integers(0, 2**64 - 1), st.sampled_from([2, 4, 8, 16, 32, 64, 128, 256]), st.integers(0, 5))
def test_every_aligned_block_of_copies_takes_each_equal_part_of_the_range_once(seed: int, n: int, block: int) -> None:
    copies = range(1 + block * n, 1 + (block + 1) * n)
    parts = Counter(int(draw_unit("rotation", seed, "Hat/a.jpg", copy) * n) for copy in copies)
    assert parts == Counter(range(n))


def test_two_parameters_of_one_source_do_not_move_together() -> None:
    """Correlation of 2,000 sources' first four copies: at the 1e-9 level it stays below 0.07."""
    pairs = [
        (draw_unit("rotation", 0, f"c/{source}", copy) - 0.5, draw_unit("width_shift", 0, f"c/{source}", copy) - 0.5)
        for source in range(2000)
        for copy in range(1, 5)
    ]
    correlation = sum(a * b for a, b in pairs) / len(pairs) * 12
    assert abs(correlation) < 0.07
    quadrants = Counter((a > 0, b > 0) for a, b in pairs)
    assert min(quadrants.values()) > 0.22 * len(pairs)


def test_first_copies_of_many_sources_are_uniform() -> None:
    deciles = Counter(int(draw_unit("rotation", 0, f"c/{source}", 1) * 10) for source in range(5000))
    assert all(400 < deciles[decile] < 600 for decile in range(10))


def test_the_first_attempt_is_the_draw_itself() -> None:
    assert attempt_key(0, "Hat/a.jpg", 1, 0) == draw_key(0, "Hat/a.jpg", 1)
    assert draw_unit("rotation", 0, "Hat/a.jpg", 2, attempt=0) == draw_unit("rotation", 0, "Hat/a.jpg", 2)


def test_the_key_of_a_later_attempt_is_what_it_has_always_been() -> None:
    assert attempt_key(0, "Hat/a.jpg", 1, 1).hex() == "6ecc4c744493f5bb9fb7dcaf06eca9b5dc8938f6a4e113dac0be6591d9e63b34"
    assert attempt_key(0, "Hat/a.jpg", 1, 8).hex() == "35b40a8e0b55867e8a53460621bf58d93f996a9d61c51d272d20b5fb4c5a1669"


def test_units_drawn_again_are_what_they_have_always_been() -> None:
    assert [draw_unit("rotation", 0, "Hat/a.jpg", 2, attempt) for attempt in (1, 2, 8)] == [
        0.6552612052190061,
        0.10295096054107267,
        0.119094264168074,
    ]


def test_every_attempt_has_a_key_of_its_own() -> None:
    keys = [attempt_key(0, "c/a", copy, attempt) for copy in range(1, 12) for attempt in range(12)]
    assert len(set(keys)) == len(keys)


@given(st.integers(0, 2**64 - 1), st.text(max_size=20), st.integers(1, 10**9), st.integers(1, 8))
def test_a_unit_drawn_again_lies_in_its_range_too(seed: int, path: str, copy_number: int, attempt: int) -> None:
    unit = draw_unit("zoom_x", seed, path, copy_number, attempt)
    assert 0 <= unit < 1
    assert unit == draw_unit("zoom_x", seed, path, copy_number, attempt)
    assert unit != draw_unit("zoom_x", seed, path, copy_number)


def test_attempts_and_parameters_of_one_copy_do_not_move_together() -> None:
    """Correlations of 4,000 copies: at the 1e-5 level they stay below 0.07."""
    draws = [
        [draw_unit(name, 0, "c/a", copy, attempt) - 0.5 for name in ("rotation", "shear") for attempt in (0, 1, 2)]
        for copy in range(1, 4001)
    ]
    for one in range(6):
        for other in range(one):
            assert abs(sum(draw[one] * draw[other] for draw in draws) / len(draws) * 12) < 0.07


def test_second_attempts_are_uniform() -> None:
    deciles = Counter(int(draw_unit("rotation", 0, f"c/{source}", 1, 1) * 10) for source in range(5000))
    assert all(400 < deciles[decile] < 600 for decile in range(10))
