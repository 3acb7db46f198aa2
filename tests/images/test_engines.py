import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rebalance.errors import UsageError
from rebalance.images import choice
from rebalance.images.choice import choose_engine
from rebalance.images.engines import engine_of
from rebalance.images.geometry import centered, rounded, sample
from rebalance.images.pixels import Pixels
from rebalance.matrices import Matrix
from tests.images.pictures import ENGINES, FILLS, SHAPES, Levels, fill_of, needs_opencv, pixels_of, waves

INTERPOLATIONS = ("nearest", "bilinear", "bicubic")
MOVES = {  # degrees, zoom, shift, shear
    "a small turn": (5, 1.0, (0.0, 0.0), 0.0),
    "a large turn": (33, 1.0, (3.3, -2.7), 0.0),
    "magnified": (0, 0.6, (0.0, 0.0), 0.0),
    "sheared": (-8, 1.1, (0.5, 0.25), 0.3),
    "shifted": (0, 1.0, (10.37, -5.81), 0.0),
}
SHRINKS = {
    "less than half": (12, 2.3, (0.0, 0.0), 0.0),
    "a quarter": (-30, 4.0, (0.0, 0.0), 0.0),
}
AGREEMENT = {
    (False, "nearest"): (0.05, 12),
    (False, "bilinear"): (0.3, 5),
    (False, "bicubic"): (1.1, 11),
    (True, "nearest"): (0.05, 12),
    (True, "bilinear"): (0.3, 5),
    (True, "bicubic"): (1.6, 11),
}
PLAIN_AGREEMENT = AGREEMENT | {(False, "bicubic"): (0.2, 4), (True, "bicubic"): (0.3, 4)}
"""Whether it shrinks, interpolation -> gray levels of 255 that the engines may differ by: mean, 99.9th percentile.

Measured with Pillow 13.0 against OpenCV 5.0 on like waves and on five photographs of 300 pixels, for every fill, mode
and matrix; the worst mean and 99.9th percentile of each row were 0.02 and 5, 0.07 and 2, 0.80 and 7, 0.01 and 0, 0.17
and 2, 1.35 and 9; of 8 bits without alpha, 0.09 and 2 and 0.16 and 2 in the bicubic ones. Differences have two causes:
the bicubic kernel (a = -1 in Pillow, which samples 16 bits and alpha; else -0.75), and rounded places: to 1/64 here, to
1/32 in OpenCV 5 for gray with alpha and in OpenCV 4 for all modes.
"""


def matrix_of(name: str, size: tuple[int, int]) -> Matrix:
    degrees, zoom, shift, shear = (MOVES | SHRINKS)[name]
    cosine, sine = zoom * math.cos(math.radians(degrees)), zoom * math.sin(math.radians(degrees))
    return rounded(centered((cosine, shear - sine, shift[0], sine, cosine, shift[1]), size, (0, 0, *size)))


def seen(pixels: Pixels) -> Levels:
    """Return gray levels of 255, colors as dark as they are transparent."""
    levels = pixels / (np.iinfo(pixels.dtype).max / 255)
    if pixels.shape[2] % 2 == 0:
        levels[:, :, :-1] *= levels[:, :, -1:] / 255
    return levels


def assert_engines_agree(pixels: Pixels, name: str, interpolation: str) -> None:
    size = (pixels.shape[1], pixels.shape[0])
    is_plain = pixels.dtype == np.uint8 and pixels.shape[2] in (1, 3)
    most_mean, most_high = (PLAIN_AGREEMENT if is_plain else AGREEMENT)[name in SHRINKS, interpolation]
    for fill in FILLS:
        by_pillow, by_opencv = (
            sample(
                pixels, matrix_of(name, size), size,
                fill=fill_of(fill, pixels), interpolation=interpolation, engine=engine_of(engine),
            )
            for engine in ("pillow", "opencv")
        )  # fmt: skip
        difference = np.abs(seen(by_pillow) - seen(by_opencv))
        assert difference.mean() <= most_mean, fill
        assert np.percentile(difference, 99.9) <= most_high, fill


@needs_opencv
@pytest.mark.parametrize(("n_channels", "depth"), SHAPES)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("name", [*MOVES, *SHRINKS])
def test_the_engines_agree_on_waves(name: str, interpolation: str, n_channels: int, depth: str) -> None:
    levels = waves((120, 90), length=2.5)[:, :, [*range(n_channels - 1), 3 if n_channels % 2 == 0 else n_channels - 1]]
    assert_engines_agree(pixels_of(levels, depth), name, interpolation)


