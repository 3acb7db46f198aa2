import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.conftest import MakeTree, Run, contents, manifest_head
from tests.images.test_model import convolving, flattening, node, proto


@pytest.fixture
def tree(make_tree: MakeTree) -> Path:
    return make_tree({"a": 6, "b": 3})


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "net.onnx"
    path.write_bytes(convolving())
    return path


def stored(path: Path) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.float32]], dict[str, object]]:
    with np.load(path) as file:
        return file["vectors"], json.loads(str(file["embedder"]))


def test_a_model_embeds_alike_for_any_number_of_workers(tree: Path, model: Path, tmp_path: Path, run: Run) -> None:
    for n_workers in ("1", "2"):
        done = run("embed", tree, "-o", tmp_path / f"{n_workers}.npz", "--embedder", f"onnx:{model}", "-j", n_workers)
        assert done.code == 0, done.err
        assert "9 vectors of 40 numbers" in done.out
    assert (tmp_path / "1.npz").read_bytes() == (tmp_path / "2.npz").read_bytes()
    rows, embedder = stored(tmp_path / "1.npz")
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-5)
    assert embedder["name"] == "onnx"
    assert embedder["size"] == [32, 32]
    assert len(str(embedder["model"])) == 64
    assert "onnxruntime" in embedder


def test_a_run_looks_at_the_vectors_of_a_model_from_the_file_or_made_for_it(
    tree: Path, model: Path, tmp_path: Path, run: Run
) -> None:
    run("embed", tree, "-o", tmp_path / "v.npz", "--embedder", f"onnx:{model}", "-j", "1")
    asked = ("undersample", tree, "--method", "spread")
    assert run(*asked, "-o", tmp_path / "file", "--embeddings", tmp_path / "v.npz").code == 0
    assert run(*asked, "-o", tmp_path / "model", "--embedder", f"onnx:{model}", "-j", "2").code == 0
    assert contents(tmp_path / "file") == contents(tmp_path / "model")
    assert manifest_head(tmp_path / "model")["request"]["vectors"]["name"] == "onnx"
    capped = run("augment", tree, "-n", "--cap", "4", "--cap-method", "spread", "--embedder", f"onnx:{model}")
    assert capped.code == 0, capped.err


def test_the_settings_beside_the_model_count_and_the_command_line_counts_more(
    tree: Path, tmp_path: Path, run: Run
) -> None:
    model = tmp_path / "flat.onnx"
    model.write_bytes(flattening(("n", 3, "h", "w")))
    (tmp_path / "flat.toml").write_text('size = "3x2"\nmean = 0.5\nstd = [0.5, 0.5, 0.5]\nfit = "squash"\n')
    asked = ("embed", tree, "--embedder", f"onnx:{model}", "-j", "1")
    assert "vectors of 18 numbers" in run(*asked, "-o", tmp_path / "beside.npz").out
    done = run(*asked, "-o", tmp_path / "given.npz", "--model-setting", "size=2", "--model-setting", "mean=0.1,0.2,.3")
    assert "vectors of 12 numbers" in done.out, done.err
    settings = stored(tmp_path / "given.npz")[1]
    assert (settings["size"], settings["mean"], settings["std"]) == ([2, 2], [0.1, 0.2, 0.3], [0.5, 0.5, 0.5])
    assert settings["fit"] == "squash"


def test_it_is_up_to_date_until_the_model_or_a_setting_is_another(
    tree: Path, model: Path, tmp_path: Path, run: Run
) -> None:
    asked = ("embed", tree, "-o", tmp_path / "v.npz", "--embedder", f"onnx:{model}", "-j", "1")
    run(*asked)
    assert "up to date" in run(*asked).err
    assert "made by the embedder onnx of another mean" in run(*asked, "--model-setting", "mean=0.5").err
    model.write_bytes(convolving(("n", 3, 32, 32)) + b"\x12\x02v2")  # the name of its producer
    done = run(*asked)
    assert (done.code, "made by the embedder onnx of another model" in done.err) == (5, True), done.err


