import json
import os
from pathlib import Path

import pytest

from tests.conftest import MakeTree, Run, everything, write_image


def test_counts_weights_and_what_is_missing(run: Run, source: Path) -> None:
    ran = run("inspect", source)
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[:5] == [
        "class  index  count  share  balanced  log  missing",
        "cat        0      4  30.8%    1.0833    1        3",
        "dog        1      2  15.4%    2.1667    1        5",
        "owl        2      7  53.8%   0.61905    1        0",
        "3 classes, 13 images, imbalance ratio (largest / smallest) 3.50",
    ]
    assert lines[5].startswith("advice: for probabilities, do not balance, or put the prior back (score")
    assert lines[6].startswith("advice: take more pictures of 'cat' (4), 'dog' (2), 'owl' (7): fewer than 10")
    assert len(lines) == 7


def test_json_says_the_same(run: Run, source: Path) -> None:
    report = run("inspect", source, "--format", "json", "--ratio", "0.5", "--mu", "3").document
    assert report["imbalance_ratio"] == 3.5
    assert report["class_indices"] == {"cat": 0, "dog": 1, "owl": 2}
    assert report["classes"][1] == {
        "name": "dog", "index": 1, "count": 2, "share": pytest.approx(2 / 13),
        "weight_balanced": pytest.approx(13 / 6), "weight_log": pytest.approx(2.970414), "missing": 2,
    }  # fmt: skip


def test_csv_says_the_same(run: Run, source: Path) -> None:
    lines = run("inspect", source, "--format", "csv").out.splitlines()
    assert lines[0] == "name,index,count,share,weight_balanced,weight_log,missing"
    assert lines[2].startswith("dog,1,2,0.1538461538")


def test_nothing_is_opened_or_written(run: Run, source: Path) -> None:
    for path in source.rglob("*.png"):
        path.write_bytes(b"no image at all")
    before = everything(source)
    assert run("inspect", source).code == 0
    assert everything(source) == before


def test_checking_names_bad_images_and_duplicates_within_and_across_classes(run: Run, source: Path) -> None:
    (source / "cat" / "001.png").write_bytes(b"")
    (source / "cat" / "002.png").write_bytes((source / "cat" / "000.png").read_bytes())
    (source / "owl" / "000.png").write_bytes((source / "dog" / "000.png").read_bytes())
    ran = run("inspect", source, "--check")
    assert ran.code == 4
    assert "bad image: cat/001.png: the file is empty" in ran.out
    assert "duplicate within a class: cat/000.png, cat/002.png" in ran.out
    assert "duplicate across classes: dog/000.png, owl/000.png" in ran.out
    assert "1 bad images, 2 groups of exact duplicates" in ran.out
    report = run("inspect", source, "--check", "--format", "json", "-j", "1").document
    assert report["bad_images"] == [{"path": "cat/001.png", "reason": "the file is empty"}]
    assert [group["across_classes"] for group in report["duplicates"]] == [False, True]


def test_a_sound_tree_is_checked_and_found_sound(run: Run, source: Path) -> None:
    ran = run("inspect", source, "--check")
    assert ran.code == 0
    assert "0 bad images, 0 groups of exact duplicates" in ran.out


@pytest.mark.parametrize(
    ("option", "code", "message"),
    [
        (["--fail-imbalance", "3.4"], 1, "imbalance ratio 3.50 passes --fail-imbalance 3.4"),
        (["--fail-imbalance", "3.5"], 0, ""),
        (["--fail-min-count", "3"], 1, "class 'dog' has 2 images, fewer than --fail-min-count 3"),
        (["--fail-min-count", "2"], 0, ""),
        (["--fail-imbalance", "nan"], 2, "not a number above 0"),
        (["--fail-min-count", "-1"], 2, "range"),
    ],
)
def test_thresholds_decide_the_exit_code(run: Run, source: Path, option: list[str], code: int, message: str) -> None:
    ran = run("inspect", source, *option)
    assert ran.code == code
    assert message in ran.err


@pytest.mark.threat(21)
def test_an_empty_class_is_shown_and_fails_any_imbalance_threshold(run: Run, source: Path) -> None:
    (source / "void").mkdir()
    ran = run("inspect", source)
    assert ran.code == 0
    assert "imbalance ratio (largest / smallest) undefined" in ran.out
    assert run("inspect", source, "--fail-imbalance", "100").code == 1


@pytest.mark.threat(20, 27)
def test_what_is_ignored_and_what_is_a_problem_is_said(run: Run, source: Path) -> None:
    (source / "notes.txt").write_text("x")
    (source / "cat" / "link.png").symlink_to("000.png")
    ran = run("inspect", source)
    assert ran.code == 3
    assert "ignored: notes.txt: not an image by its name" in ran.out
    assert "problem: cat/link.png: is a symbolic link" in ran.out
    assert "class  index  count" in ran.out


@pytest.mark.threat(23)
def test_one_class_and_no_class_are_inspected(run: Run, make_tree: MakeTree, tmp_path: Path) -> None:
    assert run("inspect", make_tree({"only": 2})).code == 0
    (tmp_path / "void").mkdir()
    ran = run("inspect", tmp_path / "void", "--format", "json")
    assert ran.code == 0
    assert ran.document["n_images"] == 0


@pytest.mark.threat(13, 17)
def test_no_name_reaches_the_terminal_unescaped(run: Run, source: Path) -> None:
    os.rename(source / "dog", os.fsencode(source) + b"/d\xf6g\x1b[31m\nx")
    (source / "\x1b]0;title\x07.txt").write_text("x")
    ran = run("inspect", source)
    assert "\x1b" not in ran.out + ran.err
    assert "\x07" not in ran.out + ran.err
    assert r"d\udcf6g\x1b[31m\x0ax" in ran.out
    report = run("inspect", source, "--format", "json")
    assert json.loads(report.out)["classes"][1]["name"] == {"b64": "ZPZnG1szMW0KeA=="}


def test_a_root_of_splits_is_answered_with_what_to_type(run: Run, tmp_path: Path) -> None:
    for split in ("train", "val"):
        write_image(tmp_path / "data" / split / "cat" / "1.png", 1)
    ran = run("inspect", tmp_path / "data")
    assert ran.code == 3
    assert f"type {tmp_path}/data/train instead" in ran.err


def test_the_real_photographs(run: Run, clothing: Path) -> None:
    report = run("inspect", clothing, "--check", "--format", "json").document
    assert report["n_images"] == 599
    assert [entry["count"] for entry in report["classes"]] == [109, 23, 169, 100, 155, 43]
    assert report["imbalance_ratio"] == pytest.approx(169 / 23)
    assert report["bad_images"] == []
