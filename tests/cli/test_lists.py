import csv
import os
from pathlib import Path

import pytest

from tests.conftest import Run, contents, counts_of, everything, manifest_head, manifest_rows, write_image


def listed(output: Path) -> list[dict[str, str]]:
    with (output / "rebalance.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def written(tree: Path, path: Path, header: str = "path,label") -> Path:
    """Write the list of a tree."""
    rows = [f"{image.relative_to(tree)},{image.parent.name}" for image in sorted(tree.rglob("*.png"))]
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.mark.parametrize("command", [["undersample"], ["augment", "--cap", "8"], ["augment", "--holdout", "0.2"]])
def test_a_list_makes_what_its_tree_makes(run: Run, large: Path, tmp_path: Path, command: list[str]) -> None:
    rows = written(large, tmp_path / "all.csv", "file,class")
    from_list = [rows, "--images", large, "--column", "path=file", "--column", "label=class"]
    assert run(*command, *from_list, "-o", tmp_path / "list").code == 0
    assert run(*command, large, "-o", tmp_path / "tree").code == 0
    one, other = contents(tmp_path / "list"), contents(tmp_path / "tree")
    assert one.keys() == other.keys()
    del one["rebalance.jsonl"], other["rebalance.jsonl"]
    assert one == other
    assert manifest_rows(tmp_path / "list") == manifest_rows(tmp_path / "tree")
    assert run("verify", tmp_path / "list", "--source", large).code == 0
    assert "up to date" in run(*command, *from_list, "-o", tmp_path / "list").err


def test_a_list_of_the_balanced_set_says_how_often_each_image_counts(run: Run, large: Path, output: Path) -> None:
    before = everything(large)
    ran = run("augment", large, "-o", output, "--write", "list", "-s", "dog=13")
    assert ran.code == 0, ran.err
    assert sorted(path.name for path in output.iterdir()) == ["rebalance.csv", "rebalance.jsonl"]
    rows = listed(output)
    assert list(rows[0]) == ["path", "label", "repetitions"]
    assert sum(int(row["repetitions"]) for row in rows if row["label"] == "dog") == 13
    assert {row["repetitions"] for row in rows if row["label"] == "dog"} == {"2", "3"}
    assert {row["repetitions"] for row in rows if row["label"] != "dog"} == {"1"}
    assert "3 classes, 35 files -> 43, as a list" in ran.out
    assert "nothing is drawn for a list" in ran.err
    assert "no image was opened" in ran.err
    assert everything(large) == before
    assert [entry["n_after"] for entry in manifest_head(output)["classes"]] == [20, 13, 10]


def test_it_repeats_what_a_tree_would_hold(run: Run, large: Path, tmp_path: Path) -> None:
    run("augment", large, "-o", tmp_path / "list", "--write", "list")
    run("augment", large, "-o", tmp_path / "tree")
    in_tree: dict[str, int] = {}
    for row in manifest_rows(tmp_path / "tree"):
        in_tree[row["source"]] = in_tree.get(row["source"], 0) + 1
    assert {row["path"]: int(row["repetitions"]) for row in listed(tmp_path / "list")} == in_tree


def test_there_and_back(run: Run, large: Path, tmp_path: Path) -> None:
    run("undersample", large, "-o", tmp_path / "list", "--write", "list", "-s", "6")
    ran = run("augment", tmp_path / "list" / "rebalance.csv", "--images", large, "-o", tmp_path / "back", "-s", "dog=5")
    assert ran.code == 0, ran.err
    assert "column 'repetitions' is not read" in ran.err
    run("undersample", large, "-o", tmp_path / "tree", "-s", "6")
    back, tree = contents(tmp_path / "back"), contents(tmp_path / "tree")
    del back["rebalance.jsonl"], tree["rebalance.jsonl"]
    assert back == tree


def test_splits_and_groups_go_there_and_back_too(run: Run, large: Path, tmp_path: Path) -> None:
    settings = ["--holdout", "0.2", "--group-by", r"/\d\d(\d)"]
    assert run("undersample", large, "-o", tmp_path / "list", "--write", "list", *settings).code == 0
    rows = listed(tmp_path / "list")
    assert list(rows[0]) == ["path", "label", "group", "split", "repetitions"]
    assert {row["split"] for row in rows} == {"train", "val"}
    assert run("verify", tmp_path / "list", "--source", large).code == 0
    again = [tmp_path / "list" / "rebalance.csv", "--images", large]
    assert run("undersample", *again, "-o", tmp_path / "back").code == 3
    assert run("undersample", *again, "-o", tmp_path / "back", "--split", "train", "--leakage", "fail").code == 0
    assert run("undersample", large, "-o", tmp_path / "tree", *settings).code == 0
    for split in ("train", "val"):
        assert contents(tmp_path / "back" / split) == contents(tmp_path / "tree" / split)
    assert "in train" in run("inspect", *again, "--split", "train").out


def test_images_in_folders_of_other_names_get_names_that_tell_them_apart(
    run: Run, tmp_path: Path, output: Path
) -> None:
    for number, name in enumerate(("p1/scan.png", "p2/scan.png", "p2/more/scan.png")):
        write_image(tmp_path / "images" / name, number)
    (tmp_path / "images" / "labels.csv").write_text("path,label\np1/scan.png,a\np2/scan.png,a\np2/more/scan.png,b\n")
    assert run("augment", tmp_path / "images" / "labels.csv", "-o", output).code == 0
    made = set(contents(output))
    assert {"a/p1_scan.png", "a/p2_scan.png", "b/p2_more_scan.png"} <= made
    assert len([path for path in made if path.startswith("b/p2_more_scan_aug1-")]) == 1
    assert counts_of(output) == {"a": 2, "b": 2}
    assert run("verify", output, "--source", tmp_path / "images").code == 0


def test_such_a_list_is_up_to_date_resumed_verified_and_replaced(run: Run, large: Path, output: Path) -> None:
    arguments = ["undersample", large, "-o", output, "--write", "list"]
    assert run(*arguments).code == 0
    before = everything(output)
    assert "up to date" in run(*arguments).err
    assert everything(output) == before
    assert run("verify", output, "--source", large).code == 0
    (output / "rebalance.csv").write_text("path,label\n")
    assert "has changed" in run(*arguments).err
    assert "changed: rebalance.csv" in run("verify", output).out
    (output / "rebalance.csv").unlink()
    assert "is missing" in run(*arguments).err
    assert run(*arguments, "--overwrite").code == 0
    assert everything(output).keys() == before.keys()
    assert run("undersample", large, "-o", output).code == 5
    assert run("undersample", large, "-o", output, "--overwrite").code == 0
    assert counts_of(output) == {"cat": 5, "dog": 5, "owl": 5}
    assert not (output / "rebalance.csv").exists()
    assert run(*arguments, "--overwrite").code == 0
    assert sorted(path.name for path in output.iterdir()) == ["rebalance.csv", "rebalance.jsonl"]


def test_a_source_that_is_gone_is_missed_by_verify(run: Run, large: Path, output: Path) -> None:
    run("undersample", large, "-o", output, "--write", "list")
    path = listed(output)[0]["path"]
    (large / path).unlink()
    assert f"source: {path}" in run("verify", output, "--source", large).out


def test_images_are_not_opened_for_a_list(run: Run, large: Path, output: Path) -> None:
    (large / "cat" / "000.png").write_bytes(b"broken")
    assert run("undersample", large, "-o", output, "--write", "list", "-s", "20").code == 0
    assert len(listed(output)) == 35


@pytest.mark.parametrize(
    "settings",
    [
        ["--size", "9x9"], ["--rotation-range", "5"], ["--bad-images", "skip"], ["--link", "copy"], ["--check", "full"],
        ["--originals", "transform"], ["--fill-mode", "wrap"], ["--quality", "80"], ["--horizontal-flip"],
    ],
)  # fmt: skip
def test_options_of_files_have_no_place_beside_a_list(run: Run, large: Path, output: Path, settings: list[str]) -> None:
    ran = run("augment", large, "-o", output, "--write", "list", *settings)
    assert ran.code == 2
    assert f"{settings[0]} is for files that are made" in ran.err


def test_a_dry_run_lists_what_a_list_would_hold(run: Run, large: Path) -> None:
    ran = run("undersample", large, "-n", "--write", "list", "--format", "json")
    assert ran.document["request"]["write"] == "list"
    assert {row["repetitions"] for row in ran.document["files"]} == {1}
    assert {row["kind"] for row in ran.document["files"]} == {"listed"}
    printed = run("undersample", large, "-n", "--write", "list", "--format", "csv").out
    assert printed.startswith("path,class,kind,source,")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["{source}", "--images", "."], 2, "--images goes with a list of images"),
        (["{rows}", "--images", "gone"], 3, "gone: no such folder: --images is to be where"),
        (["gone.csv"], 3, "gone.csv: cannot be read"),
        (["{rows}", "--column", "label=kind"], 3, "has no column 'kind'"),
        (["{rows}"], 3, "'cat/000.png' of line 2 cannot be looked at below"),
    ],
)  # fmt: skip
def test_a_list_that_cannot_be_read_is_refused(
    run: Run, large: Path, tmp_path: Path, arguments: list[str], code: int, told: str
) -> None:
    (tmp_path / "elsewhere").mkdir()
    rows = written(large, tmp_path / "elsewhere" / "all.csv")
    ran = run("augment", *(text.format(source=large, rows=rows) for text in arguments), "-o", tmp_path / "balanced")
    assert ran.code == code
    assert told in ran.err


