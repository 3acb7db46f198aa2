"""`--labels`: images with several labels each, read, measured, copied and left out."""

import csv
import io
import json
import re
import shutil
import textwrap
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Run, everything, real_data, write_image

SETS = {"0": "a", "1": "a", "2": "a", "3": "a b", "4": "a b", "5": "b", "6": "c", "7": "", "8": "a", "9": "a"}
"""a on seven images, b on three, c on one."""


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for number in range(10):
        write_image(tmp_path / "images" / f"{number}.png", number)
    return tmp_path / "images"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "labels.csv"
    rows = (
        f"{name}.png,{','.join(str(int(label in labels.split())) for label in 'abc')}" for name, labels in SETS.items()
    )
    path.write_text("path,a,b,c\n" + "\n".join(rows) + "\n")
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text())))


def counts_of(path: Path) -> dict[str, int]:
    """Read the labels of an OUTPUT as anyone would."""
    counts: Counter[str] = Counter()
    for row in rows_of(path / "labels.csv"):
        assert (path / "images" / row["path"]).is_file()
        counts.update(name for name in ("a", "b", "c") if row[name] == "1")
    return dict(counts)


def test_inspect_by_hand(run: Run, images: Path, table: Path) -> None:
    """IRLbl 1, 7 / 3, 7; sd 3.15055 over mean 3.44444; two images of ten with 1 - sqrt(7 / 3) / (5 / 3)."""
    ran = run("inspect", images, "--labels", table)
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "label  index  positives  negatives   IRLbl   w(y=1)   w(y=0)  pos_weight  missing",
        "a          0          7          3       1  0.71429   1.6667     0.42857        0",
        "b          1          3          7  2.3333   1.6667  0.71429      2.3333        4",
        "c          2          1          9       7        5  0.55556           9        6",
        "10 labels".replace("10", "3")
        + ", 10 images, 1 without a label, 5 label sets; 1.1 labels an image, density 0.3667",
        "MeanIR 3.4444, CVIR 0.91467, SCUMBLE 0.0167 (0: frequent and rare labels never meet)",
    ]


def test_every_form_of_a_report(run: Run, images: Path, table: Path) -> None:
    report = run("inspect", images, "--labels", table, "--format", "json").document
    assert report["labels"][1] == {
        "name": "b", "index": 1, "positives": 3, "negatives": 7, "irlbl": pytest.approx(7 / 3), "missing": 4,
        "weight_positive": pytest.approx(10 / 6), "weight_negative": pytest.approx(10 / 14),
        "pos_weight": pytest.approx(7 / 3),
    }  # fmt: skip
    lines = run("inspect", images, "--labels", table, "--format", "csv").out.splitlines()
    assert lines[0] == "name,index,positives,negatives,irlbl,weight_positive,weight_negative,pos_weight,missing"
    assert len(lines) == 4


def test_labels_that_never_occur_or_only_together_are_named(run: Run, images: Path, table: Path) -> None:
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0] + ",d,e", *(f"{line},{line[-1]},0" for line in lines[1:])]) + "\n")
    ran = run("inspect", images, "--labels", table)
    assert "never: 'e'" in ran.out
    assert "always together: 'c', 'd'" in ran.out
    assert "note: 1 labels never occur and are in no measure: 'e' first" in ran.err
    assert run("inspect", images, "--labels", table, "--fail-min-count", "1").code == 1
    ran = run("inspect", images, "--labels", table, "--export", "torch", images.parent / "w")
    assert (ran.code, (images.parent / "w").exists()) == (3, False)
    assert "label 'e' is on no image, and so has no weight: leave it out (--label-columns)" in ran.err


def test_weights_are_exported(run: Run, images: Path, table: Path, tmp_path: Path) -> None:
    names = {"torch": "t.json", "keras": "k.json", "sklearn": "s.json", "csv": "w.csv"}
    exports = [word for form, name in names.items() for word in ("--export", form, tmp_path / name)]
    assert run("inspect", images, "--labels", table, *exports, "--export", "keras", tmp_path / "k.npy").code == 0
    documents = {form: json.loads((tmp_path / name).read_text()) for form, name in names.items() if form != "csv"}
    assert documents["torch"]["labels"] == ["a", "b", "c"]
    assert documents["torch"]["pos_weight"] == pytest.approx([3 / 7, 7 / 3, 9])
    pairs = [[10 / 6, 10 / 14], [10 / 14, 10 / 6], [10 / 18, 5]]
    assert np.array(documents["keras"]["label_weights"]) == pytest.approx(np.array(pairs))
    assert documents["sklearn"]["class_weight"][1] == pytest.approx({"0": 10 / 14, "1": 10 / 6})
    assert [row["label"] for row in rows_of(tmp_path / "w.csv")] == ["a", "b", "c"]
    array = np.load(tmp_path / "k.npy", allow_pickle=False)
    assert (array.dtype, array.shape) == (np.float32, (3, 2))
    assert array == pytest.approx(np.array(pairs), rel=1e-6)
    ran = run("inspect", images, "--labels", table, "--export", "keras", tmp_path / "t.json", "--export", "csv", table)
    assert ran.code == 5


