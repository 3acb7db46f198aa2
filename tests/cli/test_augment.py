import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import (
    MakeTree,
    Run,
    contents,
    counts_of,
    everything,
    manifest_head,
    manifest_rows,
    run_without_powers,
    start,
    write_image,
)


def broken(path: Path) -> None:
    """Cut an image in the middle; it keeps its place in the scan."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_every_class_reaches_the_largest(run: Run, untouched: Path, output: Path) -> None:
    ran = run("augment", untouched, "-o", output)
    assert ran.code == 0, ran.err
    assert counts_of(output) == {"cat": 7, "dog": 7, "owl": 7}
    for path in output.rglob("*.png"):
        with Image.open(path) as image:
            image.load()
            assert (image.mode, image.size) == ("RGB", (24, 20))
    assert run("verify", output, "--source", untouched).code == 0


def test_originals_stand_byte_for_byte_under_their_own_names(run: Run, source: Path, output: Path) -> None:
    run("augment", source, "-o", output)
    assert contents(source).items() <= contents(output).items()


def test_the_root_holds_class_folders_and_the_manifest_alone(run: Run, source: Path, output: Path) -> None:
    run("augment", source, "-o", output)
    assert sorted(path.name for path in output.iterdir()) == ["cat", "dog", "owl", "rebalance.jsonl"]
    assert sorted(path.name for path in output.parent.iterdir()) == ["balanced", "source"]


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (["-s", "0.5"], {"cat": 4, "dog": 4, "owl": 7}),
        (["--ratio", "10"], {"cat": 10, "dog": 10, "owl": 10}),
        (["-s", "dog=5", "-s", "cat=6"], {"cat": 6, "dog": 5, "owl": 7}),
        (["--cap", "3", "-s", "3"], {"cat": 3, "dog": 3, "owl": 3}),
        (["--sampling-strategy", "not majority"], {"cat": 7, "dog": 7, "owl": 7}),
    ],
)
def test_the_dry_run_names_what_the_run_makes(
    run: Run, source: Path, output: Path, strategy: list[str], expected: dict[str, int]
) -> None:
    plan = run("augment", source, "-o", output, "--dry-run", "--format", "json", *strategy).document
    assert not output.exists()
    assert {entry["name"]: entry["n_after"] for entry in plan["classes"]} == expected
    assert run("augment", source, "-o", output, *strategy).code == 0
    assert counts_of(output) == expected
    assert [row["path"] for row in plan["files"]] == [row["path"] for row in manifest_rows(output) if "path" in row]


def test_a_dry_run_needs_no_output(run: Run, source: Path) -> None:
    ran = run("augment", source, "-n")
    assert ran.code == 0
    assert "3 classes, 13 files -> 21" in ran.out


def test_the_manifest_says_where_every_file_comes_from(run: Run, source: Path, output: Path) -> None:
    run("augment", source, "-o", output, "--cap", "3", "--seed", "5", "--engine", "pillow")
    head, rows = manifest_head(output), manifest_rows(output)
    assert head["seed"] == 5
    assert head["engine"] == "pillow"
    assert {"pillow", "numpy", "libjpeg_turbo"} <= head["versions"].keys()
    assert head["class_indices"] == {"cat": 0, "dog": 1, "owl": 2}
    assert [(entry["n_before"], entry["n_after"]) for entry in head["classes"]] == [(4, 3), (2, 3), (7, 3)]
    assert head["classes"][1]["share_before"] == pytest.approx(2 / 13)
    assert head["classes"][1]["log_ratio"] == pytest.approx(0.773190, abs=1e-6)  # ln((3 / 9) / (2 / 13))
    kinds = [row["kind"] for row in rows]
    assert (kinds.count("original"), kinds.count("augmented"), kinds.count("removed")) == (8, 1, 5)
    made = next(row for row in rows if row["kind"] == "augmented")
    assert made["source"].startswith("dog/")
    assert made["copy_number"] == 1
    assert set(made["values"]) == {"rotation", "width_shift", "height_shift", "zoom_x", "zoom_y", "brightness"}
    assert (made["width"], made["height"], made["mode"], made["format"]) == (24, 20, "RGB", "PNG")
    assert made["bytes"] == (output / made["path"]).stat().st_size
    removed = next(row for row in rows if row["kind"] == "removed")
    assert removed["reason"] == "left out by --cap 3 (random)"


@pytest.mark.threat(69)
def test_the_manifest_holds_no_path_of_the_machine_and_no_time(run: Run, source: Path, output: Path) -> None:
    run("augment", source, "-o", output)
    text = (output / "rebalance.jsonl").read_text()
    assert str(source.parent) not in text
    assert os.uname().nodename not in text


def test_copies_are_plain_over_sampling(run: Run, source: Path, output: Path) -> None:
    assert run("augment", source, "-o", output, "--config", "copy").code == 0
    assert counts_of(output) == {"cat": 7, "dog": 7, "owl": 7}
    assert set(contents(output / "dog").values()) == set(contents(source / "dog").values())
    assert all("_dup" in row["path"] for row in manifest_rows(output) if row["kind"] == "duplicate")


@pytest.mark.threat(23)
def test_the_largest_class_alone_has_nothing_to_gain(run: Run, make_tree: MakeTree, output: Path) -> None:
    ran = run("augment", make_tree({"only": 3}), "-o", output)
    assert ran.code == 0
    assert counts_of(output) == {"only": 3}
    assert "holds copies" not in ran.err


# Running again


@pytest.mark.threat(1)
def test_a_second_run_touches_nothing(run: Run, source: Path, output: Path) -> None:
    run("augment", source, "-o", output)
    before = everything(output.parent)
    ran = run("augment", source, "-o", output)
    assert ran.code == 0
    assert "up to date" in ran.err
    assert everything(output.parent) == before


def test_the_same_request_in_other_words_is_up_to_date(run: Run, source: Path, output: Path) -> None:
    run("augment", source, "-o", output, "-s", "auto")
    assert run("augment", source, "-o", output, "-s", "not-majority", "-j", "1", "--rotation-range", "7.0").code == 0


@pytest.mark.threat(2)
def test_another_request_is_refused_and_overwrite_replaces(run: Run, source: Path, output: Path) -> None:
    run("augment", source, "-o", output)
    before = everything(output)
    ran = run("augment", source, "-o", output, "--seed", "1")
    assert ran.code == 5
    assert "seed 0 there, 1 here; --overwrite replaces it" in ran.err
    assert everything(output) == before
    assert run("augment", source, "-o", output, "--seed", "1", "--overwrite").code == 0
    assert manifest_head(output)["seed"] == 1
    assert counts_of(output) == {"cat": 7, "dog": 7, "owl": 7}
    assert sorted(path.name for path in output.parent.iterdir()) == ["balanced", "source"]


def test_overwrite_takes_unchanged_files_from_the_old_tree(run: Run, source: Path, output: Path) -> None:
    run("augment", source, "-o", output)
    ran = run("augment", source, "-o", output, "-s", "9", "--overwrite")
    assert "reused 8 of 27" in ran.err
    once = output.parent / "once"
    run("augment", source, "-o", once, "-s", "9")
    assert contents(output) == contents(once)


def test_a_file_of_the_old_tree_that_was_changed_is_made_anew(run: Run, source: Path, output: Path) -> None:
    run("augment", source, "-o", output)
    made = next(row for row in manifest_rows(output) if row["kind"] == "augmented")
    data = bytearray((output / made["path"]).read_bytes())
    data[50] ^= 1
    (output / made["path"]).write_bytes(data)
    ran = run("augment", source, "-o", output, "-s", "9", "--overwrite")
    assert "reused 7 of 27" in ran.err
    assert run("verify", output).code == 0


def test_a_source_that_was_changed_is_noticed_by_name(run: Run, source: Path, output: Path) -> None:
    run("augment", source, "-o", output)
    path = source / "dog" / "001.png"
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    ran = run("augment", source, "-o", output)
    assert ran.code == 5
    assert "'dog/001.png' has changed" in ran.err


def test_a_source_that_was_touched_and_not_changed_is_up_to_date(run: Run, source: Path, output: Path) -> None:
    run("augment", source, "-o", output)
    os.utime(source / "dog" / "001.png")
    assert "up to date" in run("augment", source, "-o", output).err


def test_new_gone_and_longer_sources_are_named(run: Run, source: Path, output: Path) -> None:
    run("augment", source, "-o", output)
    write_image(source / "dog" / "new.png", 77)
    (source / "cat" / "000.png").unlink()
    ran = run("augment", source, "-o", output, "-s", "7")
    assert ran.code == 5
    ran = run("augment", source, "-o", output)
    assert "new 'dog/new.png'; gone 'cat/000.png'" in ran.err


def test_a_missing_file_of_the_output_is_named_and_overwrite_makes_it(run: Run, source: Path, output: Path) -> None:
    run("augment", source, "-o", output)
    complete = contents(output)
    (output / "cat" / "002.png").unlink()
    ran = run("augment", source, "-o", output)
    assert ran.code == 5
    assert "'cat/002.png' is missing" in ran.err
    assert run("augment", source, "-o", output, "--overwrite").code == 0
    assert contents(output) == complete


def test_a_tree_with_a_spoilt_manifest_is_never_replaced(run: Run, source: Path, output: Path) -> None:
    run("augment", source, "-o", output)
    manifest = output / "rebalance.jsonl"
    manifest.write_text("".join(manifest.read_text().splitlines(keepends=True)[:-1]))
    before = everything(output)
    for extra in ([], ["--overwrite"]):
        ran = run("augment", source, "-o", output, *extra)
        assert ran.code == 5
        assert "has 20 lines where its head says 21; what is ours in OUTPUT cannot be told" in ran.err
    assert everything(output) == before


@pytest.mark.threat(3)
@pytest.mark.parametrize("name", ["cat/notes.txt", "cat/.notes", "notes", "cat/folder/"])
def test_overwrite_does_not_lose_what_someone_put_into_the_output(
    run: Run, source: Path, output: Path, name: str
) -> None:
    run("augment", source, "-o", output)
    if name.endswith("/"):
        (output / name).mkdir()
    else:
        (output / name).write_text("mine")
    ran = run("augment", source, "-o", output, "--seed", "1", "--overwrite")
    assert ran.code == 5
    assert f"{output / name}: is in OUTPUT and not of our making" in ran.err
    assert (output / name).exists()


def test_overwrite_does_not_mind_common_litter(run: Run, source: Path, output: Path) -> None:
    run("augment", source, "-o", output)
    (output / "cat" / ".DS_Store").write_text("x")
    assert run("augment", source, "-o", output, "--seed", "1", "--overwrite").code == 0


def test_an_output_that_appears_before_the_lock_is_not_replaced(
    run: Run, source: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("augment", source, "-o", output, "-s", "0.5")
    before = everything(output)
    monkeypatch.setattr("rebalance.cli.balancing.check_output", lambda *_arguments: False)
    ran = run("augment", source, "-o", output)
    assert ran.code == 5
    assert "has appeared since this run began" in ran.err
    assert everything(output) == before


def test_what_a_kill_left_after_publishing_is_cleared_away(run: Run, source: Path, output: Path) -> None:
    run("augment", source, "-o", output)
    staging = output.parent / ".balanced.rebalance"
    (staging / "tmp").mkdir(parents=True)
    (staging / "staging.json").write_text('{"tree": 1}')
    ran = run("augment", source, "-o", output, "--format", "json")
    assert ran.document["is_up_to_date"]
    assert not staging.exists()


# What stands at OUTPUT


@pytest.mark.threat(3, 4)
@pytest.mark.parametrize("kind", ["file", "empty folder", "folder", "link", "dangling link"])
def test_what_is_not_ours_is_refused_and_left_alone(run: Run, source: Path, output: Path, kind: str) -> None:
    if kind == "file":
        output.write_text("mine")
    elif kind.endswith("folder"):
        output.mkdir()
        if kind == "folder":
            (output / "mine.txt").write_text("mine")
    else:
        output.symlink_to(source if kind == "link" else "nowhere")
    before = everything(output.parent)
    for extra in ([], ["--overwrite"], ["--dry-run"]):
        ran = run("augment", source, "-o", output, *extra)
        assert ran.code == 5
        assert ran.err.count("\n") <= 1
    assert "rmdir" in ran.err or kind != "empty folder"
    assert everything(output.parent) == before


@pytest.mark.threat(5)
def test_source_and_output_may_not_lie_in_each_other(run: Run, untouched: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(untouched)
    for output in (untouched, untouched / "out", untouched / "cat" / "out", tmp_path / "link" / "out", tmp_path):
        ran = run("augment", untouched, "-o", output)
        assert ran.code == 5, output
    assert run("augment", untouched, "-o", untouched / ".." / "source" / "x").code == 5


@pytest.mark.threat(5)
def test_an_output_behind_a_link_and_back_is_where_the_kernel_finds_it(
    run: Run, untouched: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere" / "folder").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "folder")
    assert run("augment", untouched, "-o", tmp_path / "link" / ".." / "out").code == 0
    assert (tmp_path / "elsewhere" / "out" / "rebalance.jsonl").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "link", "source"]
    inside = tmp_path / "link" / ".." / ".." / "source" / "cat" / "out"
    assert run("augment", untouched, "-o", inside).code == 5


@pytest.mark.threat(5)
def test_an_output_below_a_class_that_is_mounted_elsewhere_is_refused(untouched: Path, tmp_path: Path) -> None:
    (tmp_path / "mounted").mkdir()
    script = 'mount --bind "$1/cat" "$2" || exit 99; "$0" -m rebalance augment "$1" -o "$2/out" -q'
    command = ["unshare", "-m", "sh", "-c", script, sys.executable, str(untouched), str(tmp_path / "mounted")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode in (1, 99):
        pytest.skip(f"cannot mount here: {ran.stderr}")
    assert ran.returncode == 5


@pytest.mark.threat(10)
@pytest.mark.parametrize("name", ["x" * 256, "a\nb\nc/out"])
def test_an_output_that_no_disk_takes_is_one_line(run: Run, source: Path, tmp_path: Path, name: str) -> None:
    ran = run("augment", source, "-o", tmp_path / name, "-q")
    assert ran.code in (3, 5)
    assert ran.err.count("\n") == 1


@pytest.mark.threat(7)
def test_a_missing_parent_of_the_output_is_refused_before_any_work(run: Run, source: Path, tmp_path: Path) -> None:
    ran = run("augment", source, "-o", tmp_path / "no" / "out")
    assert ran.code == 5
    assert "does not exist: make it first" in ran.err


# Bad images


@pytest.mark.threat(33)
def test_bad_images_are_all_listed_and_nothing_is_published(run: Run, source: Path, output: Path) -> None:
    broken(source / "dog" / "000.png")
    (source / "owl" / "003.png").write_bytes(b"")
    ran = run("augment", source, "-o", output)
    assert ran.code == 4
    assert "2 images of SOURCE cannot be used" in ran.err
    assert "'dog/000.png': does not decode" in ran.err
    assert "'owl/003.png': the file is empty" in ran.err
    assert not output.exists()


def test_finished_work_is_kept_until_the_bad_image_is_mended(run: Run, source: Path, output: Path) -> None:
    whole = (source / "owl" / "003.png").read_bytes()
    broken(source / "owl" / "003.png")
    assert run("augment", source, "-o", output).code == 4
    assert "reused 20 of 21" in run("augment", source, "-o", output).err
    (source / "owl" / "003.png").write_bytes(whole)
    ran = run("augment", source, "-o", output)
    assert ran.code == 0
    assert "reused 20 of 21" in ran.err


def test_skipping_makes_up_for_what_it_leaves_out(run: Run, source: Path, output: Path) -> None:
    broken(source / "cat" / "001.png")
    broken(source / "owl" / "003.png")
    ran = run("augment", source, "-o", output, "--bad-images", "skip")
    assert ran.code == 0, ran.err
    assert counts_of(output) == {"cat": 7, "dog": 7, "owl": 7}
    assert "left out: 'cat/001.png': does not decode" in ran.err
    assert {row["source"] for row in manifest_rows(output) if row["kind"] == "removed"} == {
        "cat/001.png",
        "owl/003.png",
    }
    assert run("verify", output).code == 0
    assert run("augment", source, "-o", output, "--bad-images", "skip").code == 0


def test_skipping_gives_the_tree_of_a_run_that_knew(run: Run, source: Path, output: Path) -> None:
    broken(source / "cat" / "001.png")
    run("augment", source, "-o", output, "-s", "7", "--bad-images", "skip")
    knowing = output.parent / "knowing"
    run("augment", source, "-o", knowing, "-s", "7", "--exclude", "cat/001.png")
    assert contents(output).items() - {("rebalance.jsonl", contents(output)["rebalance.jsonl"])} == contents(
        knowing
    ).items() - {("rebalance.jsonl", contents(knowing)["rebalance.jsonl"])}


def test_an_up_to_date_tree_is_told_as_it_is(run: Run, source: Path, output: Path) -> None:
    broken(source / "cat" / "001.png")
    first = run("augment", source, "-o", output, "--bad-images", "skip", "--format", "json")
    second = run("augment", source, "-o", output, "--bad-images", "skip", "--format", "json")
    assert first.document["n_reused"] == 0
    assert not first.document["is_up_to_date"]
    assert second.document["is_up_to_date"]
    assert second.document["classes"] == first.document["classes"]
    assert "left out: 'cat/001.png'" in second.err
    assert "reused" not in first.err + second.err


def test_a_bad_source_of_many_copies_is_told_once(run: Run, make_tree: MakeTree, output: Path) -> None:
    lopsided = make_tree({"many": 70, "one": 1})
    broken(lopsided / "one" / "000.png")
    ran = run("augment", lopsided, "-o", output)
    assert ran.err.count("bad image: ") == 1
    assert "1 image of SOURCE cannot be used" in ran.err
    ran = run("augment", lopsided, "-o", output, "--bad-images", "skip")
    assert ran.code == 3
    assert "bad image: 'one/000.png': does not decode" in ran.err


def test_a_source_that_could_not_be_read_is_looked_at_when_it_can_be(run: Run, source: Path, output: Path) -> None:
    (source / "owl" / "001.png").chmod(0)
    assert run_without_powers("augment", source, "-o", output, "--bad-images", "skip").returncode == 0
    (source / "owl" / "001.png").chmod(0o644)
    ran = run("augment", source, "-o", output, "--bad-images", "skip")
    assert ran.code == 5
    assert "'owl/001.png' could not be read then" in ran.err


def test_carrying_keeps_bad_images_and_copies_others(run: Run, source: Path, output: Path) -> None:
    broken(source / "cat" / "001.png")
    ran = run("augment", source, "-o", output, "--bad-images", "carry")
    assert ran.code == 0, ran.err
    assert counts_of(output) == {"cat": 7, "dog": 7, "owl": 7}
    assert (output / "cat" / "001.png").read_bytes() == (source / "cat" / "001.png").read_bytes()
    carried = next(row for row in manifest_rows(output) if row.get("path") == "cat/001.png")
    assert carried["note"].startswith("does not decode")
    assert not any(row["source"] == "cat/001.png" for row in manifest_rows(output) if row["kind"] == "augmented")
    assert run("augment", source, "-o", output, "--bad-images", "carry").code == 0


def test_what_cannot_be_read_cannot_be_carried(source: Path, output: Path) -> None:
    (source / "owl" / "001.png").chmod(0)
    ran = run_without_powers("augment", source, "-o", output, "--bad-images", "carry")
    assert ran.returncode == 4
    assert "bad image: 'owl/001.png': permission denied" in ran.stderr


def test_the_summary_counts_what_was_kept_and_made(run: Run, source: Path, output: Path) -> None:
    broken(source / "cat" / "001.png")
    summary = run("augment", source, "-o", output, "--bad-images", "skip", "--format", "json").document
    assert summary["classes"][0] == {
        "name": "cat", "n_before": 4, "n_kept": 3, "n_after": 7, "n_left_out": 1,
        "generated_share": 0.571429, "most_copies": 2,
    }  # fmt: skip


def test_a_class_of_bad_images_alone_is_impossible(run: Run, source: Path, output: Path) -> None:
    for path in (source / "dog").iterdir():
        broken(path)
    ran = run("augment", source, "-o", output, "--bad-images", "skip")
    assert ran.code == 3
    assert "class 'dog'" in ran.err
    assert not output.exists()


def test_a_full_check_finds_what_a_header_hides(run: Run, source: Path, output: Path) -> None:
    """Half of a BMP: its header is sound, and nothing generated needs its pixels."""
    path = source / "owl" / "000.bmp"
    write_image(path, 3)
    broken(path)
    ran = run("augment", source, "-o", output, "-s", "cat=5", "--check", "full")
    assert ran.code == 4
    assert "'owl/000.bmp': does not decode" in ran.err
    assert run("augment", source, "-o", output, "-s", "cat=5").code == 0


@pytest.mark.threat(38, 40)
def test_an_unfit_image_stays_an_original(run: Run, source: Path, output: Path) -> None:
    Image.new("F", (24, 20)).save(source / "cat" / "000.tif")
    (source / "cat" / "000.png").unlink()
    ran = run("augment", source, "-o", output)
    assert ran.code == 4
    assert "'cat/000.tif': has mode F" in ran.err
    assert run("augment", source, "-o", output, "--bad-images", "skip").code == 0
    assert (output / "cat" / "000.tif").read_bytes() == (source / "cat" / "000.tif").read_bytes()
    assert counts_of(output) == {"cat": 7, "dog": 7, "owl": 7}


# Names


@pytest.mark.threat(13, 17)
def test_hostile_names_come_through(run: Run, source: Path, output: Path) -> None:
    image = (source / "cat" / "000.png").read_bytes()
    names = [
        b"caf\xe9.png",
        b"a\nb.png",
        b"-rf.png",
        b"\x1b[31mred.png",
        "漢😀.png".encode(),
        b"$x 'q\".png",
        b"x" * 251 + b".png",
    ]
    for name in names:
        with open(os.path.join(os.fsencode(source), b"cat", name), "wb") as file:
            file.write(image)
    os.rename(source / "dog", os.fsencode(source) + b"/d\xf6g")
    ran = run("augment", source, "-o", output, "-s", "30")
    assert ran.code == 0, ran.err
    assert "\x1b" not in ran.out + ran.err
    stored = os.listdir(os.path.join(os.fsencode(output), b"cat"))
    assert set(names) <= set(stored)
    assert len(stored) == 30
    assert max(len(name) for name in stored) <= 255
    assert run("verify", output, "--source", source).code == 0
    assert run("augment", source, "-o", output, "-s", "30").code == 0
    assert run("augment", source, "-o", output.parent / "exact", "-s", "d\udcf6g=3").code == 0
    assert any(isinstance(row.get("path"), dict) for row in manifest_rows(output))


@pytest.mark.threat(24)
def test_a_generated_name_that_is_taken_is_refused(run: Run, source: Path, output: Path) -> None:
    run("augment", source, "-o", output)
    (output / "rebalance.jsonl").unlink()
    again = output.parent / "again"
    assert run("augment", output, "-n", "-s", "8").code == 3
    ran = run("augment", output, "-o", again, "-s", "8")
    assert ran.code == 3
    assert not (output.parent / ".again.rebalance").exists()
    assert "SOURCE looks like an output of rebalance" in ran.err
    assert run("augment", output, "-o", again, "-s", "8", "--seed", "9").code == 0


@pytest.mark.threat(15)
def test_names_that_differ_by_case_are_warned_of(run: Run, source: Path) -> None:
    write_image(source / "Cat" / "1.png", 5)
    assert "'Cat' and 'cat' are one name on a disk that ignores case" in run("augment", source, "-n").err


@pytest.mark.threat(36)
def test_a_suffix_that_lies_is_decided_by_content(run: Run, source: Path, output: Path) -> None:
    os.rename(source / "dog" / "000.png", source / "dog" / "000.jpg")
    assert run("augment", source, "-o", output).code == 0
    made = next(row for row in manifest_rows(output) if row["source"] == "dog/000.jpg" and row["kind"] == "augmented")
    assert made["format"] == "PNG"
    assert made["path"].endswith(".jpg")


# Links


@pytest.mark.threat(65)
@pytest.mark.parametrize("link", ["copy", "hardlink", "symlink", "auto"])
def test_originals_come_as_asked_and_generated_files_are_never_links(
    run: Run, source: Path, output: Path, link: str
) -> None:
    assert run("augment", source, "-o", output, "--link", link).code == 0
    for row in manifest_rows(output):
        path = output / row["path"]
        if row["kind"] == "original":
            assert path.is_symlink() == (link == "symlink")
            assert path.samefile(source / row["source"]) == (link in ("hardlink", "symlink"))
        else:
            assert not path.is_symlink()
            assert path.stat().st_nlink == 1
    assert run("verify", output, "--source", source).code == 0
    assert run("augment", source, "-o", output, "--link", link).code == 0


# Configuration


@pytest.mark.threat(77)
def test_settings_come_from_file_and_command_line_in_this_order(run: Run, source: Path, tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text("[augment]\nseed = 4\nrotation_range = 15\nzoom_range = [0.8, 1.1]\nsampling_strategy = 0.5\n")
    plan = run("augment", source, "-n", "--format", "json", "--config", config, "--rotation-range", "20").document
    assert plan["request"]["seed"] == 4
    assert plan["request"]["sampling_strategy"] == "1/2"
    assert plan["request"]["recipe"] == {"rotation_range": 20.0, "zoom_range": [0.8, 1.1], "fill_mode": "reflect"}


def test_a_file_without_transforms_leaves_the_default_ones(run: Run, source: Path, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("[augment]\nseed = 4\n")
    plan = run("augment", source, "-n", "--format", "json", "--config", tmp_path / "c.toml").document
    assert plan["request"]["recipe"]["rotation_range"] == 7.0


@pytest.mark.threat(76)
def test_a_file_with_a_byte_order_mark_is_read(run: Run, source: Path, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("[augment]\nseed = 4\n", encoding="utf-8-sig")
    assert run("augment", source, "-n", "--config", tmp_path / "c.toml").code == 0


@pytest.mark.threat(77)
def test_printed_settings_are_a_file_that_gives_them_back(run: Run, source: Path, tmp_path: Path) -> None:
    given = [
        "--seed",
        "3",
        "-s",
        "0.5",
        "--crop-range",
        "0.5",
        "0.9",
        "--horizontal-flip",
        "--exclude",
        '*.gif\x7fé"\\',
    ]
    printed = run("augment", *given, "--print-config")
    assert printed.code == 0
    (tmp_path / "c.toml").write_text(printed.out)
    by_file = run("augment", source, "-n", "--format", "json", "--config", tmp_path / "c.toml").document
    assert by_file == run("augment", source, "-n", "--format", "json", *given).document


def test_printed_copies_stay_copies(run: Run, source: Path, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(run("augment", "--config", "copy", "--print-config").out)
    plan = run("augment", source, "-n", "--format", "json", "--config", tmp_path / "c.toml").document
    assert plan["request"]["recipe"] == {}


@pytest.mark.threat(76)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[augment]\nsede = 1", "'sede' is no setting; did you mean 'seed'"),
        ("[agument]\nseed = 1", "[agument] is no command with settings; did you mean 'augment'"),
        ("seed = 1", "[seed] is no command with settings"),
        ("[augment]\nseed = 1\nseed = 2", "not a TOML file"),
        ("[augment]\nseed = '1'", "seed = '1' is not a whole number"),
        ("[augment]\nseed = true", "seed = True is not a whole number"),
        ("[augment]\nseed = -1", "-1 is not in the range"),
        ("[augment]\nhorizontal_flip = 1", "horizontal_flip = 1 is not true or false"),
        ("[augment]\nrotation_range = nan", "rotation_range = nan is not degrees"),
        ("[augment]\nfill_mode = 'mirror'", "'mirror' is not one of"),
        ("[augment]\noutput = 'x'", "'output' is no setting"),
        ("[augment]\nworkers = 1.5", "workers = 1.5 is not a whole number"),
        ("augment = 3", "augment is to be a table"),
        ("[augment", "not a TOML file"),
        ("[augment]\nsampling_strategy = []", "sampling_strategy = [] is empty"),
        ("[augment]\nseed = " + "[" * 5000 + "]" * 5000, "not a TOML file"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(
    run: Run, source: Path, tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "c.toml").write_text(text)
    ran = run("augment", source, "-n", "--config", tmp_path / "c.toml")
    assert ran.code == 2
    assert message in ran.err
    assert ran.err.count("\n") == 1


def test_an_unknown_configuration_is_answered_with_the_nearest(run: Run, source: Path) -> None:
    ran = run("augment", source, "-n", "--config", "mlid")
    assert ran.code == 2
    assert "did you mean 'mild'" in ran.err


@pytest.mark.threat(74, 85)
@pytest.mark.parametrize(
    "option",
    [
        ["--seed", "-1"], ["--seed", "18446744073709551616"], ["--seed", "x"], ["--rotation-range", "nan"],
        ["--rotation-range", "1e400"], ["--zoom-range", "-0.1"], ["--cval", "256"], ["-j", "0"], ["--cap", "0"],
        ["--max-copies", "0"], ["--crop-range", "1e-7", "1e-7"], ["--width-shift-range", "1e300"],
        ["--zoom-range", "1e300,1e300"], ["--zoom-range", "1e-9,1e-9"], ["--shear-range", "89.9"],
        ["-s", "0.1.2"], ["-s", "1"], ["--crop-range", "0.5", "x"], ["--windw", "3"],
        ["--window", "3"], ["--cap-method", "window"], ["--cap", "3", "--window", "3"],
    ],
)  # fmt: skip
def test_an_option_out_of_range_is_one_line_and_exit_2(run: Run, source: Path, option: list[str]) -> None:
    ran = run("augment", source, "-n", *option)
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert ran.err.startswith("rebalance: error: ")


def test_a_shear_below_one_degree_is_remarked_upon_once(run: Run, source: Path) -> None:
    assert run("augment", source, "-n", "--shear-range", "0.2").err.count("shear_range is in degrees") == 1


@pytest.mark.threat(75)
def test_too_many_copies_are_refused(run: Run, make_tree: MakeTree, output: Path) -> None:
    lopsided = make_tree({"many": 102, "one": 1})
    ran = run("augment", lopsided, "-o", output)
    assert ran.code == 3
    assert "class 'one' would need 101 copies" in ran.err
    ran = run("augment", lopsided, "-n", "--max-copies", "101")
    assert ran.code == 0
    assert "warning: class 'one': 1 sources -> 102 files, 101 copies" in ran.err


def test_the_summary_is_also_json_and_csv(run: Run, source: Path, output: Path) -> None:
    summary = run("augment", source, "-o", output, "--format", "json").document
    assert summary["classes"][1] == {
        "name": "dog", "n_before": 2, "n_kept": 2, "n_after": 7, "n_left_out": 0,
        "generated_share": 0.714286, "most_copies": 3,
    }  # fmt: skip
    ran = run("augment", source, "-o", output.parent / "b", "--format", "csv", "-q")
    assert ran.out.splitlines()[2] == "dog,2,2,7,0.714286,3"
    assert ran.err == ""


def test_source_and_output_have_to_be_named(run: Run, source: Path) -> None:
    assert "SOURCE is missing" in run("augment").err
    assert "-o OUTPUT is missing" in run("augment", source).err


def test_a_targets_file_is_read(run: Run, source: Path, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(json.dumps({"dog": 4}), encoding="utf-8-sig")
    assert "3 classes, 13 files -> 15" in run("augment", source, "-n", "-s", f"@{tmp_path}/t.json").out
    assert run("augment", source, "-n", "-s", "@nowhere.json").code == 2


def test_a_disk_that_takes_no_more_is_told_with_the_file_it_was_for(source: Path, output: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (700, 700))

    process = start("augment", source, "-o", output, "-j", "1", preexec_fn=limit)
    _, told = process.communicate()
    assert process.returncode == 7, told
    assert re.search(r"error: \S+: File too large; the finished work is kept: run again to resume\n", told), told
    assert not output.exists()
