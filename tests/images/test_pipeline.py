import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rebalance.drawing import attempt_key
from rebalance.images import pipeline
from rebalance.images.codec import Header
from rebalance.images.encoding import Encoding
from rebalance.images.picture import Picture
from rebalance.images.pipeline import MadeFile, Making, make_copy, remake
from rebalance.images.pixels import Pixels
from rebalance.matrices import Values
from rebalance.plan import SOURCE_LIKE, Rendering
from rebalance.recipes import draw_values
from rebalance.transforms import Transform
from tests.test_transforms import STRONG, each_transform, recipe_of, strong_recipe

KEY, OTHER = b"k" * 32, b"o" * 32
MODES: Mapping[int, str] = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
FORMS = [(channels, dtype) for channels in (1, 2, 3, 4) for dtype in (np.uint8, np.uint16)]
SIZES = ((24, 20), (1, 1), (1, 9), (9, 1))
NEUTRAL: dict[str, float | bool] = {
    "crop_area": 1.0, "crop_aspect": 1.0, "crop_x": 0.3, "crop_y": 0.7, "rotation": 0.0, "width_shift": 0.0,
    "width_shift_pixels": 0.0, "height_shift": 0.0, "height_shift_pixels": 0.0, "shear": 0.0, "zoom_x": 1.0,
    "zoom_y": 1.0, "horizontal_flip": False, "vertical_flip": False, "saturation": 1.0, "channel_shift": 0.0,
    "brightness": 1.0, "contrast": 1.0, "gamma": 1.0, "gaussian_noise": 0.0, "poisson_noise": 0.0,
    "gaussian_blur": 0.0, "erased_area": 0.0, "erased_aspect": 1.0, "erased_x": 0.5, "erased_y": 0.5,
}  # fmt: skip
"""A value of each name that changes nothing."""
WITHOUT_ALPHA = {"gaussian_noise", "poisson_noise", "random_erasing", "saturation_range", "channel_shift_range",
                 "brightness_range", "contrast_range", "gamma_range"}  # fmt: skip
RANDOM = {"gaussian_noise", "poisson_noise", "random_erasing"}

each_form = pytest.mark.parametrize(
    ("channels", "dtype"), FORMS, ids=[f"{channels}x{dtype.__name__}" for channels, dtype in FORMS]
)


def pixels_of(size: tuple[int, int] = (24, 20), channels: int = 3, dtype: type = np.uint8) -> Pixels:
    """Return a slanted ramp, in every channel another, that no one can write to; alpha is high, but not all."""
    width, height = size
    y, x, channel = np.indices((height, width, channels))
    levels = (7 * x + 3 * y * (channel + 1) + 80 * channel) % 200 + 20
    if channels % 2 == 0:
        levels[:, :, -1] = 255 - (x + y)[:, :, -1] % 7
    level = np.iinfo(dtype).max // 255
    pixels: Pixels = (levels * level + (levels % 5 if level > 1 else 0)).clip(0, 255 * level).astype(dtype)
    pixels.flags.writeable = False
    return pixels


def picture_of(pixels: Pixels, orientation: int = 1) -> Picture:
    """Return pixels as a decoded PNG."""
    mode = MODES[pixels.shape[2]]
    mode = {"L": "I;16"}.get(mode, f"{mode};16") if pixels.dtype == np.uint16 else mode
    own = Encoding("PNG", mode, {"compress_level": 1})
    return Picture(pixels, Header(pixels.shape[1], pixels.shape[0], mode, "PNG"), orientation, own)


def rendered(
    pixels: Pixels,
    recipe: Mapping[str, Any],
    values: Values,
    key: bytes = KEY,
    rendering: Rendering = SOURCE_LIKE,
) -> Pixels:
    picture, making = picture_of(pixels), Making(recipe, rendering)
    return pipeline._render(picture, making, pipeline._place(picture, making, values), values, key).done


def decoded(made: MadeFile) -> Pixels:
    assert made.data is not None
    pixels = np.asarray(Image.open(io.BytesIO(made.data)))
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


@each_form
@each_transform
def test_neutral_values_change_no_pixel(transform: Transform, channels: int, dtype: type) -> None:
    recipe = strong_recipe(transform) if transform.region is None else {transform.key: transform.neutral}
    for size in SIZES:
        pixels = pixels_of(size, channels, dtype)
        assert np.array_equal(rendered(pixels, recipe, NEUTRAL), pixels)


@each_form
def test_neutral_values_of_everything_at_once_change_no_pixel(channels: int, dtype: type) -> None:
    recipe = recipe_of(**{**STRONG, "crop_box": [0, 0, 1, 1]})
    pixels = pixels_of((24, 20), channels, dtype)
    assert np.array_equal(rendered(pixels, recipe, NEUTRAL), pixels)


