import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import MakeTree, Run, contents, start


def test_the_file_is_the_same_for_any_number_of_workers(photos: Path, tmp_path: Path, run: Run) -> None:
    before = contents(photos)
    for n_workers in ("1", "2"):
        done = run("embed", photos, "-o", tmp_path / f"{n_workers}.npz", "-j", n_workers)
        assert done.code == 0, done.err
        assert done.out == f"{tmp_path / n_workers}.npz: 31 vectors of 501 numbers\n"
    assert (tmp_path / "1.npz").read_bytes() == (tmp_path / "2.npz").read_bytes()
    assert contents(photos) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.npz", "2.npz", "photos"]


def test_it_holds_paths_unit_vectors_and_what_places_further_images(photos: Path, tmp_path: Path, run: Run) -> None:
    run("embed", photos, "-o", tmp_path / "v.npz", "--embedder", "pixels", "-j", "1")
    with np.load(tmp_path / "v.npz") as file:
        assert file["paths"].tolist() == sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.jpg"))
        assert file["vectors"].dtype == np.float32
        assert np.linalg.norm(file["vectors"], axis=1) == pytest.approx(1, abs=1e-5)
        assert str(file["embedder"]) == '{"name": "pixels", "version": 1}'


@pytest.mark.parametrize("embedder", ["descriptor", "pixels"])
def test_a_plan_by_the_file_is_the_plan_that_is_made_on_the_fly(
    embedder: str, photos: Path, tmp_path: Path, run: Run
) -> None:
    run("embed", photos, "-o", tmp_path / "v.npz", "--embedder", embedder, "-j", "1")
    asked = ("undersample", photos, "-n", "--method", "tomek,spread", "--format", "json")
    by_file = run(*asked, "--embeddings", tmp_path / "v.npz").document
    assert by_file == run(*asked, "--embedder", embedder, "-j", "1").document


