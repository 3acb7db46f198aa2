import re
from pathlib import Path

import pytest

from rebalance.cli.closing import _ratio, told_number, told_seconds
from tests.conftest import MakeTree, Run


def closing(err: str) -> list[str]:
    """Return what a command says once OUTPUT stands, without numbers that depend on the clock."""
    lines = [line.removeprefix("rebalance: ") for line in err.splitlines()]
    lines = [re.sub(r"^took [\d.]+ s(, [\d.]+ images a second)?$", r"took S\1", line) for line in lines]
    lines = [re.sub(r", [\d.]+ images a second$", ", N images a second", line) for line in lines]
    return [line for line in lines if not re.match(r"seed |note: |warning: |left out: |kept, but", line)]


def test_a_tree_is_told_with_what_it_was_made_of(run: Run, source: Path, output: Path) -> None:
    assert closing(run("augment", source, "-o", output).err) == [
        f"{output}: 21 images of 3 classes; imbalance ratio 3.50 -> 1.00",
        "8 generated from 5 sources, at most 3 copies of one",
        "took S, N images a second",
        f"{output} holds copies: train on it as it is, and do not split it again",
    ]


def test_what_is_left_out_is_told(run: Run, source: Path, output: Path) -> None:
    assert closing(run("undersample", source, "-o", output).err) == [
        f"{output}: 6 images of 3 classes; imbalance ratio 3.50 -> 1.00",
        "left out 7 of 13 images",
        "took S, N images a second",
    ]


def test_what_is_bad_or_reused_is_told_and_five_lines_are_the_most(run: Run, source: Path, output: Path) -> None:
    (source / "dog" / "000.png").write_bytes(b"no image")
    assert run("augment", source, "-o", output).code == 4
    lines = closing(run("augment", source, "-o", output, "--bad-images", "skip").err)
    assert lines[0] == f"{output}: 21 images of 3 classes; imbalance ratio 3.50 -> 1.00"
    assert lines[1:] == [
        "9 generated from 4 sources, at most 6 copies of one",
        "left out 1 of 13 images; 1 bad, named above; reused 17 of 21",
        "took S, N images a second",
        f"{output} holds copies: train on it as it is, and do not split it again",
    ]


def test_a_tree_that_stands_took_no_time(run: Run, source: Path, output: Path) -> None:
    run("augment", source, "-o", output)
    assert closing(run("augment", source, "-o", output).err) == [
        f"{output}: up to date, nothing to do",
        f"{output}: 21 images of 3 classes; imbalance ratio 3.50 -> 1.00",
        "8 generated from 5 sources, at most 3 copies of one",
        f"{output} holds copies: train on it as it is, and do not split it again",
    ]


def test_quiet_says_nothing(run: Run, source: Path, output: Path) -> None:
    assert run("augment", source, "-o", output, "-q").err == ""


def test_time_is_nowhere_in_output(run: Run, source: Path, output: Path) -> None:
    ran = run("augment", source, "-o", output, "--format", "json")
    assert "took" in ran.err
    assert "took" not in ran.out + (output / "rebalance.jsonl").read_text()
    assert not {"seconds", "took", "n_seconds"} & set(ran.document)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("augment", "--write", "list"), "a list for 21 images of 3 classes; imbalance ratio 3.50 -> 1.00"),
        (("smote", "--write", "vectors"), "21 vectors of 3 classes; imbalance ratio 3.50 -> 1.00"),
        (("smote", "--write", "both"), "21 images and their vectors of 3 classes; imbalance ratio 3.50 -> 1.00"),
    ],
)
def test_what_output_is_is_told(run: Run, source: Path, output: Path, options: tuple[str, ...], told: str) -> None:
    command, *others = options
    lines = closing(run(command, source, "-o", output, *others).err)
    assert f"{output}: {told}" in lines
    is_list = "list" in options
    assert sum("8 repetitions of 5 sources" in line for line in lines) == is_list
    assert any(line.startswith("took ") and ("a second" in line) == ("both" in options) for line in lines)


def test_of_splits_both_parts_are_told(run: Run, make_tree: MakeTree, output: Path) -> None:
    tree = make_tree({"cat": 10, "dog": 20})
    lines = closing(run("undersample", tree, "-o", output, "--holdout", "0.2").err)
    assert lines[:2] == [
        f"{output}: 16 images of 2 classes in train, 6 beside it; imbalance ratio 2.00 -> 1.00",
        "left out 8 of 24 images of train",
    ]


def test_of_labels_the_ratio_is_of_labels(run: Run, make_tree: MakeTree, output: Path, tmp_path: Path) -> None:
    tree = make_tree({"all": 4})
    rows = [f"all/{number:03d}.png,1,{int(number == 0)},0" for number in range(4)]
    (tmp_path / "labels.csv").write_text("\n".join(["path,cat,dog,owl", *rows]) + "\n")
    lines = closing(run("augment", tree, "--labels", tmp_path / "labels.csv", "-o", output, "-s", "3").err)
    assert re.fullmatch(rf"{output}: 6 images of 3 labels; imbalance ratio 4.00 -> 2.00", lines[0]), lines


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.04, "0.0 s"), (59.94, "59.9 s"), (60, "1 min 00 s"), (125.4, "2 min 05 s"), (3599.7, "1 h 00 min"),
     (7384, "2 h 03 min")],
)  # fmt: skip
def test_a_duration_is_told_for_people(seconds: float, told: str) -> None:
    assert told_seconds(seconds) == told


def test_beside_nothing_there_is_no_ratio() -> None:
    assert _ratio([4, 1], [2, 0]) == "4.00 -> undefined"
    assert _ratio([], [3, 2]) == "undefined -> 1.50"


def test_one_is_no_plural() -> None:
    assert [told_number(1, "copy"), told_number(2, "copy"), told_number(2, "class")] == [
        "1 copy",
        "2 copies",
        "2 classes",
    ]
