"""`rebalance preview`: one picture and its first copies on a sheet."""

from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import MakeTree, Run, everything, write_image


@pytest.fixture
def tree(make_tree: MakeTree) -> Path:
    root = make_tree({"cat": 2, "dog": 1})
    for number in range(2):
        write_image(root / "cat" / f"{number:03d}.png", number, size=(256, 256))
    return root


def squares(sheet: Path, n_cells: int) -> list[bytes]:
    """Return the pictures of 256 pixels on a sheet of one row, which begin where the first one does."""
    with Image.open(sheet) as image:
        pixels = image.convert("RGB")
    white = (255, 255, 255)
    top = next(y for y in range(20, pixels.height) if all(pixels.getpixel((x, y)) != white for x in range(4, 260, 16)))
    return [pixels.crop((4 + 264 * place, top, 260 + 264 * place, top + 256)).tobytes() for place in range(n_cells)]


def test_the_copies_on_the_sheet_are_those_that_augment_makes(run: Run, tree: Path, tmp_path: Path) -> None:
    settings = ["--rotation-range", "20", "--horizontal-flip", "--seed", "4"]
    ran = run("preview", tree, "--image", "cat/001.png", "--copies", "3", *settings, "-o", tmp_path / "p.png")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"{tmp_path / 'p.png'}: cat/001.png and 3 copies\n"
    assert run("augment", tree, "-s", "8", *settings, "-o", tmp_path / "out").code == 0
    made = [tree / "cat" / "001.png", *sorted((tmp_path / "out" / "cat").glob("001_aug*"))[:3]]
    expected = []
    for path in made:
        with Image.open(path) as image:
            expected.append(image.convert("RGB").tobytes())
    assert squares(tmp_path / "p.png", 4) == expected


def test_the_same_sheet_every_time_and_nothing_else_is_written(run: Run, tree: Path, tmp_path: Path) -> None:
    before = everything(tree)
    sheets = []
    for _ in range(2):
        assert run("preview", tree, "-o", tmp_path / "p.png").code == 0
        sheets.append((tmp_path / "p.png").read_bytes())
    assert sheets[0] == sheets[1]
    assert everything(tree) == before
    assert run("preview", tree, "--config", "photo", "-o", tmp_path / "p.png").code == 0
    assert (tmp_path / "p.png").read_bytes() != sheets[0]


def test_the_settings_of_a_class_are_those_of_its_picture(run: Run, tree: Path, tmp_path: Path) -> None:
    config = tmp_path / "own.toml"
    config.write_text(
        "[augment]\nrotation_range = 10\n[augment.class.dog]\nrotation_range = 0\nhorizontal_flip = true\n"
    )
    outputs = [tmp_path / f"{name}.png" for name in ("cat", "dog", "plain")]
    for output, image in zip(outputs, ("cat/000.png", "dog/000.png"), strict=False):
        assert run("preview", tree, "--config", config, "--image", image, "-o", output).code == 0
    plain = ["--config", "copy", "--horizontal-flip", "--image", "dog/000.png", "-o", outputs[2]]
    assert run("preview", tree, *plain).code == 0
    assert outputs[1].read_bytes() == outputs[2].read_bytes()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "-o FILE.png is missing"),
        (["-o", "{tmp}/p.jpg"], 2, "does not end with .png"),
        (["-o", "{tree}/p.png"], 5, "nothing is ever written there"),
        (["-o", "{tmp}/absent/p.png"], 5, "cannot be written to, or is not there"),
        (["-o", "{tmp}/p.png", "--image", "cat/0O1.png"], 2, "is not in SOURCE; did you mean 'cat/001.png'?"),
        (["-o", "{tmp}/p.png", "--config", "copy"], 2, "nothing is drawn with these settings"),
        (["-o", "{tmp}/p.png", "--copies", "0"], 2, "0 is not in the range"),
        (["-o", "{tmp}/p.png", "--image", "dog/000.png", "--max-pixels", "5"], 4, "pixels"),
    ],
)
def test_what_cannot_be_shown_is_one_line(
    run: Run, tree: Path, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    ran = run("preview", tree, *(argument.format(tmp=tmp_path, tree=tree) for argument in arguments))
    assert (ran.code, ran.out) == (code, "")
    assert message in ran.err
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "p.png").exists()