def test_a_list_that_was_edited_is_another_request(run: Run, large: Path, tmp_path: Path, output: Path) -> None:
    rows = written(large, tmp_path / "all.csv")
    arguments = ["undersample", rows, "--images", large, "-o", output]
    assert run(*arguments).code == 0
    rows.write_text(rows.read_text().replace("cat/000.png,cat", "cat/000.png,dog"))
    ran = run(*arguments)
    assert ran.code == 5
    assert "labels" in ran.err


def test_inspect_reads_lists(run: Run, large: Path, tmp_path: Path) -> None:
    rows = written(large, tmp_path / "all.csv")
    assert run("inspect", rows, "--images", large).out == run("inspect", large).out
    assert run("inspect", rows, "--images", large, "--check").code == 0


def test_a_list_is_not_replaced_by_what_is_made_of_it(run: Run, large: Path, output: Path) -> None:
    run("undersample", large, "-o", output, "--write", "list", "-s", "20")
    before = everything(output)
    ran = run("undersample", output / "rebalance.csv", "--images", large, "-o", output, "--overwrite")
    assert ran.code == 5
    assert "rebalance.csv lies in it and is read" in ran.err
    table = ["--group-by", output / "rebalance.csv", "--column", "group=label"]
    assert run("undersample", large, "-o", output, *table, "--overwrite").code == 5
    assert everything(output) == before


