"""`rebalance score`, as its user meets it."""

import csv
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rebalance.scoring.predictions import Predictions
from rebalance.storage.predictions import render_predictions
from tests.conftest import MakeTree, Run, start
from tests.scoring.made import decisions, random_predictions, uniform


def written(path: Path, predictions: Predictions) -> Path:
    path.write_bytes(render_predictions(predictions))
    return path


@pytest.fixture
def test_csv(tmp_path: Path) -> Path:
    """Four hundred images of three classes, with probabilities."""
    return written(tmp_path / "test.csv", random_predictions(3))


def lines_of(run: Run, *arguments: object) -> list[str]:
    ran = run("score", *arguments)
    assert ran.code == 0, ran.err
    return ran.out.splitlines()


def test_the_text_by_hand(run: Run, tmp_path: Path) -> None:
    """TP 8, FN 2, TN 85, FP 5, of the class b."""
    path = written(tmp_path / "p.csv", decisions([1] * 10 + [0] * 90, [1] * 8 + [0] * 2 + [0] * 85 + [1] * 5))
    lines = lines_of(run, path, "--class-weights", "a=0.3", "--class-weights", "b=0.7")
    assert lines[0].split() == ["class", "images", "precision", "recall", "specificity", "F1"]
    assert lines[2].startswith("b          10  0.615 (0.355 to 0.823)  0.800 (0.490 to 0.943)        0.944  0.696 (")
    assert lines[4].split()[:4] == ["class", "against", "the", "rest"]
    assert lines[6].split() == ["b", "0.869", "0.745", "0.847", "0.905"]
    overall = {line.rsplit("  ", 2)[0].strip(): line for line in lines[8:]}
    assert "0.843" in overall["mean class weighted accuracy"]
    assert lines[-1] == (
        "100 images of 2 classes; intervals by 1000 resamples of images within their class, of shares by Wilson"
    )


def test_few_images_are_marked(run: Run, tmp_path: Path) -> None:
    path = written(tmp_path / "p.csv", decisions([1] * 9 + [0] * 10, [0] * 19))
    ran = run("score", path)
    assert [line.endswith("too few to tell") for line in ran.out.splitlines()[1:3]] == [False, True]
    assert "note: class 'b' is never predicted: its precision is undefined" in ran.err
    assert "note: 1 of 2 classes have fewer than 10 images, 'b' first" in ran.err
    report = run("score", path, "--format", "json").document
    assert [one["too_few"] for one in report["classes"]] == [False, True]
    assert report["classes"][1]["precision"] == {"value": None, "low": None, "high": None}
    assert run("score", path, "-q").err == ""


def test_json_has_everything(run: Run, test_csv: Path) -> None:
    report = run("score", test_csv, "--format", "json", "--seed", "3", "--resamples", "200", "--f-beta", "0.5").document
    assert report["predictions"] == [str(test_csv)]
    assert report["intervals"] == {"level": 0.95, "resamples": 200, "seed": 3, "drawn": "images"}
    assert report["f_beta"] == 0.5
    assert report["n_images"] == 400
    assert np.sum(report["confusion"]) == 400
    assert {"balanced_accuracy", "matthews_correlation", "brier_score"} < report["overall"].keys()
    assert {"name", "support", "precision", "average_precision", "optimized_precision"} < report["classes"][0].keys()
    again = run("score", test_csv, "--format", "json", "--seed", "3", "--resamples", "200", "--f-beta", "0.5").document
    assert again == report
    other = run("score", test_csv, "--format", "json", "--seed", "4", "--resamples", "200").document
    assert other["overall"]["accuracy"]["value"] == report["overall"]["accuracy"]["value"]
    assert other["overall"]["accuracy"] != report["overall"]["accuracy"]


def test_csv_has_a_line_a_number(run: Run, test_csv: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run("score", test_csv, "--format", "csv").out)))
    assert list(rows[0]) == ["class", "measure", "value", "low", "high"]
    assert {row["class"] for row in rows} == {"", "c0", "c1", "c2"}
    support = {row["class"]: float(row["value"]) for row in rows if row["measure"] == "support"}
    assert sum(support.values()) == 400