def test_scikit_learn_weighs_each_label_so(run: Run, images: Path, table: Path, tmp_path: Path) -> None:
    from sklearn.utils.class_weight import compute_class_weight  # noqa: PLC0415  takes seconds

    assert run("inspect", images, "--labels", table, "--export", "sklearn", tmp_path / "w").code == 0
    document = json.loads((tmp_path / "w").read_text())
    for name, weights in zip("abc", document["class_weight"], strict=True):
        truth = np.array([int(name in labels.split()) for labels in SETS.values()])
        theirs = compute_class_weight("balanced", classes=np.array([0, 1]), y=truth)
        assert list(weights.values()) == pytest.approx(list(theirs))


def test_copies_bring_labels_to_their_targets(run: Run, images: Path, table: Path, tmp_path: Path) -> None:
    before, output = everything(images), tmp_path / "out"
    ran = run("augment", images, "--labels", table, "-s", "1.0", "-o", output)
    assert ran.code == 0, ran.err
    assert ran.out.splitlines() == [
        "label  before  asked  after",
        "a           7      7      7",
        "b           3      7      7",
        "c           1      7      7",
        "3 labels, 10 images -> 20",
    ]
    assert counts_of(output) == {"a": 7, "b": 7, "c": 7}
    assert everything(images) == before
    assert run("verify", output, "--source", images).code == 0
    again = run("augment", images, "--labels", table, "-s", "1.0", "-o", output)
    assert "up to date" in again.err
    head = json.loads((output / "rebalance.jsonl").read_text().splitlines()[0])
    assert head["label_counts"][2] == {"name": "c", "n_before": 1, "n_target": 7, "n_after": 7, "reason": ""}
    with (output / "labels.csv").open("a") as file:
        file.write("x.png,0,0,0\n")
    ran = run("verify", output)
    assert ran.code == 1
    assert ran.out.startswith("changed: labels.csv: ")


def test_a_copy_is_the_same_whatever_the_others_are(run: Run, images: Path, table: Path, tmp_path: Path) -> None:
    outputs = [tmp_path / "small", tmp_path / "large"]
    for output, strategy, workers in zip(outputs, ("c=3", "c=6"), ("1", "2"), strict=True):
        assert run("augment", images, "--labels", table, "-s", strategy, "-o", output, "-j", workers).code == 0
    small, large = ({path.name: path.read_bytes() for path in (output / "images").iterdir()} for output in outputs)
    assert len(small) == 12
    assert len(large) == 15
    assert small.items() <= large.items()


def test_what_is_out_of_reach_is_said_with_its_reason(run: Run, images: Path, table: Path, tmp_path: Path) -> None:
    lines = table.read_text().replace("5.png,0,1,0", "5.png,1,1,0")
    table.write_text(lines)
    ran = run("augment", images, "--labels", table, "-s", "1.0", "-o", tmp_path / "out", "--max-copies", "3")
    assert ran.code == 0
    assert "b: 3 where 8 are asked: it never occurs without 'a', which would have still more" in ran.out
    assert "c: 4 where 8 are asked: its 1 images are used as often as may be (--max-copies)" in ran.out
    assert "labels are off their targets by 1.125 targets in all, 1.5 before; no choice comes below 1.125" in ran.err


def test_repeat_factors_by_hand(run: Run, images: Path, table: Path, tmp_path: Path) -> None:
    """Shares 0.7, 0.3, 0.1, median 0.3: only c is repeated, sqrt(3) times; at 0.9, sqrt(9) times."""
    arguments = ["augment", images, "--labels", table, "--method", "repeat-factor"]
    ran = run(*arguments, "-n", "--format", "json")
    assert "repeat factor: labels on fewer than 0.3 of the images are repeated" in ran.err
    after = {label["name"]: label["n_after"] for label in ran.document["labels"]}
    assert after["c"] in (1, 2)
    assert (after["a"], after["b"]) == (7, 3)
    assert run(*arguments, "--oversample-thr", "0.9", "-o", tmp_path / "out").code == 0
    assert counts_of(tmp_path / "out")["c"] == 3


