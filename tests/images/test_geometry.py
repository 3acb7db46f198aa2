import math

import numpy as np
import pytest
from PIL import Image

from rebalance.images.codec import Header, Picture
from rebalance.images.geometry import rounded, sample, to_stored, to_upright
from rebalance.images.pipeline import place
from rebalance.transforms import BY_KEY, IDENTITY, Matrix, Values, make_recipe, multiply

FILL_MODES = ("nearest", "reflect", "wrap", "constant")
MODES = ("L", "RGB")


def picture_of(pixels: Image.Image, orientation: int = 1) -> Picture:
    return Picture(pixels, Header(*pixels.size, pixels.mode, "PNG"), orientation, "PNG")


def recipe_of(fill_mode: str = "constant", interpolation: str = "bicubic", **settings: object) -> dict[str, object]:
    parsed = {key: BY_KEY[key].parse(value) for key, value in settings.items()}
    return dict(make_recipe(parsed, fill_mode=fill_mode, cval=0, interpolation=interpolation))


def warped(pixels: Image.Image, recipe: dict[str, object], values: Values, orientation: int = 1) -> Image.Image:
    region, matrix = place(picture_of(pixels, orientation), recipe, values)
    return sample(
        pixels.crop(region), matrix, pixels.size,
        fill_mode=str(recipe["fill_mode"]), cval=0, interpolation=str(recipe["interpolation"]),
    )  # fmt: skip


def one_bright_pixel(x: int, y: int, size: tuple[int, int] = (40, 80)) -> Image.Image:
    pixels = Image.new("L", size)
    pixels.putpixel((x, y), 255)
    return pixels


def brightest(pixels: Image.Image) -> tuple[int, int]:
    row, column = np.unravel_index(np.asarray(pixels).argmax(), (pixels.height, pixels.width))
    return int(column), int(row)


def center_of_mass(pixels: Image.Image) -> tuple[float, float]:
    levels = np.asarray(pixels, dtype=np.float64)
    rows, columns = np.indices(levels.shape)
    return float((levels * columns).sum() / levels.sum()), float((levels * rows).sum() / levels.sum())


