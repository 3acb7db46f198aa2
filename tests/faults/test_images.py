"""Whatever bytes a file holds, it is a sound copy that is made of it, or one line that says why none is, and soon."""

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import Run, manifest_rows
from tests.faults.conftest import Tally
from tests.faults.looking import SOUND, Looked, Looker, looker
from tests.faults.pictures import (
    gray_directory,
    gray_png,
    jpeg_of_scans,
    moving_gif,
    moving_png,
    moving_webp,
    sound_files,
    spoiled,
    tiff_of,
)
from tests.images.pictures import encoded, needs_opencv

MOST_SECONDS = 10.0
"""That all ways to look at a file of less than 10 MB may take together, on a busy machine."""
MOST_BYTES = 128 * 2**20
"""By which they may make a process grow: what decoders hold of a million pixels, and Pillow's 64 MiB of text."""
SMALL = 2**20
"""Pixels that are allowed to a spoiled file, which seldom has the size that it claims."""
N_SPOILED = 40
"""Of each sound file."""
SOUND_FILES = sound_files()
TOO_LARGE = "60000x60000 is more than 89478485 pixels (--max-pixels)"


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Looker]:
    """A process to look at files, which has imported what it needs."""
    with looker(str(tmp_path_factory.mktemp("noise") / "stderr")) as one:
        one.look(SOUND_FILES["color.png"])
        yield one


def check_bounds(looked: Looked, name: str) -> None:
    """Check that nothing happened that may not, whatever came of the file."""
    assert looked.unexpected == {}, name
    assert looked.noise == "", name
    for reason in looked.outcomes.values():
        assert reason.isprintable(), name
        assert len(reason) < 250, name
    assert looked.seconds < MOST_SECONDS, name
    assert looked.grown < MOST_BYTES, name


@pytest.mark.threat(33, 46)
@pytest.mark.parametrize("name", SOUND_FILES)
def test_a_spoiled_file_gives_a_sound_copy_or_one_line(process: Looker, tally: Tally, name: str) -> None:
    sound = process.look(SOUND_FILES[name])
    check_bounds(sound, name)
    assert sound.outcomes["pixels"] == SOUND
    n_refused = 0
    for file in spoiled(name, SOUND_FILES[name], N_SPOILED):
        looked = process.look(file.data, max_pixels=SMALL)
        check_bounds(looked, file.name)
        n_refused += looked.outcomes["pixels"] != SOUND
        tally("mutations of images")
    assert n_refused > 2


def _strips(n_strips: int) -> bytes:
    """Return 8 x 8 pixels in absurdly many strips, all of which lie where the first does."""
    directory = tiff_of(gray_directory(n_strips, 174))
    assert len(directory) == 174
    return directory + struct.pack("<I", 8) * min(n_strips, 10**5)


def _packed(kind: bytes, head: bytes) -> bytes:
    """Return a PNG with a chunk that unfolds to 100 MB."""
    return gray_png(8, 8, (kind, head + zlib.compress(bytes(10**8))))


def _huge(file_format: str, before: bytes, form: str) -> bytes:
    """Return a picture of 8 x 8 whose header says 60000 x 60000."""
    true, false = (before + struct.pack(form, number, number) for number in (8, 60_000))
    data = encoded(Image.new("L", (8, 8)), file_format)
    assert true in data
    return data.replace(true, false)


BOMBS: Mapping[str, tuple[Callable[[], bytes], str | None]] = {
    "60000 x 60000 in a PNG": (lambda: gray_png(60_000, 60_000, n_lines=1), TOO_LARGE),
    "60000 x 60000 in a TIFF": (
        lambda: tiff_of([(256, 4, 1, 60_000), (257, 4, 1, 60_000), *gray_directory()[2:]]), TOO_LARGE,
    ),
    "60000 x 60000 in a GIF": (lambda: _huge("GIF", b"GIF87a", "<HH"), TOO_LARGE),
    "60000 x 60000 in a frame of a GIF": (lambda: _huge("GIF", b",\0\0\0\0", "<HH"), TOO_LARGE),
    "60000 x 60000 in a BMP": (lambda: _huge("BMP", b"", "<ii"), TOO_LARGE),
    "60000 x 60000 in a JPEG": (lambda: _huge("JPEG", b"\xff\xc0\0\x0b\x08", ">HH"), TOO_LARGE),
    "60000 x 60000 in a PPM": (lambda: b"P6 60000 60000 255\n" + bytes(100), TOO_LARGE),
    "more pixels than Pillow's limit, 200 kB": (
        lambda: gray_png(13_000, 13_000), "13000x13000 is more than 89478485 pixels (--max-pixels)",
    ),
    "zTXt": (lambda: _packed(b"zTXt", b"k\0\0"), "does not decode: Decompressed data too large"),
    "iTXt": (lambda: _packed(b"iTXt", b"k\0\1\0\0\0"), "does not decode: Decompressed data too large"),
    "iCCP": (lambda: _packed(b"iCCP", b"k\0\0"), "does not decode: Decompressed data too large"),
    "100 zTXt of 1 MB": (
        lambda: gray_png(8, 8, *[(b"zTXt", b"%d\0\0" % number + zlib.compress(bytes(10**6))) for number in range(100)]),
        "does not decode: Too much memory used in text chunks",
    ),
    "50,000 directories in a TIFF": (lambda: tiff_of(*[gray_directory()] * 50_000), None),
    "100,000 strips in a TIFF": (lambda: _strips(10**5), None),
    "2,000,000,000 strips in a TIFF": (lambda: _strips(2 * 10**9), "not an image of a known format"),
    "100,000 frames of a GIF": (lambda: moving_gif(100_000), None),
    "50,000 frames of a PNG": (lambda: moving_png(50_000), None),
    "20,000 frames of a WebP": (lambda: moving_webp(20_000), None),
    "2,000 scans of a JPEG": (lambda: jpeg_of_scans(2000, (2000, 2000)), "has more than 500 scans"),
}  # fmt: skip


