import io
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from rebalance.images.engines import engine_of
from rebalance.images.geometry import sample
from rebalance.images.picture import load_image
from rebalance.images.pipeline import Making, make_copy
from rebalance.images.pixels import Pixels
from rebalance.images.placing import Place, place
from rebalance.matrices import IDENTITY, Values
from rebalance.plan import SOURCE_LIKE, Recipe, Rendering
from rebalance.recipes import make_recipe
from rebalance.transforms import BY_KEY
from tests.images.pictures import ENGINES, encoded, ramp, reopened

UPRIGHT: Mapping[int, Any] = {
    1: lambda pixels: pixels,
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.transpose(1, 0, 2),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).transpose(1, 0, 2),
    8: np.rot90,
}
"""EXIF orientation -> what turns stored pixels upright."""


def recipe_of(fill_mode: str = "constant", **settings: object) -> Recipe:
    parsed = {key: BY_KEY[key].parse(value) for key, value in settings.items()}
    return make_recipe({**parsed, "fill_mode": fill_mode, "cval": 0})


def warped(
    pixels: Pixels,
    recipe: Recipe,
    values: Values,
    stored: int = 1,
    *,
    engine: str = "pillow",
    rendering: Rendering = SOURCE_LIKE,
) -> Pixels:
    """Return pixels of an EXIF orientation as the recipe and the values make them."""
    size = (pixels.shape[1], pixels.shape[0])
    where = place(size, stored, recipe, values, rendering)
    left, top, right, bottom = where.region
    fill: Any = recipe.get("fill_mode", "nearest")
    fill = np.zeros((1, 1, pixels.shape[2]), pixels.dtype) if fill == "constant" else fill
    return sample(
        pixels[top:bottom, left:right], where.matrix, where.size,
        fill=fill, interpolation="bicubic", engine=engine_of(engine),
    )  # fmt: skip


def one_bright_pixel(x: int, y: int, size: tuple[int, int] = (40, 80)) -> Pixels:
    pixels = np.zeros((*size[::-1], 1), np.uint8)
    pixels[y, x] = 255
    return pixels


def brightest(pixels: Pixels) -> tuple[int, int]:
    row, column, _ = np.unravel_index(pixels.argmax(), pixels.shape)
    return int(column), int(row)


def center_of_mass(pixels: Pixels) -> tuple[float, float]:
    levels = pixels[:, :, 0].astype(np.float64)
    rows, columns = np.indices(levels.shape)
    return float((levels * columns).sum() / levels.sum()), float((levels * rows).sum() / levels.sum())


@pytest.mark.parametrize("fraction", [0.25, -0.25])
def test_a_width_shift_moves_along_x_only(fraction: float) -> None:
    """The output at x comes from the input at x + shift: a quarter of 40 pixels."""
    shifted = warped(one_bright_pixel(20, 33), recipe_of(width_shift_range=0.3), {"width_shift": fraction})
    assert brightest(shifted) == (20 - int(40 * fraction), 33)


@pytest.mark.parametrize("fraction", [0.25, -0.25])
def test_a_height_shift_moves_along_y_only(fraction: float) -> None:
    shifted = warped(one_bright_pixel(20, 33), recipe_of(height_shift_range=0.3), {"height_shift": fraction})
    assert brightest(shifted) == (20, 33 - int(80 * fraction))


@pytest.mark.parametrize("engine", ENGINES)
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
    size: tuple[int, int], settings: dict[str, Any], values: dict[str, float], engine: str
) -> None:
    pixels = np.zeros((*size[::-1], 1), np.uint8)
    left, top = (size[0] - 10 - size[0] % 2) // 2, (size[1] - 10 - size[1] % 2) // 2
    pixels[top : size[1] - top, left : size[0] - left] = 255
    x, y = center_of_mass(warped(pixels, recipe_of("constant", **settings), values, engine=engine))
    assert math.hypot(x - (size[0] - 1) / 2, y - (size[1] - 1) / 2) < 0.5


