import csv
import json
import math
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from imblearn.over_sampling import SMOTE
from onnx import TensorProto, helper
from PIL import Image, ImageOps

from rebalance.drawing import draw_key
from rebalance.errors import StorageError
from rebalance.planning.methods import SMOTE_METHODS
from tests.conftest import MakeTree, Run, contents, manifest_head, manifest_rows, start
from tests.images.test_model import node, proto


def counts(output: Path) -> dict[str, int]:
    return {folder.name: len(list(folder.iterdir())) for folder in sorted(output.iterdir()) if folder.is_dir()}


def synthetic(output: Path) -> list[dict[str, Any]]:
    return [row for row in manifest_rows(output) if row["kind"] == "synthetic"]


@pytest.mark.parametrize("render", ["nearest", "blend"])
@pytest.mark.parametrize("method", ["smote", "borderline-1", "adasyn"])
def test_every_method_makes_a_tree_that_verifies(
    method: str, render: str, photos: Path, output: Path, run: Run
) -> None:
    before = contents(photos)
    done = run("smote", photos, "-o", output, "--method", method, "--render", render, "-j", "2")
    assert done.code == 0, done.err
    assert counts(output) == {"Hat": 14, "Skirt": 14, "Top": 14}
    assert run("verify", output, "--source", photos).code == 0
    assert contents(photos) == before
    assert len(synthetic(output)) == 11
    assert all(Path(row["source"]).parent == Path(row["neighbor"]).parent for row in synthetic(output))


def test_the_vectors_that_lines_tell_are_those_of_the_library(
    photos: Path, output: Path, tmp_path: Path, run: Run
) -> None:
    run("embed", photos, "-o", tmp_path / "v.npz", "-j", "1")
    run("smote", photos, "-o", output, "--seed", "7", "--render", "blend", "--embeddings", tmp_path / "v.npz")
    with np.load(tmp_path / "v.npz") as file:
        paths, rows = file["paths"].tolist(), file["vectors"]
    labels = np.array([sorted({path.split("/")[0] for path in paths}).index(path.split("/")[0]) for path in paths])
    theirs = SMOTE(random_state=7).fit_resample(rows, labels)[0][len(rows) :]
    at = dict(zip(paths, rows, strict=True))
    ours = [(1 - row["step"]) * at[row["source"]] + row["step"] * at[row["neighbor"]] for row in synthetic(output)]
    distances = np.abs(theirs[:, None] - np.array(ours)[None]).max(axis=2)
    assert (distances.min(axis=0) < 1e-5).all()
    assert (distances.min(axis=1) < 1e-5).all()


def test_the_tree_is_the_same_for_any_number_of_workers_and_after_a_kill(
    photos: Path, tmp_path: Path, run: Run
) -> None:
    asked = ("smote", photos, "-s", "60", "--max-copies", "30")
    for n_workers in ("1", "3"):
        assert run(*asked, "-o", tmp_path / n_workers, "-j", n_workers).code == 0
    process = start(*asked, "-o", tmp_path / "killed", "-j", "1")
    journal = tmp_path / ".killed.rebalance" / "journal.jsonl"
    until = time.monotonic() + 60
    while time.monotonic() < until and not (journal.exists() and journal.read_bytes().count(b"synthetic") > 20):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "killed").exists()
    done = run(*asked, "-o", tmp_path / "killed", "-j", "2")
    assert "reused " in done.err
    assert contents(tmp_path / "1") == contents(tmp_path / "3") == contents(tmp_path / "killed")


@pytest.mark.threat(1, 2)
def test_running_again_is_up_to_date_and_another_setting_is_another_request(
    photos: Path, output: Path, run: Run
) -> None:
    asked = ("smote", photos, "-o", output, "-j", "1")
    run(*asked)
    assert "up to date" in run(*asked).err
    for more in (("--k-neighbors", "3"), ("--candidates", "4"), ("--render", "blend"), ("--seed", "1")):
        assert run(*asked, *more).code == 5
    assert run(*asked, "--k-neighbors", "3", "--overwrite").code == 0
    assert manifest_head(output)["request"]["smote"]["k_neighbors"] == 3


