"""Every file of every kind of tree, made again from its line."""

from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import Run, manifest_rows, write_image


@pytest.fixture
def mixed(source: Path) -> Path:
    """A source with a palette, an orientation, another suffix and a picture that is the same in a mirror."""
    with Image.open(source / "cat" / "000.png") as image:
        image.convert("P").save(source / "cat" / "palette.gif")
    exif = Image.Exif()
    exif[0x0112] = 6
    write_image(source / "cat" / "turned.jpg", 50, exif=exif.tobytes())
    Image.linear_gradient("L").rotate(90).resize((24, 20)).save(source / "dog" / "gray.webp", lossless=True)
    return source


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ([], {("augmented", None), ("original", None)}),
        (["--config", "copy"], {("duplicate", None), ("original", None)}),
        (["--originals", "reencode", "--config", "copy"], {("duplicate", True), ("original", True)}),
        (["--size", "9x7", "--random-erasing", "0.1", "0.2"], {("augmented", None), ("original", True)}),
        (["--output-format", "webp", "--poisson-noise", "1,2"], {("augmented", None), ("original", True)}),
        (["--orientation", "upright", "--config", "photo"], {("augmented", None), ("original", True)}),
        (["--originals", "transform", "--identity-share", "0.4"], {("augmented", None), ("duplicate", True)}),
    ],
)
def test_replay_makes_every_file_again(
    run: Run, mixed: Path, tmp_path: Path, settings: list[str], expected: set[tuple[str, bool | None]]
) -> None:
    output = tmp_path / "balanced"
    assert run("augment", mixed, "-o", output, "-s", "12", *settings).code == 0
    assert run("verify", output, "--source", mixed).code == 0
    rows = manifest_rows(output)
    assert {(row["kind"], row.get("reencoded")) for row in rows} == expected
    for number, row in enumerate(rows):
        again = tmp_path / str(number)
        assert run("replay", output, row["path"], "--source", mixed, "-o", again).code == 0
        assert again.read_bytes() == (output / row["path"]).read_bytes()


def test_replay_makes_again_what_was_drawn_more_than_once(run: Run, mixed: Path, tmp_path: Path) -> None:
    output = tmp_path / "balanced"
    settings = ["--config", "copy", "--horizontal-flip", "--gaussian-noise", "0,0.4"]
    assert run("augment", mixed, "-o", output, "-s", "30", *settings).code == 0
    redrawn = [row for row in manifest_rows(output) if row.get("attempt")]
    assert len(redrawn) > 5
    for number, row in enumerate(redrawn):
        assert run("replay", output, row["path"], "--source", mixed, "-o", tmp_path / str(number)).code == 0
    assert run("verify", output).code == 0


def test_a_turned_picture_stays_turned_or_is_turned_upright(run: Run, mixed: Path, tmp_path: Path) -> None:
    for orientation, size, tag in (("keep", (24, 20), 6), ("upright", (20, 24), None)):
        output = tmp_path / orientation
        settings = ["--originals", "reencode", "--orientation", orientation, "-s", "12"]
        assert run("augment", mixed, "-o", output, *settings).code == 0
        for path in (output / "cat").glob("turned*"):
            with Image.open(path) as image:
                assert (image.size, image.getexif().get(0x0112)) == (size, tag)