def test_repeat_factors_where_originals_are_drawn_too(run: Run, images: Path, table: Path, tmp_path: Path) -> None:
    settings = ["--method", "repeat-factor", "--originals", "transform", "--oversample-thr", "0.9"]
    for arguments, counts in ((settings, {"c": 3}), (settings[2:4], {"a": 7, "b": 7, "c": 7})):
        output = tmp_path / str(len(arguments))
        assert run("augment", images, "--labels", table, *arguments, "-o", output).code == 0
        assert counts.items() <= counts_of(output).items()
        sources = {row["path"].partition("_")[0] for row in rows_of(output / "labels.csv")}
        assert sources == set(SETS)
        assert run("verify", output).code == 0


def test_a_column_of_splits_is_warned_of(run: Run, images: Path, table: Path) -> None:
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0] + ",split,group", *(f"{line},val,g" for line in lines[1:])]) + "\n")
    ran = run("inspect", images, "--labels", table)
    assert "its column 'split' is not read: images of every split are balanced" in ran.err
    assert "not of 0 and 1 alone: 'split', 'group'" in ran.err


def test_images_are_left_out_until_labels_are_near(run: Run, images: Path, table: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    ran = run("undersample", images, "--labels", table, "-s", "3", "-o", output)
    assert ran.code == 0, ran.err
    assert counts_of(output) == {"a": 3, "b": 3, "c": 1}
    assert (
        len(rows_of(output / "labels.csv")) == 6
    )  # the most images with which that can be: two of a, b alone, c, none
    assert run("verify", output, "--source", images).code == 0
    removed = [json.loads(line) for line in (output / "rebalance.jsonl").read_text().splitlines()[1:]]
    reasons = {row["reason"] for row in removed if row["kind"] == "removed"}
    assert reasons == {"left out by undersample (labels)"}


def test_a_bad_image_is_made_up_for(run: Run, images: Path, table: Path, tmp_path: Path) -> None:
    (images / "5.png").write_bytes(b"")
    arguments = ["augment", images, "--labels", table, "-s", "1.0", "-o", tmp_path / "out"]
    assert run(*arguments).code == 4
    assert not (tmp_path / "out").exists()
    assert run(*arguments, "--bad-images", "skip").code == 0
    names = [row["path"] for row in rows_of(tmp_path / "out" / "labels.csv")]
    assert "5.png" not in names


def test_an_image_that_is_carried_along_is_no_source(run: Run, images: Path, table: Path, tmp_path: Path) -> None:
    (images / "6.png").write_bytes(b"no picture")
    ran = run("augment", images, "--labels", table, "-s", "1.0", "-o", tmp_path / "out", "--bad-images", "carry")
    assert ran.code == 0
    assert counts_of(tmp_path / "out") == {"a": 7, "b": 7, "c": 1}
    assert "c: 1 where 7 are asked: its 0 images are used as often as may be (--max-copies)" in ran.out


def test_folders_are_labels_where_an_image_stands_in_several(run: Run, tmp_path: Path) -> None:
    tree, output = tmp_path / "tree", tmp_path / "out"
    for number in range(5):
        write_image(tree / "cat" / f"{number}.png", number)
    write_image(tree / "dog" / "0.png", 50)
    shutil.copyfile(tree / "cat" / "1.png", tree / "dog" / "same.png")
    (tree / "owl").mkdir()
    (tree / "owl" / "link.png").hardlink_to(tree / "cat" / "2.png")
    ran = run("augment", tree, "--labels", "folders", "-o", output)
    assert ran.code == 0, ran.err
    rows = {row["path"]: (row["cat"], row["dog"], row["owl"]) for row in rows_of(output / "labels.csv")}
    assert rows["cat_1.png"] == ("1", "1", "0")
    assert rows["cat_2.png"] == ("1", "0", "1")
    assert rows["dog_0.png"] == ("0", "1", "0")
    assert sum(row[1] == "1" for row in rows.values()) == 5


def test_a_column_that_lists_labels(run: Run, images: Path, tmp_path: Path) -> None:
    table = tmp_path / "l.tsv"
    rows = (f"{name}.png\t{tags.replace(' ', ';')}\n" for name, tags in SETS.items())
    table.write_text("image\ttags\n" + "".join(rows))
    arguments = ["--labels", table, "--column", "path=image", "--column", "label=tags", "--label-delimiter", ";"]
    report = run("inspect", images, *arguments, "--format", "json").document
    assert {row["name"]: row["positives"] for row in report["labels"]} == {"a": 7, "b": 3, "c": 1}
    assert run("augment", images, *arguments, "-s", "c=2", "-o", tmp_path / "out").code == 0
    text = (tmp_path / "out" / "labels.csv").read_text().splitlines()
    assert text[0] == "image,tags"
    assert text[4] == "3.png,a;b"


EDITS: dict[str, tuple[Callable[[str], str], int, str]] = {
    "BOM": (lambda text: "\ufeff" + text, 0, ""),
    "semicolons": (lambda text: text.replace(",", ";"), 0, ""),
    "N/A": (lambda text: text.replace("path,a", "path,N/A"), 0, "N/A"),
    "absent file": (
        lambda text: text.replace("0.png,1", "x.png,1"),
        3,
        "problem: x.png: of line 2 cannot be looked at",
    ),
    "twice": (lambda text: text.replace("1.png", "0.png"), 3, "'0.png' stands in lines 2 and 3"),
    "no row": (lambda text: text.replace("9.png,1,0,0\n", ""), 0, "9.png: has no row in"),
    "a path out of it": (
        lambda text: text.replace("0.png", "../0.png"),
        3,
        "leads out of the images: paths begin below SOURCE",
    ),
    "no path": (lambda text: text.replace("path,", "file,"), 3, "has no column 'path'"),
    "a number": (lambda text: text.replace("0.png,1", "0.png,2"), 0, "since they are not of 0 and 1 alone: 'a'"),
    "no labels": (lambda text: text.replace(",1", ",x").replace(",0", ",y"), 3, "has no column of 0 and 1"),
}


@pytest.mark.threat(82)
@pytest.mark.parametrize("edit", EDITS)
def test_tables_that_come_wrong(run: Run, images: Path, table: Path, edit: str) -> None:
    change, code, message = EDITS[edit]
    table.write_text(change(table.read_text()))
    ran = run("inspect", images, "--labels", table)
    assert ran.code == code
    assert message in ran.out + ran.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["inspect", "--label-columns", "a"], "--label-columns goes with --labels"),
        (["inspect", "--labels", "{table}", "--weights", "log"], "--weights is for images of one class each"),
        (["inspect", "--labels", "x.txt"], "is neither a .csv or .tsv nor `folders`"),
        (["inspect", "--labels", "folders", "--label-columns", "a"], "leave out folders with --exclude"),
        (["augment", "--labels", "{table}", "--cap", "3"], "--cap is for images of one class each"),
        (["augment", "--labels", "{table}", "--write", "list"], "--write is for images of one class each"),
        (["augment", "--labels", "{table}", "--oversample-thr", "0.1"], "--oversample-thr is of --method"),
        (["augment", "--labels", "{table}", "--method", "repeat-factor", "-s", "1.0"], "has no targets"),
        (["augment", "--method", "repeat-factor"], "--method goes with --labels"),
        (["augment", "--labels", "{table}", "--label-delimiter", ""], "--label-delimiter is empty"),
        (["undersample", "--labels", "{table}", "--method", "tomek"], "--method is for images of one class each"),
    ],
)
def test_options_that_do_not_go_together(
    run: Run, images: Path, table: Path, arguments: list[str], message: str
) -> None:
    command, *others = (argument.format(table=table) for argument in arguments)
    output = [] if command == "inspect" else ["-o", images.parent / "out"]
    ran = run(command, images, *others, *output)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err


