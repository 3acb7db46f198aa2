from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rebalance.planning.estimates import Families, families_of
from rebalance.planning.shortcuts import Header, Leak, Sides, find_header, find_leak
from tests.planning.test_tell import lots

N_FAMILIES = 60


def two_sides(n_copies: int = 2) -> tuple[Families, NDArray[np.bool_]]:
    """Return three classes of families; of OUTPUT each file and its copies, then the originals once more."""
    names = [(str(number), number % 3) for number in range(N_FAMILIES)]
    output = [name for name in names for _ in range(1 + n_copies)]
    return families_of([*output, *names]), np.arange(len(output) + len(names)) < len(output)


def headers(families: Families, is_output: NDArray[np.bool_], *, planted: Any) -> Header:
    """Return what is found where one field of class 2 in OUTPUT says something else."""
    sizes = np.random.PCG64(3).random_raw(N_FAMILIES)[families.members] % np.uint64(50)
    fields = [
        {"format": "JPEG", "width": 400 + int(size), "tables": planted if is_out and label == 2 else 1000}
        for size, label, is_out in zip(sizes, families.classes.tolist(), is_output.tolist(), strict=True)
    ]
    found = find_header(fields, families, is_output, seed=0)
    assert found is not None
    return found


def test_headers_that_say_nothing_of_the_class_are_at_chance() -> None:
    found = headers(*two_sides(), planted=1000)
    assert found.output.chance == pytest.approx(1 / 3)
    assert not found.output.is_found()
    assert found.rise is not None
    assert not found.rise.is_found()


def test_a_field_that_gives_a_class_of_output_away_is_found_and_named() -> None:
    found = headers(*two_sides(), planted=2000)
    assert found.rise is not None
    assert found.source is not None
    assert found.rise.is_found(5)
    assert found.rise.low > 0.15
    assert found.field == "tables"
    assert found.by_field["tables"][0] == pytest.approx(2 / 3)
    assert found.by_field["tables"][1] == pytest.approx(1 / 3)
    assert list(found.by_field["format"]) == pytest.approx([1 / 3, 1 / 3])


def test_a_field_of_names_is_told_by_its_names() -> None:
    families, is_output = two_sides()
    fields = [
        {"mode": "LRP"[label] if is_out else "L"} for label, is_out in zip(families.classes, is_output, strict=True)
    ]
    found = find_header(fields, families, is_output, seed=0)
    assert found is not None
    assert found.output.value == 1
    assert found.rise is not None
    assert found.rise.value == pytest.approx(2 / 3)


def test_copies_alone_do_not_make_headers_tell_more() -> None:
    """What is the same in both sides has the same accuracy in both, however many copies there are."""
    families, is_output = two_sides(n_copies=6)
    sizes = lots(5, N_FAMILIES, 4)[families.members] + 0.4 * families.classes[:, None]
    fields = [{f"size{column}": float(value) for column, value in enumerate(row)} for row in sizes]
    found = find_header(fields, families, is_output, seed=0)
    assert found is not None
    assert found.rise is not None
    assert found.output.is_found()
    assert found.rise.value == 0


def test_without_originals_only_output_is_told() -> None:
    families = families_of([(str(number), number % 2) for number in range(40)])
    fields = [{"width": 400 + label} for label in families.classes.tolist()]
    found = find_header(fields, families, np.ones(40, bool), seed=0)
    assert found is not None
    assert found.output.value == 1
    assert found.source is None
    assert found.rise is None
    assert found.field == "width"


def test_classes_of_one_family_are_left_out_and_one_class_alone_says_nothing() -> None:
    families = families_of([*((str(number), 0) for number in range(10)), ("alone", 1), ("alone", 1)])
    assert find_header([{"width": 1}] * 12, families, np.ones(12, bool), seed=0) is None


def leak(*, is_alike: bool, minority: tuple[int, ...] = (2,), looks_traced: float = 0) -> Leak:
    """Return what is found where generated files have a trace, in class 2 alone or in all alike.

    Class 2 may look a little as if it had that trace by nature.
    """
    families, is_output = two_sides(n_copies=1)
    content = lots(7, N_FAMILIES, 4)[families.members] + 0.5 * families.classes[:, None]
    content[families.classes == 2, 0] += looks_traced
    features = content + lots(8, len(is_output), 4) / 4
    is_copy = is_output & (np.arange(len(is_output)) % 2 == 1)
    has_trace = is_copy & (is_alike | np.isin(families.classes, 2))
    kept = ~is_output | has_trace | ~is_copy
    features[has_trace, 0] += 6
    n_originals = int((~is_output).sum())
    twins, drawn = (features[~is_output] + lots(9 + number, n_originals, 4) / 4 for number in range(2))
    for made in (twins, drawn):
        made[:, 0] += 6
    kinds = np.repeat(["output", "original", "drawn", "twin"], [is_output[kept].sum(), *[n_originals] * 3])
    sides = Sides(*(kinds == kind for kind in ("output", "original", "original", "drawn", "twin")))
    share = float(has_trace.sum() / is_output[kept].sum())
    families = families.picked(kept).repeated((~is_output)[kept], 2)
    found = find_leak(np.concatenate([features[kept], drawn, twins]), families, sides, minority, share, seed=0)
    assert found is not None
    return found


def test_a_trace_of_the_minority_moves_originals_of_the_majority_to_it() -> None:
    found = leak(is_alike=False)
    assert found.moved is not None
    assert found.moved.is_found(5)
    assert found.moved.value > 0.5
    before, after = found.calls["OUTPUT"]
    assert before < 0.2
    assert after > 0.8


def test_a_trace_that_all_classes_have_alike_moves_nothing() -> None:
    found = leak(is_alike=True)
    assert found.moved is not None
    assert not found.moved.is_found()
    assert abs(found.moved.value) < 0.1


def test_what_a_trace_says_of_the_picture_itself_is_no_leak() -> None:
    found = leak(is_alike=True, looks_traced=6)
    before, after = found.calls["OUTPUT"]
    assert after > before + 0.15
    assert found.moved is not None
    assert not found.moved.is_found()
    assert abs(found.moved.value) < 0.1


def test_what_was_learned_of_originals_and_of_output_is_tried_on_held_out_originals() -> None:
    found = leak(is_alike=False)
    assert found.on_originals.chance == pytest.approx(1 / 3)
    assert found.on_originals.is_found()
    assert found.drop.value == pytest.approx(found.on_originals.value - found.on_output.value)


def test_without_a_minority_nothing_can_be_moved() -> None:
    found = leak(is_alike=True, minority=())
    assert found.calls == {}
    assert found.moved is None


def test_one_class_says_nothing() -> None:
    families = families_of([(str(number // 2), 0) for number in range(20)])
    which = np.arange(20) % 2 == 0
    sides = Sides(which, ~which, *[np.zeros(20, bool)] * 3)
    assert find_leak(lots(1, 20, 2), families, sides, (), 0.5, seed=0) is None
