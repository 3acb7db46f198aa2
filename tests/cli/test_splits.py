import os
import shutil
from pathlib import Path

import pytest

from tests.conftest import (
    MakeTree,
    Run,
    contents,
    counts_of,
    everything,
    manifest_head,
    manifest_rows,
    run_without_powers,
    write_image,
)


@pytest.fixture
def splits(make_tree: MakeTree, tmp_path: Path) -> Path:
    """Seven, two and four images in train, of each two in val, in test some of one class."""
    make_tree({"cat": 7, "dog": 2, "owl": 4}, name="data/train")
    for index, name in enumerate(("cat", "dog", "owl")):
        for number in range(2):
            write_image(tmp_path / "data" / "val" / name / f"v{number}.png", 500 + 10 * index + number)
    write_image(tmp_path / "data" / "test" / "cat" / "t.png", 600)
    return tmp_path / "data"


def without_manifest(output: Path) -> dict[str, str]:
    return {path: sha256 for path, sha256 in contents(output).items() if path != "rebalance.jsonl"}


def test_a_holdout_is_untouched_and_the_rest_balanced(run: Run, large: Path, output: Path) -> None:
    before = everything(large)
    ran = run("augment", large, "-o", output, "--holdout", "0.2")
    assert ran.code == 0, ran.err
    assert counts_of(output / "val") == {"cat": 4, "dog": 1, "owl": 2}
    assert counts_of(output / "train") == {"cat": 16, "dog": 16, "owl": 16}
    source = contents(large)
    assert all(sha256 == source[path] for path, sha256 in contents(output / "val").items())
    originals = {path for path in contents(output / "train") if "_aug" not in path}
    assert originals | contents(output / "val").keys() == source.keys()
    assert not set(contents(output / "train").values()) & set(contents(output / "val").values())
    assert everything(large) == before
    assert "class  before  kept  after  generated  copies/image  val" in ran.out
    assert "28 files -> 48 in train; 7 in val as they are" in ran.out
    assert f"{output}/train holds copies" in ran.err
    assert run("verify", output, "--source", large).code == 0


def test_what_is_made_beside_a_holdout_is_made_without_one_too(run: Run, large: Path, tmp_path: Path) -> None:
    run("augment", large, "-o", tmp_path / "split", "--holdout", "0.2", "-s", "dog=9")
    run("augment", large, "-o", tmp_path / "whole", "-s", "dog=20")
    split, whole = contents(tmp_path / "split" / "train"), contents(tmp_path / "whole")
    assert split.items() <= whole.items()


def test_a_manifest_says_where_everything_went(run: Run, large: Path, output: Path) -> None:
    run("undersample", large, "-o", output, "--holdout", "0.2")
    rows = manifest_rows(output)
    assert {(row["split"], row["kind"]) for row in rows} == {
        ("train", "original"), ("train", "removed"), ("val", "original"),
    }  # fmt: skip
    assert sorted(row["source"] for row in rows) == sorted(contents(large))
    head = manifest_head(output)
    assert [(entry["name"], entry["n_before"], entry["n_after"]) for entry in head["classes"]] == [
        ("cat", 16, 4), ("dog", 4, 4), ("owl", 8, 4),
    ]  # fmt: skip
    assert head["split"] == "train"
    assert head["carried"] == {"val": {"cat": 4, "dog": 1, "owl": 2}}
    assert head["request"]["holdout"]["share"] == "1/5"


def test_exact_duplicates_stay_on_one_side(run: Run, large: Path, tmp_path: Path) -> None:
    """Ten images of a class are one image: all in train or all in val, whatever the seed."""
    for number in range(10):
        shutil.copyfile(large / "cat" / "000.png", large / "owl" / f"same{number}.png")
    for seed in range(6):
        output = tmp_path / f"seed{seed}"
        assert run("undersample", large, "-o", output, "-s", "20", "--holdout", "0.3", "--seed", seed).code == 0
        train, val = contents(output / "train"), contents(output / "val")
        assert not set(train.values()) & set(val.values())
        assert len(train) + len(val) == 45


