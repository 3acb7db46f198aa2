import itertools
from typing import Any

import numpy as np
import pytest

from rebalance.images.engines import engine_of
from rebalance.images.geometry import rounded, sample, to_stored, to_upright, turned
from rebalance.images.pixels import Pixels
from rebalance.matrices import IDENTITY, Matrix, multiply
from tests.images.pictures import ENGINES, FILLS, SHAPES, fill_of, ramp

INTERPOLATIONS = ("nearest", "bilinear", "bicubic")
SLANTED: Matrix = (0.9, 0.3, -5.0, -0.3, 0.9, 2.0)


def sampled(
    pixels: Pixels,
    matrix: Matrix,
    size: tuple[int, int],
    *,
    fill: Any = "nearest",
    interpolation: str = "bicubic",
    engine: str = "pillow",
) -> Pixels:
    fill = fill_of(fill, pixels) if isinstance(fill, str) else fill
    return sample(pixels, matrix, size, fill=fill, interpolation=interpolation, engine=engine_of(engine))


def checkerboard(size: int) -> Pixels:
    board: Pixels = ((np.indices((size, size)).sum(axis=0) % 2) * 255).astype(np.uint8)
    return board[:, :, None]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("n_channels", "depth"), SHAPES)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_the_identity_changes_nothing(n_channels: int, depth: str, interpolation: str, engine: str) -> None:
    pixels = ramp(n_channels, depth)
    for fill in FILLS:
        result = sampled(pixels, IDENTITY, (31, 17), fill=fill, interpolation=interpolation, engine=engine)
        assert np.array_equal(result, pixels)
        assert result.dtype == depth


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("n_channels", "depth"), SHAPES)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_shape_depth_and_opacity_are_kept(n_channels: int, depth: str, interpolation: str, engine: str) -> None:
    pixels = ramp(n_channels, depth)
    for fill in FILLS:
        result = sampled(pixels, SLANTED, (20, 25), fill=fill, interpolation=interpolation, engine=engine)
        assert (result.shape, result.dtype) == ((25, 20, n_channels), np.dtype(depth))
        if n_channels % 2 == 0:
            assert result[:, :, -1].min() == {"uint8": 255, "uint16": 65535}[depth]


@pytest.mark.parametrize(("n_channels", "depth"), SHAPES)
@pytest.mark.parametrize(
    ("fill", "expected"),
    [("nearest", "aaaaabcdddd"), ("reflect", "dcbaabcddcb"), ("wrap", "abcdabcdabc"), ("constant", "kkkkabcdkkk")],
)
def test_a_fill_continues_the_picture_as_keras_documents_it(
    fill: str, expected: str, n_channels: int, depth: str
) -> None:
    pixels = np.repeat(np.frombuffer(b"abcd", np.uint8).astype(depth)[None, :, None], n_channels, axis=2)
    color = np.full((1, 1, n_channels), ord("k"), depth)
    matrix = (1.0, 0.0, -4.0, 0.0, 1.0, 0.0)
    result = sampled(pixels, matrix, (11, 1), fill=color if fill == "constant" else fill)
    for channel in range(n_channels):
        assert bytes(result[0, :, channel].astype(np.uint8)).decode() == expected


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize(
    ("fill", "expected"),
    [("nearest", "aaaaabcdddd"), ("reflect", "dcbaabcddcb"), ("wrap", "abcdabcdabc"), ("constant", "kkkkabcdkkk")],
)
def test_a_fill_is_the_same_where_pixels_are_sampled(fill: str, expected: str, interpolation: str, engine: str) -> None:
    """Letters ten pixels wide, and moved by a tenth of a pixel: their middles are read."""
    pixels = np.repeat(np.frombuffer(b"abcd", np.uint8), 10)[None, :, None]
    color = np.full((1, 1, 1), ord("k"), np.uint8)
    matrix = (1.0, 0.0, -40.1, 0.0, 1.0, 0.0)
    result = sampled(
        pixels, matrix, (110, 1), fill=color if fill == "constant" else fill, interpolation=interpolation, engine=engine
    )
    assert bytes(result[0, 5::10, 0]).decode() == expected


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("n_channels", "depth"), SHAPES)
def test_whole_pixel_moves_interpolate_nothing(n_channels: int, depth: str, engine: str) -> None:
    """What is transparent keeps its color too."""
    pixels = ramp(n_channels, depth)
    pixels[3:9, 4:11, -1] = 0
    for fill, interpolation in itertools.product(FILLS, INTERPOLATIONS):
        manner: dict[str, Any] = {"fill": fill, "interpolation": interpolation, "engine": engine}
        quarter = sampled(pixels, (0.0, 1.0, 0.0, -1.0, 0.0, 16.0), (17, 31), **manner)
        assert np.array_equal(quarter, np.rot90(pixels, -1))
        flipped = sampled(pixels, (-1.0, 0.0, 30.0, 0.0, 1.0, 0.0), (31, 17), **manner)
        assert np.array_equal(flipped, pixels[:, ::-1])
        part = sampled(pixels, (1.0, 0.0, 7.0, 0.0, 1.0, 4.0), (12, 9), **manner)
        assert np.array_equal(part, pixels[4:13, 7:19])
        moved = sampled(pixels, (1.0, 0.0, -7.0, 0.0, 1.0, -4.0), (40, 30), **manner)
        assert np.array_equal(moved[4:21, 7:38], pixels)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("fill", FILLS)
