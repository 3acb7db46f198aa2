from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import Run, contents, counts_of, manifest_rows, write_image


@pytest.fixture
def patients(tmp_path: Path) -> Path:
    """Twelve images of four patients beside six of three, one of whom has both."""
    for number in range(12):
        write_image(tmp_path / "source" / "ill" / f"p{number // 3}_{number}.png", number)
    for number in range(6):
        write_image(tmp_path / "source" / "well" / f"p{number // 2 + 3}_{number}.png", 50 + number)
    return tmp_path / "source"


BY_PATIENT = ("--group-by", r"/(p\d+)_")


def test_whole_groups_stay_or_go(run: Run, patients: Path, output: Path) -> None:
    ran = run("undersample", patients, "-o", output, *BY_PATIENT)
    assert ran.code == 0, ran.err
    assert counts_of(output) == {"ill": 6, "well": 6}
    rows = [row for row in manifest_rows(output) if row["class"] == "ill"]
    kept = Counter(row["group"] for row in rows if row["kind"] == "original")
    assert sorted(kept.values()) == [3, 3]
    assert {row["group"] for row in rows if row["kind"] == "removed"} == {f"p{n}" for n in range(4)} - kept.keys()
    assert "groups, class by class: 5 of 7 stay whole, 0 are cut, the others are left out" in ran.err
    assert run("verify", output, "--source", patients).code == 0


def test_a_group_that_must_be_cut_is_named_with_the_reason(run: Run, patients: Path, output: Path) -> None:
    ran = run("undersample", patients, "-o", output, *BY_PATIENT, "-s", "ill=5")
    assert ran.code == 0
    assert "note: class 'ill': 2 of the 3 images of group 'p" in ran.err
    assert "stay: no whole groups make up 5" in ran.err
    ran = run("augment", patients, "-n", *BY_PATIENT, "--cap", "5", "--cap-method", "window")
    assert "stay: the window ends in it" in ran.err


def test_copies_are_spread_over_groups(run: Run, patients: Path, output: Path) -> None:
    (patients / "well" / "p3_1.png").unlink()
    assert run("augment", patients, "-o", output, *BY_PATIENT, "-s", "well=11").code == 0
    made = [row for row in manifest_rows(output) if row["kind"] == "augmented"]
    assert Counter(row["group"] for row in made) == {"p3": 2, "p4": 2, "p5": 2}
    assert max(Counter(row["source"] for row in made).values()) == 2


def test_groups_change_what_is_chosen_and_no_byte_of_a_file(run: Run, patients: Path, tmp_path: Path) -> None:
    run("augment", patients, "-o", tmp_path / "with", *BY_PATIENT, "-s", "well=12")
    run("augment", patients, "-o", tmp_path / "without", "-s", "well=12")
    grouped, alone = contents(tmp_path / "with"), contents(tmp_path / "without")
    del grouped["rebalance.jsonl"], alone["rebalance.jsonl"]
    assert grouped == alone


def test_a_table_names_the_groups(run: Run, patients: Path, output: Path, tmp_path: Path) -> None:
    names = [str(path.relative_to(patients)) for path in sorted(patients.rglob("*.png"))]
    table = tmp_path / "patients.csv"
    table.write_text("file,who\n" + "".join(f"{name},{name[-8:-4].split('_')[0]}\n" for name in names))
    asked = ["--group-by", table, "--column", "path=file", "--column", "group=who"]
    assert run("undersample", patients, "-o", output, *asked, "-s", "ill=6").code == 0
    assert run("undersample", patients, "-o", tmp_path / "by-pattern", *BY_PATIENT, "-s", "ill=6").code == 0
    assert contents(output / "ill") == contents(tmp_path / "by-pattern" / "ill")
    assert "up to date" in run("undersample", patients, "-o", output, *asked, "-s", "ill=6").err
    table.write_text(table.read_text() + "gone.png,p9\n")
    ran = run("undersample", patients, "-o", output, *asked, "-s", "ill=6")
    assert ran.code == 5
    assert "group_by" in ran.err


def test_groups_stay_on_one_side_of_a_holdout(run: Run, patients: Path, output: Path) -> None:
    assert run("undersample", patients, "-o", output, *BY_PATIENT, "--holdout", "0.3").code == 0
    sides = {"train": set(), "val": set()}  # type: dict[str, set[str]]
    for row in manifest_rows(output):
        sides[row["split"]].add(row["group"])
    assert not sides["train"] & sides["val"]
    assert counts_of(output / "val") == {"ill": 3, "well": 2}


def test_a_group_that_crosses_splits_is_leakage(run: Run, patients: Path, output: Path) -> None:
    write_image(patients / "val" / "ill" / "p2_90.png", 90)
    (patients / "train").mkdir()
    for name in ("ill", "well"):
        (patients / name).rename(patients / "train" / name)
    told = "group 'p2' is on both sides: 'train/ill/p2_6.png', and in val 'val/ill/p2_90.png'"
    ran = run("undersample", patients, "--split", "train", "-o", output, *BY_PATIENT, "--leakage", "fail")
    assert ran.code == 1
    assert f"leakage: {told}" in ran.err
    assert f"leakage: {told}" in run("inspect", patients, "--split", "train", *BY_PATIENT).out
    beside = run("inspect", patients / "train", *BY_PATIENT, "--leakage", "fail")
    assert beside.code == 1
    assert "'ill/p2_6.png', and in ../val '../val/ill/p2_90.png'" in beside.out
    assert run("inspect", patients, "--split", "train", "--leakage", "fail").code == 0


