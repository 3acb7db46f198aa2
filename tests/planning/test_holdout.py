from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalance.dataset import Dataset, ImageFile
from rebalance.errors import TargetError
from rebalance.planning.holdout import hold_out
from tests.planning.test_augment import dataset_of


def in_groups(dataset: Dataset, groups: Mapping[str, str]) -> Dataset:
    folders = (
        replace(folder, images=tuple(replace(image, group=groups.get(image.path)) for image in folder.images))
        for folder in dataset.classes
    )
    return replace(dataset, classes=tuple(folders))


def held(dataset: Dataset) -> dict[str, int]:
    return {folder.name: len(folder.images) for folder in dataset.carried}


def paths(images: list[ImageFile]) -> set[str]:
    return {image.path for image in images}


def test_the_share_is_rounded_and_at_least_one_is_on_either_side() -> None:
    split = hold_out(dataset_of({"a": 100, "b": 13, "c": 2}), Fraction(1, 5), {}, seed=0)
    assert held(split) == {"a": 20, "b": 3, "c": 1}  # 2.6 and 0.4
    assert split.class_counts == {"a": 80, "b": 10, "c": 1}
    assert split.split == "train"
    assert {folder.split for folder in split.carried} == {"val"}
    most = hold_out(dataset_of({"a": 100, "b": 2}), Fraction(99, 100), {}, seed=0)
    assert held(most) == {"a": 99, "b": 1}


@given(st.lists(st.integers(2, 30), min_size=1, max_size=4), st.integers(1, 9), st.integers(0, 99))
def test_what_is_held_back_and_what_is_left_are_all_there_is(counts: list[int], tenths: int, seed: int) -> None:
    dataset = dataset_of({f"c{index}": count for index, count in enumerate(counts)})
    split = hold_out(dataset, Fraction(tenths, 10), {}, seed=seed)
    for before, train, val in zip(dataset.classes, split.classes, split.carried, strict=True):
        assert train.images
        assert val.images
        assert sorted([*train.images, *val.images], key=lambda image: image.path) == list(before.images)
        goal = min(max(1, int(len(before.images) * tenths / 10 + 0.5)), len(before.images) - 1)
        assert len(val.images) == goal


@given(st.integers(3, 40), st.integers(0, 99))
def test_more_held_back_hold_the_fewer_and_other_classes_change_nothing(n_images: int, seed: int) -> None:
    def in_val(share: Fraction, **others: int) -> set[str]:
        split = hold_out(dataset_of({"a": n_images, **others}), share, {}, seed=seed)
        return paths([image for folder in split.carried for image in folder.images if folder.name == "a"])

    assert in_val(Fraction(1, 5)) <= in_val(Fraction(2, 5))
    assert in_val(Fraction(1, 5), b=9) == in_val(Fraction(1, 5))


def test_another_seed_holds_back_others() -> None:
    dataset = dataset_of({"a": 100})
    zero, one = (hold_out(dataset, Fraction(1, 5), {}, seed=seed).carried[0].images for seed in (0, 1))
    assert zero != one


@given(
    st.dictionaries(
        st.sampled_from([f"{name}/{number:05d}.jpg" for name in "ab" for number in range(12)]),
        st.sampled_from(["x", "y", "z", "w"]),
    ),
    st.dictionaries(
        st.sampled_from([f"{name}/{number:05d}.jpg" for name in "ab" for number in range(12)]),
        st.sampled_from(["11", "22"]),
    ),
    st.integers(0, 9),
)
def test_groups_and_contents_stay_on_one_side(groups: dict[str, str], content: dict[str, str], seed: int) -> None:
    dataset = in_groups(dataset_of({"a": 20, "b": 20}), groups)
    split = hold_out(dataset, Fraction(1, 4), content, seed=seed)
    train = [image for folder in split.classes for image in folder.images]
    val = [image for folder in split.carried for image in folder.images]
    assert not {image.group for image in train} & {image.group for image in val} - {None}
    assert not {content.get(image.path) for image in train} & {content.get(image.path) for image in val} - {None}
    assert all(folder.images for folder in (*split.classes, *split.carried))


def test_what_belongs_together_by_way_of_others_stays_together() -> None:
    """0 and 1 are a group, 1 and 2 the same bytes, 2 and 3 a group."""
    names = [f"a/{number:05d}.jpg" for number in range(4)]
    dataset = in_groups(dataset_of({"a": 40}), {names[0]: "x", names[1]: "x", names[2]: "y", names[3]: "y"})
    for seed in range(20):
        split = hold_out(dataset, Fraction(1, 2), {names[1]: "11", names[2]: "11"}, seed=seed)
        val = paths(list(split.carried[0].images))
        assert len(val & set(names)) in (0, 4)
        assert len(val) == 20


def test_groups_over_several_classes_still_come_near_the_share() -> None:
    """Groups of 50, 17, 8 ... images in every class, and many of one: a goal of 30, 26 and 22 means 26 of each."""
    groups = {f"{name}/{number:05d}.jpg": f"g{100 // (number + 1)}" for name in "abc" for number in range(150)}
    dataset = in_groups(dataset_of({"a": 150, "b": 130, "c": 110}), groups)
    for seed in range(20):
        counts = held(hold_out(dataset, Fraction(1, 5), {}, seed=seed))
        assert all(24 <= count <= 27 for count in counts.values())


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        ({}, "class 'b' has 1 image, and --holdout needs one for each side"),
        ({"a": "x"}, "class 'a' has 5 images that belong together"),
    ],
)
def test_a_class_that_cannot_be_on_both_sides_is_named(groups: dict[str, str], told: str) -> None:
    counts = {"a": 5, "b": 5 if groups else 1}
    of_images = {f"a/{number:05d}.jpg": "x" for number in range(5)} if groups else {}
    with pytest.raises(TargetError, match=told):
        hold_out(in_groups(dataset_of(counts), of_images), Fraction(1, 5), {}, seed=0)


def test_two_classes_that_have_two_groups_in_common_are_on_both_sides() -> None:
    groups = {f"{name}/{number:05d}.jpg": f"g{number % 2}" for name in "ab" for number in range(6)}
    for seed in range(10):
        split = hold_out(in_groups(dataset_of({"a": 6, "b": 6}), groups), Fraction(1, 10), {}, seed=seed)
        assert held(split) == {"a": 3, "b": 3}


def test_every_image_counts_once() -> None:
    split = hold_out(dataset_of({"a": 30, "b": 4}), Fraction(3, 10), {}, seed=5)
    assert set(Counter(image.path for image in split.images()).values()) == {1}


@given(st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=6), min_size=1, max_size=4), st.integers(0, 9))
def test_it_is_refused_only_where_no_choice_of_groups_has_every_class_on_both_sides(
    groups: list[list[int]], seed: int
) -> None:
    counts = {f"c{index}": len(members) for index, members in enumerate(groups)}
    names = {f"c{index}/{n:05d}.jpg": str(g) for index, members in enumerate(groups) for n, g in enumerate(members)}
    choices = [{g for g in range(6) if bits >> g & 1} for bits in range(64)]
    can_be = any(all({g in held for g in members} == {True, False} for members in groups) for held in choices)
    try:
        split = hold_out(in_groups(dataset_of(counts), names), Fraction(1, 5), {}, seed=seed)
    except TargetError:
        assert not can_be
    else:
        assert all(folder.images for folder in (*split.classes, *split.carried))