def test_the_copy_that_is_shown_lies_nearer_than_others(photos: Path, tmp_path: Path, run: Run) -> None:
    """More candidates come nearer to where a sample lies, which is measured by the thumbnails of what was made."""
    run("embed", photos, "-o", tmp_path / "v.npz", "--embedder", "pixels", "-j", "1")
    with np.load(tmp_path / "v.npz") as file:
        at = dict(zip(file["paths"].tolist(), file["vectors"], strict=True))
    mean = {}
    for n_candidates in ("2", "16"):
        tree = tmp_path / n_candidates
        run("smote", photos, "-o", tree, "--embeddings", tmp_path / "v.npz", "--candidates", n_candidates)
        run("embed", tree, "-o", tmp_path / f"{n_candidates}.npz", "--embedder", "pixels", "-j", "1")
        with np.load(tmp_path / f"{n_candidates}.npz") as file:
            made = dict(zip(file["paths"].tolist(), file["vectors"], strict=True))
        distances = [
            made[row["path"]] - (1 - row["step"]) * at[row["source"]] - row["step"] * at[row["neighbor"]]
            for row in synthetic(tree)
        ]
        mean[n_candidates] = np.linalg.norm(distances, axis=1).mean()
    assert mean["16"] < mean["2"]


@pytest.mark.parametrize("render", ["nearest", "blend"])
def test_a_file_is_made_again_from_its_line(render: str, photos: Path, output: Path, tmp_path: Path, run: Run) -> None:
    run("smote", photos, "-o", output, "--render", render, "-j", "1")
    shown = set()
    for number, row in enumerate(synthetic(output)):
        done = run("replay", output, row["path"], "--source", photos, "-o", tmp_path / f"{number}.jpg")
        assert done.code == 0, done.err
        assert (tmp_path / f"{number}.jpg").read_bytes() == (output / row["path"]).read_bytes()
        shown.add(row.get("shows"))
    assert shown == ({"base", "neighbor"} if render == "nearest" else {None})


@pytest.mark.threat(22)
@pytest.mark.parametrize("n_images", [1, 2, 3, 4])
@pytest.mark.parametrize("method", ["smote", "borderline-1", "adasyn"])
def test_tiny_classes_are_planned(method: str, n_images: int, make_tree: MakeTree, output: Path, run: Run) -> None:
    tree = make_tree({"big": 20, "tiny": n_images})
    done = run("smote", tree, "-o", output, "--method", method, "-j", "1")
    assert done.code == 0, done.err
    assert counts(output) == {"big": 20, "tiny": 20}
    assert run("verify", output, "--source", tree).code == 0
    told = f"class 'tiny' has {n_images} images: k_neighbors is {n_images - 1} there"
    assert (told in done.err) == (n_images > 1)


@pytest.mark.threat(22)
@pytest.mark.parametrize(("singletons", "kind"), [("augment", "augmented"), ("copy", "duplicate")])
def test_the_only_image_of_a_class_is_copied(
    singletons: str, kind: str, make_tree: MakeTree, output: Path, run: Run
) -> None:
    tree = make_tree({"big": 9, "one": 1})
    done = run("smote", tree, "-o", output, "--singletons", singletons, "-j", "1")
    assert done.code == 0, done.err
    assert [row["kind"] for row in manifest_rows(output) if row["class"] == "one"].count(kind) == 8


@pytest.mark.threat(22)
def test_the_only_image_of_a_class_may_end_the_run(make_tree: MakeTree, run: Run) -> None:
    done = run("smote", make_tree({"big": 9, "one": 1}), "-n", "--singletons", "error")
    assert (done.code, done.err) == (
        3,
        "rebalance: error: class 'one' has 1 image; SMOTE needs 2: --singletons augment\n",
    )
    done = run("smote", make_tree({"big": 150, "one": 1}, name="more"), "-n")
    assert (done.code, "--max-copies 149" in done.err) == (3, True), done.err


def test_images_that_are_all_the_same_and_classes_that_are_the_same(
    make_tree: MakeTree, output: Path, run: Run
) -> None:
    tree = make_tree({"a": 9, "b": 5, "c": 4})
    for number in range(1, 5):
        shutil.copy(tree / "b" / "000.png", tree / "b" / f"00{number}.png")
    for path in (tree / "c").iterdir():
        shutil.copy(tree / "a" / path.name, path)
    for method in ("smote", "borderline-1", "adasyn"):
        shutil.rmtree(output, ignore_errors=True)
        done = run("smote", tree, "-o", output, "--method", method, "-j", "1")
        assert done.code == 0, done.err
        assert counts(output) == {"a": 9, "b": 9, "c": 9}