@pytest.mark.parametrize(
    ("settings", "code", "told"),
    [
        (["--holdout", "0"], 2, "leaves nothing on one side"), (["--holdout", "1"], 2, "leaves nothing on one side"),
        (["--holdout", "a"], 2, "is not a decimal"),
        (["--holdout", "0.2", "--exclude", "dog/00[1-9].png"], 3, "class 'dog' has 1 image, and --holdout needs one"),
        (["--split", "train"], 3, "has no folder for --split 'train'"),
    ],
)  # fmt: skip
def test_what_cannot_be_split_is_refused(
    run: Run, large: Path, output: Path, settings: list[str], code: int, told: str
) -> None:
    ran = run("augment", large, "-o", output, *settings)
    assert ran.code == code
    assert told in ran.err
    assert not output.exists()


def test_one_split_is_balanced_and_the_others_go_over_as_they_are(run: Run, splits: Path, output: Path) -> None:
    before = everything(splits)
    ran = run("augment", splits, "--split", "train", "-o", output, "--size", "16x16")
    assert ran.code == 0, ran.err
    assert counts_of(output / "train") == {"cat": 7, "dog": 7, "owl": 7}
    for name in ("val", "test"):
        assert contents(output / name) == contents(splits / name)
    assert "note: test has no image of 2 classes of train: 'dog' first" in ran.err
    assert everything(splits) == before
    assert run("verify", output, "--source", splits).code == 0


def test_a_split_is_made_like_a_tree_of_its_own(run: Run, splits: Path, tmp_path: Path) -> None:
    """The paths differ, and so what is drawn; the choice by name does not."""
    window = ["-s", "2", "--method", "window", "--window", "1", "--order", "name"]
    run("undersample", splits, "--split", "train", "-o", tmp_path / "all", *window)
    run("undersample", splits / "train", "-o", tmp_path / "one", *window)
    assert contents(tmp_path / "all" / "train") == without_manifest(tmp_path / "one")


def test_such_a_tree_is_up_to_date_until_any_split_changes(run: Run, splits: Path, output: Path) -> None:
    arguments = ["augment", splits, "--split", "train", "-o", output]
    assert run(*arguments).code == 0
    before = everything(output)
    assert "up to date" in run(*arguments).err
    assert everything(output) == before
    write_image(splits / "val" / "cat" / "v0.png", 999)
    ran = run(*arguments)
    assert ran.code == 5
    assert "val/cat/v0.png" in ran.err
    assert run(*arguments, "--overwrite").code == 0
    assert contents(output / "val") == contents(splits / "val")
    ran = run("augment", splits, "--split", "val", "-o", output)
    assert ran.code == 5
    assert "split train there, val here" in ran.err


@pytest.mark.parametrize("workers", [1, 3])
def test_neither_workers_nor_a_second_run_change_a_byte(run: Run, large: Path, tmp_path: Path, workers: int) -> None:
    run("augment", large, "-o", tmp_path / "once", "--holdout", "0.3", "-j", "2")
    run("augment", large, "-o", tmp_path / "again", "--holdout", "0.3", "-j", workers)
    assert contents(tmp_path / "once") == contents(tmp_path / "again")


def test_a_tree_becomes_one_with_splits_and_back(run: Run, large: Path, output: Path) -> None:
    run("augment", large, "-o", output)
    whole = contents(output)
    assert run("augment", large, "-o", output, "--holdout", "0.2", "--overwrite").code == 0
    assert sorted(path.name for path in output.iterdir()) == ["rebalance.jsonl", "train", "val"]
    assert run("augment", large, "-o", output, "--overwrite").code == 0
    assert contents(output) == whole


def test_work_that_was_cut_short_is_taken_over_with_and_without_splits(run: Run, large: Path, output: Path) -> None:
    """A broken image keeps the work of a run of another form; what is left of it is deleted."""
    (large / "cat" / "zz.png").write_bytes(b"broken")
    assert run("augment", large, "-o", output).code == 4
    (large / "cat" / "zz.png").unlink()
    assert run("augment", large, "-o", output, "--holdout", "0.2").code == 0
    assert sorted(path.name for path in output.iterdir()) == ["rebalance.jsonl", "train", "val"]
    assert run("verify", output, "--source", large).code == 0