@pytest.mark.parametrize("labels", ["{table}", "folders"])
def test_nothing_is_written_into_the_source(run: Run, images: Path, table: Path, labels: str) -> None:
    for path in sorted(images.glob("*.png")):
        for name in ("cat", "dog"):
            (images / name).mkdir(exist_ok=True)
            shutil.copy(path, images / name)
        path.unlink()
    table.write_text(table.read_text().replace("\n", "\ncat/", 10))
    before = everything(images)
    ran = run("augment", images, "--labels", labels.format(table=table), "-o", images / "out")
    assert (ran.code, ran.out) == (5, "")
    assert "nothing is ever written there" in ran.err
    assert everything(images) == before


@pytest.mark.parametrize("command", ["augment", "undersample"])
@pytest.mark.parametrize("rows", ["", "0.png,0\n1.png,0\n"], ids=["no rows", "no labels"])
def test_where_no_image_has_a_label_there_is_nothing_to_do(
    run: Run, images: Path, table: Path, command: str, rows: str
) -> None:
    table.write_text(f"path,a\n{rows}")
    methods = [[], ["--method", "repeat-factor"]] if command == "augment" else [[]]
    for method in methods:
        ran = run(command, images, "--labels", table, "-o", images.parent / "out", *method)
        assert (ran.code, ran.out) == (3, "")
        assert "no image has a label" in ran.err
    assert run("inspect", images, "--labels", table).code == 0