def ramp(mode: str, size: tuple[int, int] = (31, 17)) -> Image.Image:
    levels = (np.indices(size[::-1])[0] * 11 + np.indices(size[::-1])[1] * 3) % 256
    if mode == "L":
        return Image.fromarray(levels.astype(np.uint8))
    return Image.fromarray(np.stack([levels, 255 - levels, levels // 2], axis=2).astype(np.uint8))


@pytest.mark.parametrize("fraction", [0.25, -0.25])
def test_a_width_shift_moves_along_x_only(fraction: float) -> None:
    """The output at x comes from the input at x + shift: a quarter of 40 pixels."""
    shifted = warped(one_bright_pixel(20, 33), recipe_of(width_shift_range=0.3), {"width_shift": fraction})
    assert brightest(shifted) == (20 - int(40 * fraction), 33)


@pytest.mark.parametrize("fraction", [0.25, -0.25])
def test_a_height_shift_moves_along_y_only(fraction: float) -> None:
    shifted = warped(one_bright_pixel(20, 33), recipe_of(height_shift_range=0.3), {"height_shift": fraction})
    assert brightest(shifted) == (20, 33 - int(80 * fraction))


@pytest.mark.parametrize("size", [(40, 80), (80, 40), (41, 81), (64, 64)])
@pytest.mark.parametrize(
    ("settings", "values"),
    [
        ({"rotation_range": 40}, {"rotation": 33.0}),
        ({"rotation_range": 90}, {"rotation": -90.0}),
        ({"zoom_range": 0.5}, {"zoom_x": 0.6, "zoom_y": 1.4}),
        ({"shear_range": 40}, {"shear": 30.0}),
        ({"rotation_range": 40, "shear_range": 20, "zoom_range": 0.3},
         {"rotation": 21.0, "shear": -15.0, "zoom_x": 0.8, "zoom_y": 1.2}),
    ],
)  # fmt: skip
def test_a_centered_square_keeps_its_center_of_mass(
    size: tuple[int, int], settings: dict[str, object], values: dict[str, float]
) -> None:
    pixels = Image.new("L", size)
    left, top = (size[0] - 10 - size[0] % 2) // 2, (size[1] - 10 - size[1] % 2) // 2
    pixels.paste(255, (left, top, size[0] - left, size[1] - top))
    x, y = center_of_mass(warped(pixels, recipe_of("constant", "bicubic", **settings), values))
    assert math.hypot(x - (size[0] - 1) / 2, y - (size[1] - 1) / 2) < 0.5


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("fill_mode", FILL_MODES)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
def test_the_identity_changes_nothing(mode: str, fill_mode: str, interpolation: str) -> None:
    pixels = ramp(mode)
    result = sample(pixels, IDENTITY, pixels.size, fill_mode=fill_mode, cval=9, interpolation=interpolation)
    assert result.tobytes() == pixels.tobytes()
    assert (result.mode, result.size) == (pixels.mode, pixels.size)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("fill_mode", "expected"),
    [
        ("nearest", "aaaaabcdddd"), ("reflect", "dcbaabcddcb"), ("wrap", "abcdabcdabc"), ("constant", "kkkkabcdkkk"),
    ],
)  # fmt: skip
def test_a_fill_mode_continues_the_picture_as_keras_documents_it(mode: str, fill_mode: str, expected: str) -> None:
    pixels = Image.frombytes("L", (4, 1), b"abcd").convert(mode)
    matrix: Matrix = (1, 0, -4, 0, 1, 0)
    result = sample(pixels, matrix, (11, 1), fill_mode=fill_mode, cval=ord("k"), interpolation="bicubic")
    assert bytes(np.asarray(result.convert("L"))[0]).decode() == expected


@pytest.mark.parametrize("fill_mode", FILL_MODES)
@pytest.mark.parametrize("mode", MODES)
def test_whole_pixel_moves_interpolate_nothing(fill_mode: str, mode: str) -> None:
    pixels = ramp(mode)
    turned = sample(
        pixels, (0, 1, 0, -1, 0, 16), pixels.size[::-1], fill_mode=fill_mode, cval=0, interpolation="bicubic"
    )
    assert turned.tobytes() == pixels.transpose(Image.Transpose.ROTATE_270).tobytes()
    flipped = sample(pixels, (-1, 0, 30, 0, 1, 0), pixels.size, fill_mode=fill_mode, cval=0, interpolation="bicubic")
    assert flipped.tobytes() == pixels.transpose(Image.Transpose.FLIP_LEFT_RIGHT).tobytes()


@pytest.mark.parametrize("fill_mode", FILL_MODES)
def test_the_input_is_not_modified(fill_mode: str) -> None:
    pixels = ramp("RGB")
    before = pixels.tobytes()
    sample(pixels, (0.9, 0.3, -5, -0.3, 0.9, 2), pixels.size, fill_mode=fill_mode, cval=0, interpolation="bilinear")
    assert pixels.tobytes() == before


@pytest.mark.parametrize("fill_mode", FILL_MODES)
def test_tiles_fit_together_without_a_seam(fill_mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = ramp("RGB", (150, 90))
    matrix = (0.8, 0.5, -30.25, -0.5, 0.8, 40.5)
    whole = sample(pixels, matrix, pixels.size, fill_mode=fill_mode, cval=0, interpolation="bicubic")
    monkeypatch.setattr("rebalance.images.geometry._LEAST_LIMIT", -2 * 150 * 90 + 1000)
    tiled = sample(pixels, matrix, pixels.size, fill_mode=fill_mode, cval=0, interpolation="bicubic")
    difference = np.abs(np.asarray(whole, dtype=int) - np.asarray(tiled, dtype=int))
    assert difference.max() <= 1


def test_a_long_thin_picture_is_turned_in_little_memory() -> None:
    pixels = Image.new("L", (20_000, 1), 77)
    matrix = rounded((0.7, -0.7, 3000, 0.7, 0.7, -7000))
    result = sample(pixels, matrix, pixels.size, fill_mode="reflect", cval=0, interpolation="bicubic")
    assert set(result.tobytes()) == {77}


def test_shrinking_averages_before_it_samples() -> None:
    """A checkerboard at a third of its size is grey, not black or white."""
    board = Image.fromarray(((np.indices((90, 90)).sum(axis=0) % 2) * 255).astype(np.uint8))
    result = sample(board, (3, 0, 0, 0, 3, 0), (30, 30), fill_mode="nearest", cval=0, interpolation="bicubic")
    levels = np.asarray(result)
    assert 100 < levels.min() <= levels.max() < 155


@pytest.mark.parametrize("width", [101, 40, 20])
def test_a_picture_that_is_wrapped_and_shrunk_keeps_its_period(width: int) -> None:
    """The same as shrinking a picture that was tiled by hand: a sine of one period a width."""
    wave = np.round(127 + 100 * np.sin(2 * np.pi * (np.arange(width) + 0.5) / width)).astype(np.uint8)
    one = Image.fromarray(np.repeat(wave[None], 9, axis=0))
    tiled = Image.fromarray(np.tile(np.repeat(wave[None], 9, axis=0), (1, 9)))
    settings = {"fill_mode": "wrap", "cval": 0, "interpolation": "bicubic"}
    wrapped = sample(one, (3, 0, -3.0 * width, 0, 1, 0), (2 * width, 9), **settings)  # type: ignore[arg-type]
    expected = sample(tiled, (3, 0, 0.0, 0, 1, 0), (2 * width, 9), **settings)  # type: ignore[arg-type]
    inner = slice(width // 2, width)
    difference = np.abs(np.asarray(wrapped, dtype=int)[:, inner] - np.asarray(expected, dtype=int)[:, inner])
    assert difference.max() <= 12


def test_the_nearest_pixel_is_never_an_average() -> None:
    board = Image.fromarray(((np.indices((90, 90)).sum(axis=0) % 2) * 255).astype(np.uint8))
    result = sample(board, (2.5, 0, 0, 0, 2.5, 0), (30, 30), fill_mode="nearest", cval=0, interpolation="nearest")
    assert set(result.tobytes()) == {0, 255}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_stored_is_the_inverse_of_upright(orientation: int) -> None:
    product = multiply(to_stored(orientation, (40, 30)), to_upright(orientation, (40, 30)))
    assert product == pytest.approx(IDENTITY)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("settings", "values"),
    [
        ({"width_shift_range": 0.3}, {"width_shift": 0.25}),
        ({"horizontal_flip": True}, {"horizontal_flip": True}),
        ({"rotation_range": 90}, {"rotation": 90.0}),
        ({"crop_box": "0,0,0.5,0.25", "vertical_flip": True}, {"vertical_flip": True}),
    ],
)
def test_the_geometry_is_meant_for_the_upright_picture(
    orientation: int, settings: dict[str, object], values: dict[str, float]
) -> None:
    """Turned upright after the warp or before it: the same picture."""
    turn = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }  # fmt: skip
    stored = ramp("RGB", (24, 16))
    upright = stored.transpose(turn[orientation]) if orientation > 1 else stored
    recipe = recipe_of(fill_mode="wrap", interpolation="bilinear", **settings)
    afterwards = warped(stored, recipe, values, orientation)
    afterwards = afterwards.transpose(turn[orientation]) if orientation > 1 else afterwards
    expected = warped(upright, recipe, values)
    assert np.abs(np.asarray(afterwards, dtype=int) - np.asarray(expected, dtype=int)).max() <= 1


def test_a_crop_box_lets_nothing_from_outside_in() -> None:
    pixels = Image.new("L", (40, 40), 200)
    pixels.paste(10, (20, 0, 40, 40))
    recipe = recipe_of(fill_mode="reflect", crop_box="0,0,0.5,1", rotation_range=30, zoom_range=0.5)
    result = warped(pixels, recipe, {"rotation": 27.0, "zoom_x": 1.5, "zoom_y": 1.4})
    assert np.asarray(result).min() == 200