def test_a_bad_image_of_another_split_is_no_less_bad(run: Run, splits: Path, output: Path) -> None:
    (splits / "val" / "cat" / "v0.png").write_bytes(b"broken")
    arguments = ["augment", splits, "--split", "train", "-o", output]
    ran = run(*arguments)
    assert ran.code == 4
    assert "bad image: 'val/cat/v0.png'" in ran.err
    assert run(*arguments, "--bad-images", "skip").code == 0
    assert counts_of(output / "val") == {"cat": 1, "dog": 2, "owl": 2}
    assert [row["source"] for row in manifest_rows(output) if row["kind"] == "removed"] == ["val/cat/v0.png"]
    assert run("verify", output, "--source", splits).code == 0
    assert run(*arguments, "--bad-images", "carry", "--overwrite").code == 0
    assert counts_of(output / "val") == {"cat": 2, "dog": 2, "owl": 2}
    (splits / "val" / "cat" / "v1.png").write_bytes(b"broken, too")
    ran = run(*arguments, "--bad-images", "skip", "--overwrite")
    assert ran.code == 3
    assert "'val/cat' has no image left that can be used" in ran.err


def test_a_source_with_splits_is_answered_with_both_ways_on(run: Run, splits: Path, output: Path) -> None:
    ran = run("augment", splits, "-o", output)
    assert ran.code == 3
    assert "--split train takes that part" in ran.err
    assert f"or type {splits}/train instead" in ran.err
    assert run("augment", splits, "--split", "train", "--holdout", "0.2", "-o", output).code == 2


def test_what_stands_in_two_splits_is_reported_with_both_names(run: Run, splits: Path, output: Path) -> None:
    shutil.copyfile(splits / "train" / "cat" / "003.png", splits / "val" / "dog" / "planted.png")
    arguments = ["augment", splits, "--split", "train", "-o", output]
    told = "'train/cat/003.png' also stands in val: 'val/dog/planted.png'"
    ran = run(*arguments, "--leakage", "fail")
    assert ran.code == 1
    assert f"leakage: {told}" in ran.err
    assert not output.exists()
    ran = run(*arguments)
    assert ran.code == 0
    assert f"warning: leakage: {told}" in ran.err
    assert "leakage" not in run(*arguments, "-q").err
    assert run(*arguments, "--leakage", "fail", "--exclude", "planted.png", "--overwrite").code == 0


def test_a_folder_beside_the_source_is_looked_at_likewise(run: Run, splits: Path, output: Path) -> None:
    (splits / "test" / "flat").mkdir()
    shutil.copyfile(splits / "train" / "cat" / "003.png", splits / "test" / "flat" / "planted.png")
    ran = run("undersample", splits / "train", "-o", output, "--leakage", "fail")
    assert ran.code == 1
    assert "'cat/003.png' also stands in ../test: '../test/flat/planted.png'" in ran.err
    assert run("inspect", splits / "train", "--leakage", "fail").code == 1
    assert run("undersample", splits / "train", "-o", output, "-q").code == 0


def test_inspect_shows_the_training_part_of_splits_and_what_leaks(run: Run, splits: Path) -> None:
    shutil.copyfile(splits / "train" / "cat" / "003.png", splits / "val" / "dog" / "planted.png")
    shutil.copyfile(splits / "val" / "owl" / "v1.png", splits / "test" / "cat" / "planted.png")
    ran = run("inspect", splits, "--split", "train")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0].split() == ["class", "index", "count", "share", "balanced", "log", "missing", "test", "val"]
    assert lines[1].split() == ["cat", "0", "7", "53.8%", "0.61905", "1", "0", "2", "2"]
    assert lines[4] == "3 classes, 13 images in train, imbalance ratio (largest / smallest) 3.50"
    assert lines[5:10] == [
        "beside it: 2 images in test",
        "beside it: 7 images in val",
        "leakage: 'train/cat/003.png' also stands in val: 'val/dog/planted.png'",
        "leakage: 'test/cat/planted.png' also stands in val: 'val/owl/v1.png'",
        "2 images or groups stand in two splits",
    ]
    ran = run("inspect", splits, "--split", "train", "--leakage", "fail", "--format", "json", "--check")
    assert ran.code == 1
    assert ran.document["split"] == "train"
    assert ran.document["carried"] == {"test": 2, "val": 7}
    assert ran.document["leakage"][0] == {
        "kind": "content", "path": "train/cat/003.png", "other": "val/dog/planted.png", "split": "val", "group": None,
    }  # fmt: skip
    assert [group["across_classes"] for group in ran.document["duplicates"]] == [True, True]
    header, first, *_ = run("inspect", splits, "--format", "csv", "--split", "val").out.splitlines()
    assert header.endswith("missing,test,train")
    assert first.endswith(",2,7")