def test_output_may_lie_beside_the_images_of_a_list_and_not_around_them(run: Run, tmp_path: Path) -> None:
    for number in range(3):
        write_image(tmp_path / "photos" / f"{number}.png", number)
    rows = tmp_path / "labels.csv"
    rows.write_text("path,label\nphotos/0.png,a\nphotos/1.png,a\nphotos/2.png,b\n")
    assert run("augment", rows, "-o", tmp_path / "balanced").code == 0
    assert "up to date" in run("augment", rows, "-o", tmp_path / "balanced").err
    assert run("verify", tmp_path / "balanced", "--source", tmp_path).code == 0
    ran = run("augment", rows, "-o", tmp_path / "photos")
    assert ran.code == 5
    assert len(list((tmp_path / "photos").iterdir())) == 3


def test_settings_of_files_in_a_configuration_change_no_list(run: Run, large: Path, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('[augment]\noriginals = "transform"\noutput_format = "png"\nwrite = "list"\n')
    assert run("augment", large, "-o", tmp_path / "plain", "--write", "list").code == 0
    ran = run("augment", large, "-o", tmp_path / "configured", "--config", tmp_path / "own.toml")
    assert ran.code == 0
    assert contents(tmp_path / "plain") == contents(tmp_path / "configured")


@pytest.mark.threat(14)
def test_names_of_the_manifest_are_no_classes(run: Run, large: Path, tmp_path: Path, output: Path) -> None:
    (tmp_path / "all.csv").write_text("path,label\ncat/000.png,rebalance.jsonl\n")
    ran = run("augment", tmp_path / "all.csv", "--images", large, "-o", output)
    assert ran.code == 3
    assert "line 2: label 'rebalance.jsonl' is the name of the manifest" in ran.err


def test_exclusion_means_the_same_for_a_list_and_its_tree(run: Run, large: Path, tmp_path: Path) -> None:
    rows = written(large, tmp_path / "all.csv")
    for pattern in ("cat", "cat/", "cat/01*", "00[1-3].png", "gone/"):
        from_list = run("inspect", rows, "--images", large, "--exclude", pattern)
        from_tree = run("inspect", large, "--exclude", pattern)
        table = [line for line in from_tree.out.splitlines() if not line.startswith("ignored")]
        assert [line for line in from_list.out.splitlines() if not line.startswith("ignored")] == table
    (tmp_path / "split.csv").write_text("path,label,split\ncat/000.png,a,train\ncat/001.png,a,test\n")
    ran = run("inspect", tmp_path / "split.csv", "--images", large, "--split", "train", "--exclude", "test")
    assert "beside it" not in ran.out


def test_a_name_that_no_list_can_hold_is_told_before_any_work(run: Run, large: Path, output: Path) -> None:
    (large / "cat" / "000.png").rename(large / "cat" / os.fsdecode(b"\xff.png"))
    assert run("undersample", large, "-n", "--write", "list").code == 3
    ran = run("undersample", large, "-o", output, "--write", "list")
    assert ran.code == 3
    assert "is not UTF-8" in ran.err
    assert [path.name for path in output.parent.iterdir()] == ["source"]


def test_a_folder_may_be_called_like_a_list(run: Run, large: Path) -> None:
    large.rename(large.parent / "dir.csv")
    assert run("inspect", large.parent / "dir.csv").code == 0


def test_of_a_list_nothing_is_made_again(run: Run, large: Path, output: Path, tmp_path: Path) -> None:
    run("undersample", large, "-o", output, "--write", "list")
    ran = run("replay", output, listed(output)[0]["path"], "--source", large, "-o", tmp_path / "again.png")
    assert ran.code == 2
    assert "OUTPUT is a list" in ran.err
