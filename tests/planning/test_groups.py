import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalance.dataset import ClassFolder, Dataset, ImageFile, Stamp
from rebalance.plan import Plan
from rebalance.planning.augment import AugmentOptions, plan_augment
from rebalance.planning.copies import most_copies, spread_copies
from rebalance.planning.groups import Grouping, count_groups, groups_of, whole_groups, with_groups
from rebalance.planning.selection import Selection, select_images
from rebalance.planning.targets import parse_strategy
from rebalance.planning.undersample import UndersampleOptions, plan_undersample

STAMP = Stamp(1, 2, 3, 4)
sizes_of_groups = st.lists(st.integers(1, 9), min_size=1, max_size=9)


def images_in(sizes: Sequence[int]) -> list[ImageFile]:
    """Images of class a in groups of these sizes: g0, g1 ..."""
    return [
        ImageFile(f"a/{group}-{number}.jpg", STAMP, f"g{group}")
        for group, size in enumerate(sizes)
        for number in range(size)
    ]


def reachable(sizes: Sequence[int]) -> set[int]:
    return {sum(chosen) for n in range(len(sizes) + 1) for chosen in combinations(sizes, n)}


@given(sizes_of_groups, st.integers(0, 50))
def test_whole_groups_make_up_the_goal_wherever_any_choice_of_them_does(sizes: list[int], goal: int) -> None:
    is_whole = whole_groups(sizes, goal)
    total = sum(size for size, whole in zip(sizes, is_whole, strict=True) if whole)
    assert total == max(reached for reached in reachable(sizes) if reached <= goal)


@given(sizes_of_groups, st.integers(0, 50))
def test_an_earlier_group_is_kept_wherever_the_later_ones_can_make_up_the_rest(sizes: list[int], goal: int) -> None:
    rest = max(reached for reached in reachable(sizes) if reached <= goal)
    for index, whole in enumerate(whole_groups(sizes, goal)):
        assert whole == (rest - sizes[index] in reachable(sizes[index + 1 :]))
        rest -= sizes[index] if whole else 0


@pytest.mark.parametrize(
    ("sizes", "goal", "expected"),
    [
        ([3, 3, 2, 2], 4, [False, False, True, True]), ([3, 3, 2, 2], 5, [True, False, True, False]),
        ([4, 4], 6, [True, False]), ([5], 3, [False]), ([1, 1, 1], 0, [False, False, False]), ([], 0, []),
    ],
)  # fmt: skip
def test_groups_that_fit_first_are_not_always_the_right_ones(sizes: list[int], goal: int, expected: list[bool]) -> None:
    assert whole_groups(sizes, goal) == expected


@pytest.mark.parametrize(("largest", "goal", "reached"), [(7, 250_001, 250_001), (1, 250_001, 250_000)])
def test_a_large_class_of_groups_is_no_matter_of_minutes(largest: int, goal: int, reached: int) -> None:
    """Of two to eight images each, or all of two."""
    sizes = [2 + number % largest for number in range(200_000)]
    is_whole = whole_groups(sizes, goal)
    assert sum(size for size, whole in zip(sizes, is_whole, strict=True) if whole) == reached


@given(st.lists(st.integers(1, 9), min_size=1, max_size=9), st.integers(0, 50))
def test_looking_at_the_last_groups_first_changes_no_choice(sizes: list[int], goal: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rebalance.planning.groups._LAST", 3)
        by_parts = whole_groups(sizes, goal)
    assert by_parts == whole_groups(sizes, goal)


@given(sizes_of_groups, st.integers(1, 50), st.integers(0, 99))
def test_at_most_one_group_of_a_class_is_cut_and_none_that_need_not_be(
    sizes: list[int], n_kept: int, seed: int
) -> None:
    images = images_in(sizes)
    kept = select_images(images, n_kept, Selection(), seed=seed)
    assert len(kept) == min(n_kept, len(images))
    n_in = Counter(image.group for image in kept)
    cut = [group for group, n in n_in.items() if n < sizes[int(str(group)[1:])]]
    assert len(cut) == (0 if len(kept) in reachable(sizes) else 1)
    assert kept == select_images(images[::-1], n_kept, Selection(), seed=seed) or n_kept >= len(images)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 99))
def test_images_of_no_group_are_chosen_as_if_there_were_none(n_images: int, n_kept: int, seed: int) -> None:
    alone = [ImageFile(f"a/{number}.jpg", STAMP) for number in range(n_images)]
    in_groups_of_one = [replace(image, group=image.path) for image in alone]
    kept = select_images(alone, n_kept, Selection(), seed=seed)
    grouped = select_images(in_groups_of_one, n_kept, Selection(), seed=seed)
    assert [image.path for image in kept] == [image.path for image in grouped]


def test_windows_of_groups_are_disjoint_and_cut_at_their_ends_alone() -> None:
    images = images_in([4] * 10)
    windows = [set(select_images(images, 10, Selection("window", index), seed=1)) for index in range(4)]
    assert sorted(image.path for window in windows for image in window) == sorted(image.path for image in images)
    for window in windows:
        cut = [group for group, n in Counter(image.group for image in window).items() if n < 4]
        assert len(cut) == 1