def test_columns_that_are_asked_for_must_be_labels(run: Run, images: Path, table: Path) -> None:
    report = run("inspect", images, "--labels", table, "--label-columns", "b", "--format", "json").document
    assert [row["name"] for row in report["labels"]] == ["b"]
    table.write_text(table.read_text().replace("0.png,1", "0.png,2"))
    ran = run("inspect", images, "--labels", table, "--label-columns", "a")
    assert ran.code == 3
    assert "line 2: '2' in column 'a' is neither 0 nor 1" in ran.err
    assert run("inspect", images, "--labels", table, "--label-columns", "z").code == 3


def test_coffee_leaves_come_to_their_targets(run: Run, tmp_path: Path) -> None:
    folder = real_data("coffee_leaf")
    arguments = ["--labels", folder / "labels.csv", "--column", "path=image"]
    ran = run("augment", folder / "images", *arguments, "-s", "1.0", "-o", tmp_path / "out")
    assert ran.code == 0
    assert ran.out.splitlines()[1:] == [
        "miner           84    113    113",
        "rust           113    113    113",
        "phoma           62    113    113",
        "cercospora      54    113    113",
        "4 labels, 300 images -> 419",
    ]
    rows = rows_of(tmp_path / "out" / "labels.csv")
    assert len(rows) == len(list((tmp_path / "out" / "images").iterdir())) == 419
    names = ("miner", "rust", "phoma", "cercospora")
    assert {name: sum(row[name] == "1" for row in rows) for name in names} == dict.fromkeys(names, 113)


def snippet(start: str) -> str:
    """Return the code of the page that begins so."""
    page = (Path(__file__).parents[2] / "docs" / "labels.md").read_text()
    blocks = re.findall(r"(?:^    .*\n|^\n)+", page, re.MULTILINE)
    return next(textwrap.dedent(block) for block in blocks if block.strip().startswith(start))


def test_keras_takes_the_array_with_the_loss_of_the_page(  # the page's own code is run
    run: Run, images: Path, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    monkeypatch.chdir(tmp_path)
    assert run("inspect", images, "--labels", table, "--export", "keras", "weights.npy").code == 0
    names = {"keras": keras, "numpy": np}
    exec(snippet("weights = keras"), names)
    model = keras.Sequential([keras.layers.Dense(3, activation="sigmoid", kernel_initializer="zeros")])
    model.compile(loss=names["weighted_binary_crossentropy"])
    truth = np.array([[1, 0, 0], [0, 0, 1]], np.float32)
    fitted = model.fit(np.eye(2), truth, epochs=1, verbose=0)
    by_hand = np.log(2) * ((10 / 14 + 10 / 14 + 10 / 18) + (10 / 6 + 10 / 14 + 5)) / 6
    assert fitted.history["loss"][0] == pytest.approx(by_hand, rel=1e-4)


def test_torch_reads_the_output_with_the_dataset_of_the_page(
    run: Run, images: Path, table: Path, tmp_path: Path
) -> None:
    torch = pytest.importorskip("torch")
    assert run("augment", images, "--labels", table, "-o", tmp_path / "out").code == 0

    def read_image(path: str) -> tuple[int, int]:
        with Image.open(path) as image:
            return image.size

    names: dict[str, Any] = {"torch": torch, "csv": csv, "read_image": read_image}
    exec(snippet("class Labeled"), names)
    dataset = names["Labeled"](str(tmp_path / "out"))
    total = sum(labels for _, labels in torch.utils.data.DataLoader(dataset, batch_size=None))
    assert total.tolist() == [7, 7, 7]