@pytest.mark.threat(42)
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [None, (30, 10)])
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
    orientation: int, size: tuple[int, int] | None, settings: dict[str, Any], values: dict[str, float]
) -> None:
    """Turned upright after the warp, before it, or by it: the same picture."""
    stored = ramp(3, size=(24, 16))
    recipe = recipe_of("wrap", **settings)
    rendering = Rendering(size=size)
    expected = warped(np.ascontiguousarray(UPRIGHT[orientation](stored)), recipe, values, rendering=rendering)
    afterwards = UPRIGHT[orientation](warped(stored, recipe, values, orientation, rendering=rendering))
    at_once = warped(stored, recipe, values, orientation, rendering=rendering._replace(orientation="upright"))
    for made in (afterwards, at_once):
        assert made.shape == expected.shape
        assert np.abs(made.astype(int) - expected).mean() <= 1


@pytest.mark.parametrize(
    ("orientation", "region", "stored_size"),
    [(1, (0, 0, 12, 4), (10, 30)), (2, (12, 0, 24, 4), (10, 30)), (3, (12, 12, 24, 16), (10, 30)),
     (4, (0, 12, 12, 16), (10, 30)), (5, (0, 0, 6, 8), (30, 10)), (6, (0, 8, 6, 16), (30, 10)),
     (7, (18, 8, 24, 16), (30, 10)), (8, (18, 0, 24, 8), (30, 10))],
)  # fmt: skip
def test_region_and_size_are_those_of_the_upright_picture(
    orientation: int, region: tuple[int, int, int, int], stored_size: tuple[int, int]
) -> None:
    """The left half and the upper quarter of what is stored as 24 x 16, made 10 wide and 30 high."""
    recipe = recipe_of("nearest", crop_box="0,0,0.5,0.25")
    assert place((24, 16), orientation, recipe, {}, Rendering(size=(10, 30)))[:2] == (region, stored_size)
    assert place((24, 16), orientation, recipe, {}, Rendering(size=(10, 30), orientation="upright")).size == (10, 30)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_place_is_whole_where_nothing_moves(orientation: int) -> None:
    recipe = recipe_of("nearest", rotation_range=9)
    assert place((24, 16), orientation, recipe, {"rotation": 0.0}, Rendering()).is_whole((24, 16))
    assert not place((24, 16), orientation, recipe, {"rotation": 1.0}, Rendering()).is_whole((24, 16))
    assert not place((24, 16), orientation, {}, {}, Rendering(size=(25, 16))).is_whole((24, 16))


def test_a_crop_box_lets_nothing_from_outside_in() -> None:
    pixels = np.full((40, 40, 1), 200, np.uint8)
    pixels[:, 20:] = 10
    recipe = recipe_of("reflect", crop_box="0,0,0.5,1", rotation_range=30, zoom_range=0.5)
    result = warped(pixels, recipe, {"rotation": 27.0, "zoom_x": 1.5, "zoom_y": 1.4})
    assert result.min() == 200


def farthest_outside(where: Place) -> float:
    """Return how many pixels the farthest corner lies outside of the source; a pixel reaches half a step around it."""
    a, b, c, d, e, f = where.matrix
    right, bottom = where.region_size[0] - 0.5, where.region_size[1] - 0.5
    corners = [(x, y) for x in (-0.5, where.size[0] - 0.5) for y in (-0.5, where.size[1] - 0.5)]
    points = [(a * x + b * y + c, d * x + e * y + f) for x, y in corners]
    return max(max(-0.5 - x, x - right, -0.5 - y, y - bottom) for x, y in points)


