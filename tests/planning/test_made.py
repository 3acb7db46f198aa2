"""What is made of a class comes out lazily, in the order and with the names that sorting all of it would give."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rebalance.dataset import ClassFolder, Dataset, ImageFile, Stamp, to_bytes
from rebalance.labels import LabelForm, labels_of
from rebalance.plan import Augment, Duplicate, Keep, Made, Plan, Rendering, Unusable
from rebalance.planning.augment import AugmentOptions, plan_augment
from rebalance.planning.carrying import with_carried
from rebalance.planning.copies import copies_of_each, count_copies, most_copies, spread_copies
from rebalance.planning.labeled import LabelOptions, plan_labeled_augment, plan_labeled_undersample
from rebalance.planning.listing import as_list
from rebalance.planning.naming import Place, common_start, generated_path, original_path
from rebalance.planning.selection import Selection
from rebalance.planning.smote import Showing, SmoteOptions, plan_smote
from rebalance.planning.synthesis import Asked
from rebalance.planning.targets import SamplingStrategy
from rebalance.planning.undersample import UndersampleOptions, plan_undersample
from rebalance.vectors import Vectors

RECIPE = {"rotation_range": 7.0}
STAMP = Stamp(1, 2, 3, 4)
NAMES = st.text("aZ_1.-é", min_size=1, max_size=4) | st.builds("a{}".format, st.integers(0, 30))
LONG = st.builds(lambda start, n: start + "é" * n, st.sampled_from(["", "a", "ab"]), st.integers(60, 120))
BELOW = st.builds("q{}{}".format, st.sampled_from(["", "/"]), st.integers(0, 12))
STEMS = st.lists(NAMES | LONG | BELOW, min_size=1, max_size=25, unique=True)


def class_of(name: str, stems: Sequence[str], groups: Sequence[str | None] = (None,)) -> ClassFolder:
    images = [
        ImageFile(f"{name}/{stem}.jpg", STAMP, groups[index % len(groups)]) for index, stem in enumerate(sorted(stems))
    ]
    return ClassFolder(name, tuple(sorted(images, key=lambda image: to_bytes(image.path))))


def check(plan: Plan) -> None:
    """Compare both orders of every directory with what sorting would make of them."""
    for target in plan.all_targets:
        made = list(plan.made(target))
        outputs = [to_bytes(operation.output) for operation in made]
        assert outputs == sorted(outputs)
        assert len(set(outputs)) == len(outputs) == target.n_target
        by_source = list(plan.made_by_source(target.directory))
        assert by_source == sorted(made, key=lambda operation: to_bytes(operation.source.path))


@given(
    stems=STEMS,
    n_added=st.integers(0, 90),
    seed=st.integers(0, 99),
    groups=st.sampled_from([(None,), ("g", None, "h", "h")]),
    originals=st.sampled_from(["keep", "reencode", "transform"]),
    identity=st.sampled_from([Fraction(0), Fraction(1, 3), Fraction(1)]),
    n_bad=st.integers(0, 3),
)
def test_augment(
    *,
    stems: list[str],
    n_added: int,
    seed: int,
    groups: Sequence[str | None],
    originals: str,
    identity: Fraction,
    n_bad: int,
) -> None:
    folder = class_of("a", stems, groups)
    bad = {image.path: Unusable("odd", is_kept=True) for image in folder.images[1:][:n_bad]}
    options = AugmentOptions(
        SamplingStrategy(exact={"a": len(stems) + n_added}),
        seed,
        RECIPE,
        identity_share=identity,
        rendering=Rendering(originals=originals),
        max_copies=1000,
    )
    plan = plan_augment(Dataset("root", (folder,)), options, bad)
    check(plan)
    expected = naive_augment(folder, options, bad, plan.targets[0].n_target)
    assert list(plan.made(plan.targets[0])) == expected
    check(with_carried(plan, Dataset("root", (folder,), carried=(ClassFolder("b", folder.images, "val"),)), {}))


def naive_augment(
    folder: ClassFolder, options: AugmentOptions, unusable: Mapping[str, Unusable], n_target: int
) -> list[Made]:
    """Return originals and copies, all of them sorted."""
    is_transforming = options.is_transforming
    sources = [image for image in folder.images if image.path not in unusable]
    made: list[Made] = [
        Keep(image, original_path(Place.of(image.path, "a"), None if image.path in unusable else options.made_format))
        for image in folder.images
        if image.path in unusable or not is_transforming
    ]
    copies = spread_copies(
        sources, n_target - len(made), options.seed, each_once=is_transforming, drawn_share=options.drawn_share_of("a")
    )
    for kind, image, number in copies:
        path = generated_path(Place.in_folder(folder, image), kind.kind, options.seed, number, "same")
        made.append(kind(image, path, number))
    return sorted(made, key=lambda operation: to_bytes(operation.output))


@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=9),
    is_grouped=st.booleans(),
    n_copies=st.integers(0, 90),
    seed=st.integers(0, 99),
    each_once=st.booleans(),
    share=st.sampled_from([Fraction(0), Fraction(2, 7), Fraction(1)]),
)
def test_copies_of_each_are_those_that_are_spread(
    *, sizes: list[int], is_grouped: bool, n_copies: int, seed: int, each_once: bool, share: Fraction
) -> None:
    images = [
        ImageFile(f"a/{group}-{number}.jpg", STAMP, f"g{group}" if is_grouped else None)
        for group, size in enumerate(sizes)
        for number in range(size)
    ]
    n_copies += len(images) if each_once else 0  # no fewer are ever asked for
    spread = list(spread_copies(images, n_copies, seed, each_once=each_once, drawn_share=share))
    numbers = Counter(copy.source for copy in spread)
    assert list(count_copies(images, n_copies, seed, each_once=each_once)) == [numbers[image] for image in images]
    assert most_copies(images, n_copies, seed, each_once=each_once) == max(numbers.values(), default=0)
    each = copies_of_each(images, n_copies, seed, each_once=each_once, drawn_share=share)
    kinds = {(copy.source, copy.copy_number): copy.kind for copy in spread}
    assert kinds == {
        (image, number): Augment if is_drawn else Duplicate
        for image, of_one in zip(images, each, strict=True)
        for number, is_drawn in enumerate(of_one, start=1)
    }


@given(
    st.builds(str.__mul__, st.text("aé.\udc80\udca9", max_size=9), st.integers(1, 60)),
    st.sampled_from([".jpg", ".tiff", "", ".x" + "y" * 60]),
)
def test_what_is_made_of_a_source_begins_with_what_all_of_it_does(stem: str, suffix: str) -> None:
    place = Place.of(f"a/{stem}{suffix}", "a")
    start = common_start(place)
    assert original_path(place, None).startswith(start)
    assert original_path(place, "png").startswith(start)
    for kind in ("augmented", "duplicate", "synthetic"):
        assert generated_path(place, kind, 0, 10**9, "same").startswith(start)
        assert generated_path(place, kind, 0, 1, None).startswith(start)


@given(STEMS, st.integers(1, 25))
def test_undersample(stems: list[str], n_kept: int) -> None:
    dataset = Dataset("root", (class_of("a", stems), class_of("b", stems[:1])))
    strategy = SamplingStrategy(exact={"a": min(n_kept, len(stems))})
    check(plan_undersample(dataset, UndersampleOptions(strategy, 3, Selection()), {}))


@given(STEMS, st.integers(2, 9))
def test_smote(stems: list[str], n_few: int) -> None:
    few = [f"s{number}" for number in range(n_few)]
    dataset = Dataset("root", (class_of("a", stems), class_of("b", few), class_of("c", ["alone"])))
    paths = tuple(image.path for image in dataset.images())
    rows = (np.arange(1, 3 * len(paths) + 1) * 7919 % 101).reshape(-1, 3).astype(np.float32)
    strategy = SamplingStrategy(exact={"b": n_few + 30, "c": 12})
    options = SmoteOptions(strategy, Asked(), Vectors(paths, rows), showing=Showing("blend", 0), recipe=RECIPE)
    check(plan_smote(dataset, options, {}))


@given(STEMS, st.lists(st.sets(st.integers(0, 2)), min_size=1, max_size=5), st.sampled_from(["lp", "repeat-factor"]))
def test_images_with_several_labels(stems: list[str], sets: list[set[int]], method: str) -> None:
    folder = class_of("a", stems)
    found = {image.path: tuple(sorted(sets[index % len(sets)])) for index, image in enumerate(folder.images)}
    found[folder.images[0].path] = (0,)
    asked = LabelOptions(labels_of(("x", "y", "z"), found), LabelForm("path"), {}, method)
    dataset = Dataset("root", (folder,))
    options = AugmentOptions(SamplingStrategy(word="all"), 0, RECIPE, max_copies=1000)
    check(plan_labeled_augment(dataset, options, asked, {}))
    under = UndersampleOptions(SamplingStrategy(word="all"), 0)
    check(plan_labeled_undersample(dataset, under, replace(asked, method="lp"), {}))


def test_a_list_puts_no_file_into_output() -> None:
    options = AugmentOptions(SamplingStrategy(exact={"a": 9}), 0, RECIPE)
    plan = as_list(plan_augment(Dataset("root", (class_of("a", "bc"),)), options, {}))
    assert list(plan.made_by_source("a")) == []
