"""`inspect --weights` and `--export`, and what the frameworks make of the files."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import MakeTree, Run, everything, write_image


@pytest.fixture
def steep(make_tree: MakeTree) -> Path:
    root = make_tree({"cat": 3, "dog": 1})
    for number in range(3, 120):
        (root / "cat" / f"{number:03d}.png").write_bytes(b"looked at by nobody")
    return root


def test_one_scheme_is_one_column(run: Run, source: Path) -> None:
    assert run("inspect", source, "--weights", "inverse").out.splitlines()[:4] == [
        "class  index  count  share  inverse  missing",
        "cat        0      4  30.8%     1.75        3",
        "dog        1      2  15.4%      3.5        5",
        "owl        2      7  53.8%        1        0",
    ]
    assert run("inspect", source, "--weights", "auto").out == run("inspect", source, "--weights", "balanced").out


def test_all_schemes_in_every_form(run: Run, source: Path) -> None:
    titles = [
        "class", "index", "count", "share", "balanced", "inverse", "log", "1/sqrt(n)", "E", "effective", "ln(n/N)",
        "missing",
    ]  # fmt: skip
    assert run("inspect", source, "--weights", "all").out.splitlines()[0].split() == titles
    keys = (
        "name,index,count,share,weight_balanced,weight_inverse,weight_log,weight_inverse_sqrt,effective_number,"
        "weight_effective,logit_adjustment,missing"
    )
    assert run("inspect", source, "--weights", "all", "--format", "csv").out.splitlines()[0] == keys
    report = run("inspect", source, "--weights", "all", "--format", "json", "--beta", "0.5").document
    assert report["classes"][1]["effective_number"] == 1.5
    assert report["classes"][1]["logit_adjustment"] == pytest.approx(-1.871802)
    assert report["weighting"] == {"mu": 0.15, "beta": 0.5}


def test_settings_reach_the_weights(run: Run, source: Path) -> None:
    def weights(*arguments: object) -> list[float]:
        report = run("inspect", source, "--format", "json", "--weights", *arguments).document
        return [row.get("weight_inverse") or row["weight_log"] for row in report["classes"]]

    assert weights("inverse", "--normalize", "classes") == pytest.approx([0.84, 1.68, 0.48])
    assert weights("inverse", "--max-weight", "2") == [1.75, 2, 1]
    assert weights("log", "--mu", "13") == pytest.approx([3.743604, 4.436752, 3.183988], abs=1e-6)


def test_cut_and_steep_weights_are_told(run: Run, steep: Path) -> None:
    ran = run("inspect", steep)
    assert (
        "warning: weights balanced: an image of 'dog' weighs 120 times one of 'cat': a single mislabeled one then "
        "rules the loss; see --max-weight" in ran.err
    )
    assert "weights log:" not in ran.err
    ran = run("inspect", steep, "--weights", "balanced", "--max-weight", "10")
    assert "note: weights balanced: 1 classes are cut to --max-weight 10: 'dog' first" in ran.err
    assert "warning" not in ran.err
    assert run("inspect", steep, "-q").err == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--weights", "balanced", "--mu", "1"], "--mu is of --weights log"),
        (["--beta", "0.9"], "--beta is of --weights effective"),
        (["--beta", "1", "--weights", "all"], "'1' is not a number from 0 to below 1"),
        (["--beta", "nan", "--weights", "all"], "'nan' is not a number from 0 to below 1"),
        (["--weights", "logit", "--normalize", "classes"], "logit is added"),
        (["--weights", "logit", "--max-weight", "2"], "logit is added"),
        (["--max-weight", "0"], "is not a number above 0"),
        (["--weights", "none"], "'none' is not one of"),
        (["--export", "jax", "{tmp}/w"], "'jax' is not one of"),
        (["--export", "keras", "{tmp}/w", "--weights", "all"], "--export takes one kind of weights"),
        (["--export", "csv", "{tmp}/w", "--weights", "logit"], "--export csv is of images: take keras or torch"),
        (["--export", "keras", "{tmp}/w", "--export", "torch", "{tmp}/w"], "twice"),
        (["--sample-weights", "density"], "give --export FORM FILE"),
        (["--embedder", "pixels"], "goes with --neighbors and --sample-weights density"),
        (
            ["--sample-weights", "density", "--weights", "logit", "--export", "keras", "{tmp}/w"],
            "leave out --sample-weights",
        ),
    ],
)
def test_what_has_no_effect_is_refused(
    run: Run, source: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    ran = run("inspect", source, *(argument.format(tmp=tmp_path) for argument in arguments))
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert not (tmp_path / "w").exists()


def exported(run: Run, source: Path, form: str, path: Path, *arguments: object) -> Any:
    ran = run("inspect", source, "--export", form, path, *arguments)
    assert ran.code == 0, ran.err
    if form != "csv":
        return json.loads(path.read_text())
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


COUNTS = {"cat": 4, "dog": 2, "owl": 7}
PATHS = [f"{name}/{number:03d}.png" for name, count in COUNTS.items() for number in range(count)]
OF_FILES = [13 / 12] * 4 + [13 / 6] * 2 + [13 / 21] * 7


def test_the_forms_by_hand(run: Run, source: Path, tmp_path: Path) -> None:
    before = everything(source)
    keras = exported(run, source, "keras", tmp_path / "keras.json")
    assert keras == {
        "rebalance_weights": 1,
        "scheme": "balanced",
        "class_indices": {"cat": 0, "dog": 1, "owl": 2},
        "class_weight": pytest.approx({"0": 13 / 12, "1": 13 / 6, "2": 13 / 21}),
    }
    torch = exported(run, source, "torch", tmp_path / "torch.json")
    assert torch["weight"] == pytest.approx([13 / 12, 13 / 6, 13 / 21])
    sklearn = exported(run, source, "sklearn", tmp_path / "sklearn.json")
    assert "class_weight" not in sklearn
    for document in (torch, sklearn):
        assert document["paths"] == PATHS
        assert document["y"] == [0] * 4 + [1] * 2 + [2] * 7
        assert document["sample_weight"] == pytest.approx(OF_FILES)
    rows = exported(run, source, "csv", tmp_path / "weights.csv")
    assert rows[4] == {"path": "dog/000.png", "label": "dog", "class_index": "1", "sample_weight": str(13 / 6)}
    assert [float(row["sample_weight"]) for row in rows] == pytest.approx(OF_FILES)
    assert everything(source) == before


def test_settings_stand_in_the_file(run: Run, source: Path, tmp_path: Path) -> None:
    document = exported(
        run, source, "keras", tmp_path / "w", "--weights", "effective", "--beta", "0.9", "--normalize", "majority",
        "--max-weight", "3",
    )  # fmt: skip
    head = {"scheme": "effective", "beta": 0.9, "normalize": "majority", "max_weight": 3}
    assert {key: document[key] for key in head} == head


def test_logit_adjustment_is_a_list_of_its_own(run: Run, source: Path, tmp_path: Path) -> None:
    for form in ("keras", "torch"):
        document = exported(run, source, form, tmp_path / form, "--weights", "logit")
        assert document["logit_adjustment"] == pytest.approx([-1.178655, -1.871802, -0.619039], abs=1e-6)
        assert not {"weight", "class_weight", "sample_weight"} & set(document)


def test_density_is_multiplied_in_and_replaces_class_weights(run: Run, source: Path, tmp_path: Path) -> None:
    write_image(source / "owl" / "007.png", 206)  # as 006 is
    for form in ("keras", "torch", "sklearn"):
        document = exported(run, source, form, tmp_path / form, "--sample-weights", "density")
        assert not {"weight", "class_weight"} & set(document)
        assert document["sample_weights"] == "density"
        assert document["embedder"] == "descriptor"
        weights = dict(zip(document["paths"], document["sample_weight"], strict=True))
        owls = [weight for path, weight in weights.items() if path.startswith("owl")]
        assert np.mean(owls) == pytest.approx(14 / 24)
        assert owls[6] == owls[7] == min(owls)
        assert owls[6] < 0.75 * np.median(owls)


def test_nothing_is_written_where_the_answer_is_no(run: Run, source: Path, tmp_path: Path) -> None:
    path = tmp_path / "w"
    assert run("inspect", source, "--export", "csv", path, "--fail-min-count", "5").code == 1
    (source / "cat" / "000.png").write_bytes(b"")
    assert run("inspect", source, "--export", "csv", path, "--sample-weights", "density").code == 4
    assert run("inspect", source, "--export", "csv", path, "--check").code == 4
    (source / "ant").mkdir()
    ran = run("inspect", source, "--export", "csv", path)
    assert ran.code == 3
    assert not path.exists()


def test_what_stands_at_the_name_is_only_replaced_by_its_like(run: Run, source: Path, tmp_path: Path) -> None:
    path = tmp_path / "w"
    first = exported(run, source, "csv", path)
    assert exported(run, source, "csv", path, "--weights", "inverse") != first
    ran = run("inspect", source, "--export", "keras", path)
    assert (ran.code, ran.out) == (5, "")
    assert "is there and is no --export keras" in ran.err
    inside = run("inspect", source, "--export", "csv", source / "w")
    assert inside.code == 5
    assert not (source / "w").exists()
    assert run("inspect", source, "--export", "csv", tmp_path / "absent" / "w").code == 5


def test_what_a_loader_passes_over_is_left_out_of_its_file_and_told(run: Run, source: Path, tmp_path: Path) -> None:
    write_image(source / "cat" / "zzz.gif", 5)
    ran = run("inspect", source, "--export", "torch", tmp_path / "w", "--export", "sklearn", tmp_path / "s")
    assert f"note: {tmp_path / 'w'}: 1 images that no loader of torch reads are not in it" in ran.err
    assert json.loads((tmp_path / "w").read_text())["paths"] == PATHS
    assert "cat/zzz.gif" in json.loads((tmp_path / "s").read_text())["paths"]
    assert "convert 1 of 'cat' (.gif) for torchvision (ImageFolder)" in ran.out


def test_a_name_that_is_not_utf8(run: Run, source: Path, tmp_path: Path) -> None:
    (source / "cat" / "000.png").rename(str(source / "cat") + "/\udcff.png")
    document = exported(run, source, "torch", tmp_path / "t")
    assert {"b64": "Y2F0L/8ucG5n"} in document["paths"]
    ran = run("inspect", source, "--export", "csv", tmp_path / "c")
    assert ran.code == 3
    assert "is not UTF-8" in ran.err


def test_lists_and_splits_are_exported_too(run: Run, source: Path, tmp_path: Path) -> None:
    table = source / "labels.csv"
    table.write_text("path,label\nowl/000.png,bird\ncat/000.png,beast\n")
    rows = exported(run, table, "csv", tmp_path / "w.csv")
    assert [(row["path"], row["label"]) for row in rows] == [("cat/000.png", "beast"), ("owl/000.png", "bird")]


def test_scikit_learn_takes_the_file_as_it_is(run: Run, source: Path, tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415  takes seconds

    document = exported(run, source, "sklearn", tmp_path / "w.json")
    rows = np.arange(13.0).reshape(-1, 1)
    ours = LogisticRegression().fit(rows, document["y"], sample_weight=document["sample_weight"])
    theirs = LogisticRegression(class_weight="balanced").fit(rows, document["y"])
    assert ours.coef_ == pytest.approx(theirs.coef_, abs=1e-6)


def test_torch_takes_the_file_as_it_is(run: Run, source: Path, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    document = exported(run, source, "torch", tmp_path / "w.json")
    loss = torch.nn.CrossEntropyLoss(weight=torch.tensor(document["weight"]))
    assert torch.isfinite(loss(torch.zeros(3, 3), torch.tensor([0, 1, 2])))
    generator = torch.Generator().manual_seed(0)
    sampler = torch.utils.data.WeightedRandomSampler(document["sample_weight"], 3000, generator=generator)
    drawn = np.bincount(np.array(document["y"])[list(sampler)])
    assert drawn == pytest.approx([1000] * 3, abs=100)


def test_keras_takes_the_file_as_it_is(run: Run, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    document = exported(run, source, "keras", tmp_path / "w.json")
    class_weight = {int(index): weight for index, weight in document["class_weight"].items()}
    model = keras.Sequential([keras.layers.Dense(3, activation="softmax", kernel_initializer="zeros")])
    model.compile(loss="sparse_categorical_crossentropy")
    rows, labels = np.eye(3), np.arange(3)
    fitted = model.fit(rows, labels, class_weight=class_weight, epochs=1, verbose=0)
    assert fitted.history["loss"][0] == pytest.approx(np.log(3) * (13 / 12 + 13 / 6 + 13 / 21) / 3, rel=1e-4)
    with pytest.raises(ValueError, match=r"class_weight.*sample_weight"):
        model.fit(rows, labels, class_weight=class_weight, sample_weight=np.ones(3), verbose=0)


def test_two_exports_never_write_one_file(run: Run, source: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    ran = run("inspect", source, "--export", "keras", tmp_path / "w", "--export", "torch", tmp_path / "link" / "w")
    assert (ran.code, ran.out) == (2, "")
    assert f"link/w: is {tmp_path}/w, which is given too" in ran.err


def test_no_image_weighs_more_than_max_weight(run: Run, source: Path, tmp_path: Path) -> None:
    write_image(source / "dog" / "007.png", 206)
    write_image(source / "dog" / "008.png", 206)
    asked = ("--sample-weights", "density", "--max-weight")
    document = exported(run, source, "torch", tmp_path / "free", *asked, 1e9)
    free = dict(zip(document["paths"], document["sample_weight"], strict=True))
    most = max(free.values()) * 0.99
    assert most > max(sum(free[path] for path in free if path.startswith(name)) / 4 for name in ("cat", "dog"))
    capped = exported(run, source, "torch", tmp_path / "capped", *asked, most)["sample_weight"]
    assert max(capped) == most