def test_a_run_that_was_killed_goes_on_and_ends_in_the_same_file(photos: Path, tmp_path: Path, run: Run) -> None:
    for name in list(photos.iterdir()):
        for copy in range(20):
            shutil.copytree(name, photos / f"{name.name}{copy}")
    process = start("embed", photos, "-o", tmp_path / "killed.npz", "-j", "1")
    journal = tmp_path / ".killed.npz.rebalance.numbers"
    until = time.monotonic() + 60
    while time.monotonic() < until and not (journal.exists() and journal.stat().st_size > 100_000):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "killed.npz").exists()

    done = run("embed", photos, "-o", tmp_path / "killed.npz", "-j", "2")
    run("embed", photos, "-o", tmp_path / "whole.npz", "-j", "2")
    assert "reused " in done.err
    assert (tmp_path / "killed.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()
    assert not journal.exists()


@pytest.mark.threat(1, 2)
def test_run_again_it_is_up_to_date_until_an_image_changes(photos: Path, tmp_path: Path, run: Run) -> None:
    asked = ("embed", photos, "-o", tmp_path / "v.npz", "-j", "1")
    run(*asked)
    before = (tmp_path / "v.npz").stat()
    assert "up to date" in run(*asked).err
    assert (tmp_path / "v.npz").stat() == before
    first, second = sorted((photos / "Hat").iterdir())[:2]
    shutil.copy(first, second)
    done = run(*asked)
    assert (done.code, f"'Hat/{second.name}' was changed" in done.err) == (5, True), done.err
    assert run(*asked, "--overwrite").code == 0
    assert "up to date" in run(*asked).err
    first.unlink()
    assert f"'Hat/{first.name}' is gone" in run(*asked).err
    assert "it was made by the embedder descriptor" in run(*asked, "--embedder", "pixels").err


def test_an_image_of_the_same_size_with_other_bytes_was_changed(photos: Path, tmp_path: Path, run: Run) -> None:
    asked = ("embed", photos, "-o", tmp_path / "v.npz", "-j", "1")
    run(*asked)
    first = min((photos / "Hat").iterdir())
    data = bytearray(first.read_bytes())
    data[-3] ^= 1
    first.write_bytes(data)
    done = run(*asked)
    assert (done.code, f"'Hat/{first.name}' was changed" in done.err) == (5, True), done.err


def test_what_was_found_under_another_limit_is_not_taken_over(photos: Path, tmp_path: Path, run: Run) -> None:
    (photos / "Top" / "zz.jpg").write_bytes(b"no picture")
    asked = ("embed", photos, "-o", tmp_path / "v.npz", "-j", "1")
    assert run(*asked).code == 4
    (photos / "Top" / "zz.jpg").unlink()
    assert run(*asked, "--max-pixels", "100").code == 3
    assert "reused" not in run(*asked).err


def test_skipping_the_same_bad_image_again_is_up_to_date(photos: Path, tmp_path: Path, run: Run) -> None:
    first, second = sorted((photos / "Hat").iterdir())[:2]
    first.write_bytes(first.read_bytes()[:2000])
    asked = ("embed", photos, "-o", tmp_path / "v.npz", "-j", "1")
    assert run(*asked, "--bad-images", "skip").code == 0
    again = run(*asked, "--bad-images", "skip")
    assert (again.code, "up to date" in again.err, f"no vector: 'Hat/{first.name}'" in again.err) == (0, True, True)
    assert run(*asked).code == 4
    shutil.copy(second, first)
    mended = run(*asked, "--bad-images", "skip")
    assert (mended.code, f"'Hat/{first.name}' has no vector" in mended.err) == (5, True)


@pytest.mark.threat(3)
def test_what_is_not_ours_is_not_replaced(photos: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "v.npz").write_bytes(b"something else")
    done = run("embed", photos, "-o", tmp_path / "v.npz", "--overwrite")
    assert (done.code, "move it away" in done.err) == (5, True), done.err
    assert (tmp_path / "v.npz").read_bytes() == b"something else"


@pytest.mark.threat(5)
def test_nothing_is_written_into_the_source(photos: Path, run: Run) -> None:
    done = run("embed", photos, "-o", photos / "v.npz")
    assert (done.code, "nothing is ever written there" in done.err) == (5, True), done.err
    assert not list(photos.glob("*npz*"))


@pytest.mark.threat(27)
def test_a_link_in_the_source_stays_what_it_is(photos: Path, tmp_path: Path, run: Run) -> None:
    run("embed", photos, "-o", tmp_path / "v.npz")
    (photos / ".v.npz").symlink_to(tmp_path / "v.npz")
    asked = ("embed", photos, "--embedder", "pixels", "--overwrite")
    assert run(*asked, "-o", photos / ".v.npz").code == 5
    assert (photos / ".v.npz").is_symlink()
    (tmp_path / "link.npz").symlink_to(tmp_path / "v.npz")
    done = run(*asked, "-o", tmp_path / "link.npz")
    assert (done.code, "is a symbolic link" in done.err) == (5, True), done.err
    (photos / ".v.npz").unlink()
    assert "make it first" in run(*asked, "-o", tmp_path / "none" / "v.npz").err


def test_the_vectors_of_a_list_may_lie_beside_it(photos: Path, tmp_path: Path, run: Run) -> None:
    paths = sorted(path.relative_to(tmp_path).as_posix() for path in photos.rglob("*.jpg"))
    (tmp_path / "l.csv").write_text("path,label\n" + "".join(f"{path},{path.split('/')[1]}\n" for path in paths))
    done = run("embed", tmp_path / "l.csv", "-o", tmp_path / "v.npz", "-j", "1")
    assert done.code == 0, done.err


@pytest.mark.parametrize(("bad_images", "code"), [("fail", 4), ("skip", 0)])
def test_bad_images_end_the_run_or_have_no_vector(
    bad_images: str, code: int, photos: Path, tmp_path: Path, run: Run
) -> None:
    (photos / "Hat" / "broken.jpg").write_bytes(b"no picture")
    done = run("embed", photos, "-o", tmp_path / "v.npz", "--bad-images", bad_images, "-j", "1")
    assert (done.code, "'Hat/broken.jpg': not an image" in done.err) == (code, True), done.err
    assert (tmp_path / "v.npz").exists() == (code == 0)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(("-o", "v.npy"), "does not end with .npz"), ((), "-o FILE.npz is missing")],
)
def test_a_file_that_cannot_be_is_refused(arguments: tuple[str, ...], told: str, photos: Path, run: Run) -> None:
    done = run("embed", photos, *arguments)
    assert (done.code, told in done.err) == (2, True), done.err


