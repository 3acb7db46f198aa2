import csv
import io
import shutil
from pathlib import Path

import pytest

from tests.conftest import MakeTree, Run, contents


def test_it_tells_how_good_the_vectors_are_before_all_else(clothing: Path, run: Run) -> None:
    done = run("inspect", clothing, "--neighbors")
    assert done.code == 0, done.err
    told = done.out[done.out.index("vectors of descriptor") :].splitlines()
    assert "balanced accuracy 0.593 (leave one out); with labels shuffled 0.166 (0.142 to 0.186)" in told[0]
    assert told[2].split() == ["class", "safe", "borderline", "rare", "outlier", "confused", "with"]
    assert told[-2] == "0 groups of near-duplicates (cosine 0.95 and more) with 0 images, 0 across classes"
    assert "Blouse: 19 of 23 have more neighbors of another class:" in told
    start = told.index("Blazer: 26 of 109 have more neighbors of another class, the 20 most suspicious:")
    assert [line.startswith("    'Blazer/") for line in told[start + 1 : start + 22]] == [True] * 20 + [False]
    assert "no better than chance" not in done.out


def test_the_report_is_the_same_as_json_and_csv_and_from_a_file(photos: Path, tmp_path: Path, run: Run) -> None:
    before = contents(photos)
    report = run("inspect", photos, "--neighbors", "--format", "json").document
    by_class = {row["name"]: row for row in report["neighbors"]["classes"]}
    assert [row["n_images"] for row in by_class.values()] == [14, 11, 6]
    assert all(sum(row["shares"].values()) == pytest.approx(1) for row in by_class.values())
    assert {"path", "n_images", "n_same", "looks_like", "nearest", "similarity"} == set(by_class["Top"]["suspects"][0])
    rows = list(csv.DictReader(io.StringIO(run("inspect", photos, "--neighbors", "--format", "csv").out)))
    assert [row["name"] for row in rows] == list(by_class)
    for row in rows:
        assert float(row["safe"]) == by_class[row["name"]]["shares"]["safe"]
        assert float(row["outlier_expected"]) == by_class[row["name"]]["expected"]["outlier"]
        assert int(row["n_suspicious"]) == by_class[row["name"]]["n_suspicious"]
    assert contents(photos) == before
    run("embed", photos, "-o", tmp_path / "v.npz")
    assert (
        run("inspect", photos, "--neighbors", "--embeddings", tmp_path / "v.npz", "--format", "json").document == report
    )


def test_near_duplicates_across_splits_and_classes_come_first(clothing: Path, tmp_path: Path, run: Run) -> None:
    hats, tops = sorted((clothing / "Hat").iterdir()), sorted((clothing / "Top").iterdir())
    for split, offset in (("train", 0), ("val", 8)):
        for name, paths in (("Hat", hats), ("Top", tops)):
            (tmp_path / "data" / split / name).mkdir(parents=True)
            for path in paths[offset : offset + 8]:
                shutil.copy(path, tmp_path / "data" / split / name)
    shutil.copy(tops[0], tmp_path / "data/val/Top/twice.jpg")
    shutil.copy(tops[1], tmp_path / "data/train/Hat/odd.jpg")
    shutil.copy(hats[2], tmp_path / "data/train/Hat/00same.jpg")
    done = run("inspect", tmp_path / "data", "--split", "train", "--neighbors")
    told = [line for line in done.out.splitlines() if line.startswith("nearly the same")]
    assert [line.split(":")[0] for line in told] == [
        "nearly the same across splits", "nearly the same across classes", "nearly the same within a class"
    ]  # fmt: skip
    assert "'val/Top/twice.jpg'" in told[0]
    assert "'train/Hat/odd.jpg'" in told[1]
    assert "3 groups of near-duplicates (cosine 0.95 and more) with 6 images, 1 across classes" in done.out
    closer = run("inspect", tmp_path / "data", "--split", "train", "--neighbors", "--similarity", "0.3").out
    assert "(cosine 0.3 and more)" in closer
    assert "3 groups" not in closer


def test_an_image_without_a_vector_is_told_once(photos: Path, run: Run) -> None:
    first = min((photos / "Hat").iterdir())
    first.write_bytes(first.read_bytes()[:2000])
    for more in ((), ("--check",)):
        done = run("inspect", photos, "--neighbors", *more)
        assert done.code == 4
        assert done.out.count(f"bad image: Hat/{first.name}") == 1
        assert "balanced accuracy" in done.out


def test_vectors_that_tell_nothing_are_said_to_tell_nothing(make_tree: MakeTree, run: Run) -> None:
    tree = make_tree({"a": 9, "b": 9})
    for number, path in enumerate(sorted(tree.rglob("*.png"))):
        if number % 2:
            shutil.move(path, tree / ("a" if path.parent.name == "b" else "b") / f"moved{number}.png")
    assert "tell the classes apart no better than chance does" in run("inspect", tree, "--neighbors").out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--similarity", "0.9"), "--similarity goes with --neighbors"),
        (("--embedder", "pixels"), "--embedder goes with --neighbors"),
        (("--embeddings", "v.npz"), "--embeddings goes with --neighbors"),
        (("--neighbors", "--similarity", "0"), "'0' is not a number above 0"),
        (("--neighbors", "--similarity", "nan"), "'nan' is not a number above 0"),
        (("--neighbors", "--similarity", "1.1"), "'1.1' is above 1, which no cosine is"),
        (("--neighbors", "--embedder", "onnx:nowhere.onnx"), "nowhere.onnx: cannot be read"),
        (("--neighbors", "--model-setting", "size=3"), "--model-setting is for --embedder onnx:MODEL"),
    ],
)
def test_options_that_are_wrong_are_told_before_any_image_is_looked_at(
    options: tuple[str, ...], told: str, source: Path, run: Run
) -> None:
    for path in source.rglob("*.png"):
        path.write_bytes(b"no image, which would be told with another code")
    done = run("inspect", source, "--check", *options)
    assert (done.code, told in done.err) == (2, True), done.err


def test_too_few_pictures_are_refused(make_tree: MakeTree, run: Run) -> None:
    done = run("inspect", make_tree({"a": 3, "b": 2}), "--neighbors")
    assert (done.code, done.err) == (
        3, "rebalance: error: 5 different pictures are too few to look at 5 neighbors: it takes 6\n"
    )  # fmt: skip


@pytest.mark.parametrize("embedder", ["descriptor", "pixels"])
def test_copies_are_as_similar_as_can_be(embedder: str, photos: Path, run: Run) -> None:
    for path in list(photos.rglob("*.jpg")):
        shutil.copy(path, path.with_name(f"{path.stem}-2.jpg"))
    done = run("inspect", photos, "--neighbors", "--similarity", "1", "--embedder", embedder)
    assert "31 groups of near-duplicates (cosine 1 and more) with 62 images" in done.out
