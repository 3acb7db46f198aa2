"""docs/when-to-balance.md: every command, typed once in the order of the page, and what the page says comes of it."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image

from tests.conftest import Run, contents, counts_of, manifest_rows, write_image
from tests.recipes.conftest import succeed_in
from tests.recipes.pages import blocks, write_files

CLASSES = ("cat", "dog", "owl")

TRAINING = """import json, os, sys
tree, epoch = sys.argv[1:]
files = {name: sorted(os.listdir(os.path.join(tree, name))) for name in ("cat", "dog", "owl")}
with open(f"epoch-{epoch}.json", "w") as file:
    json.dump(files, file)
"""


class Typed(NamedTuple):
    """The folder in which a page was typed, and what was printed under each heading."""

    data: Path
    printed: Mapping[str, str]


def grow(root: Path) -> None:
    """Write 30, 8 and 20 pictures that are easily told apart."""
    for index, (name, count) in enumerate({"cat": 30, "dog": 8, "owl": 20}.items()):
        for number in range(count):
            path = root / name / f"{number:03d}.png"
            write_image(path, 100 * index + number)
            with Image.open(path) as picture:
                turned = [picture, picture.rotate(180), picture.convert("L").convert("RGB")][index]
            turned.save(path)


def write_predictions(path: Path, *, seed: int) -> None:
    """Write probabilities of 60, 20 and 40 images that are right three times out of four."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("path", "y_true", *CLASSES))
        for number, label in enumerate([*["cat"] * 60, *["dog"] * 20, *["owl"] * 40]):
            taken = label if (number + seed) % 4 else CLASSES[(number + seed) % 3]
            folder = "val" if path.stem == "val" else "test"
            rows.writerow((f"{folder}/{number}.jpg", label, *(0.6 if name == taken else 0.2 for name in CLASSES)))


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Typed:
    folder = tmp_path_factory.mktemp("page") / "work"
    grow(folder / "data" / "all")
    for seed, name in enumerate(
        ["test", "val", *(f"{way}-{number}" for way in ("plain", "balanced") for number in (1, 2, 3))]
    ):
        write_predictions(folder / f"{name}.csv", seed=seed)
    (folder / "train.py").write_text(TRAINING)
    printed: dict[str, str] = {}
    for block in blocks("when-to-balance"):
        assert block.language == "bash"
        if block.name:
            write_files("when-to-balance", folder, block.name)
        lines = f"bash {block.name}" if block.name else block.text
        printed[block.heading] = printed.get(block.heading, "") + succeed_in(folder, lines)
    return Typed(folder / "data", printed)


def test_nothing_is_lost_where_a_part_is_held_out(typed: Typed) -> None:
    train, val = contents(typed.data / "natural" / "train"), contents(typed.data / "natural" / "val")
    assert counts_of(typed.data / "natural" / "val") == {"cat": 6, "dog": 2, "owl": 4}
    assert train.keys().isdisjoint(val)
    assert train | val == contents(typed.data / "all")
    assert contents(typed.data / "at-once" / "val") == val
    assert counts_of(typed.data / "at-once" / "train") == {"cat": 24, "dog": 24, "owl": 24}


def test_the_probe_names_the_cheapest_way(typed: Typed) -> None:
    assert "the cheapest way that is not worse than the best:" in typed.printed["Would it help?"]


def test_weights_and_a_list_say_how_much_an_image_counts(typed: Typed) -> None:
    weights = json.loads((typed.data.parent / "class_weight.json").read_text())["class_weight"]
    assert weights == pytest.approx({"0": 46 / 72, "1": 46 / 18, "2": 46 / 48})
    assert len(json.loads((typed.data.parent / "sampler.json").read_text())["sample_weight"]) == 46
    with (typed.data / "list" / "rebalance.csv").open() as file:
        assert sum(int(row["repetitions"]) for row in csv.DictReader(file)) == 3 * 24


def test_thresholds_are_picked_on_the_validation_set(typed: Typed) -> None:
    assert "threshold" in typed.printed["Thresholds"]


def test_the_prior_is_put_back(typed: Typed) -> None:
    with (typed.data.parent / "natural.csv").open() as file:
        first = next(csv.DictReader(file))
    with (typed.data.parent / "test.csv").open() as file:
        before = next(csv.DictReader(file))
    assert [float(before[name]) for name in CLASSES] == [0.6, 0.2, 0.2]
    # 24, 6 and 16 pictures became 24 each: 0.6 x 24, 0.2 x 6 and 0.2 x 16, of 18.8
    assert [float(first[name]) for name in CLASSES] == pytest.approx([14.4 / 18.8, 1.2 / 18.8, 3.2 / 18.8], abs=1e-5)


def test_all_classes_alike_are_audited(typed: Typed) -> None:
    assert "exposure" in typed.printed["Augment all classes, or none"]
    assert {row["kind"] for row in manifest_rows(typed.data / "alike")} == {"augmented"}


def disjoint(trees: Sequence[Mapping[str, Sequence[str]]], name: str) -> bool:
    """Tell whether no two trees share a file of a class."""
    return len({file for tree in trees for file in tree[name]}) == sum(len(tree[name]) for tree in trees)


def test_a_tree_an_epoch_shows_other_pictures_and_other_draws(typed: Typed) -> None:
    epochs = [json.loads((typed.data.parent / f"epoch-{epoch}.json").read_text()) for epoch in range(3)]
    assert [{name: len(files) for name, files in epoch.items()} for epoch in epochs] == [dict.fromkeys(CLASSES, 8)] * 3
    assert disjoint(epochs, "cat")
    assert {file for epoch in epochs for file in epoch["cat"]} == {
        path.name for path in (typed.data / "natural" / "train" / "cat").iterdir()
    }
    drawn = [{"dog": [file for file in epoch["dog"] if "_aug" in file]} for epoch in epochs]
    assert [len(tree["dog"]) for tree in drawn] == [2, 2, 2]
    assert disjoint(drawn, "dog")


def listed(tree: Path) -> dict[str, list[str]]:
    return {name: sorted(path.name for path in (tree / name).iterdir()) for name in CLASSES}


def test_windows_by_name_have_nothing_in_common(typed: Typed) -> None:
    assert disjoint([listed(typed.data / f"named-{epoch}") for epoch in range(3)], "cat")


def test_windows_of_different_seeds_do(typed: Typed, run: Run, tmp_path: Path) -> None:
    for epoch in range(3):
        window = ["--cap", 8, "--cap-method", "window", "--window", epoch, "--seed", epoch]
        assert run("augment", typed.data / "natural" / "train", "-o", tmp_path / str(epoch), *window).code == 0
    assert not disjoint([listed(tmp_path / str(epoch)) for epoch in range(3)], "cat")


def test_two_ways_are_compared(typed: Typed) -> None:
    assert "cannot be told" in typed.printed["Did it help?"]