@needs_opencv
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("name", [*MOVES, *SHRINKS])
def test_the_engines_agree_on_photographs(clothing: Path, name: str, interpolation: str) -> None:
    for path in sorted(clothing.rglob("*.jpg"))[:600:300]:
        image = Image.open(path).convert("RGB")
        image.thumbnail((300, 300))
        assert_engines_agree(np.asarray(image), name, interpolation)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("n_channels", "depth"), SHAPES)
def test_the_same_work_twice_is_the_same_bytes(engine: str, n_channels: int, depth: str) -> None:
    pixels = pixels_of(waves((120, 90), n_channels), depth)
    for name, fill, interpolation in itertools.product((*MOVES, *SHRINKS), FILLS, INTERPOLATIONS):
        once, again = (
            sample(
                pixels.copy(), matrix_of(name, (120, 90)), (120, 90),
                fill=fill_of(fill, pixels), interpolation=interpolation, engine=engine_of(engine),
            )
            for _ in range(2)
        )  # fmt: skip
        assert once.tobytes() == again.tobytes()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("n_channels", "depth"), SHAPES)
def test_warp_reads_where_the_matrix_says(engine: str, n_channels: int, depth: str) -> None:
    """On a plane, 2 levels a pixel to the right and 4 a pixel down, every interpolation is exact: 20 + 2 x + 4 y."""
    level = {"uint8": 1, "uint16": 257}[depth]
    rows, columns = np.indices((40, 50))
    plane = ((20 + 2 * columns + 4 * rows) * level).astype(depth)
    pixels = np.repeat(plane[:, :, None], n_channels, axis=2)
    matrix, size = (0.5, 0.0, 10.25, 0.0, 0.5, 8.5), (30, 20)
    made = sample(pixels, matrix, size, fill="nearest", interpolation="bilinear", engine=engine_of(engine))
    assert made.shape == (20, 30, n_channels)
    assert made.dtype == depth
    assert made[0, 0, 0] / level == pytest.approx(20 + 20.5 + 34, abs=1)
    assert made[10, 20, -1] / level == pytest.approx(20 + 2 * 20.25 + 4 * 13.5, abs=1)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("depth", ["uint8", "uint16"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_sampling_neither_darkens_nor_brightens(interpolation: str, depth: str, engine: str) -> None:
    """Levels that are cut and not rounded would lose half a level."""
    pixels = pixels_of(waves((120, 90), 3, length=2.5), depth)
    matrix = (1.0, 0.0, 0.3, 0.0, 1.0, 0.3)
    made = sample(pixels, matrix, (120, 90), fill="wrap", interpolation=interpolation, engine=engine_of(engine))
    level = {"uint8": 1, "uint16": 257}[depth]
    assert made.mean() / level == pytest.approx(pixels.mean() / level, abs=0.1)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("n_channels", "depth"), SHAPES)
def test_shrink_averages_boxes(engine: str, n_channels: int, depth: str) -> None:
    level = {"uint8": 1, "uint16": 257}[depth]
    pixels = np.repeat(np.array([[10, 30, 0, 100], [50, 70, 0, 200]])[:, :, None] * level, n_channels, axis=2)
    made = engine_of(engine).shrink(pixels.astype(depth), (2, 1))
    assert (made.shape, made.dtype) == ((1, 2, n_channels), np.dtype(depth))
    assert (made / level).round().tolist() == [[[40.0] * n_channels, [75.0] * n_channels]]


@needs_opencv
def test_auto_takes_opencv_where_it_is_there() -> None:
    assert [choose_engine(name) for name in ("auto", "opencv", "pillow")] == ["opencv", "opencv", "pillow"]


def test_without_opencv_auto_is_pillow_and_opencv_an_error_that_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(choice, "find_spec", lambda _name: None)
    assert [choose_engine(name) for name in ("auto", "pillow")] == ["pillow", "pillow"]
    with pytest.raises(UsageError, match=r"pip install 'rebalance-images\[fast\]'"):
        choose_engine("opencv")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("length", [23, 31, 64])
def test_shrinking_averages_over_fractions_of_pixels(engine: str, length: int) -> None:
    """A staircase of 10 levels: ten averages of a whole number of pixels and a fraction each, worked by hand."""
    pixels = np.zeros((1, length, 1), np.uint8)
    pixels[0, :, 0] = np.arange(length)
    averages = engine_of(engine).shrink(pixels, (10, 1)).ravel()
    expected = []
    for index in range(10):
        start, end = index * length / 10, (index + 1) * length / 10
        shares = [max(0.0, min(end, level + 1) - max(start, level)) for level in range(length)]
        expected.append(sum(level * share for level, share in enumerate(shares)) / (end - start))
    assert np.abs(averages - np.array(expected)).max() <= 0.5 + 1e-6