@pytest.mark.parametrize("cleaner", ["tomek", "enn"])
def test_cleaning_removes_what_the_library_removes_of_full_classes(
    cleaner: str, clothing: Path, tmp_path: Path, output: Path, run: Run
) -> None:
    from imblearn.combine import SMOTEENN, SMOTETomek  # noqa: PLC0415  takes seconds to import

    tree = tmp_path / "tree"
    for name, n_images in {"Skirt": 60, "Top": 20}.items():
        (tree / name).mkdir(parents=True)
        for path in sorted((clothing / name).iterdir())[:n_images]:
            shutil.copy(path, tree / name)
    run("embed", tree, "-o", tmp_path / "v.npz", "-j", "1")
    asked = ("smote", tree, "-o", output, "--clean", cleaner, "--render", "blend", "--embeddings", tmp_path / "v.npz")
    done = run(*asked)
    assert done.code == 0, done.err
    assert run("verify", output, "--source", tree).code == 0
    with np.load(tmp_path / "v.npz") as file:
        paths, rows = file["paths"].tolist(), file["vectors"]
    labels = np.array([int(path.startswith("Top")) for path in paths])
    sampler = {"tomek": SMOTETomek, "enn": SMOTEENN}[cleaner](random_state=0)
    theirs = sampler.fit_resample(rows, labels)[0]
    left = {row.tobytes() for row in theirs}
    full = [(path, row) for path, row in zip(paths, rows, strict=True) if path.startswith("Skirt")]
    gone = {path for path, row in full if row.tobytes() not in left}
    removed = {row["source"] for row in manifest_rows(output) if row["kind"] == "removed"}
    assert removed == gone
    assert removed
    assert counts(output) == {"Skirt": 60 - len(gone), "Top": 60}
    assert f"class 'Skirt': --clean {cleaner} leaves {len(gone)} images out" in done.err


def test_bad_images_are_made_up_for(photos: Path, output: Path, run: Run) -> None:
    first = min((photos / "Top").iterdir())
    first.write_bytes(first.read_bytes()[:2000])
    assert run("smote", photos, "-o", output, "-j", "1").code == 4
    done = run("smote", photos, "-o", output, "-j", "1", "--bad-images", "skip")
    assert done.code == 0, done.err
    assert counts(output) == {"Hat": 14, "Skirt": 14, "Top": 14}
    assert f"left out: 'Top/{first.name}'" in done.err
    shutil.rmtree(output)
    done = run("smote", photos, "-o", output, "-j", "1", "--bad-images", "carry")
    assert done.code == 0, done.err
    assert counts(output) == {"Hat": 14, "Skirt": 14, "Top": 14}
    assert not any(f"Top/{first.name}" in (row["source"], row["neighbor"]) for row in synthetic(output))


def test_all_files_have_the_size_and_format_asked_for(photos: Path, output: Path, run: Run) -> None:
    asked = ("--size", "64x48", "--output-format", "png")
    done = run("smote", photos, "-o", output, *asked, "-j", "1")
    assert done.code == 0, done.err
    assert {(row["width"], row["height"], row["format"]) for row in manifest_rows(output)} == {(64, 48, "PNG")}
    assert run("verify", output, "--source", photos).code == 0


def test_train_alone_is_balanced_and_val_is_held_out(photos: Path, output: Path, run: Run) -> None:
    done = run("smote", photos, "-o", output, "--holdout", "0.3", "-j", "1", "--render", "blend")
    assert done.code == 0, done.err
    assert set(counts(output / "train").values()) == {10}
    held = {path.name for path in (output / "val").rglob("*.jpg")}
    assert held
    assert not any({Path(row["source"]).name, Path(row["neighbor"]).name} & held for row in synthetic(output))


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (("--method", "svm"), 2, "it extrapolates, so no picture lies where its samples do"),
        (("--method", "kmeans"), 2, "it would cluster the rows of an identity matrix"),
        (("--method", "borderline-3"), 2, "did you mean 'borderline-2'?"),
        (("--originals", "transform"), 2, "--originals transform replaces what samples lie between"),
        (("--identity-share", "0.2"), 2, "--identity-share goes with --originals transform"),
        (("-s", "Hat=2"), 3, "class 'Hat' has 14 images and 2 are asked for"),
        (("--candidates", "1"), 2, "1 is not in the range x>=2"),
    ],
)
def test_what_cannot_be_is_refused_before_any_image_is_looked_at(
    options: tuple[str, ...], code: int, told: str, photos: Path, run: Run
) -> None:
    for path in photos.rglob("*.jpg"):
        path.write_bytes(b"no picture, which would be told with another code")
    done = run("smote", photos, "-n", *options)
    assert (done.code, told in done.err) == (code, True), done.err


