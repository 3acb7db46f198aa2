import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.conftest import MakeTree, Run, contents

COUNTS = {"Hat": 45, "Skirt": 40, "Top": 15}


@pytest.fixture(scope="module")
def lopsided(clothing: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real photographs at a quarter of their size, three classes."""
    root = tmp_path_factory.mktemp("lopsided")
    for name, count in COUNTS.items():
        (root / name).mkdir()
        for path in sorted((clothing / name).iterdir())[:count]:
            with Image.open(path) as image:
                tables = image.quantization  # type: ignore[attr-defined]
                image.reduce(2).save(root / name / path.name, qtables=tables, subsampling=2)
    return root


@pytest.fixture
def made(lopsided: Path, run: Run, tmp_path: Path) -> Callable[..., Path]:
    """Return a balanced tree by these options."""

    def make(*arguments: object) -> Path:
        output = tmp_path / f"balanced{len(list(tmp_path.iterdir()))}"
        assert run("augment", lopsided, "-o", output, "-q", *arguments).code == 0
        return output

    return make


def plant(folder: Path, spoil: Callable[[Path, Image.Image], None]) -> None:
    for path in sorted(folder.iterdir()):
        with Image.open(path) as image:
            image.load()
        spoil(path, image)


def low_quality(path: Path, image: Image.Image) -> None:
    image.save(path, quality=30)


def smaller(path: Path, image: Image.Image) -> None:
    size = (image.width * 9 // 10, image.height * 9 // 10)
    image.resize(size).save(path, qtables=image.quantization, subsampling=2)  # type: ignore[attr-defined]


def turned(path: Path, image: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(path, quality="keep", exif=exif)


def test_what_people_do_is_found_and_named(run: Run, lopsided: Path, made: Callable[..., Path]) -> None:
    output = made("--interpolation", "bilinear", "--quality", "90")
    ran = run("audit", output, "--source", lopsided, "--format", "json", "--fail-leak", "0.3", "--sample", "60")
    report = ran.document
    assert ran.code == 1
    assert "passes --fail-leak 0.3" in ran.err
    assert report["exposure"] == pytest.approx(30 / 45)
    assert report["tell"]["native"]["auc"]["value"] > 0.9
    assert report["tell"]["native"]["by_kind"]["JPEG"]["value"] > 0.7
    assert "tell, native" in report["found"]
    assert report["verdict"].startswith("a leak: exposure 0.67 x tell")
    for way_out in ("--originals transform", "--quality source", "--interpolation bicubic", "online"):
        assert (way_out if way_out != "online" else "while training") in report["verdict"]


def test_what_is_done_to_every_file_is_no_leak(run: Run, lopsided: Path, made: Callable[..., Path]) -> None:
    output = made("--originals", "transform")
    ran = run("audit", output, "--source", lopsided, "--fail-leak", "0")
    assert ran.code == 0
    assert "no leak beyond chance: exposure 0.00" in ran.out
    assert "first or later copy" in ran.out


@pytest.mark.parametrize(
    ("spoil", "fields"),
    [(low_quality, ["tables"]), (smaller, ["width", "height"]), (turned, ["orientation"])],
)
def test_a_header_that_gives_a_class_away_is_named(
    run: Run, lopsided: Path, made: Callable[..., Path], spoil: Callable[[Path, Image.Image], None], fields: list[str]
) -> None:
    output = made()
    plant(output / "Top", spoil)
    report = run("audit", output, "--source", lopsided, "--format", "json").document
    assert "header" in report["found"]
    assert report["header"]["field"] in fields
    assert (
        f"headers tell more of the class than those of originals do, by {report['header']['field']}"
        in report["verdict"]
    )


def test_a_source_that_gives_a_class_away_is_said_to(run: Run, lopsided: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(lopsided, source)
    plant(source / "Top", turned)
    assert run("augment", source, "-o", tmp_path / "out", "-q").code == 0
    report = run("audit", tmp_path / "out", "--source", source, "--format", "json").document
    assert "header" not in report["found"]
    assert "headers of its originals tell the class as it is, by orientation" in report["verdict"]


def test_of_a_tree_that_was_never_augmented_there_is_nothing_to_audit(run: Run, lopsided: Path, tmp_path: Path) -> None:
    ran = run("audit", lopsided, "--fail-leak", "0")
    assert ran.code == 0
    assert "0 of them generated" in ran.out
    assert "nothing to audit: no file of it is generated" in ran.out
    assert run("undersample", lopsided, "-o", tmp_path / "out", "-s", "12", "-q").code == 0
    assert "holds no manifest of rebalance" in ran.out
    standing = run("audit", tmp_path / "out").out
    assert "nothing to audit: no file of it is generated" in standing
    assert "manifest" not in standing


def test_a_list_holds_nothing_to_look_at(run: Run, lopsided: Path, tmp_path: Path) -> None:
    assert run("augment", lopsided, "-o", tmp_path / "out", "--write", "list", "-q").code == 0
    ran = run("audit", tmp_path / "out")
    assert ran.code == 0
    assert "nothing to audit: no file of it is generated" in ran.out


def test_the_originals_of_output_stand_for_a_source_that_is_not_named(
    run: Run, lopsided: Path, made: Callable[..., Path]
) -> None:
    output = made()
    without = run("audit", output, "--format", "json").document
    beside = run("audit", output, "--source", lopsided, "--format", "json").document
    assert without["originals_of"] == "OUTPUT"
    assert beside["originals_of"] == "SOURCE"
    for key in ("tell", "leak", "found", "exposure"):
        assert without[key] == beside[key]


def test_draws_alone_need_the_source_named(run: Run, made: Callable[..., Path]) -> None:
    ran = run("audit", made("--originals", "transform"))
    assert "--source SOURCE would tell more" in ran.out


def test_an_audit_is_the_same_for_any_number_of_workers_and_writes_nothing(
    run: Run, lopsided: Path, made: Callable[..., Path]
) -> None:
    output = made()
    before = contents(output), contents(lopsided)
    alone = run("audit", output, "--source", lopsided, "-j", "1", "--format", "json")
    assert run("audit", output, "--source", lopsided, "-j", "3", "--format", "json").out == alone.out
    assert (contents(output), contents(lopsided)) == before


def test_a_sample_is_drawn_by_the_seed(run: Run, made: Callable[..., Path]) -> None:
    output = made()
    first, other = (
        run("audit", output, "--sample", "12", "--seed", seed, "--format", "json").document for seed in (0, 1)
    )
    assert first["n_looked_at"] == other["n_looked_at"] == 36
    assert first["tell"] != other["tell"]


def test_what_cannot_be_read_is_named_and_left_out(run: Run, made: Callable[..., Path]) -> None:
    output = made()
    spoilt, gone = sorted((output / "Top").iterdir())[:2]
    spoilt.write_bytes(b"no image")
    gone.unlink()
    ran = run("audit", output, "--format", "json")
    assert ran.code == 0
    assert f"not looked at: 'Top/{spoilt.name}': not an image" in ran.err
    assert f"not looked at: 'Top/{gone.name}': No such file" in ran.err
    assert [row["path"] for row in ran.document["not_looked_at"]] == [f"Top/{path.name}" for path in (spoilt, gone)]


def test_a_source_that_holds_none_of_it_is_no_flood_of_lines(
    run: Run, made: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    ran = run("audit", made(), "--source", tmp_path / "other")
    assert ran.code == 0
    assert ran.err.count("not looked at") == 21
    assert "not looked at: 80 files more" in ran.err


def test_of_very_many_classes_some_of_every_share_are_looked_at(run: Run, make_tree: MakeTree, tmp_path: Path) -> None:
    source = make_tree({f"c{number:02d}": 2 + number % 5 for number in range(60)})
    assert run("augment", source, "-o", tmp_path / "out", "-q").code == 0
    ran = run("audit", tmp_path / "out", "--source", source, "--format", "json")
    report = ran.document
    assert ran.code == 0, ran.err
    assert len(report["classes"]) == 60
    assert report["n_classes_looked_at"] == 50
    assert report["n_looked_at"] == 300
    assert report["exposure"] == pytest.approx(4 / 6)
    assert report["leak"]["native"]["moved"] is not None


def test_only_the_balanced_split_is_looked_at(run: Run, lopsided: Path, tmp_path: Path) -> None:
    assert run("augment", lopsided, "-o", tmp_path / "out", "--holdout", "0.2", "-q").code == 0
    report = run("audit", tmp_path / "out", "--source", lopsided, "--format", "json").document
    assert [row["n_files"] for row in report["classes"]] == [36, 36, 36]
    assert "tell, native" in report["risks"]


def test_synthetic_samples_are_audited_too(run: Run, lopsided: Path, tmp_path: Path) -> None:
    assert run("smote", lopsided, "-o", tmp_path / "out", "-q", "--embedder", "pixels", "--candidates", "2").code == 0
    report = run("audit", tmp_path / "out", "--source", lopsided, "--format", "json").document
    assert report["exposure"] == pytest.approx(30 / 45)
    assert report["tell"]["native"]["auc"]["value"] > 0.5


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "OUTPUT is missing"),
        (("{out}", "-o", "{tmp}/x"), "-o DIR goes with --twins VAL"),
        (("{tmp}/nothing",), "no such folder"),
        (("{out}", "--source", "{tmp}/nothing"), "no such folder"),
        (("{out}", "--twins", "{out}"), "--twins takes -o DIR"),
        (("{out}", "--fail-leak", "2"), "0<=x<=1"),
        (("{out}", "--fail-leak", "nan"), "'nan' is no number"),
        (("--twins", "{out}", "-o", "{tmp}/x", "--at", "64"), "--at is for an audit, and --twins makes none"),
    ],
)
def test_what_does_not_go_together_is_refused(
    run: Run, make_tree: MakeTree, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    source = make_tree({"cat": 4, "dog": 2})
    ran = run("audit", *(text.format(out=source, tmp=tmp_path) for text in arguments))
    assert ran.code in (2, 3)
    assert told in ran.err


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def twins_of(run: Run, folder: Path, *arguments: Any) -> list[dict[str, str]]:
    ran = run("audit", *arguments, "-o", folder)
    assert ran.code == 0, ran.err
    with (folder / "twins.csv").open() as file:
        return list(csv.DictReader(file))


def test_twins_are_two_trees_of_the_same_pictures(
    run: Run, lopsided: Path, made: Callable[..., Path], tmp_path: Path
) -> None:
    rows = twins_of(run, tmp_path / "twins", made(), "--twins", lopsided)
    assert len(rows) == 200
    assert {row["kind"] for row in rows} == {"untouched", "drawn"}
    for row in rows:
        path = tmp_path / "twins" / row["path"]
        original = lopsided / Path(row["path"]).relative_to(row["kind"])
        assert row["y_true"] == original.parent.name
        assert (path.read_bytes() == original.read_bytes()) == (row["kind"] == "untouched")
        assert size_of(path) == size_of(original)


def test_twins_are_the_same_for_any_number_of_workers(run: Run, lopsided: Path, made: Callable[..., Path]) -> None:
    output = made()
    digests = []
    for n_workers in (1, 3):
        folder = output.parent / f"twins{n_workers}"
        twins_of(run, folder, output, "--twins", lopsided, "-j", n_workers)
        digests.append(contents(folder))
    assert digests[0] == digests[1]
    other = output.parent / "others"
    twins_of(run, other, output, "--twins", lopsided, "--seed", "1")
    assert contents(other / "untouched") == contents(folder / "untouched")
    assert contents(other / "drawn") != contents(folder / "drawn")


def test_pictures_of_too_many_pixels_have_no_twins(run: Run, make_tree: MakeTree, tmp_path: Path) -> None:
    source = make_tree({"cat": 2})
    shutil.copy(source / "cat" / "000.png", source / "cat" / "large.png")
    with Image.open(source / "cat" / "000.png") as image:
        image.resize((90, 90)).save(source / "cat" / "large.png")
    ran = run("audit", "--twins", source, "-o", tmp_path / "twins", "--max-pixels", "1000")
    assert ran.code == 0
    assert "left out: 'cat/large.png': 90x90 is more than 1000 pixels" in ran.err


def test_twins_need_no_tree_and_no_file_is_lost(run: Run, make_tree: MakeTree, tmp_path: Path) -> None:
    source = make_tree({"cat": 2})
    frames = [Image.new("L", (8, 8), level) for level in (0, 255)]
    frames[0].save(source / "cat" / "z.gif", save_all=True, append_images=frames[1:])
    ran = run("audit", "--twins", source, "-o", tmp_path / "twins")
    assert ran.code == 0
    assert "left out: 'cat/z.gif': has more than one picture" in ran.err
    assert "2 images twice" in ran.out
    for path in (source / "cat").glob("*.png"):
        path.write_bytes(b"no image")
    again = run("audit", "--twins", source, "-o", tmp_path / "twins")
    assert again.code == 5, "before any picture is looked at"
    assert "is there already" in again.err
    assert run("audit", "--twins", source, "-o", tmp_path / "others").code == 3
    assert not (tmp_path / "others").exists()


def test_twins_never_lie_in_what_they_are_made_of(run: Run, make_tree: MakeTree) -> None:
    source = make_tree({"cat": 2})
    before = contents(source)
    ran = run("audit", "--twins", source, "-o", source / "twins")
    assert ran.code == 5
    assert contents(source) == before


def test_pictures_that_would_have_one_name_are_refused(run: Run, make_tree: MakeTree, tmp_path: Path) -> None:
    source = make_tree({"cat": 1})
    shutil.copy(source / "cat" / "000.png", source / "cat" / "000.gif")
    ran = run("audit", "--twins", source, "-o", tmp_path / "twins")
    assert ran.code == 3
    assert "would be one file" in ran.err
    assert not (tmp_path / "twins").exists()


def test_where_nothing_was_generated_there_are_no_traces_to_give(run: Run, make_tree: MakeTree, tmp_path: Path) -> None:
    source = make_tree({"cat": 4, "dog": 2})
    ran = run("audit", source, "--twins", source, "-o", tmp_path / "twins")
    assert ran.code == 2
    assert "no file of it is generated" in ran.err