def test_weights_lie_in_files_beside_the_model(tree: Path, tmp_path: Path, run: Run) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    weights = np.arange(12 * 5, dtype=np.float32).reshape(12, 5)
    made = proto(node("Flatten", "x", "f"), node("MatMul", "f", "w", "y"), weights={"w": weights})
    onnx.save_model(made, folder / "net.onnx", save_as_external_data=True, location="net.data", size_threshold=0)
    asked = ("embed", tree, "-o", tmp_path / "v.npz", "--embedder", f"onnx:{folder / 'net.onnx'}", "-j", "1")
    assert "vectors of 5 numbers" in run(*asked).out
    (folder / "net.data").unlink()
    done = run(*asked)
    assert done.code == 2
    assert f"net.onnx: its weights: {folder / 'net.data'}: cannot be read: No such file or directory" in done.err


def test_a_model_that_gives_no_numbers_for_an_image_ends_the_run_and_names_it(
    tree: Path, tmp_path: Path, run: Run
) -> None:
    model = tmp_path / "log.onnx"
    model.write_bytes(proto(node("Log", "x", "l"), node("Flatten", "l", "y")).SerializeToString())
    done = run("embed", tree, "-o", tmp_path / "v.npz", "--embedder", f"onnx:{model}", "-j", "1")
    assert done.code == 3
    assert "'a/000.png': the model gives numbers that are not finite" in done.err
    model.write_bytes(proto(node("Sub", "x", "x", "l"), node("Flatten", "l", "y")).SerializeToString())
    done = run("embed", tree, "-o", tmp_path / "v.npz", "--embedder", f"onnx:{model}", "-j", "1")
    assert (done.code, "the model gives only zeros" in done.err) == (3, True), done.err
    assert not (tmp_path / "v.npz").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--embedder", "onnx:nowhere.onnx"), "nowhere.onnx: cannot be read: No such file or directory"),
        (("--embedder", "onnx:"), "'onnx:' is none of: descriptor, pixels, onnx:MODEL; name the file of the model"),
        (("--embedder", "onnx"), "'onnx' is none of: descriptor, pixels, onnx:MODEL; name the file of the model"),
        (("--embedder", "onx:net.onnx"), "did you mean 'onnx'?"),
        (("--embedder", "onnx:."), ".: is not a file"),
        (("--embedder", "onnx:{tree}/a/000.png"), "not an ONNX model, or damaged"),
        (("--embedder", "pixels", "--model-setting", "size=9"), "--model-setting is for --embedder onnx:MODEL"),
        (("--embedder", "onnx:{model}", "--model-setting", "size"), "--model-setting 'size' is not KEY=VALUE"),
        (("--embedder", "onnx:{model}", "--model-setting", "sice=9"), "did you mean 'size'?"),
        (("--embedder", "onnx:{model}", "--model-setting", "mean=a"), "--model-setting: mean = 'a' is not a number"),
        (("--embedder", "onnx:{model}", "--model-setting", "size=9"), "leave the size 9x9 out"),
    ],
)
def test_what_is_wrong_with_a_model_is_told_before_any_image_is_looked_at(
    options: tuple[str, ...], told: str, tree: Path, model: Path, tmp_path: Path, run: Run
) -> None:
    for path in tree.rglob("*.png"):
        path.write_bytes(b"no image, which would be told with another code")
    asked = (option.format(model=model, tree=tree) for option in options)
    done = run("embed", tree, "-o", tmp_path / "v.npz", *asked)
    assert (done.code, told in done.err, done.err.count("\n")) == (2, True, 1), done.err


def test_settings_beside_the_model_that_are_wrong_are_told_with_their_place(
    tree: Path, model: Path, tmp_path: Path, run: Run
) -> None:
    asked = ("embed", tree, "-o", tmp_path / "v.npz", "--embedder", f"onnx:{model}")
    beside = tmp_path / "net.toml"
    beside.write_text("size = ")
    assert f"{beside}: is not TOML: " in run(*asked).err
    beside.write_text("size = " + "[" * 20_000)
    assert f"{beside}: is not TOML: " in run(*asked).err
    beside.write_text('std = "wide"')
    assert f"{beside}: std = 'wide' is not a number" in run(*asked).err