@pytest.mark.parametrize("size", [(40, 80), (80, 40), (64, 64), (31, 17), (1, 9)])
@pytest.mark.parametrize("values", [
    {"rotation": 5.0}, {"rotation": -33.0}, {"rotation": 45.0}, {"rotation": 90.0}, {"rotation": 180.0},
    {"width_shift": 0.4}, {"width_shift": -0.4, "height_shift": 0.4}, {"height_shift": -0.25},
    {"zoom_x": 1.5, "zoom_y": 1.5}, {"zoom_x": 0.5, "zoom_y": 1.3},
    {"rotation": 70.0, "width_shift": -0.4, "zoom_x": 1.5, "zoom_y": 1.2, "shear": 25.0},
])  # fmt: skip
def test_inscribed_shows_no_border(values: dict[str, float], size: tuple[int, int]) -> None:
    neutral = {"rotation": 0.0, "width_shift": 0.0, "height_shift": 0.0, "shear": 0.0, "zoom_x": 1.0, "zoom_y": 1.0}
    recipe = recipe_of(
        "inscribed", rotation_range=180, width_shift_range=0.4, height_shift_range=0.4, shear_range=30, zoom_range=0.5
    )
    for orientation in range(1, 9):
        for made_size in (None, (50, 20), (200, 300)):
            where = place(size, orientation, recipe, neutral | values, Rendering(size=made_size))
            assert farthest_outside(where) <= 1e-5


def test_inscribed_changes_nothing_where_no_border_shows() -> None:
    recipe = recipe_of("inscribed", rotation_range=10)
    assert place((40, 80), 1, recipe, {"rotation": 0.0}, Rendering()).matrix == IDENTITY
    recipe = recipe_of("inscribed", zoom_range=0.5)
    magnified = place((40, 80), 1, recipe, {"zoom_x": 0.5, "zoom_y": 0.5}, Rendering()).matrix
    assert magnified == (0.5, 0.0, 9.75, 0.0, 0.5, 19.75)
    recipe = recipe_of("inscribed", horizontal_flip=True)
    flipped = place((40, 80), 1, recipe, {"horizontal_flip": True}, Rendering()).matrix
    assert flipped == (-1.0, 0.0, 39.0, 0.0, 1.0, 0.0)


def test_inscribed_does_not_mind_a_larger_size() -> None:
    recipe = recipe_of("inscribed", rotation_range=10)
    enlarged = place((40, 80), 1, recipe, {"rotation": 0.0}, Rendering(size=(80, 160)))
    assert enlarged.matrix == (0.5, 0.0, -0.25, 0.0, 0.5, -0.25)


def test_inscribed_zooms_in_just_enough() -> None:
    """A square of 101 pixels turned by 45 degrees: what is left is 1 / sqrt(2) of it, to the last pixel."""
    where = place((101, 101), 1, recipe_of("inscribed", rotation_range=45), {"rotation": 45.0}, Rendering())
    assert where.matrix == pytest.approx((0.5, -0.5, 50.0, 0.5, 0.5, 0.0), abs=1e-6)
    assert farthest_outside(where) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["Landscape", "Portrait"])
def test_a_copy_of_a_photograph_is_stored_and_tagged_as_its_source(
    odd_files: Path, name: str, orientation: int
) -> None:
    data = (odd_files / "exif_orientation" / f"{name}_{orientation}.jpg").read_bytes()
    upright_size = (80, 60) if name == "Landscape" else (60, 80)
    making = Making(
        recipe_of("reflect", rotation_range=9, width_shift_range=0.2), Rendering(size=upright_size, quality=95)
    )

    def made_of(source: bytes, making: Making) -> Any:
        made = make_copy(load_image(source), making, lambda _attempt: ({"rotation": 5.0, "width_shift": 0.1}, b"key"))
        assert made.data is not None
        return reopened(made.data)

    stored = made_of(data, making)
    assert stored.size == (upright_size if orientation < 5 else upright_size[::-1])
    assert dict(stored.getexif()) == {0x0112: orientation}
    turned = made_of(data, replace(making, rendering=making.rendering._replace(orientation="upright")))
    assert (turned.size, dict(turned.getexif())) == (upright_size, {})
    expected = made_of(encoded(ImageOps.exif_transpose(Image.open(io.BytesIO(data))), "PNG"), making)
    for made in (ImageOps.exif_transpose(stored), turned):
        assert np.abs(np.asarray(made, int) - np.asarray(expected, int)).mean() < 3