def test_inspect_counts_groups(run: Run, patients: Path) -> None:
    lines = run("inspect", patients, *BY_PATIENT).out.splitlines()
    assert [line.split()[-1] for line in lines[:3]] == ["groups", "4", "3"]


def test_images_of_no_group_are_remarked_on(run: Run, patients: Path, output: Path) -> None:
    write_image(patients / "well" / "loose.png", 99)
    ran = run("undersample", patients, "-o", output, *BY_PATIENT)
    assert "note: 1 images belong to no group and stand for themselves: 'well/loose.png' first" in ran.err
    assert "group" not in next(row for row in manifest_rows(output) if row["source"] == "well/loose.png")


@pytest.mark.parametrize(
    ("settings", "code", "told"),
    [
        (["--group-by", "("], 2, "is neither a .csv nor a regular expression"),
        (["--group-by", "patient"], 2, "finds no group in any path, such as 'ill/p0_0.png'"),
        (["--group-by", "gone.csv"], 3, "gone.csv: cannot be read"),
        (["--group-by", "p", "--column", "path=x"], 2, "--column path=NAME goes with a SOURCE or a --group-by"),
        (["--column", "file=x"], 2, "is not ROLE=NAME with one of: path, label, group, split"),
        (["--column", "path"], 2, "is not ROLE=NAME"),
        (["--group-by", "a{99999999999999999999}"], 2, "is neither a .csv nor a regular expression"),
        (["--group-by", "(" * 3000 + ")" * 3000], 2, "is neither a .csv nor a regular expression"),
        (["--group-by", "gone.csv", "--column", "label=x"], 2, "--column label=NAME goes with a SOURCE that ends with"),
    ],
)  # fmt: skip
def test_what_names_no_groups_is_refused(
    run: Run, patients: Path, output: Path, settings: list[str], code: int, told: str
) -> None:
    ran = run("undersample", patients, "-o", output, *settings)
    assert ran.code == code
    assert told in ran.err
    assert not output.exists()


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("path,group\nill/p0_0.png,p0\n", "has no row for 17 images of SOURCE, 'ill/p0_1.png' first"),
        ("path,group\nill/p0_0.png,p0\nill/p0_0.png,p1\n", "line 3: 'ill/p0_0.png' has two groups"),
        ("path,who\nill/p0_0.png,p0\n", "has no column 'group'; it has 'path', 'who': say which with --column group="),
    ],
)
def test_a_table_that_does_not_fit_the_source_is_refused(
    run: Run, patients: Path, output: Path, tmp_path: Path, rows: str, told: str
) -> None:
    (tmp_path / "groups.csv").write_text(rows)
    ran = run("undersample", patients, "-o", output, "--group-by", tmp_path / "groups.csv")
    assert ran.code == 3
    assert told in ran.err


def test_where_originals_are_replaced_none_vanishes(run: Run, patients: Path, output: Path) -> None:
    ran = run("augment", patients, "-o", output, *BY_PATIENT, "--originals", "transform", "-s", "well=9")
    assert ran.code == 0, ran.err
    used = Counter(row["source"] for row in manifest_rows(output))
    assert used.keys() == {str(path.relative_to(patients)) for path in patients.rglob("*.png")}
    assert Counter(used.values()) == {1: 15, 2: 3}
    assert run("verify", output, "--source", patients).code == 0


def test_a_table_may_name_groups_beside_the_source(run: Run, patients: Path, tmp_path: Path) -> None:
    write_image(tmp_path / "val" / "x.png", 90)
    names = [str(path.relative_to(patients)) for path in sorted(patients.rglob("*.png"))]
    rows = ["path,group", *(f"{name},{name[-8:-4].split('_')[0]}" for name in names), "../val/x.png,p2"]
    (tmp_path / "groups.csv").write_text("\n".join(rows))
    ran = run("inspect", patients, "--group-by", tmp_path / "groups.csv", "--leakage", "fail")
    assert ran.code == 1
    assert "group 'p2' is on both sides: 'ill/p2_6.png', and in ../val '../val/x.png'" in ran.out


def test_groups_of_a_list_give_way_to_those_asked_for(run: Run, patients: Path, output: Path, tmp_path: Path) -> None:
    names = [str(path.relative_to(patients)) for path in sorted(patients.rglob("*.png"))]
    (tmp_path / "all.csv").write_text("path,label,group\n" + "".join(f"{name},{name[:3]},g\n" for name in names))
    ran = run("undersample", tmp_path / "all.csv", "--images", patients, "-o", output, *BY_PATIENT)
    assert ran.code == 0
    assert "its column 'group' is not read: --group-by is" in ran.err
    assert {row["group"] for row in manifest_rows(output)} == {f"p{number}" for number in range(6)}


def test_a_pattern_that_a_later_python_may_read_otherwise_warns_of_nothing(run: Run, patients: Path) -> None:
    ran = run("undersample", patients, "-n", "-q", "--group-by", "[[p]\\d")
    assert ran.code == 0
    assert not ran.err


def test_of_many_groups_that_are_cut_a_few_are_named(run: Run, patients: Path) -> None:
    settings = ["--method", "window", "--order", "name", "-s", "ill=5"]
    ran = run("undersample", patients, "-n", "--group-by", r"(\d)\.png", *settings)
    notes = [line for line in ran.err.splitlines() if "class 'ill'" in line]
    assert len(notes) <= 4
    assert "stay: the order is by name" in notes[0]