@pytest.mark.parametrize("policy", ["skip", "carry"])
def test_a_bad_image_needs_no_vector_where_bad_images_are_passed_over(
    policy: str, photos: Path, tmp_path: Path, run: Run
) -> None:
    first, second = sorted((photos / "Hat").iterdir())[:2]
    first.write_bytes(first.read_bytes()[:2000])
    assert run("embed", photos, "-o", tmp_path / "v.npz", "--bad-images", "skip").code == 0
    asked = ("undersample", photos, "-n", "--method", "spread", "--bad-images", policy, "--format", "json")
    by_file = run(*asked, "--embeddings", tmp_path / "v.npz")
    assert by_file.code == 0, by_file.err
    assert by_file.document == run(*asked).document
    shutil.copy(second, photos / "Hat" / "more.jpg")
    done = run(*asked, "--embeddings", tmp_path / "v.npz")
    assert (done.code, "has no vector for 1 of the 32 images" in done.err, "more.jpg" in done.err) == (3, True, True)
    (photos / "Hat" / "more.jpg").unlink()
    failing = run("undersample", photos, "-n", "--method", "spread", "--embeddings", tmp_path / "v.npz")
    assert (failing.code, f"no vector for 1 of the 31 images of {photos}: 'Hat/{first.name}'" in failing.err) == (
        3,
        True,
    )


def test_what_lies_in_the_way_of_the_journal_is_not_touched(photos: Path, tmp_path: Path, run: Run) -> None:
    first = min((photos / "Hat").iterdir())
    data = first.read_bytes()
    journal = tmp_path / ".v.npz.rebalance.numbers"
    journal.symlink_to(first)
    done = run("embed", photos, "-o", tmp_path / "v.npz", "-j", "1")
    assert (done.code, "is in the way and not of our making" in done.err) == (5, True), done.err
    assert first.read_bytes() == data
    first.write_bytes(b"")
    assert run("embed", photos, "-o", tmp_path / "v.npz", "-j", "1").code == 5
    assert first.read_bytes() == b""
    journal.unlink()
    journal.write_text("notes of mine")
    assert run("embed", photos, "-o", tmp_path / "v.npz", "-j", "1").code == 5
    assert journal.read_text() == "notes of mine"


def test_what_a_kill_left_of_the_file_is_removed(photos: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / ".v.npz.rebalance.tmp").write_bytes(b"half a file")
    assert run("embed", photos, "-o", tmp_path / "v.npz", "-j", "1").code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "v.npz"]


def test_vectors_of_an_image_that_has_changed_and_kept_its_size_are_not_used(
    make_tree: MakeTree, tmp_path: Path, run: Run
) -> None:
    tree = make_tree({"a": 6, "b": 3}, suffix=".bmp")
    run("embed", tree, "-o", tmp_path / "v.npz", "-j", "1")
    shutil.copy(tree / "a" / "000.bmp", tree / "a" / "001.bmp")
    done = run("undersample", tree, "-n", "--method", "spread", "--embeddings", tmp_path / "v.npz")
    told = "1 of the 9 images were changed since they were embedded: 'a/001.bmp'; embed them again"
    assert (done.code, told in done.err) == (3, True), done.err


def test_where_no_image_decodes_the_first_is_told(make_tree: MakeTree, tmp_path: Path, run: Run) -> None:
    tree = make_tree({"a": 2, "b": 1})
    for path in tree.rglob("*.png"):
        path.write_bytes(b"nothing")
    done = run("embed", tree, "-o", tmp_path / "v.npz", "-j", "1")
    assert (done.code, "'a/000.png': not an image" in done.err) == (3, True), done.err