@each_form
@each_transform
def test_every_transform_keeps_size_channels_and_depth_and_draws_the_same_again(
    transform: Transform, channels: int, dtype: type
) -> None:
    recipe = strong_recipe(transform)
    for size in SIZES:
        pixels = pixels_of(size, channels, dtype)
        before = pixels.tobytes()
        for copy in (1, 2):
            values = draw_values(recipe, 0, "c/a", copy)
            made, again = (rendered(pixels, recipe, values) for _ in range(2))
            assert (made.shape, made.dtype) == (pixels.shape, pixels.dtype)
            assert np.array_equal(made, again)
        assert pixels.tobytes() == before


@each_form
@each_transform
def test_every_transform_does_something(transform: Transform, channels: int, dtype: type) -> None:
    recipe = strong_recipe(transform)
    pixels = pixels_of((24, 20), channels, dtype)
    made = [rendered(pixels, recipe, draw_values(recipe, 0, "c/a", copy)) for copy in range(1, 5)]
    is_changed = any(not np.array_equal(one, pixels) for one in made)
    assert is_changed == (transform.mix is None or channels >= 3)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("key", sorted(WITHOUT_ALPHA))
def test_levels_noise_and_erasing_leave_alpha_alone(key: str, channels: int, dtype: type) -> None:
    recipe = recipe_of(**{key: STRONG[key]})
    pixels = pixels_of((24, 20), channels, dtype)
    for copy in range(1, 5):
        made = rendered(pixels, recipe, draw_values(recipe, 0, "c/a", copy))
        assert np.array_equal(made[:, :, -1], pixels[:, :, -1])


@each_form
@each_transform
def test_only_what_is_random_depends_on_the_key(transform: Transform, channels: int, dtype: type) -> None:
    recipe = strong_recipe(transform)
    pixels = pixels_of((24, 20), channels, dtype)
    values = draw_values(recipe, 0, "c/a", 1)
    made, other = rendered(pixels, recipe, values, KEY), rendered(pixels, recipe, values, OTHER)
    assert np.array_equal(made, other) == (transform.key not in RANDOM)


@each_form
def test_everything_at_once_works_on_every_form_and_with_either_engine(channels: int, dtype: type) -> None:
    pytest.importorskip("cv2")
    recipe = recipe_of(**STRONG)
    for engine in ("pillow", "opencv"):
        for size in SIZES:
            pixels = pixels_of(size, channels, dtype)
            values = draw_values(recipe, 0, "c/a", 1)
            made = rendered(pixels, recipe, values, rendering=Rendering(engine=engine))
            assert (made.shape, made.dtype) == (pixels.shape, pixels.dtype)


