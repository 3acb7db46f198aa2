from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalance.dataset import ClassFolder, Dataset, ImageFile, Stamp
from rebalance.drawing import draw_key
from rebalance.errors import TargetError
from rebalance.plan import Augment, Drop, Duplicate, Keep, Operation, Plan, Repeat, Row, Unusable
from rebalance.planning.augment import AugmentOptions, plan_augment
from rebalance.planning.selection import Selection
from rebalance.planning.targets import parse_strategy

RECIPE = {"rotation_range": 7.0, "fill_mode": "reflect", "interpolation": "bicubic"}


def dataset_of(counts: Mapping[str, int]) -> Dataset:
    folders = [
        ClassFolder(name, tuple(ImageFile(f"{name}/{number:05d}.jpg", Stamp(1, 2, 3, 4)) for number in range(count)))
        for name, count in sorted(counts.items())
    ]
    return Dataset("root", tuple(folders))


def plan_of(
    counts: Mapping[str, int], *strategy: str, unusable: Mapping[str, Unusable] | None = None, **settings: object
) -> Plan:
    options = {"seed": 0, "recipe": RECIPE, **settings}
    parsed = parse_strategy(strategy or ("auto",), lambda _path: "")
    return plan_augment(dataset_of(counts), AugmentOptions(strategy=parsed, **options), unusable or {})  # type: ignore[arg-type]


def operations(plan: Plan, kind: type[Operation] | None = None) -> list[Operation]:
    every = [operation for target in plan.targets for operation in plan.operations(target.class_name)]
    return [operation for operation in every if kind is None or isinstance(operation, kind)]


def copies_per_source(plan: Plan, class_name: str) -> Counter[str]:
    made = plan.operations(class_name)
    return Counter(operation.source.path for operation in made if isinstance(operation, Augment))


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 60), min_size=1),
    st.sampled_from(["auto", "minority", "sqrt", "median", "0.5", "70"]),
    st.integers(0, 2**64 - 1),
)
def test_the_plan_holds_exactly_what_it_says(counts: dict[str, int], strategy: str, seed: int) -> None:
    plan = plan_of(counts, strategy, seed=seed)
    for target in plan.targets:
        made = [made for made in plan.operations(target.class_name) if not isinstance(made, Drop | Repeat | Row)]
        assert len(made) == target.n_target
        assert len({operation.output for operation in made}) == target.n_target
        assert [operation.output for operation in made] == sorted(operation.output for operation in made)
        assert all(operation.output.startswith(f"{target.class_name}/") for operation in made)


@given(st.integers(1, 40), st.integers(1, 300), st.integers(0, 2**64 - 1))
def test_sources_are_used_evenly_and_a_larger_target_only_adds(n_images: int, n_added: int, seed: int) -> None:
    smaller = plan_of({"a": n_images}, str(n_images + n_added + 1), seed=seed, max_copies=1000)
    larger = plan_of({"a": n_images}, str(n_images + n_added + 4), seed=seed, max_copies=1000)
    for plan in (smaller, larger):
        used = copies_per_source(plan, "a")
        numbers = [used[image.path] for image in dataset_of({"a": n_images}).images()]
        assert max(numbers) - min(numbers) <= 1
    assert set(operations(smaller)) <= set(operations(larger))


def test_the_extra_copies_go_to_the_sources_with_the_smallest_keys() -> None:
    plan = plan_of({"a": 10}, "25", seed=3)
    by_key = sorted((draw_key(3, image.path, 2), image.path) for image in dataset_of({"a": 10}).images())
    used = copies_per_source(plan, "a")
    assert [used[path] for _, path in by_key] == [2] * 5 + [1] * 5


def test_the_name_of_a_copy_is_what_it_has_always_been() -> None:
    plan = plan_of({"a": 3, "b": 1})
    assert [made.output for made in operations(plan, Augment) if isinstance(made, Augment)] == [
        "b/00000_aug1-a6ea70046c54.jpg",
        "b/00000_aug2-f0a6d3349474.jpg",
    ]


def test_other_classes_and_other_images_change_no_name() -> None:
    few, many = plan_of({"a": 10, "b": 3}, "b=40"), plan_of({"a": 12, "b": 5, "c": 40}, "b=68")
    names = {(made.source.path, made.copy_number): made.output for made in operations(many, Augment)}  # type: ignore[union-attr]
    for made in operations(few, Augment):
        assert isinstance(made, Augment)
        assert names[made.source.path, made.copy_number] == made.output


def test_without_a_recipe_copies_are_byte_for_byte() -> None:
    plan = plan_of({"a": 4, "b": 1}, recipe={})
    assert not operations(plan, Augment)
    assert len(operations(plan, Duplicate)) == 3


