import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import MakeTree, Run, everything

WAYS = ["nothing", "logit adjustment", "class weights", "under-sampling", "copies", "SMOTE", "augmented copies"]


@pytest.fixture(scope="module")
def few(clothing: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real photographs of three classes."""
    root = tmp_path_factory.mktemp("few")
    for name, count in {"Hat": 24, "Skirt": 20, "Top": 8}.items():
        (root / name).mkdir()
        for path in sorted((clothing / name).iterdir())[:count]:
            shutil.copy(path, root / name)
    return root


def test_every_way_is_tried_and_nothing_written(run: Run, few: Path) -> None:
    before = everything(few)
    ran = run("probe", few, "--format", "json")
    report = ran.document
    assert ran.code == 0, ran.err
    assert everything(few) == before
    assert [row["way"] for row in report["ways"]] == WAYS
    assert report["n_images"] == 52
    assert report["n_augmented_copies"] == 4 + 16
    assert report["n_splits"] == 25
    assert report["chance"] == pytest.approx(1 / 3)
    assert report["ways"][0]["balanced_accuracy"]["value"] > 0.6
    assert report["advised"] in WAYS


def test_the_text_begins_with_what_it_is_worth_and_ends_with_advice(run: Run, few: Path) -> None:
    lines = run("probe", few, "-q").out.splitlines()
    assert lines[0].startswith("a proxy on vectors of descriptor that get ")
    assert lines[0].endswith("it ranks, it does not promise")
    assert lines[1].split()[:2] == ["way", "balanced"]
    assert lines[-1].startswith("the cheapest way that is not worse than the best: ")


def test_labels_dealt_out_by_lot_are_at_chance_and_no_advice_is_given(run: Run, few: Path) -> None:
    ran = run("probe", few, "--shuffled", "--embedder", "pixels")
    assert "no better than chance does: read nothing into it" in ran.out
    assert "the cheapest way" not in ran.out


def test_the_same_vectors_from_a_file_and_any_number_of_workers_say_the_same(
    run: Run, few: Path, tmp_path: Path
) -> None:
    run("embed", few, "-o", tmp_path / "vectors.npz", "-q")
    made, read = (
        run("probe", few, *more, "--format", "json").out
        for more in (("-j", "1"), ("-j", "3", "--embeddings", tmp_path / "vectors.npz"))
    )
    assert made == read


def test_stronger_draws_are_other_copies(run: Run, few: Path) -> None:
    mild, strong = (
        run("probe", few, *more, "--format", "json", "--embedder", "pixels").document
        for more in ((), ("--rotation-range", "90"))
    )
    assert mild["ways"][:-1] == strong["ways"][:-1]
    assert mild["ways"][-1] != strong["ways"][-1]


def test_a_configuration_is_drawn_by(run: Run, few: Path, tmp_path: Path) -> None:
    config = tmp_path / "own.toml"
    config.write_text("[augment]\nrotation_range = 90\n[augment.class.Top]\nrotation_range = 3\n")
    ran = run("probe", few, "--config", config, "--embedder", "pixels", "--format", "json")
    assert ran.code == 0, ran.err
    config.write_text("[augment.class.Cap]\nrotation_range = 3\n")
    ran = run("probe", few, "--config", config)
    assert ran.code == 2
    assert "Cap" in ran.err


def test_what_does_not_decode_is_left_out_and_named(run: Run, few: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(few, source)
    (source / "Hat" / "bad.jpg").write_bytes(b"no image")
    ran = run("probe", source, "--embedder", "pixels", "--format", "json")
    assert ran.code == 0
    assert ran.document["n_images"] == 52
    assert "left out: 'Hat/bad.jpg': not an image" in ran.err


def test_groups_and_the_same_picture_twice_are_never_on_both_sides(run: Run, few: Path, tmp_path: Path) -> None:
    """A class of which all images are one picture has nothing that could be held back."""
    source = tmp_path / "source"
    shutil.copytree(few, source)
    first = min((source / "Top").iterdir())
    for number in range(3):
        (source / "Cap").mkdir(exist_ok=True)
        shutil.copy(first, source / "Cap" / f"{number}.jpg")
    ran = run("probe", source, "--embedder", "pixels")
    assert "class 'Cap' has 1 image or group" in ran.err
    ran = run("probe", few, "--embedder", "pixels", "--group-by", "^(Top)/")
    assert "class 'Top' has 1 image or group" in ran.err


def test_vectors_of_nothing_at_hand_have_no_augmented_copies(run: Run, few: Path, tmp_path: Path) -> None:
    run("embed", few, "-o", tmp_path / "vectors.npz", "-q", "--embedder", "pixels")
    with np.load(tmp_path / "vectors.npz") as stored:
        np.savez(tmp_path / "foreign.npz", paths=stored["paths"], vectors=stored["vectors"])
    ran = run("probe", few, "--embeddings", tmp_path / "foreign.npz", "--format", "json")
    assert ran.code == 0, ran.err
    assert [row["way"] for row in ran.document["ways"]] == WAYS[:-1]
    assert "no augmented copies were tried" in ran.err


def test_a_list_is_probed_too(run: Run, few: Path, tmp_path: Path) -> None:
    rows = [f"{path.parent.name}/{path.name},{path.parent.name}" for path in sorted(few.glob("*/*.jpg"))]
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(["path,label", *rows]) + "\n")
    ran = run("probe", table, "--images", few, "--embedder", "pixels", "--format", "csv")
    assert ran.code == 0, ran.err
    assert [line.split(",")[0] for line in ran.out.splitlines()[1:]] == WAYS


@pytest.mark.parametrize(
    ("arguments", "code", "told"), [((), 2, "SOURCE is missing"), (("{source}",), 3, "nothing to compare")]
)
def test_what_cannot_be_probed_is_refused(
    run: Run, make_tree: MakeTree, arguments: tuple[str, ...], code: int, told: str
) -> None:
    source = make_tree({"cat": 6, "dog": 1})
    ran = run("probe", *(text.format(source=source) for text in arguments))
    assert ran.code == code
    assert told in ran.err