def shifted_half(pixels: Pixels, **manners: object) -> Pixels:
    """Return a picture whose right half lies outside of its source."""
    recipe = recipe_of(width_shift_range=0.5, **manners)
    made = rendered(pixels, recipe, {"width_shift": 0.5})
    return made[:, pixels.shape[1] // 2 :]


@pytest.mark.parametrize("depth", [1, 257])
def test_median_fills_with_the_median_of_each_channel_of_the_border(depth: int) -> None:
    """10 pixels of the border are (10, 100, 7), 6 are (200, 50, 7); of the inside nothing counts."""
    levels = np.full((4, 6, 3), 250)
    border = np.ones((4, 6), bool)
    border[1:-1, 1:-1] = False
    levels[border] = [[10, 100, 7]] * 10 + [[200, 50, 7]] * 6
    pixels = (levels * depth).astype(np.uint8 if depth == 1 else np.uint16)
    outside = shifted_half(pixels, fill_mode="median")
    assert (outside == np.array([10, 100, 7]) * depth).all()


def test_median_of_a_cropped_source_is_that_of_what_is_left() -> None:
    pixels = np.full((10, 20, 1), 30, np.uint8)
    pixels[2:8, 4:16] = 90
    assert (shifted_half(pixels, fill_mode="median") == 30).all()
    assert (shifted_half(pixels, fill_mode="median", crop_box="0.2,0.2,0.8,0.8") == 90).all()


@each_form
def test_constant_fills_with_an_opaque_gray_level(channels: int, dtype: type) -> None:
    level = 1 if dtype == np.uint8 else 257
    outside = shifted_half(pixels_of((24, 20), channels, dtype), fill_mode="constant", cval=100)
    expected = [100 * level] * channels
    if channels % 2 == 0:
        expected[-1] = 255 * level
    assert (outside == np.array(expected)).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_turn_shows_the_constant_in_its_corners(dtype: type) -> None:
    level = 1 if dtype == np.uint8 else 257
    pixels: Pixels = np.full((30, 30, 3), 40 * level, dtype)
    recipe = recipe_of(rotation_range=45, fill_mode="constant", cval=200)
    made = rendered(pixels, recipe, {"rotation": 45.0})
    assert (made[[0, 0, -1, -1], [0, -1, 0, -1]] == 200 * level).all()
    assert (made[10:20, 10:20] == 40 * level).all()


def test_a_crop_box_shows_nothing_of_what_it_leaves_out() -> None:
    pixels = np.full((20, 20, 1), 255, np.uint8)
    pixels[5:15, 5:15] = 60
    for fill_mode in ("nearest", "reflect", "wrap", "median", "inscribed"):
        recipe = recipe_of(crop_box="0.25,0.25,0.75,0.75", rotation_range=40, fill_mode=fill_mode)
        assert (rendered(pixels, recipe, {"rotation": 33.0}) == 60).all()


def draws(*drawn: Values) -> pipeline.Draw:
    """Return a draw that takes its values from a list."""
    return lambda attempt: (drawn[attempt], attempt_key(0, "c/a", 1, attempt))


def test_a_copy_that_changes_nothing_is_one_of_bytes_where_originals_are_kept() -> None:
    """Nine draws in a row say so; a file that is made of it by replay is the same."""
    picture = picture_of(pixels_of())
    making = Making(recipe_of(horizontal_flip=True), SOURCE_LIKE)
    made = make_copy(picture, making, draws(*[{"horizontal_flip": False}] * 9))
    assert (made.data, made.attempt, made.header) == (None, 8, picture.header)
    assert made.notes == ("the drawn values change nothing: byte for byte its source",)
    assert remake(picture, making, {"horizontal_flip": False}, KEY).data is None


@pytest.mark.parametrize("originals", ["transform", "reencode"])
def test_a_copy_that_changes_nothing_is_encoded_where_originals_are(originals: str) -> None:
    picture = picture_of(pixels_of())
    making = Making(recipe_of(horizontal_flip=True), SOURCE_LIKE._replace(originals=originals))
    made = make_copy(picture, making, draws(*[{"horizontal_flip": False}] * 9))
    assert np.array_equal(decoded(made), picture.pixels)


def test_a_copy_of_another_format_is_encoded_whatever_is_drawn() -> None:
    picture = picture_of(pixels_of())
    for making in (
        Making(recipe_of(horizontal_flip=True), SOURCE_LIKE, file_format="BMP"),
        Making(recipe_of(horizontal_flip=True), Rendering(output_format="webp")),
    ):
        made = make_copy(picture, making, draws(*[{"horizontal_flip": False}] * 9))
        assert made.data is not None
        assert made.header.format in ("BMP", "WEBP")


def test_a_copy_of_another_size_is_of_that_size() -> None:
    making = Making(recipe_of(horizontal_flip=True), Rendering(size=(12, 40)))
    made = make_copy(picture_of(pixels_of()), making, draws({"horizontal_flip": True}))
    assert decoded(made).shape == (40, 12, 3)
    assert (made.header.width, made.header.height) == (12, 40)


def test_remade_values_make_the_same_file() -> None:
    recipe = recipe_of(**STRONG)
    picture = picture_of(pixels_of((48, 40)))
    making = Making(recipe, SOURCE_LIKE)
    made = make_copy(
        picture,
        making,
        lambda attempt: (draw_values(recipe, 0, "c/a", 5, attempt), attempt_key(0, "c/a", 5, attempt)),
    )
    again = remake(picture, making, made.values, attempt_key(0, "c/a", 5, made.attempt))
    assert again.data == made.data is not None
    assert made.values == draw_values(recipe, 0, "c/a", 5, made.attempt)


def test_without_a_recipe_a_picture_is_encoded_as_it_is() -> None:
    picture = picture_of(pixels_of())
    made = remake(picture, Making({}, SOURCE_LIKE._replace(originals="reencode")), {}, b"")
    assert np.array_equal(decoded(made), picture.pixels)
    assert (made.values, made.attempt, made.notes) == ({}, 0, ())


def test_what_a_crop_box_leaves_out_has_no_part_in_the_levels() -> None:
    pixels = np.full((20, 20, 1), 250, np.uint8)
    pixels[5:15, 5:15] = 60
    pixels[8:12, 8:12] = 80
    recipe = recipe_of(crop_box="0.25,0.25,0.75,0.75", contrast_range="0.5,0.5", channel_shift_range=100)
    made = rendered(pixels, recipe, {"contrast": 1.0, "channel_shift": 100.0})
    assert (made.min(), made.max()) == (80, 80)


def test_a_part_that_is_flat_is_not_drawn_again() -> None:
    pixels = np.full((20, 20, 1), 250, np.uint8)
    pixels[5:15, 5:15] = 60
    recipe = recipe_of(crop_box="0.25,0.25,0.75,0.75", rotation_range=10)
    made = make_copy(picture_of(pixels), Making(recipe, SOURCE_LIKE), lambda _attempt: ({"rotation": 7.0}, KEY))
    assert (made.attempt, made.notes) == (0, ())


def test_a_copy_that_comes_out_equal_is_one_byte_for_byte() -> None:
    recipe = recipe_of(saturation_range=0.5)
    made = remake(picture_of(pixels_of()), Making(recipe, SOURCE_LIKE), {"saturation": 1.0}, KEY)
    assert made.data is None
