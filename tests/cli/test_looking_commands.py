import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from rebalance.planning.methods import METHODS
from tests.conftest import MakeTree, Run, contents, manifest_head, manifest_rows, start

LOOKING = [name for name, method in METHODS.items() if method.is_looking]


def counts(output: Path) -> dict[str, int]:
    return {folder.name: len(list(folder.iterdir())) for folder in sorted(output.iterdir()) if folder.is_dir()}


@pytest.mark.parametrize("method", [*LOOKING, "tomek,enn,random"])
def test_every_method_makes_a_tree_that_verifies(method: str, photos: Path, output: Path, run: Run) -> None:
    done = run("undersample", photos, "-o", output, "--method", method, "-j", "1")
    assert done.code == 0, done.err
    assert run("verify", output, "--source", photos).code == 0
    if METHODS.get(method, METHODS["random"]).is_counted:
        assert counts(output) == {"Hat": 6, "Skirt": 6, "Top": 6}


def test_the_tree_is_the_same_for_any_number_of_workers(photos: Path, tmp_path: Path, run: Run) -> None:
    for n_workers in ("1", "3"):
        run("undersample", photos, "-o", tmp_path / n_workers, "--method", "spread", "-j", n_workers)
    assert contents(tmp_path / "1") == contents(tmp_path / "3")


def test_running_again_finds_it_up_to_date_and_another_embedder_is_another_request(
    photos: Path, output: Path, run: Run
) -> None:
    asked = ("undersample", photos, "-o", output, "--method", "nearmiss-1")
    run(*asked)
    assert "up to date" in run(*asked).err
    assert run(*asked, "--embedder", "pixels").code == 5


def test_the_manifest_says_what_an_image_is_left_out_for(photos: Path, output: Path, run: Run) -> None:
    first = min((photos / "Hat").iterdir())
    shutil.copy(first, photos / "Top" / "same.jpg")
    done = run("undersample", photos, "-o", output, "--method", "tomek")
    path = f"Hat/{first.name}"
    assert f"the same picture in 2 classes: {path!r} and 'Top/same.jpg': left out of 'Hat'" in done.err
    row = next(row for row in manifest_rows(output) if row["source"] == path)
    assert row["kind"] == "removed"
    assert row["reason"] == "left out by undersample (the same picture in another class)"
    assert row["counterpart"] == "Top/same.jpg"
    head = manifest_head(output)
    assert head["request"]["vectors"]["name"] == "descriptor"
    assert len(head["request"]["vectors"]["sha256"]) == 64


@pytest.mark.parametrize(("bad_images", "code", "n_hats"), [("fail", 4, None), ("skip", 0, 6), ("carry", 0, 6)])
def test_an_image_that_cannot_be_embedded_is_treated_as_asked(
    bad_images: str, code: int, n_hats: int | None, photos: Path, output: Path, run: Run
) -> None:
    (photos / "Hat" / "broken.jpg").write_bytes(b"no picture")
    done = run("undersample", photos, "-o", output, "--method", "nearmiss-1", "--bad-images", bad_images)
    assert done.code == code, done.err
    assert "Hat/broken.jpg" in done.err
    if n_hats is None:
        assert not output.exists()
    else:
        assert counts(output)["Hat"] == n_hats
        assert (output / "Hat" / "broken.jpg").exists() == (bad_images == "carry")
        assert run("verify", output).code == 0


def test_a_cap_may_look_at_the_pictures(photos: Path, output: Path, run: Run) -> None:
    done = run("augment", photos, "-o", output, "--cap", "8", "--cap-method", "tomek,spread", "-j", "1")
    assert done.code == 0, done.err
    assert counts(output) == {"Hat": 8, "Skirt": 8, "Top": 8}
    assert run("verify", output, "--source", photos).code == 0


@pytest.mark.parametrize(
    ("command", "options", "told"),
    [
        ("undersample", ("--method", "tomek", "-s", "0.5"), "reaches no number: chain one that does (tomek,random)"),
        ("undersample", ("--method", "tomek", "-s", "minority"), "minority is for augment"),
        ("undersample", ("--method", "tomk"), "did you mean 'tomek'?"),
        ("undersample", ("--method", "random,tomek"), "random keeps a number, so nothing can follow it"),
        ("undersample", ("--embedder", "pixels"), "--embedder is for methods that look at the pictures"),
        ("augment", ("--cap", "5", "--cap-method", "enn"), "keeps no number: chain one that does (enn,random)"),
    ],
)
def test_methods_that_do_not_go_together_are_refused_before_any_picture_is_looked_at(
    command: str, options: tuple[str, ...], told: str, photos: Path, output: Path, run: Run
) -> None:
    (photos / "Hat" / "broken.jpg").write_bytes(b"no picture")
    done = run(command, photos, "-o", output, *options)
    assert (done.code, told in done.err) == (2, True), done.err


def test_cleaning_all_classes_takes_from_the_smallest_too(photos: Path, run: Run) -> None:
    plans = []
    for strategy in ("auto", "all"):
        done = run("undersample", photos, "-n", "--method", "enn", "-s", strategy, "--format", "json")
        plans.append({entry["name"]: entry["n_after"] for entry in json.loads(done.out)["classes"]})
    assert plans[0]["Top"] == 6
    assert plans[1]["Top"] < 6


def test_a_list_of_what_is_kept_may_be_chosen_by_looks(photos: Path, output: Path, run: Run) -> None:
    done = run("undersample", photos, "-o", output, "--method", "diverse", "--write", "list")
    assert done.code == 0, done.err
    assert "no image was opened" not in done.err