def test_a_sample_between_two_classes_has_no_picture(make_tree: MakeTree, tmp_path: Path, run: Run) -> None:
    tree = make_tree({"a": 9, "b": 6})
    angles = [*range(0, 90, 10), *range(5, 65, 10)]  # every b between two a
    paths = sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*.png"))
    rows = np.array([[math.cos(math.radians(angle)), math.sin(math.radians(angle))] for angle in angles])
    np.savez(tmp_path / "v.npz", paths=np.array(paths), vectors=rows)
    done = run(
        "smote", tree, "-n", "--method", "borderline-2", "--m-neighbors", "5", "--render", "blend",
        "--embeddings", tmp_path / "v.npz",
    )  # fmt: skip
    assert done.code == 3, done.err
    assert "would be mixed with" in done.err
    assert "take --write vectors, or another method" in done.err


def test_vectors_that_say_not_what_made_them_serve_a_blend(photos: Path, tmp_path: Path, run: Run) -> None:
    run("embed", photos, "-o", tmp_path / "v.npz", "-j", "1")
    with np.load(tmp_path / "v.npz") as file:
        np.savez(tmp_path / "mine.npz", paths=file["paths"], vectors=file["vectors"])
    asked = ("smote", photos, "-o", tmp_path / "out", "--embeddings", tmp_path / "mine.npz")
    done = run(*asked)
    assert (done.code, "--render nearest embeds the copies it chooses from" in done.err) == (2, True), done.err
    assert run(*asked, "--render", "blend").code == 0


def test_settings_come_from_a_file_of_augment_and_one_of_its_own(photos: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "c.toml").write_text("[augment]\nrotation_range = 3\ncap = 9\n[smote]\nk_neighbors = 2\n")
    done = run("smote", photos, "-o", tmp_path / "out", "--config", tmp_path / "c.toml", "-j", "1")
    assert done.code == 0, done.err
    request = manifest_head(tmp_path / "out")["request"]
    assert request["recipe"] == {"rotation_range": 3.0, "fill_mode": "reflect"}
    assert request["smote"]["k_neighbors"] == 2
    printed = run("smote", "--print-config", "--config", tmp_path / "c.toml").out
    assert "[smote]" in printed
    assert "k_neighbors = 2" in printed


def test_a_line_says_what_a_sample_is(photos: Path, output: Path, run: Run) -> None:
    run("smote", photos, "-o", output, "-j", "1")
    row = synthetic(output)[0]
    assert {"neighbor", "neighbor_sha256", "step", "shows", "candidate", "values"} <= row.keys()
    assert f"_smote{row['copy_number']}-" in row["path"]
    document = json.loads(json.dumps(manifest_head(output)["request"]))
    assert document["smote"] == {
        "method": "smote", "k_neighbors": 5, "singletons": "augment", "clean": None
    }  # fmt: skip
    assert document["showing"].keys() == {"render", "n_candidates", "space"}


def rows_by_class(output: Path) -> dict[str, Any]:
    return {path.parent.name: np.load(path) for path in sorted(output.rglob("vectors.npy"))}


@pytest.mark.parametrize("method", SMOTE_METHODS)
def test_vectors_are_balanced_in_rows_and_said_by_an_index(
    method: str, photos: Path, output: Path, tmp_path: Path, run: Run
) -> None:
    run("embed", photos, "-o", tmp_path / "v.npz", "-j", "1")
    asked = ("smote", photos, "-o", output, "--write", "vectors", "--embeddings", tmp_path / "v.npz")
    done = run(*asked, "--method", method)
    assert done.code == 0, done.err
    assert "3 classes, 31 files -> 42, as vectors" in done.out
    assert run("verify", output, "--source", photos).code == 0
    assert {name: rows.shape for name, rows in rows_by_class(output).items()} == dict.fromkeys(
        ("Hat", "Skirt", "Top"), (14, 501)
    )
    with np.load(tmp_path / "v.npz") as file:
        at = dict(zip(file["paths"].tolist(), file["vectors"], strict=True))
    with (output / "vectors.csv").open() as table:
        index = list(csv.DictReader(table))
    assert len(index) == 42
    for line in index:
        row = rows_by_class(output)[line["class"]][int(line["row"])]
        assert row.dtype == np.float32
        if line["kind"] == "original":
            assert (row == at[line["source"]]).all()
        else:
            step = float(line["step"])
            assert row == pytest.approx((1 - step) * at[line["source"]] + step * at[line["neighbor"]], abs=1e-6)
    assert "up to date" in run(*asked, "--method", method).err
    assert sorted(path.name for path in output.rglob("*") if path.is_file()) == [
        "rebalance.jsonl", "vectors.csv", "vectors.npy", "vectors.npy", "vectors.npy"
    ]  # fmt: skip