def copies_of(
    images: Sequence[ImageFile], n_copies: int, seed: int = 0, *, each_once: bool = False
) -> list[tuple[ImageFile, int]]:
    copies = spread_copies(images, n_copies, seed, each_once=each_once, drawn_share=Fraction(1))
    return [(copy.source, copy.copy_number) for copy in copies]


@given(sizes_of_groups, st.integers(0, 120), st.integers(0, 99))
def test_copies_are_spread_over_groups_then_over_their_images(sizes: list[int], n_copies: int, seed: int) -> None:
    images = images_in(sizes)
    copies = copies_of(images, n_copies, seed)
    assert len(copies) == len(set(copies)) == n_copies
    per_group = Counter({f"g{index}": 0 for index in range(len(sizes))})
    per_group.update(str(image.group) for image, _ in copies)
    assert max(per_group.values()) - min(per_group.values()) <= 1
    per_image = Counter(dict.fromkeys(images, 0))
    per_image.update(image for image, _ in copies)
    for group in groups_of(images):
        used = [per_image[image] for image in group.images]
        assert max(used) - min(used) <= 1
    assert most_copies(images, n_copies, seed, each_once=False) == max(per_image.values())
    assert all(copy_number <= per_image[image] for image, copy_number in copies)


@given(sizes_of_groups, st.integers(0, 60), st.integers(0, 99))
def test_where_originals_are_replaced_every_one_is_drawn_before_any_group_gets_more(
    sizes: list[int], n_more: int, seed: int
) -> None:
    images = images_in(sizes)
    copies = copies_of(images, len(images) + n_more, seed, each_once=True)
    assert {image for image, _ in copies[: len(images)]} == set(images)
    assert len(copies) == len(set(copies)) == len(images) + n_more
    more = Counter({f"g{index}": 0 for index in range(len(sizes))})
    more.update(str(image.group) for image, _ in copies[len(images) :])
    assert max(more.values()) - min(more.values()) <= 1
    most = max(Counter(image for image, _ in copies).values())
    assert most_copies(images, len(images) + n_more, seed, each_once=True) == most


def test_an_image_that_stands_for_itself_is_no_member_of_a_group_of_its_name() -> None:
    alone = ImageFile("a/0.jpg", STAMP)
    others = [ImageFile(f"a/{number}.jpg", STAMP, "a/0.jpg") for number in (1, 2)]
    used = Counter(image.path for image, _ in copies_of([alone, *others], 6))
    assert used["a/0.jpg"] == 3


@given(sizes_of_groups, st.integers(0, 60), st.integers(0, 60))
def test_more_copies_only_add_to_fewer(sizes: list[int], fewer: int, more: int) -> None:
    images = images_in(sizes)
    assert set(copies_of(images, fewer)) <= set(copies_of(images, fewer + more))


def grouped(**sizes: Sequence[int]) -> Dataset:
    folders = [
        ClassFolder(name, tuple(replace(image, path=f"{name}/{image.path[2:]}") for image in images_in(of_groups)))
        for name, of_groups in sizes.items()
    ]
    return Dataset("root", tuple(folders))


def under(dataset: Dataset, strategy: str) -> Plan:
    parsed = parse_strategy([strategy], lambda _path: "", auto="not minority")
    return plan_undersample(dataset, UndersampleOptions(parsed, seed=0), {})


def test_what_a_plan_does_to_groups_is_counted() -> None:
    small, large = count_groups(under(grouped(a=[1, 1], b=[3, 3, 3]), "2"))
    assert (small.class_name, small.n_groups, small.n_whole, small.cut) == ("a", 2, 2, ())
    assert (large.class_name, large.n_groups, large.n_whole) == ("b", 3, 0)
    assert [(cut.n_kept, cut.n_images) for cut in large.cut] == [(2, 3)]
    whole = list(count_groups(under(grouped(a=[1, 2], b=[3, 3, 3]), "auto")))
    assert [(count.n_whole, count.cut) for count in whole] == [(2, ()), (1, ())]


def test_a_small_group_of_few_images_may_need_more_copies_than_an_even_share() -> None:
    parsed = parse_strategy(["a=20"], lambda _path: "")
    plan = plan_augment(grouped(a=[9, 1]), AugmentOptions(parsed, seed=0, recipe={"rotation_range": 7.0}), {})
    assert plan.most_copies == {"a": 5}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"p\d+", "p12"),
        (r"(p\d+)_", "p12"),
        (r"/(p\d+)_(\d)", "p12"),
        (r"^cat/", "cat/"),
        (r"q", None),
        (r"(q)?", None),
    ],
)
def test_a_pattern_finds_the_group_below_the_split(pattern: str, expected: str | None) -> None:
    grouping = Grouping(re.compile(pattern))
    assert grouping.group_of("cat/p12_3.png") == expected
    assert grouping.group_of("train/cat/p12_3.png", "train/") == expected


def test_groups_by_name_and_images_of_none() -> None:
    dataset = with_groups(grouped(a=[2]), Grouping(names={"a/0-0.jpg": "x", "a/0-1.jpg": ""}))
    assert [image.group for image in dataset.images()] == ["x", None]
