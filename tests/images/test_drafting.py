"""Sources that are decoded smaller, where what is made of them is smaller still."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from rebalance.images.picture import load_image, load_source
from rebalance.images.pipeline import Making, remake
from rebalance.keys import plain_fingerprint
from rebalance.plan import Rendering
from tests.images.pictures import ENGINES, encoded, levels_in, pixels_of, waves
from tests.images.test_pipeline import decoded
from tests.test_transforms import recipe_of

SMALL = Rendering(size=(100, 75), originals="reencode")


def photograph(size: tuple[int, int] = (803, 601), orientation: int = 1, file_format: str = "JPEG") -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(pixels_of(waves(size, 3, length=9)))
    return encoded(image, file_format, **({"quality": 95, "exif": exif} if file_format == "JPEG" else {}))


@pytest.mark.parametrize(
    ("size", "settings", "scale"),
    [
        ((803, 601), {}, 8),
        ((799, 601), {}, 4),
        ((200, 150), {}, 2),
        ((199, 150), {}, 1),
        ((200, 149), {}, 1),
        ((803, 601), {"zoom_range": "0.5,1"}, 4),
        ((803, 601), {"zoom_range": "1,2", "rotation_range": 30, "width_shift_range": 0.2}, 8),
        ((803, 601), {"crop_range": (0.33, 1)}, 2),
        ((803, 601), {"shear_range": 60}, 4),
        ((803, 601), {"crop_box": "0.1,0.1,0.9,0.9"}, 1),
        ((803, 601), {"rotation_range": 5, "fill_mode": "inscribed"}, 1),
    ],
)
def test_a_jpeg_is_decoded_as_small_as_every_draw_allows(
    size: tuple[int, int], settings: dict[str, Any], scale: int
) -> None:
    picture = load_source(photograph(size), SMALL, recipe_of(**settings))
    assert (picture.scale, picture.size) == (scale, size)
    assert picture.pixels.shape[:2] == (-(-size[1] // scale), -(-size[0] // scale))


def test_only_jpeg_is_decoded_smaller_and_only_where_a_size_is_asked_for() -> None:
    assert load_source(photograph(file_format="PNG"), SMALL, {}).scale == 1
    assert load_source(photograph(), SMALL._replace(size=None), {}).scale == 1


@pytest.mark.parametrize("orientation", [1, 3, 6, 7])
def test_a_size_is_that_of_the_upright_picture(orientation: int) -> None:
    """Of 600 x 800 upright, 75 x 100 is an eighth, and 100 x 75 a sixth."""
    stored = (800, 600) if orientation > 4 else (600, 800)
    data = photograph(stored, orientation)
    assert load_source(data, SMALL._replace(size=(75, 100)), {}).scale == 8
    assert load_source(data, SMALL, {}).scale == 4


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("orientation", [1, 2, 6, 8])
@pytest.mark.parametrize("size", [(803, 601), (800, 600)])
@pytest.mark.parametrize(
    ("settings", "values"),
    [
        ({}, {}),
        ({"horizontal_flip": True}, {"horizontal_flip": True}),
        ({"rotation_range": 30}, {"rotation": 21.5}),
        ({"width_shift_range": 100}, {"width_shift_pixels": 61.0}),
        ({"zoom_range": "0.5,1"}, {"zoom_x": 0.5, "zoom_y": 0.9}),
    ],
)
def test_what_is_made_of_it_shows_the_same(
    engine: str, orientation: int, size: tuple[int, int], settings: dict[str, Any], values: dict[str, Any]
) -> None:
    """Half a pixel of the source, an eighth of whose size is decoded, would be a shift by 0.06 pixels.

    Where a side is no multiple of eight, what is mirrored beyond it lies a little off: the inner half is compared.
    """
    data, rendering = photograph(size, orientation), SMALL._replace(engine=engine, interpolation="bilinear")
    making = Making(recipe_of(**settings), rendering, "PNG")
    picture = load_source(data, rendering, making.recipe)
    assert picture.scale > 1
    small, whole = (decoded(remake(each, making, values, b"")) for each in (picture, load_image(data, engine=engine)))
    assert small.shape == whole.shape
    if size == (803, 601):
        height, width, _ = small.shape
        inner = np.s_[height // 4 : -height // 4, width // 4 : -width // 4]
        small, whole = small[inner], whole[inner]
    difference = small.astype(np.float64) - whole
    assert np.abs(difference).mean() < 1
    for axis in (0, 1):
        slope = np.gradient(whole.astype(np.float64), axis=axis)
        assert abs((difference * slope).sum() / (slope**2).sum()) < 0.015


def test_the_tables_of_the_source_are_kept() -> None:
    data = photograph()
    picture = load_source(data, SMALL, {})
    made = remake(picture, Making({}, SMALL), {}, b"").data or b""
    assert picture.own == load_image(data).own
    assert levels_in(made).shape == (75, 100, 3)


def test_where_an_original_is_decoded_smaller_its_name_in_the_journal_tells() -> None:
    close, far = recipe_of(zoom_range="0.5,1"), recipe_of(zoom_range="1,1.5")
    names = [plain_fingerprint(recipe, SMALL, {}) for recipe in (close, far, recipe_of(brightness_range=0.1))]
    assert names[0] != names[1] == names[2]
    assert len({plain_fingerprint(recipe, Rendering(), {}) for recipe in (close, far)}) == 1
