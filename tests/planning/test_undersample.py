from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalance.errors import TargetError, UsageError
from rebalance.plan import Drop, Keep, Plan, Unusable
from rebalance.planning.selection import Selection
from rebalance.planning.targets import parse_strategy, under_sampling_targets
from rebalance.planning.undersample import UndersampleOptions, plan_undersample
from tests.planning.test_augment import dataset_of

COUNTS = {"a": 100, "b": 50, "c": 7, "d": 7}


def targets(*texts: str, counts: Mapping[str, int] = COUNTS) -> list[int]:
    strategy = parse_strategy(texts, lambda _path: "", auto="not minority")
    return list(under_sampling_targets(strategy, counts).values())


def plan_of(
    counts: Mapping[str, int],
    strategy: str = "auto",
    unusable: Mapping[str, Unusable] | None = None,
    **settings: object,
) -> Plan:
    parsed = parse_strategy([strategy], lambda _path: "", auto="not minority")
    options = UndersampleOptions(strategy=parsed, **{"seed": 0, **settings})  # type: ignore[arg-type]
    return plan_undersample(dataset_of(counts), options, unusable or {})


def kept(plan: Plan, class_name: str) -> list[str]:
    return [made.output for made in plan.operations(class_name) if isinstance(made, Keep)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("auto", [7, 7, 7, 7]), ("all", [7, 7, 7, 7]), ("not minority", [7, 7, 7, 7]), ("majority", [7, 50, 7, 7]),
        ("not majority", [100, 7, 7, 7]), ("sqrt", [26, 18, 7, 7]),  # sqrt(700) = 26.5, sqrt(350) = 18.7
        ("median", [28, 28, 7, 7]),  # (7 + 50) / 2 = 28.5
        ("mean", [41, 41, 7, 7]),  # 164 / 4
        ("1.0", [7, 7, 7, 7]), ("0.5", [14, 14, 7, 7]), ("0.3", [23, 23, 7, 7]), ("0.07", [100, 50, 7, 7]),
        ("43", [43, 43, 7, 7]), ("1000", [100, 50, 7, 7]), ("a=60", [60, 50, 7, 7]),
    ],
)  # fmt: skip
def test_a_strategy_says_how_many_files_stay_of_each_class(text: str, expected: list[int]) -> None:
    assert targets(text) == expected


def test_a_share_is_rounded_down_in_exact_arithmetic_and_never_below_one() -> None:
    assert targets("0.29", counts={"a": 400, "b": 29}) == [100, 29]
    assert targets("0.7", counts={"a": 9, "b": 1}) == [1, 1]


@pytest.mark.parametrize(("text", "error"), [("a=0", "never vanishes"), ("c=8", "undersample never adds")])
def test_an_exact_count_on_the_wrong_side_names_the_class(text: str, error: str) -> None:
    with pytest.raises(TargetError, match=f"class '{text[0]}'.*{error}"):
        targets(text)


def test_minority_has_no_meaning_here() -> None:
    with pytest.raises(UsageError, match="is for augment"):
        targets("minority")


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 60), min_size=1), st.integers(1, 70), st.integers(0, 99)
)
def test_the_plan_keeps_what_it_says_and_names_the_rest(counts: dict[str, int], most: int, seed: int) -> None:
    plan = plan_of(counts, f"{most}" if most > 1 else "majority", seed=seed)
    for target in plan.targets:
        operations = list(plan.operations(target.class_name))
        stay = kept(plan, target.class_name)
        dropped = [made.source.path for made in operations if isinstance(made, Drop)]
        assert len(stay) == target.n_target >= 1
        assert sorted(stay + dropped) == [f"{target.class_name}/{n:05d}.jpg" for n in range(counts[target.class_name])]
        assert stay == sorted(stay)


@given(st.integers(2, 50), st.integers(1, 49), st.integers(0, 99))
def test_fewer_are_a_subset_of_more_and_other_images_change_nothing(n_images: int, n_kept: int, seed: int) -> None:
    fewer = set(kept(plan_of({"a": n_images}, f"a={min(n_kept, n_images - 1)}", seed=seed), "a"))
    more = set(kept(plan_of({"a": n_images}, f"a={min(n_kept, n_images - 1) + 1}", seed=seed), "a"))
    assert fewer < more
    with_others = set(kept(plan_of({"a": n_images + 5}, f"a={len(more)}", seed=seed), "a"))
    added = {f"a/{number:05d}.jpg" for number in range(n_images, n_images + 5)}
    assert with_others - added <= more


@pytest.mark.parametrize("order", ["key", "name"])
def test_windows_are_disjoint_until_the_class_is_used_up(order: str) -> None:
    windows = [
        set(kept(plan_of({"a": 169}, "a=50", selection=Selection("window", index, order)), "a")) for index in range(4)
    ]
    assert [len(window) for window in windows] == [50, 50, 50, 50]
    assert len(windows[0] | windows[1] | windows[2]) == 150
    assert len(windows[3] & windows[0]) == 31  # 19 were left
    if order == "name":
        assert windows[1] == {f"a/{number:05d}.jpg" for number in range(50, 100)}


def test_what_is_dropped_says_why() -> None:
    reasons = {made.reason for made in plan_of({"a": 9, "b": 2}).operations("a") if isinstance(made, Drop)}
    assert reasons == {"left out by undersample (random)"}
    by_window = plan_of({"a": 9, "b": 2}, selection=Selection("window", 2, "name"))
    assert {made.reason for made in by_window.operations("a") if isinstance(made, Drop)} == {
        "left out by undersample (window 2 by name)"
    }


def test_an_unusable_image_is_as_if_it_had_never_been_there() -> None:
    unusable = {"b/00000.jpg": Unusable("broken", is_kept=False)}
    plan = plan_of({"a": 9, "b": 4}, unusable=unusable)
    assert [target.n_target for target in plan.targets] == [3, 3]
    dropped = [made for made in plan.operations("b") if isinstance(made, Drop)]
    assert [(made.source.path, made.reason, made.is_bad) for made in dropped] == [("b/00000.jpg", "broken", True)]
    carried = plan_of({"a": 9, "b": 4}, unusable={"b/00000.jpg": Unusable("broken", is_kept=True)})
    assert [target.n_target for target in carried.targets] == [4, 4]


def test_a_class_whose_images_are_all_unusable_is_named() -> None:
    with pytest.raises(TargetError, match="class 'b' has no images"):
        plan_of({"a": 9, "b": 1}, unusable={"b/00000.jpg": Unusable("broken", is_kept=False)})