def test_a_cap_keeps_the_smallest_keys_and_says_what_it_leaves_out() -> None:
    plan = plan_of({"a": 50, "b": 10}, "auto", cap=20)
    assert [(target.n_current, target.n_target) for target in plan.targets] == [(20, 20), (10, 20)]
    kept_of_20 = {made.source.path for made in plan.operations("a") if isinstance(made, Keep)}
    dropped = [made for made in plan.operations("a") if isinstance(made, Drop)]
    assert len(dropped) == 30
    assert dropped[0].reason == "left out by --cap 20 (random)"
    kept_of_30 = {
        made.source.path for made in plan_of({"a": 50, "b": 10}, cap=30).operations("a") if isinstance(made, Keep)
    }
    assert kept_of_20 < kept_of_30


def test_windows_are_disjoint_until_the_class_is_used_up() -> None:
    windows = [
        {
            made.source.path
            for made in plan_of({"a": 50}, cap=20, selection=Selection("window", window)).operations("a")
            if isinstance(made, Keep)
        }
        for window in range(3)
    ]
    assert [len(window) for window in windows] == [20, 20, 20]
    assert not windows[0] & windows[1]
    assert len(windows[0] & windows[2]) == 10
    assert len(windows[0] | windows[1] | windows[2]) == 50


def test_copies_are_made_of_what_the_cap_keeps() -> None:
    plan = plan_of({"a": 50}, "100", cap=20)
    kept = {made.source.path for made in plan.operations("a") if isinstance(made, Keep)}
    assert set(copies_per_source(plan, "a")) == kept


def test_too_many_copies_are_refused_with_the_ways_out() -> None:
    with pytest.raises(TargetError, match="class 'b' would need 999 copies of each of its 5 usable images") as refused:
        plan_of({"a": 5000, "b": 5})
    for way_out in ("-s sqrt", "-s 0.1", "--cap", "rebalance inspect", "--max-copies 999"):
        assert way_out in str(refused.value)
    assert plan_of({"a": 5000, "b": 5}, max_copies=999).n_outputs == 10_000
    with pytest.raises(TargetError, match="would need 4 copies"):
        plan_of({"a": 10, "b": 2}, max_copies=3)


def test_one_hundred_copies_are_allowed_and_one_more_is_not() -> None:
    assert plan_of({"a": 101, "b": 1}).most_copies["b"] == 100
    with pytest.raises(TargetError, match="101 copies"):
        plan_of({"a": 102, "b": 1})


def test_a_bad_source_is_made_up_for_and_every_other_copy_keeps_its_name() -> None:
    bad = {"b/00001.jpg": Unusable("broken", is_kept=False, sha256="12")}
    before, after = plan_of({"a": 30, "b": 4}), plan_of({"a": 30, "b": 4}, unusable=bad)
    assert [target.n_current for target in after.targets] == [30, 3]
    assert [target.n_target for target in after.targets] == [30, 30]
    made_before = {made for made in operations(before, Augment) if made.source.path not in bad}
    assert made_before <= set(operations(after, Augment))
    assert next(made for made in operations(after, Drop) if isinstance(made, Drop)).reason == "broken"


def test_a_bad_image_of_the_largest_class_is_made_up_for() -> None:
    plan = plan_of({"a": 30, "b": 4}, unusable={"a/00001.jpg": Unusable("broken", is_kept=False)})
    assert Counter(type(made).__name__ for made in plan.operations("a")) == {"Keep": 29, "Augment": 1, "Drop": 1}


def test_a_bad_image_that_is_carried_stays_and_is_no_source() -> None:
    plan = plan_of({"a": 30, "b": 4}, unusable={"b/00001.jpg": Unusable("broken", is_kept=True)})
    assert "b/00001.jpg" in {made.source.path for made in plan.operations("b") if isinstance(made, Keep)}
    assert "b/00001.jpg" not in copies_per_source(plan, "b")
    assert plan.targets[1].n_target == 30


def test_a_class_without_any_usable_image_is_refused_by_name() -> None:
    bad = {f"b/{number:05d}.jpg": Unusable("broken", is_kept=True) for number in range(2)}
    with pytest.raises(TargetError, match="class 'b' has no image left"):
        plan_of({"a": 5, "b": 2}, unusable=bad)


def test_an_original_with_a_generated_name_is_refused() -> None:
    taken = operations(plan_of({"a": 3, "b": 1}), Augment)[0]
    assert isinstance(taken, Augment)
    folders = (
        ClassFolder("a", dataset_of({"a": 4}).classes[0].images),
        ClassFolder("b", (ImageFile("b/00000.jpg", Stamp(1, 2, 3, 4)), ImageFile(taken.output, Stamp(1, 2, 3, 4)))),
    )
    options = AugmentOptions(strategy=parse_strategy(["auto"], lambda _path: ""), seed=0, recipe=RECIPE)
    with pytest.raises(TargetError, match="looks like an output of rebalance"):
        plan_augment(Dataset("root", folders), options, {})