def test_the_input_is_not_modified(fill: str, engine: str) -> None:
    for n_channels, matrix in itertools.product((3, 4), (SLANTED, IDENTITY, (3.0, 0.0, 0.0, 0.0, 3.0, 0.0))):
        pixels = ramp(n_channels)
        before = pixels.tobytes()
        pixels.flags.writeable = False
        result = sampled(pixels, matrix, (31, 17), fill=fill, engine=engine)
        assert pixels.tobytes() == before
        assert not np.shares_memory(result, pixels) or matrix == IDENTITY


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("fill", FILLS)
def test_tiles_fit_together_without_a_seam(fill: str, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = ramp(3, "uint8", (150, 90))
    matrix = (0.8, 0.5, -30.25, -0.5, 0.8, 40.5)
    whole = sampled(pixels, matrix, (150, 90), fill=fill, engine=engine)
    monkeypatch.setattr(type(engine_of(engine)), "most_pixels", 1000)
    tiled = sampled(pixels, matrix, (150, 90), fill=fill, engine=engine)
    assert np.abs(whole.astype(int) - tiled).max() <= 1


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("size", [(20_000, 1), (70_000, 1), (1, 70_000), (40_000, 3)])
def test_a_long_thin_picture_is_turned_in_little_memory(size: tuple[int, int], engine: str) -> None:
    """OpenCV takes no side of more than 32,767 pixels."""
    pixels = np.full((*size[::-1], 1), 77, np.uint8)
    matrix = rounded((0.7, -0.7, 3000, 0.7, 0.7, -7000))
    assert set(np.unique(sampled(pixels, matrix, size, fill="reflect", engine=engine))) == {77}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_long_picture_is_sampled_where_it_should_be(engine: str) -> None:
    """A ramp of 60,000 pixels, one level a pixel, read half a pixel to the right and at every second."""
    pixels = np.arange(60_000, dtype=np.uint16)[None, :, None]
    moved = sampled(pixels, (1.0, 0.0, 0.5, 0.0, 1.0, 0.0), (50_000, 1), interpolation="bilinear", engine=engine)
    assert np.abs(moved[0, :, 0] - (np.arange(50_000) + 0.5)).max() <= 0.5
    halved = sampled(pixels, (2.0, 0.0, 0.5, 0.0, 1.0, 0.0), (30_000, 1), interpolation="bilinear", engine=engine)
    assert np.abs(halved[0, :, 0] - (2 * np.arange(30_000) + 0.5)).max() <= 1


@pytest.mark.parametrize("engine", ENGINES)
def test_shrinking_averages_before_it_samples(engine: str) -> None:
    """A checkerboard at a third of its size is gray, not black or white."""
    levels = sampled(checkerboard(90), (3.0, 0.0, 0.0, 0.0, 3.0, 0.0), (30, 30), engine=engine)
    assert 100 < levels.min() <= levels.max() < 155


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("width", [101, 40, 20])
def test_a_picture_that_is_wrapped_and_shrunk_keeps_its_period(width: int, engine: str) -> None:
    """The same as shrinking a picture that was tiled by hand: a sine of one period a width."""
    wave = np.round(127 + 100 * np.sin(2 * np.pi * (np.arange(width) + 0.5) / width)).astype(np.uint8)
    one = np.repeat(wave[None], 9, axis=0)[:, :, None]
    size = (2 * width, 9)
    wrapped = sampled(one, (3.0, 0.0, -3.0 * width, 0.0, 1.0, 0.0), size, fill="wrap", engine=engine)
    expected = sampled(np.tile(one, (1, 9, 1)), (3.0, 0.0, 0.0, 0.0, 1.0, 0.0), size, fill="wrap", engine=engine)
    inner = slice(width // 2, width)
    assert np.abs(wrapped[:, inner].astype(int) - expected[:, inner]).max() <= 12


@pytest.mark.parametrize("engine", ENGINES)
def test_the_nearest_pixel_is_never_an_average(engine: str) -> None:
    matrix = (2.5, 0.0, 0.0, 0.0, 2.5, 0.0)
    levels = sampled(checkerboard(90), matrix, (30, 30), interpolation="nearest", engine=engine)
    assert set(np.unique(levels)) == {0, 255}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_stored_is_the_inverse_of_upright(orientation: int) -> None:
    product = multiply(to_stored(orientation, (40, 30)), to_upright(orientation, (40, 30)))
    assert product == pytest.approx(IDENTITY)
    assert turned(orientation, (40, 30)) == ((40, 30) if orientation in (1, 2, 3, 4) else (30, 40))