def test_images_of_one_size_that_differ_are_no_leak(run: Run, tmp_path: Path) -> None:
    """Uncompressed files all have one size, and these even one end."""
    for number, name in enumerate(("train/cat/1", "train/cat/2", "train/dog/1", "val/cat/1", "val/dog/1")):
        write_image(tmp_path / "data" / f"{name}.bmp", number, size=(60, 60))
        path = tmp_path / "data" / f"{name}.bmp"
        path.write_bytes(path.read_bytes()[:-5000] + bytes(5000))
    assert len({path.stat().st_size for path in (tmp_path / "data").rglob("*.bmp")}) == 1
    ran = run("inspect", tmp_path / "data", "--split", "train", "--leakage", "fail")
    assert ran.code == 0
    assert "leakage" not in ran.out


def test_a_file_of_a_split_is_made_again_from_its_line(run: Run, large: Path, output: Path, tmp_path: Path) -> None:
    run("augment", large, "-o", output, "--holdout", "0.2")
    path = next(row["path"] for row in manifest_rows(output) if row["kind"] == "augmented")
    assert path.startswith("train/dog/")
    assert run("replay", output, path, "--source", large, "-o", tmp_path / "again.png").code == 0
    assert (tmp_path / "again.png").read_bytes() == (output / path).read_bytes()


def test_verify_sees_what_lies_in_the_wrong_split(run: Run, large: Path, output: Path) -> None:
    run("augment", large, "-o", output, "--holdout", "0.2")
    held = next((output / "val" / "cat").iterdir())
    held.rename(output / "train" / "cat" / held.name)
    (output / "extra").mkdir()
    ran = run("verify", output)
    assert ran.code == 1
    assert f"missing: val/cat/{held.name}" in ran.out
    assert f"foreign: train/cat/{held.name}" in ran.out
    assert "foreign: extra" in ran.out


def test_a_class_may_be_called_train(run: Run, make_tree: MakeTree, output: Path) -> None:
    source = make_tree({"bus": 4, "train": 10, "val": 6})
    assert run("undersample", source, "-o", output, "--holdout", "0.3").code == 0
    assert counts_of(output / "train") == {"bus": 3, "train": 3, "val": 3}
    assert run("verify", output, "--source", source).code == 0


def test_folders_of_a_list_that_look_like_splits_are_none(run: Run, tmp_path: Path) -> None:
    """Names do not depend on the side an image is on, and none is lost."""
    rows = ["path,label"]
    for number in range(10):
        for path in (f"{number}.png", f"train/Hat/{number}.png", f"val/{number}.png"):
            write_image(tmp_path / "images" / path, len(rows))
            rows.append(f"{path},Hat")
    (tmp_path / "all.csv").write_text("\n".join(rows))
    arguments = ["undersample", tmp_path / "all.csv", "--images", tmp_path / "images", "-s", "99"]
    assert run(*arguments, "-o", tmp_path / "whole").code == 0
    assert run(*arguments, "-o", tmp_path / "split", "--holdout", "0.3").code == 0
    whole, split = contents(tmp_path / "whole"), contents(tmp_path / "split")
    del whole["rebalance.jsonl"], split["rebalance.jsonl"]
    assert {path.partition("/")[2]: sha256 for path, sha256 in split.items()} == whole
    assert len(whole) == 30
    assert run("verify", tmp_path / "split", "--source", tmp_path / "images").code == 0


def test_what_another_split_was_given_as_it_is_does_not_serve_where_it_is_encoded(
    run: Run, splits: Path, tmp_path: Path
) -> None:
    arguments = ["augment", splits, "--size", "16x16", "-s", "8"]
    run(*arguments, "--split", "train", "-o", tmp_path / "again")
    assert run(*arguments, "--split", "val", "-o", tmp_path / "again", "--overwrite").code == 0
    assert run(*arguments, "--split", "val", "-o", tmp_path / "fresh").code == 0
    assert contents(tmp_path / "again") == contents(tmp_path / "fresh")