def written_vectors(photos: Path, folder: Path, *, backwards: bool = False) -> Path:
    """Write vectors of three numbers, those of two images equal."""
    paths = sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.jpg"))
    raw = np.random.PCG64(1).random_raw(3 * len(paths)).astype(np.float64).reshape(-1, 3) / 2**64 - 0.5
    order = slice(None, None, -1) if backwards else slice(None)
    np.savez(folder / "vectors.npz", paths=np.array(paths)[order], vectors=raw[order])
    return folder / "vectors.npz"


def test_vectors_of_a_file_are_joined_by_path(photos: Path, tmp_path: Path, run: Run) -> None:
    plans = []
    for backwards in (False, True):
        file = written_vectors(photos, tmp_path, backwards=backwards)
        done = run("undersample", photos, "-n", "--method", "spread", "--embeddings", file, "--format", "json")
        plans.append(done.document)
    assert plans[0] == plans[1]
    assert len(plans[0]["files"]) == 18


def test_a_tree_is_made_by_vectors_of_a_file(photos: Path, tmp_path: Path, output: Path, run: Run) -> None:
    asked = ("undersample", photos, "-o", output, "--method", "enn,cluster")
    file = written_vectors(photos, tmp_path)
    done = run(*asked, "--embeddings", file)
    assert done.code == 0, done.err
    assert counts(output) == {"Hat": 6, "Skirt": 6, "Top": 6}
    assert "up to date" in run(*asked, "--embeddings", file).err
    assert run("verify", output, "--source", photos).code == 0


def test_images_that_hold_the_same_are_found_whatever_their_vectors(photos: Path, tmp_path: Path, run: Run) -> None:
    shutil.copy(min((photos / "Hat").iterdir()), photos / "Top" / "same.jpg")
    file = written_vectors(photos, tmp_path)
    done = run("undersample", photos, "-n", "--method", "tomek", "--embeddings", file)
    assert "the same picture in 2 classes" in done.err


def test_an_image_without_a_vector_ends_the_run_and_a_vector_without_an_image_is_named(
    photos: Path, tmp_path: Path, run: Run
) -> None:
    file = written_vectors(photos, tmp_path)
    first = min((photos / "Hat").iterdir())
    first.rename(photos / "Hat" / "renamed.jpg")
    asked = ("undersample", photos, "-n", "--method", "spread", "--embeddings", file)
    done = run(*asked)
    assert (done.code, "has no vector for 1 of the 31 images" in done.err, "'Hat/renamed.jpg'" in done.err) == (
        3,
        True,
        True,
    ), done.err
    (photos / "Hat" / "renamed.jpg").unlink()
    done = run(*asked)
    assert done.code == 0
    assert f"has 1 vectors for images that SOURCE does not have: 'Hat/{first.name}'" in done.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--method", "random", "--embeddings", "v.npz"), "--embeddings is for methods that look at the pictures"),
        (("--method", "spread", "--embeddings", "v.npz", "--embedder", "pixels"), "leave one of them out"),
        (("--method", "spread", "--embedding-paths", "v.txt"), "give it with --embeddings"),
        (("--method", "spread", "--embeddings", "v.npz", "--model-setting", "size=9"), "leave one of them out"),
        (("--method", "random", "--similarity", "0.9"), "--similarity goes with --method diverse"),
        (("--method", "spread", "--similarity", "0.9"), "--similarity goes with --method diverse"),
    ],
)
def test_vectors_that_are_asked_for_twice_or_for_nothing_are_refused(
    options: tuple[str, ...], told: str, photos: Path, run: Run
) -> None:
    done = run("undersample", photos, "-n", *options)
    assert (done.code, told in done.err) == (2, True), done.err


def test_what_counts_as_nearly_the_same_is_asked_for(photos: Path, tmp_path: Path, run: Run) -> None:
    first = min((photos / "Hat").iterdir())
    shutil.copy(first, photos / "Hat" / "same.jpg")
    asked = ("undersample", photos, "--method", "diverse", "-j", "1")
    reasons = {}
    for similarity in ("0.2", "1"):
        done = run(*asked, "-o", tmp_path / similarity, "--similarity", similarity)
        assert done.code == 0, done.err
        reasons[similarity] = [
            row["reason"] for row in manifest_rows(tmp_path / similarity) if row["kind"] == "removed"
        ]
        assert manifest_head(tmp_path / similarity)["request"]["selection"]["similarity"] == float(similarity)
    assert sum("nearly the same" in reason for reason in reasons["0.2"]) > 5
    assert not any("nearly the same" in reason for reason in reasons["1"])
    assert any("the same picture" in reason for reason in reasons["1"])


def test_what_is_kept_does_not_depend_on_the_number_of_processors(clothing: Path) -> None:
    asked = ("undersample", clothing, "-n", "-q", "--method", "enn,spread", "-s", "20", "--format", "json", "-j", "1")
    told = []
    for n_threads in ("1", "2"):
        environment = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), n_threads)
        told.append(start(*asked, env=environment).communicate()[0])
    assert len(told[0]) > 1000
    assert told[0] == told[1]


@pytest.mark.parametrize("method", ["oss,cluster", "enn,renn,random", "tomek,random", "enn,nearmiss-1"])
def test_a_chain_goes_on_where_a_step_leaves_one_class_to_look_at(method: str, make_tree: MakeTree, run: Run) -> None:
    tree = make_tree({"a": 6, "b": 3})
    for path in (tree / "b").iterdir():  # which leaves nothing of b that can be looked at
        shutil.copy(tree / "a" / path.name, path)
    done = run("undersample", tree, "-n", "--method", method, "-s", "2", "--format", "json")
    assert done.code == 0, done.err
    assert [row["n_after"] for row in done.document["classes"]] == [2, 2]
    assert "one is left that it can look at by then" in " ".join(done.document["remarks"])