def test_vectors_stand_beside_the_images_they_are_of(photos: Path, output: Path, run: Run) -> None:
    done = run("smote", photos, "-o", output, "--write", "both", "--render", "blend", "-j", "1")
    assert done.code == 0, done.err
    assert run("verify", output, "--source", photos).code == 0
    with (output / "vectors.csv").open() as table:
        index = list(csv.DictReader(table))
    assert {line["path"] for line in index} == {row["path"] for row in manifest_rows(output)}
    assert {name: len(rows) for name, rows in rows_by_class(output).items()} == {"Hat": 14, "Skirt": 14, "Top": 14}
    assert run("smote", photos, "-o", output, "--write", "vectors", "--overwrite").code == 0
    assert not list(output.rglob("*.jpg"))


def test_vectors_of_a_split_that_is_carried_over_are_written_too(photos: Path, output: Path, run: Run) -> None:
    done = run("smote", photos, "-o", output, "--write", "vectors", "--holdout", "0.3", "-j", "1")
    assert done.code == 0, done.err
    assert run("verify", output, "--source", photos).code == 0
    assert np.load(output / "val" / "Hat" / "vectors.npy").shape == (4, 501)
    assert np.load(output / "train" / "Top" / "vectors.npy").shape == (10, 501)


def test_a_vector_that_changes_is_found(photos: Path, output: Path, run: Run) -> None:
    run("smote", photos, "-o", output, "--write", "vectors", "-j", "1")
    path = output / "Top" / "vectors.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    done = run("verify", output)
    assert (done.code, "Top/vectors.npy" in done.out + done.err) == (1, True)
    path.unlink()
    assert "is missing" in run("smote", photos, "-o", output, "--write", "vectors", "-j", "1").err


def test_the_only_image_of_a_class_has_its_row_repeated(make_tree: MakeTree, output: Path, run: Run) -> None:
    tree = make_tree({"big": 9, "one": 1})
    assert run("smote", tree, "-o", output, "--write", "vectors", "-j", "1").code == 0
    rows = rows_by_class(output)["one"]
    assert rows.shape == (9, 501)
    assert (rows == rows[0]).all()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--render", "blend"), "--render is for files that are made, and --write vectors makes none"),
        (("--rotation-range", "5"), "--rotation-range is for files that are made, and --write vectors makes none"),
        (("--size", "9x9"), "--size is for files that are made, and --write vectors makes none"),
        (("--bad-images", "carry"), "--bad-images carry keeps images that have no vector"),
    ],
)
def test_options_of_images_are_refused_for_vectors(options: tuple[str, ...], told: str, photos: Path, run: Run) -> None:
    done = run("smote", photos, "-n", "--write", "vectors", *options)
    assert (done.code, told in done.err) == (2, True), done.err


SIDE = 16