def test_output_is_no_split_of_its_source(run: Run, large: Path, tmp_path: Path) -> None:
    arguments = ["undersample", large, "-o", tmp_path / "test", "--leakage", "fail"]
    assert run(*arguments).code == 0
    ran = run(*arguments)
    assert ran.code == 0
    assert "up to date" in ran.err


@pytest.mark.parametrize("hidden", ["val", "val/cat", "val/cat/v0.png"])
def test_what_cannot_be_compared_is_no_proof(splits: Path, tmp_path: Path, hidden: str) -> None:
    shutil.copyfile(splits / "train" / "cat" / "003.png", splits / "val" / "cat" / "v0.png")
    (splits / hidden).chmod(0)
    try:
        for command in (["inspect"], ["undersample", "-o", str(tmp_path / "out")]):
            ran = run_without_powers(command[0], splits / "train", *command[1:], "--leakage", "fail")
            assert ran.returncode == 1
            assert "cannot be read and so not compared" in ran.stderr
    finally:
        (splits / hidden).chmod(0o755)


def test_a_source_behind_a_link_has_its_neighbors(run: Run, splits: Path, tmp_path: Path) -> None:
    (tmp_path / "data2" / "val").mkdir(parents=True)
    shutil.copyfile(splits / "train" / "cat" / "003.png", tmp_path / "data2" / "val" / "planted.png")
    (tmp_path / "data2" / "train").symlink_to(splits / "train")
    ran = run("inspect", tmp_path / "data2" / "train", "--leakage", "fail")
    assert ran.code == 1
    assert f"'cat/003.png' also stands in {tmp_path}/data2/val: '{tmp_path}/data2/val/planted.png'" in ran.out


def test_splits_of_any_name(run: Run, splits: Path, output: Path) -> None:
    name = os.fsdecode(b"tr\xff")
    (splits / "train").rename(splits / name)
    assert run("undersample", splits, "--split", name, "-o", output).code == 0
    assert run("verify", output, "--source", splits).code == 0


def test_a_change_that_holds_others_back_is_told(run: Run, tmp_path: Path, output: Path) -> None:
    """Of one size, so that the names and sizes are those of before."""
    for number in range(12):
        for name in ("a", "b"):
            write_image(tmp_path / "source" / name / f"{number:02}.bmp", number + (50 if name == "b" else 0))
    arguments = ["undersample", tmp_path / "source", "-o", output, "--holdout", "0.25"]
    run(*arguments)
    held, kept = (min((output / side / "a").iterdir()).name for side in ("val", "train"))
    shutil.copyfile(tmp_path / "source" / "a" / kept, tmp_path / "source" / "a" / held)
    ran = run(*arguments)
    assert ran.code == 5
    assert "holdout" in ran.err


def test_an_unreadable_image_is_bad_beside_a_holdout_too(large: Path, output: Path) -> None:
    for number in (0, 1):
        shutil.copyfile(large / "cat" / "000.png", large / "cat" / f"same{number}.png")
    (large / "cat" / "same0.png").chmod(0)
    arguments = ("augment", large, "-o", output, "--holdout", "0.2")
    assert run_without_powers(*arguments).returncode == 4
    assert run_without_powers(*arguments, "--bad-images", "skip").returncode == 0


def test_a_share_of_a_file_is_printed_as_it_can_be_read(run: Run, large: Path, tmp_path: Path) -> None:
    for share in ("0.00005", "0.2", "0.123456789"):
        printed = run("augment", "--holdout", share, "--print-config").out
        assert f"holdout = {share}" in printed
        (tmp_path / "own.toml").write_text(printed)
        assert run("augment", large, "-n", "--config", tmp_path / "own.toml").code == 0


def test_neighbors_that_cannot_be_seen_are_no_proof(splits: Path) -> None:
    splits.chmod(0o111)
    try:
        ran = run_without_powers("inspect", splits / "train", "--leakage", "fail")
        assert ran.returncode == 1
        assert "cannot be read and so not compared, '..' first" in ran.stderr
    finally:
        splits.chmod(0o755)