def test_columns_are_mapped_and_groups_drawn_together(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("file,label,guess,patient\n" + "".join(f"{n},{n % 2},{n % 3 % 2},{n // 6}\n" for n in range(60)))
    mapped = ["--columns", "path=file,y_true=label", "--columns", "y_pred=guess"]
    alone = run("score", path, *mapped, "--format", "json")
    assert "note: " in alone.err
    assert "column 'patient' not read" in alone.err
    grouped = run("score", path, *mapped, "--format", "json", "--groups", "patient")
    assert grouped.err == ""
    assert grouped.document["intervals"]["drawn"] == "groups"
    accuracy = grouped.document["overall"]["accuracy"]
    assert accuracy["low"] == pytest.approx(accuracy["high"])  # all patients are alike


def runs_of(tmp_path: Path, name: str, shares: list[float]) -> list[Path]:
    """Write runs that are right on so large a share of each of two classes."""
    truth = [0] * 200 + [1] * 100
    found = []
    for number, share in enumerate(shares):
        is_right = uniform(50 + number, 300) < share
        called = np.where(is_right, truth, 1 - np.array(truth))
        found.append(written(tmp_path / f"{name}{number}.csv", decisions(truth, called.tolist())))
    return found


@pytest.mark.parametrize("is_split", [False, True])
def test_two_ways_are_compared_in_whatever_order(run: Run, tmp_path: Path, *, is_split: bool) -> None:
    first, second = runs_of(tmp_path, "a", [0.6, 0.62, 0.58]), runs_of(tmp_path, "b", [0.8, 0.79, 0.82])
    if is_split:
        compared = [f"--compare={second[0]}", second[1], "--seed", "1", "-q", "--", second[2]]
        ran = run("score", *first[:2], "--resamples=1000", first[2], *compared)
    else:
        ran = run("score", *first, "--compare", *second, "--seed", "1")
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    assert lines[0].split() == ["measure", "first", "second", "difference", "95", "%", "interval"]
    assert lines[1].startswith("accuracy ")
    assert lines[-2].startswith("300 images; runs: 3 against 3; intervals by 1000 resamples of images and runs")
    assert lines[-1].startswith("did it help? balanced accuracy +0.192 (")
    assert lines[-1].endswith(": better")


def test_one_run_a_side_is_no_more_than_two_models(run: Run, tmp_path: Path) -> None:
    (first,), (second,) = runs_of(tmp_path, "a", [0.6]), runs_of(tmp_path, "b", [0.8])
    told = "one run a side: the intervals are for these two models, not for the two ways of making them"
    assert lines_of(run, first, "--compare", second)[-1] == told
    report = run("score", first, "--compare", second, "--format", "json").document
    assert report["intervals_are_for"] == "models"
    of_recall = [one for one in report["differences"] if one["measure"] == "recall"]
    assert [one["class"] for one in of_recall] == ["a", "b"]
    rows = list(csv.DictReader(io.StringIO(run("score", first, "--compare", second, "--format", "csv").out)))
    assert list(rows[0]) == ["measure", "class", "first", "second", "difference", "low", "high", "verdict"]


def test_several_runs_of_one_way_are_their_mean(run: Run, tmp_path: Path) -> None:
    lines = lines_of(run, *runs_of(tmp_path, "a", [0.6, 0.7, 0.8]))
    assert "means of 3 runs; intervals by 1000 resamples of images within their class and of runs" in lines[-1]


def test_runs_of_other_images_are_refused(run: Run, tmp_path: Path) -> None:
    first = written(tmp_path / "a.csv", decisions([0, 1], [0, 1]))
    second = written(tmp_path / "b.csv", decisions([0, 1, 1], [0, 1, 1]))
    ran = run("score", first, "--compare", second)
    assert (ran.code, ran.out) == (3, "")
    assert "has no row for '2.jpg'" in ran.err


def test_thresholds_are_picked_on_validation_data(run: Run, tmp_path: Path) -> None:
    validation, test = (
        written(tmp_path / f"{name}.csv", _lopsided(n_images, seed, name))
        for name, n_images, seed in (("val", 400, 11), ("test", 2000, 12))
    )
    ran = run("score", test, "--tune-on", validation, "--format", "json")
    assert (ran.code, ran.err) == (0, "")
    report = ran.document
    assert report["thresholds"]["rare"] < 0.3
    assert sum(report["thresholds"].values()) == pytest.approx(1)
    change = next(one for one in report["changes"] if one["measure"] == "balanced_accuracy")
    assert change["verdict"] == "better"
    assert change["second"] == report["overall"]["balanced_accuracy"]["value"]
    lines = lines_of(run, test, "--tune-on", validation, "--tune-for", "macro_f1")
    assert any(line.startswith("called is what has the largest probability / threshold") for line in lines)
    assert any(line.startswith("on held-out fifths of the validation data: ") for line in lines)


def _lopsided(n_images: int, seed: int, name: str) -> Predictions:
    truth = (uniform(seed, n_images) < 0.1).astype(np.intp)
    chance = np.clip(0.05 + 0.25 * uniform(seed + 1, n_images) + 0.2 * truth, 0, 1)
    probabilities = np.stack([1 - chance, chance], axis=1)
    paths = tuple(f"{name}/{number}.jpg" for number in range(n_images))
    return Predictions(name, ("common", "rare"), paths, truth, probabilities.argmax(axis=1), probabilities)


def test_validation_data_that_flatter_are_warned_of(run: Run, tmp_path: Path) -> None:
    test = written(tmp_path / "test.csv", _lopsided(300, 12, "x"))
    balanced = _lopsided(300, 13, "x")
    rows = np.append(np.flatnonzero(balanced.truth == 0)[:20], np.flatnonzero(balanced.truth == 1)[:20])
    some = balanced.ordered([balanced.paths[row] for row in rows])
    ran = run("score", test, "--tune-on", written(tmp_path / "val.csv", some))
    assert "40 paths stand in" in ran.err
    assert "has as many images of each class" in ran.err
    ran = run("score", test, "--tune-on", test)
    assert (ran.code, ran.out) == (2, "")
    assert "is given twice" in ran.err


def test_priors_are_put_back_and_written(run: Run, tmp_path: Path, make_tree: MakeTree) -> None:
    """Trained at 8:8 where 8:2 is natural: 0.5 becomes 0.8, and 0.7 of the rare class becomes 7/19 of it."""
    source, tree = make_tree({"a": 8, "b": 2}), tmp_path / "tree"
    assert run("augment", source, "-o", tree).code == 0
    path, output = tmp_path / "p.csv", tmp_path / "back.csv"
    path.write_text("path,y_true,a,b\n1,a,0.5,0.5\n2,a,0.3,0.7\n3,b,0.1,0.9\n4,b,0,1\n")
    ran = run("score", path, "--prior-correct", tree, "-o", output, "--format", "json")
    assert ran.code == 0, ran.err
    assert ran.document["prior_ratios"] == pytest.approx({"a": 1.6, "b": 0.4})
    rows = list(csv.DictReader(io.StringIO(output.read_text())))
    assert [float(row["a"]) for row in rows] == pytest.approx([0.8, 12 / 19, 4 / 13, 0])
    assert [row["y_pred"] for row in rows] == ["a", "a", "b", "b"]
    assert ran.document["overall"]["accuracy"]["value"] == 1
    again = run("score", output, "--format", "json").document
    assert again["overall"] == ran.document["overall"]
    before = output.read_bytes()
    assert run("score", path, "-o", output).code == 5
    assert output.read_bytes() == before
    assert run("score", path, "-o", output, "--overwrite").code == 0
    assert output.read_bytes() != before
    assert run("score", path, "--overwrite").code == 2
    text = lines_of(run, path, "--prior-correct", tree)
    assert "put back to natural priors, before all is scaled to 1: a x 1.6, b x 0.4" in text
    assert run("score", path, "--prior-correct", source).code == 1


def test_a_picture_is_drawn_the_same_every_time(run: Run, tmp_path: Path, test_csv: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "plot.png"
    assert run("score", test_csv, "--plot", path, "--resamples", "100").code == 0
    first = path.read_bytes()
    with Image.open(path) as image:
        image.load()
        assert image.width > 1.8 * image.height
        assert len(image.convert("RGB").getcolors(2**20) or []) > 50
    assert run("score", test_csv, "--plot", path, "--resamples", "100").code == 0
    assert path.read_bytes() == first


def test_a_picture_of_decisions_alone_and_of_odd_names(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "p.csv"
    path.write_text("path,y_true,y_pred\n" + "".join(f"{n},_x$y^$,猫\n{n}b,猫,_x$y^$\n" for n in range(12)))
    ran = run("score", path, "--plot", tmp_path / "plot.PNG")
    assert (ran.code, ran.err) == (0, "")
    with Image.open(tmp_path / "plot.PNG") as image:
        assert image.width < 1.5 * image.height


def test_a_missing_matplotlib_is_named_with_its_extra(
    run: Run, test_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rebalance.cli.score.find_spec", lambda _name: None)
    ran = run("score", test_csv, "--plot", tmp_path / "x.png")
    assert (ran.code, ran.out) == (2, "")
    assert "pip install 'rebalance-images[plot]'" in ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "Missing argument 'PREDICTIONS...'"),
        (["{test}", "{test}"], 2, "is given twice"),
        (["{test}", "--compare"], 2, "--compare names no file"),
        (["{test}", "--compare", "{other}", "--seed"], 2, "Option '--seed' requires an argument"),
        (["--compare", "{test}"], 2, "give those of the first way before it"),
        (["{test}", "--compare", "{other}", "--plot", "x.png"], 2, "--plot is of one way"),
        (["{test}", "--compare", "{other}", "--prior-correct", "t"], 2, "--prior-correct is of one way"),
        (["{test}", "{other}", "-o", "x.csv"], 2, "--output takes one PREDICTIONS; there are 2"),
        (["{test}", "--tune-for", "macro_f1"], 2, "--tune-for goes with --tune-on"),
        (
            ["{test}", "--tune-on", "{other}", "--tune-for", "mean_class_weighted_accuracy"],
            2,
            "goes with --class-weights",
        ),
        (["{test}", "--columns", "path"], 2, "is not ROLE=NAME"),
        (["{test}", "--columns", "group=x"], 2, "say --groups x"),
        (["{test}", "--columns", "path=a", "--columns", "path=b"], 2, "names two columns for path: 'a' and 'b'"),
        (["{test}", "--class-weights", "c0=1"], 2, "class 'c1' has none"),
        (["{test}", "--class-weights", "c0x=1"], 2, "there is no class 'c0x'; did you mean 'c0'?"),
        (["{test}", "--class-weights", "c0=-1"], 2, "is not NAME=W with a number above 0"),
        (["{test}", "--class-weights", "@{test}"], 2, "is neither a JSON object of class names"),
        (["{test}", "--class-weights", "@absent.json"], 2, "cannot be read"),
        (["{test}", "--plot", "x.jpg"], 2, "does not end with .png"),
        (["{test}", "--plot", "absent/x.png"], 5, "cannot be written to, or is not there"),
        (["{test}", "-o", "{test}"], 2, "is given twice"),
        (["{test}", "-o", "{other}"], 5, "is there and is no CSV of predictions"),
        (["{test}", "--resamples", "10"], 2, "10 is not in the range"),
        (["{test}", "--f-beta", "nan"], 2, "'nan' is no number"),
        (["{test}", "--f-beta", "1e200"], 2, "is not in the range"),
        (["absent.csv"], 3, "absent.csv: cannot be read: No such file or directory"),
        (["{test}", "--groups", "patient"], 3, "has no column 'patient'"),
        (["{test}", "--prior-correct", "absent"], 1, "not a tree that rebalance made"),
        (["{decided}", "--prior-correct", "absent"], 2, "takes probabilities, and"),
        (["{decided}", "--tune-on", "{test}"], 2, "takes probabilities, and"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    run: Run, test_csv: Path, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    other = tmp_path / "other.csv"
    other.write_text(test_csv.read_text().replace("path,y_true,y_pred", "path,y_true,x"))
    decided = written(tmp_path / "decided.csv", decisions([0, 1], [0, 1]))
    named = [argument.format(test=test_csv, other=other, decided=decided) for argument in arguments]
    ran = run("score", *named)
    assert (ran.code, ran.out) == (code, "")
    assert message in ran.err
    assert [line for line in ran.err.splitlines() if not line.startswith("rebalance: note: ")] == [
        ran.err.splitlines()[-1]
    ]


def test_weights_come_from_a_file_of_names_or_of_inspect(run: Run, tmp_path: Path, source: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("path,y_true,y_pred\n1,cat,cat\n2,dog,cat\n3,owl,owl\n4,owl,cat\n")
    named, exported = tmp_path / "w.json", tmp_path / "e.json"
    named.write_text('{"cat": 1, "dog": 2, "owl": 1}')
    assert run("inspect", source, "--export", "keras", exported).code == 0
    by_name, by_index = (
        run("score", path, "--class-weights", f"@{file}", "--format", "json").document for file in (named, exported)
    )
    assert by_name["overall"]["mean_class_weighted_accuracy"]["value"] == pytest.approx((1 + 0 + 0.5) / 4)
    assert by_index["class_weights"] == pytest.approx({"cat": 13 / 12, "dog": 13 / 6, "owl": 13 / 21})


def test_it_starts_fast_and_stops_when_its_reader_does(test_csv: Path) -> None:
    with start("score", test_csv, "--format", "csv") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(timeout=60) == 141
    code = "import sys; from rebalance.cli.main import run; run(['score', '-h']); print(*sys.modules, file=sys.stderr)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "matplotlib", "sklearn", "scipy"} & set(ran.stderr.split())


def test_counts_that_cancel_but_for_rounding_give_no_warning(run: Run, tmp_path: Path) -> None:
    """Images count n / (n - 1) each; all others are called the first class. Warnings are errors here."""
    truth = [0] * 47 + [1] * 13 + [2] * 7
    path = written(tmp_path / "p.csv", decisions(truth, [n % 2 for n in range(47)] + [0] * 20, 3))
    first = run("score", path, "--format", "json").document["classes"][0]
    assert first["specificity"]["value"] == 0
    assert first["geometric_mean"] == {"value": 0, "low": 0, "high": 0}


def test_nothing_depends_on_the_order_of_the_rows(run: Run, tmp_path: Path) -> None:
    lines = [
        f"{n},{'ab'[n % 3 == 0]},{(n * 37 % 100) / 100:.2f},{1 - (n * 37 % 100) / 100:.2f},{n % 40}\n"
        for n in range(90)
    ]
    asked = ("--groups", "patient", "--format", "json", "--tune-for", "macro_f1", "--tune-on")
    found = []
    for name, rows in (("one", lines), ("other", lines[::-1])):
        path, validation = tmp_path / f"{name}.csv", tmp_path / f"{name}-v.csv"
        for file in (path, validation):
            file.write_text("path,y_true,a,b,patient\n" + "".join(rows))
        report = run("score", path, *asked, validation).document
        del report["predictions"]
        found.append(report)
    assert found[0] == found[1]


def test_two_options_never_write_one_file(run: Run, test_csv: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    for other in (tmp_path / "x.png", tmp_path / "." / "y" / ".." / "x.png"):
        (tmp_path / "y").mkdir(exist_ok=True)
        ran = run("score", test_csv, "--plot", tmp_path / "x.png", "-o", other)
        assert ran.code == 2
        assert "each is to be a file of its own" in ran.err
    assert not (tmp_path / "x.png").exists()


def test_no_file_goes_into_a_tree_of_ours(run: Run, test_csv: Path, tmp_path: Path, make_tree: MakeTree) -> None:
    tree = tmp_path / "tree"
    assert run("augment", make_tree({"a": 3, "b": 2}), "-o", tree).code == 0
    ran = run("score", test_csv, "-o", tree / "a" / "x.csv")
    assert (ran.code, ran.out) == (5, "")
    assert f"lies in {tree}, which rebalance made" in ran.err
    assert run("verify", tree).code == 0


def test_weights_that_say_nothing_sensible_are_refused(run: Run, test_csv: Path, tmp_path: Path) -> None:
    path = tmp_path / "weights.json"
    for content, message in (
        ("{}", "class 'c0' has none"),
        ('{"c0": 1, "c0": 2, "c1": 1, "c2": 1}', "is neither a JSON object"),
        ('{"c0": true, "c1": 1, "c2": 1}', "True of 'c0' is not a number above 0"),
        ('{"c0": "2", "c1": 1, "c2": 1}', "'2' of 'c0' is not a number above 0"),
        (f'{{"c0": 1{"0" * 400}, "c1": 1, "c2": 1}}', "is not a number above 0"),
    ):
        path.write_text(content)
        ran = run("score", test_csv, "--class-weights", f"@{path}")
        assert (ran.code, ran.out) == (2, "")
        assert message in ran.err
    path.write_text('{"c0": 1e308, "c1": 1e308, "c2": 1e-308}')
    ran = run("score", test_csv, "--class-weights", f"@{path}")
    assert (ran.code, ran.err) == (0, "")


def test_very_sure_probabilities_are_tuned_without_a_warning(run: Run, tmp_path: Path) -> None:
    path, validation = tmp_path / "p.csv", tmp_path / "v.csv"
    sure = ["1,0,0", "1,1e-320,1e-300", "1e-310,1,0", "0,1e-200,1", "0.2,0.3,0.5"]
    rows = "".join(f"{n},{'abc'[n % 3]},{sure[n % 5]}\n" for n in range(75))
    for file in (path, validation):
        file.write_text("path,y_true,a,b,c\n" + rows)
    for measure in ("balanced_accuracy", "cohen_kappa", "geometric_mean"):
        ran = run("score", path, "--tune-on", validation, "--tune-for", measure)
        assert ran.code == 0, ran.err


def test_one_validation_image_picks_no_thresholds_and_that_is_said(run: Run, test_csv: Path, tmp_path: Path) -> None:
    validation = tmp_path / "v.csv"
    validation.write_text("path,y_true,c0,c1,c2\nx,c0,0.5,0.3,0.2\n")
    ran = run("score", test_csv, "--tune-on", validation)
    assert ran.code == 0, ran.err
    assert "has no image of 'c1', 'c2'" in ran.err
    assert "has fewer than 10 images of 'c0'" in ran.err
    assert "on held-out fifths of the validation data: 1.000 -> -" in ran.out


def test_csv_says_what_was_done_and_changed(run: Run, tmp_path: Path) -> None:
    test, validation = (
        written(tmp_path / f"{name}.csv", _lopsided(300, seed, name)) for seed, name in ((12, "t"), (13, "v"))
    )
    out = run("score", test, "--tune-on", validation, "--format", "csv").out
    rows = {(row["class"], row["measure"]): row for row in csv.DictReader(io.StringIO(out))}
    thresholds = [float(row["value"]) for (_, measure), row in rows.items() if measure == "threshold"]
    assert len(thresholds) == 2
    assert sum(thresholds) == pytest.approx(1)
    change = rows["", "change_of_balanced_accuracy"]
    assert float(change["low"]) <= float(change["value"]) <= float(change["high"])


def test_groups_are_written_and_read_again(run: Run, tmp_path: Path) -> None:
    path, output = tmp_path / "p.csv", tmp_path / "q.csv"
    path.write_text("path,y_true,a,b,patient\n" + "".join(f"{n},{'ab'[n % 2]},0.6,0.4,p{n // 6}\n" for n in range(60)))
    first = run("score", path, "--groups", "patient", "-o", output, "--format", "json").document
    again = run("score", output, "--groups", "group", "--format", "json").document
    assert again["overall"] == first["overall"]
    assert output.read_text().startswith("path,y_true,y_pred,group,a,b\n0,a,a,p0,0.6,0.4\n")


def test_a_class_that_is_called_as_a_column_is_not_written(run: Run, tmp_path: Path) -> None:
    path, output = tmp_path / "p.csv", tmp_path / "q.csv"
    path.write_text("path,y_true,a,p\n1,a,0.6,0.4\n2,y_pred,0.2,0.8\n")
    ran = run("score", path, "--columns", "path=path", "--columns", "y_pred=p", "-o", output)
    assert ran.code == 3
    path.write_text("path,y_true,a,group\n1,a,0.6,0.4\n2,group,0.2,0.8\n")
    ran = run("score", path, "-o", output)
    assert (ran.code, ran.out) == (3, "")
    assert "class 'group' is called as a column of predictions is" in ran.err
    assert not output.exists()


def test_what_is_left_aside_is_said(run: Run, tmp_path: Path, test_csv: Path) -> None:
    """Decisions against probabilities, and probabilities that only one of two runs has."""
    decided = tmp_path / "decided.csv"
    rows = list(csv.DictReader(io.StringIO(test_csv.read_text())))
    decided.write_text("path,y_true,y_pred\n" + "".join(f"{row['path']},{row['y_true']},c1\n" for row in rows))
    ran = run("score", test_csv, decided)
    assert f"note: {decided}: has no probabilities, so that those of the other files are not measured" in ran.err
    test_csv.write_text(test_csv.read_text().replace(",c0,c0,", ",c0,c1,", 1))
    ran = run("score", test_csv)
    assert "y_pred is not the likeliest class of 1 of 400 images: " in ran.err