@pytest.fixture
def autoencoder(photos: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Return an encoder and a decoder: the 12 principal components of these photographs at 16 x 16."""
    pictures = [
        np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB").resize((SIDE, SIDE))) / 255
        for path in sorted(photos.rglob("*.jpg"))
    ]
    flat = np.array([picture.transpose(2, 0, 1).ravel() for picture in pictures])
    mean = flat.mean(axis=0)
    components = np.linalg.svd(flat - mean, full_matrices=False)[2][:12].astype(np.float32)
    encoder = proto(
        node("Flatten", "x", "f"),
        node("Sub", "f", "m", "c"),
        node("MatMul", "c", "w", "y"),
        shape=("n", 3, SIDE, SIDE),
        weights={"m": mean.astype(np.float32)[None], "w": components.T},
    )
    decoder = proto(
        node("MatMul", "x", "w", "c"),
        node("Add", "c", "m", "f"),
        node("Reshape", "f", "s", "y"),
        inputs=[helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 12])],
        weights={"m": mean.astype(np.float32)[None], "w": components, "s": np.array([-1, 3, SIDE, SIDE])},
    )
    (tmp_path / "encoder.onnx").write_bytes(encoder.SerializeToString())
    (tmp_path / "encoder.toml").write_text('mean = 0.0\nstd = 1.0\nfit = "squash"\n')
    (tmp_path / "decoder.onnx").write_bytes(decoder.SerializeToString())
    return tmp_path / "encoder.onnx", tmp_path / "decoder.onnx"


def test_an_autoencoder_of_ones_own_works_from_the_command_line(
    photos: Path, autoencoder: tuple[Path, Path], tmp_path: Path, output: Path, run: Run
) -> None:
    encoder, decoder = autoencoder
    asked = ("smote", photos, "--embedder", f"onnx:{encoder}", "--render", f"decoder:{decoder}")
    done = run(*asked, "-o", output, "-j", "1")
    assert done.code == 0, done.err
    assert counts(output) == {"Hat": 14, "Skirt": 14, "Top": 14}
    assert run("verify", output, "--source", photos).code == 0
    assert run(*asked, "-o", tmp_path / "again", "-j", "2").code == 0
    assert contents(output) == contents(tmp_path / "again")
    for row in synthetic(output):
        assert (row["width"], row["height"], row["mode"]) == (SIDE, SIDE, "RGB")
        pair = [
            np.asarray(Image.open(photos / row[key]).convert("RGB").resize((SIDE, SIDE)))
            for key in ("source", "neighbor")
        ]
        mixed = (1 - row["step"]) * pair[0].astype(float) + row["step"] * pair[1].astype(float)
        made = np.asarray(Image.open(output / row["path"]).convert("RGB")).astype(float)
        assert np.corrcoef(made.ravel(), mixed.ravel())[0, 1] > 0.7
        assert abs(made.mean() - mixed.mean()) < 12
    assert run("replay", output, synthetic(output)[0]["path"], "--source", photos, "-o", tmp_path / "x.jpg").code == 2
    run("embed", photos, "-o", tmp_path / "v.npz", "--embedder", f"onnx:{encoder}", "-j", "1")
    by_file = run(
        "smote", photos, "-o", tmp_path / "file", "--embeddings", tmp_path / "v.npz", "--render", f"decoder:{decoder}"
    )
    assert by_file.code == 0, by_file.err
    assert contents(tmp_path / "file") == contents(output)


def test_a_decoder_that_cannot_be_is_refused_before_any_image_is_looked_at(
    photos: Path, autoencoder: tuple[Path, Path], run: Run
) -> None:
    for path in photos.rglob("*.jpg"):
        path.write_bytes(b"no picture, which would be told with another code")
    for render, told in (
        ("decoder:nowhere.onnx", "nowhere.onnx: cannot be read"),
        ("decoder:", "name the file of the model"),
        ("nearst", "did you mean 'nearest'?"),
        (f"decoder:{autoencoder[0]}", "a decoder makes pictures of its own size: leave size and fit out"),
    ):
        done = run("smote", photos, "-n", "--render", render)
        assert (done.code, told in done.err) == (2, True), done.err


def test_a_sheet_shows_what_samples_lie_between(photos: Path, output: Path, tmp_path: Path, run: Run) -> None:
    sheet = tmp_path / "sheet.png"
    asked = ("smote", photos, "-o", output, "--sheet", sheet, "-j", "1")
    assert run(*asked).code == 0
    first = sheet.read_bytes()
    with Image.open(sheet) as image:
        pixels = np.asarray(image)
    # Skirt has 3 samples and Top 8: two blocks of a title and four rows
    assert pixels.shape == (2 * (24 + 4 * 148), 108 + 8 * 132, 3)
    row = next(iter(sorted(synthetic(output), key=lambda row: draw_key(0, row["source"], row["copy_number"]))))
    block = 0 if row["class"] == "Skirt" else 24 + 4 * 148
    for place, path in enumerate((photos / row["source"], output / row["path"], photos / row["neighbor"])):
        top = block + 24 + place * 148
        shown = pixels[top : top + 128, 108:236].astype(float)
        with Image.open(path) as image:
            small = ImageOps.pad(ImageOps.exif_transpose(image).convert("RGB"), (128, 128), color="white")
        assert np.abs(shown - np.asarray(small)).mean() < 12
    assert "up to date" in run(*asked).err
    assert sheet.read_bytes() == first


@pytest.mark.parametrize(
    ("sheet", "code", "told"),
    [
        ("{photos}/sheet.png", 5, "nothing is ever written there"),
        ("{tmp}/sheet.jpg", 2, "does not end with .png"),
        ("{tmp}/none/sheet.png", 5, "cannot be written to, or is not there"),
        ("{tmp}/mine.png", 5, "is there and is no PNG"),
        ("{tmp}/out.png", 5, "is OUTPUT itself"),
        ("{tmp}/" + 252 * "x" + ".png", 5, "too long a name"),
    ],
)
def test_a_sheet_that_cannot_be_is_refused(
    sheet: str, code: int, told: str, photos: Path, tmp_path: Path, run: Run
) -> None:
    (tmp_path / "mine.png").write_text("my notes")
    done = run("smote", photos, "-o", tmp_path / "out.png", "--sheet", sheet.format(photos=photos, tmp=tmp_path))
    assert (done.code, told in done.err) == (code, True), done.err
    assert not (tmp_path / "out.png").exists()
    assert (tmp_path / "mine.png").read_text() == "my notes"


def test_a_sheet_that_fails_leaves_output_standing(
    photos: Path, output: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rebalance.sheet.render_sheet", fail)
    done = run("smote", photos, "-o", output, "--sheet", tmp_path / "sheet.png", "--render", "blend", "-j", "1")
    assert (done.code, "the sheet is not written" in done.err) == (0, True), done.err
    assert run("verify", output, "--source", photos).code == 0
    assert not list(tmp_path.glob("*.png"))


OTHERS: dict[str, tuple[str, ...]] = {
    "neighbors": ("--k-neighbors", "2"), "candidates": ("--candidates", "4"), "blend": ("--render", "blend"),
    "recipe": ("--rotation-range", "20"), "embedder": ("--embedder", "pixels"), "seed": ("--seed", "1"),
    "size": ("--size", "90x90"), "method": ("--method", "adasyn"),
}  # fmt: skip


@pytest.mark.parametrize("other", OTHERS)
def test_staged_work_of_another_request_is_not_taken_for_this_ones(
    other: str, photos: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StorageError("as a disk fails")

    asked = ("smote", photos, "-j", "1")
    with monkeypatch.context() as broken:
        broken.setattr("rebalance.execute.check_source_stands", fail)
        assert run(*asked, "-o", tmp_path / "out").code == 7
    assert run(*asked, *OTHERS[other], "-o", tmp_path / "out").code == 0
    assert run(*asked, *OTHERS[other], "-o", tmp_path / "fresh").code == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh")


def test_staged_work_is_not_taken_over_where_a_neighbor_has_changed(
    photos: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StorageError("as a disk fails")

    run("embed", photos, "-o", tmp_path / "v.npz", "-j", "1")
    with np.load(tmp_path / "v.npz") as file:
        np.savez(tmp_path / "mine.npz", paths=file["paths"], vectors=file["vectors"])
    asked = ("smote", photos, "-j", "1", "--embeddings", tmp_path / "mine.npz", "--render", "blend")
    with monkeypatch.context() as broken:
        broken.setattr("rebalance.execute.check_source_stands", fail)
        assert run(*asked, "-o", tmp_path / "out").code == 7
    first, second = sorted((photos / "Top").iterdir())[:2]
    shutil.copy(second, first)
    assert run(*asked, "-o", tmp_path / "out").code == 0
    assert run(*asked, "-o", tmp_path / "fresh").code == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh")


@pytest.mark.parametrize("render", ["nearest", "blend"])
def test_samples_that_stay_are_taken_from_the_tree_that_is_replaced(
    render: str, photos: Path, output: Path, tmp_path: Path, run: Run
) -> None:
    asked = ("smote", photos, "-j", "1", "--render", render)
    run(*asked, "-o", output)
    done = run(*asked, "-s", "20", "-o", output, "--overwrite")
    assert done.code == 0, done.err
    assert run(*asked, "-s", "20", "-o", tmp_path / "fresh").code == 0
    assert contents(output) == contents(tmp_path / "fresh")
    same = {row["made_by"] for row in synthetic(tmp_path / "fresh")}
    assert len(same) == len(synthetic(output))
    again = run(*asked, "-s", "Hat=20", "-s", "Skirt=20", "-s", "Top=20", "-o", output, "--overwrite")
    assert "reused 22 of 60" in again.err or "reused 29 of 60" in again.err, again.err


def test_a_neighbor_that_the_format_does_not_hold_is_not_shown(make_tree: MakeTree, output: Path, run: Run) -> None:
    tree = make_tree({"big": 12, "tiny": 3}, suffix=".jpg")
    Image.new("RGBA", (24, 20), (200, 90, 30, 120)).save(tree / "tiny" / "see.png")
    done = run("smote", tree, "-o", output, "-j", "1")
    assert done.code == 0, done.err
    assert run("verify", output, "--source", tree).code == 0
    rows = synthetic(output)
    assert any(row["neighbor"] == "tiny/see.png" for row in rows)
    assert all(row["shows"] == "base" for row in rows if row["neighbor"] == "tiny/see.png")


def test_bases_that_are_used_too_often_are_told_after_the_draw(make_tree: MakeTree, run: Run) -> None:
    tree = make_tree({"big": 60, "small": 4})
    done = run("smote", tree, "-n", "--max-copies", "14")
    assert (done.code, "copies of one of its 4 usable images (14 are allowed)" in done.err) == (3, True), done.err
    assert "ask for less (-s sqrt, -s 0.1)," in done.err


@pytest.mark.parametrize(
    ("embedder", "n_numbers"), [({"name": "descriptor", "version": 1}, 501), ({"name": "pixels", "version": 1}, 12)]
)
def test_a_file_whose_embedder_does_not_place_among_its_vectors_is_refused(
    embedder: dict[str, object], n_numbers: int, photos: Path, tmp_path: Path, run: Run
) -> None:
    paths = sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.jpg"))
    rows = np.sin(np.arange(len(paths) * n_numbers)).reshape(len(paths), n_numbers)
    np.savez(tmp_path / "v.npz", paths=np.array(paths), vectors=rows, embedder=np.array(json.dumps(embedder)))
    done = run("smote", photos, "-n", "--embeddings", tmp_path / "v.npz")
    assert (done.code, "does not place images among its vectors" in done.err) == (2, True), done.err


def test_a_decoder_of_other_vectors_is_refused(photos: Path, autoencoder: tuple[Path, Path], run: Run) -> None:
    done = run("smote", photos, "-n", "--render", f"decoder:{autoencoder[1]}")
    assert (done.code, "fails on a vector of 501 numbers" in done.err) == (2, True), done.err


def test_other_lengths_of_vectors_are_another_request_for_a_decoder(
    photos: Path, autoencoder: tuple[Path, Path], output: Path, tmp_path: Path, run: Run
) -> None:
    encoder, decoder = autoencoder
    run("embed", photos, "-o", tmp_path / "v.npz", "--embedder", f"onnx:{encoder}", "-j", "1")
    with np.load(tmp_path / "v.npz") as file:
        raw = file["vectors"] * file["lengths"][:, None]
        for name, factor in (("one", 1.0), ("half", 0.5)):
            np.savez(tmp_path / f"{name}.npz", paths=file["paths"], vectors=raw * factor)
    asked = ("smote", photos, "-o", output, "--render", f"decoder:{decoder}", "-j", "1")
    assert run(*asked, "--embeddings", tmp_path / "one.npz").code == 0
    assert run(*asked, "--embeddings", tmp_path / "half.npz").code == 5


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--render", "blend", "--candidates", "3"), "--candidates goes with --render nearest"),
        (("--m-neighbors", "3"), "--m-neighbors goes with --method borderline-1 and -2"),
        (("--write", "vectors", "--singletons", "augment"), "--singletons augment draws no vectors"),
    ],
)
def test_options_that_would_do_nothing_are_refused(options: tuple[str, ...], told: str, photos: Path, run: Run) -> None:
    done = run("smote", photos, "-n", *options)
    assert (done.code, told in done.err) == (2, True), done.err


@pytest.mark.threat(25)
@pytest.mark.parametrize("render", ["nearest", "blend"])
def test_suffixes_and_formats_may_be_mixed_in_a_class(
    render: str, photos: Path, output: Path, tmp_path: Path, run: Run
) -> None:
    first, *others = sorted((photos / "Top").iterdir())
    first.rename(first.with_suffix(".JPG"))
    for path, suffix in zip(others, (".bmp", ".tif", ".jpeg", ".webp", ".png"), strict=True):
        if suffix != ".jpeg":
            with Image.open(path) as image:
                image.save(path.with_suffix(suffix))
        else:
            shutil.copy(path, path.with_suffix(suffix))
        path.unlink()
    done = run("smote", photos, "-o", output, "--render", render, "-s", "30", "-j", "1")
    assert done.code == 0, done.err
    assert run("verify", output, "--source", photos).code == 0
    kinds = {".JPG": "JPEG", ".jpeg": "JPEG", ".bmp": "BMP", ".tif": "TIFF", ".webp": "WEBP", ".png": "PNG"}
    tops = [row for row in synthetic(output) if row["class"] == "Top"]
    assert {Path(row["path"]).suffix for row in tops} == set(kinds)
    assert all(row["format"] == kinds[Path(row["path"]).suffix] for row in tops)
    for number, row in enumerate(tops):
        copy = tmp_path / f"{number}{Path(row['path']).suffix}"
        assert run("replay", output, row["path"], "--source", photos, "-o", copy).code == 0
        assert copy.read_bytes() == (output / row["path"]).read_bytes()


@pytest.mark.threat(17)
def test_vectors_of_a_class_whose_name_is_not_utf_8_are_verified(photos: Path, output: Path, run: Run) -> None:
    os.rename(photos / "Top", os.fsencode(photos) + b"/caf\xe9")
    asked = ("smote", photos, "-o", output, "--write", "vectors", "-j", "1")
    assert run(*asked).code == 0
    assert run("verify", output, "--source", photos).code == 0
    assert "up to date" in run(*asked).err


def test_a_class_called_like_the_index_is_refused(make_tree: MakeTree, run: Run) -> None:
    done = run("smote", make_tree({"vectors.csv": 3, "b": 6}), "-n", "--write", "both")
    assert (done.code, "'vectors.csv' is a class or split" in done.err) == (3, True), done.err