@pytest.mark.threat(34, 35, 46)
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_little_time_and_memory(process: Looker, tally: Tally, name: str) -> None:
    make, reason = BOMBS[name]
    looked = process.look(make())
    check_bounds(looked, name)
    tally("bombs")
    for outcome in looked.outcomes.values() if reason else ():
        assert outcome.startswith(str(reason)), name
    if not reason:
        assert looked.outcomes["pixels"] == SOUND


@pytest.mark.threat(38)
@pytest.mark.parametrize(
    "data",
    [moving_gif(100), moving_png(100), moving_webp(100), tiff_of(*[gray_directory()] * 100)],
    ids=["GIF", "PNG", "WebP", "TIFF"],
)
def test_many_pictures_in_a_file_are_sound_and_no_source(process: Looker, data: bytes) -> None:
    outcomes = process.look(data).outcomes
    assert {outcomes["header"], outcomes["pixels"], outcomes["container"], outcomes["embedding"]} == {SOUND}
    for way in ("copy by Pillow", "copy by OpenCV", "smaller", "as it is"):
        assert outcomes[way] == "has more than one picture"


def test_as_many_scans_as_a_jpeg_may_have_are_decoded(process: Looker) -> None:
    assert set(process.look(jpeg_of_scans(500)).outcomes.values()) == {SOUND}
    assert set(process.look(jpeg_of_scans(501)).outcomes.values()) == {
        "has more than 500 scans, where none needs more than some dozens: save it again"
    }


def test_a_picture_at_the_limit_is_checked_in_the_memory_that_its_pixels_take(process: Looker) -> None:
    looked = process.look(gray_png(9459, 9459), "header", "pixels")
    assert looked.outcomes == {"header": SOUND, "pixels": SOUND}
    assert looked.grown < 9459 * 9459 + MOST_BYTES


@pytest.mark.threat(33)
@pytest.mark.parametrize(("engine", "n_sources"), [("pillow", 140), pytest.param("opencv", 161, marks=needs_opencv)])
def test_every_odd_file_is_a_source_or_said_to_be_none(
    run: Run, odd_files: Path, tmp_path: Path, engine: str, n_sources: int
) -> None:
    targets = ["-s", f"pngsuite={175 + n_sources}", "-s", "exif_orientation=36"]
    options = ["--bad-images", "carry", "--check", "full", "--engine", engine]
    ran = run("augment", odd_files, "-o", tmp_path / "balanced", *targets, *options)
    assert ran.code == 0
    assert all(line.isprintable() for line in ran.err.splitlines())
    assert ran.err.count("rebalance: kept, but no source: 'pngsuite/") == 175 - n_sources
    rows = manifest_rows(tmp_path / "balanced")
    used = [row["source"] for row in rows if row["kind"] == "augmented"]
    assert len(used) == len(set(used)) == n_sources + 18
    assert run("verify", tmp_path / "balanced", "--source", odd_files).code == 0


@pytest.mark.threat(33)
def test_every_odd_file_is_checked_and_embedded_or_named(run: Run, odd_files: Path, tmp_path: Path) -> None:
    bad = sorted(f"pngsuite/{path.name}" for path in (odd_files / "pngsuite").glob("x*.png"))
    checked = run("inspect", odd_files, "--check", "--format", "json")
    assert [image["path"] for image in checked.document["bad_images"]] == bad
    embedded = run("embed", odd_files, "-o", tmp_path / "vectors.npz", "--bad-images", "skip")
    assert embedded.code == 0
    assert [line.split("'")[1] for line in embedded.err.splitlines() if "no vector" in line] == bad
