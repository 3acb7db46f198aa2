"""The transforms, one entry a transform: option, meaning, neutral value, draw and matrix. Pure Python.

Names are those of Keras' `ImageDataGenerator`, meanings those its documentation states. A matrix maps output to input,
in pixels (x right, y down) about the centre of the upright picture; an entry further up lies nearer to the source.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

from rebalance.drawing import draw_unit
from rebalance.plan import Recipe

Setting = Any
Values = Mapping[str, float | bool]
Matrix = tuple[float, float, float, float, float, float]
"""(a, b, c, d, e, f): input x = a x + b y + c, input y = d x + e y + f."""
Unit = Callable[[str], float]
"""From the name of a parameter to its u in [0, 1)."""

IDENTITY: Matrix = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def multiply(left: Matrix, right: Matrix) -> Matrix:
    """Return the matrix that applies `right`, then `left`."""
    a, b, c, d, e, f = left
    g, h, i, j, k, m = right
    return (a * g + b * j, a * h + b * k, a * i + b * m + c, d * g + e * j, d * h + e * k, d * i + e * m + f)


def between(low: float, high: float, u: float) -> float:
    """Return the value at u of a range, rounded to the 6 decimals that the manifest shows."""
    return round(low + (high - low) * u, 6)


@dataclass(frozen=True, slots=True)
class Transform:
    """One transform. `parse` raises ValueError with the legal range."""

    key: str
    help: str
    metavar: str
    neutral: Setting
    parse: Callable[[object], Setting]
    draw: Callable[[Setting, Unit], Values]
    matrix: Callable[[Values, float, float], Matrix] | None = None
    """From drawn values, width and height (pixels) to a matrix about the centre."""
    region: Callable[[Setting], tuple[float, float, float, float]] | None = None
    """From the setting to the part of the picture that exists at all: left, top, right, bottom in fractions."""
    n_values: int = 1

    @property
    def is_flag(self) -> bool:
        """Whether the setting is on or off."""
        return isinstance(self.neutral, bool)


def _numbers(value: object, legal: str) -> list[float]:
    """Return a setting as finite numbers: from a number, a list, or text with commas."""
    parts: Iterable[Any] = (
        value.split(",") if isinstance(value, str) else value if isinstance(value, list | tuple) else [value]
    )
    try:
        numbers = [math.nan if isinstance(part, bool) else float(part) for part in parts]
    except (TypeError, ValueError, OverflowError):
        raise ValueError(legal) from None
    if not all(math.isfinite(number) for number in numbers):
        raise ValueError(legal)
    return numbers


def _amount(legal: str, is_legal: Callable[[float], bool]) -> Callable[[object], float]:
    def parse(value: object) -> float:
        numbers = _numbers(value, legal)
        if len(numbers) != 1 or not is_legal(numbers[0]):
            raise ValueError(legal)
        return numbers[0]

    return parse


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _zoom(value: object) -> tuple[float, float]:
    legal = "Z with 0 <= Z <= 0.99 (a zoom from 1-Z to 1+Z), or LOW,HIGH with 0.01 <= LOW <= HIGH <= 100"
    numbers = _numbers(value, legal)
    if len(numbers) == 1 and 0 <= numbers[0] <= 0.99:
        return (round(1 - numbers[0], 9), round(1 + numbers[0], 9))
    if len(numbers) == 2 and 0.01 <= numbers[0] <= numbers[1] <= 100:
        return (numbers[0], numbers[1])
    raise ValueError(legal)


def _crop_range(value: object) -> tuple[float, float]:
    legal = "LOW HIGH, shares of the area, with 0.001 <= LOW <= HIGH <= 1"
    numbers = _numbers(value, legal)
    if len(numbers) == 2 and 0.001 <= numbers[0] <= numbers[1] <= 1:
        return (numbers[0], numbers[1])
    raise ValueError(legal)


def _crop_box(value: object) -> tuple[float, float, float, float]:
    legal = "LEFT,TOP,RIGHT,BOTTOM in fractions, with 0 <= LEFT < RIGHT <= 1 and 0 <= TOP < BOTTOM <= 1"
    numbers = _numbers(value, legal)
    if len(numbers) == 4 and 0 <= numbers[0] < numbers[2] <= 1 and 0 <= numbers[1] < numbers[3] <= 1:
        return (numbers[0], numbers[1], numbers[2], numbers[3])
    raise ValueError(legal)


def _draw_crop(setting: tuple[float, float], unit: Unit) -> Values:
    """Draw the crop: share of the area, aspect relative to the source's (log-uniform), and where it lies."""
    return {
        "crop_area": between(*setting, unit("crop_area")),
        "crop_aspect": round(math.exp(between(-math.log(4 / 3), math.log(4 / 3), unit("crop_aspect"))), 6),
        "crop_x": between(0, 1, unit("crop_x")),
        "crop_y": between(0, 1, unit("crop_y")),
    }


def _crop_matrix(values: Values, width: float, height: float) -> Matrix:
    """Return the crop scaled back to the source's size; a side that would pass the picture's is cut to it."""
    area, aspect = values["crop_area"], values["crop_aspect"]
    across = min(1.0, max(area, math.sqrt(area * aspect)))
    down = area / across
    return (
        across, 0.0, (values["crop_x"] - 0.5) * (1 - across) * width,
        0.0, down, (values["crop_y"] - 0.5) * (1 - down) * height,
    )  # fmt: skip


def _rotation(values: Values, _width: float, _height: float) -> Matrix:
    cosine, sine = _cos_sin(values["rotation"])
    return (cosine, -sine, 0.0, sine, cosine, 0.0)


def _shear(values: Values, _width: float, _height: float) -> Matrix:
    cosine, sine = _cos_sin(values["shear"])
    return (1.0, -sine, 0.0, 0.0, cosine, 0.0)


def _cos_sin(degrees: float) -> tuple[float, float]:
    """Return cosine and sine, exact at right angles."""
    radians = math.radians(degrees)
    return round(math.cos(radians), 15), round(math.sin(radians), 15)


def _draw_shift(name: str) -> Callable[[float, Unit], Values]:
    """Draw a shift: a fraction below 1, pixels from 1."""
    return lambda setting, unit: {
        name if setting < 1 else f"{name}_pixels": between(-setting, setting, unit(name)),
    }


def _width_shift(values: Values, width: float, _height: float) -> Matrix:
    return (1.0, 0.0, values.get("width_shift_pixels", values.get("width_shift", 0.0) * width), 0.0, 1.0, 0.0)


def _height_shift(values: Values, _width: float, height: float) -> Matrix:
    return (1.0, 0.0, 0.0, 0.0, 1.0, values.get("height_shift_pixels", values.get("height_shift", 0.0) * height))


def _symmetric(name: str) -> Callable[[float, Unit], Values]:
    return lambda setting, unit: {name: between(-setting, setting, unit(name))}


def _draw_zoom(setting: tuple[float, float], unit: Unit) -> Values:
    return {name: between(*setting, unit(name)) for name in ("zoom_x", "zoom_y")}


def _coin(name: str) -> Callable[[bool, Unit], Values]:
    return lambda _setting, unit: {name: unit(name) < 0.5}


_SHIFT = _amount("a fraction below 1, or pixels from 1 to 1000000", lambda shift: 0 <= shift <= 10**6)

TRANSFORMS: tuple[Transform, ...] = (
    Transform(
        "crop_box", "Take this part of every picture as the whole picture, in fractions of it.", "L,T,R,B",
        (0.0, 0.0, 1.0, 1.0), _crop_box, draw=lambda _setting, _unit: {}, region=lambda setting: setting,
    ),
    Transform(
        "crop_range", "Crop to a share of the area, aspect within 3/4..4/3 of the source's, scaled back to its size.",
        "LOW HIGH", (1.0, 1.0), _crop_range, _draw_crop, _crop_matrix, n_values=2,
    ),
    Transform(
        "rotation_range", "Turn by up to this many degrees, either way.", "DEGREES",
        0.0, _amount("degrees from 0 to 360", lambda degrees: 0 <= degrees <= 360), _symmetric("rotation"), _rotation,
    ),
    Transform(
        "width_shift_range", "Shift along x: below 1 a fraction of the width, from 1 pixels.", "SHIFT",
        0.0, _SHIFT, _draw_shift("width_shift"), _width_shift,
    ),
    Transform(
        "height_shift_range", "Shift along y: below 1 a fraction of the height, from 1 pixels.", "SHIFT",
        0.0, _SHIFT, _draw_shift("height_shift"), _height_shift,
    ),
    Transform(
        "shear_range", "Shear by up to this many degrees, either way.", "DEGREES",
        0.0, _amount("degrees from 0 to 89", lambda degrees: 0 <= degrees <= 89), _symmetric("shear"), _shear,
    ),
    Transform(
        "zoom_range", "Zoom each axis by a factor from 1-Z to 1+Z, or LOW to HIGH; below 1 magnifies.", "Z|LOW,HIGH",
        (1.0, 1.0), _zoom, _draw_zoom,
        lambda values, _width, _height: (values["zoom_x"], 0.0, 0.0, 0.0, values["zoom_y"], 0.0),
    ),
    Transform(
        "horizontal_flip", "Mirror left and right, for half of the copies.", metavar="", neutral=False, parse=_flag,
        draw=_coin("horizontal_flip"),
        matrix=lambda values, _width, _height: (-1.0 if values["horizontal_flip"] else 1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    ),
    Transform(
        "vertical_flip", "Mirror top and bottom, for half of the copies.", metavar="", neutral=False, parse=_flag,
        draw=_coin("vertical_flip"),
        matrix=lambda values, _width, _height: (1.0, 0.0, 0.0, 0.0, -1.0 if values["vertical_flip"] else 1.0, 0.0),
    ),
)  # fmt: skip

BY_KEY: Mapping[str, Transform] = {transform.key: transform for transform in TRANSFORMS}

FILL_MODES = ("nearest", "reflect", "wrap", "constant")
INTERPOLATIONS = ("nearest", "bilinear", "bicubic")


def make_recipe(settings: Mapping[str, Setting], *, fill_mode: str, cval: int, interpolation: str) -> Recipe:
    """Return the recipe of these parsed settings: without what is neutral or None, empty where nothing remains."""
    recipe = {
        transform.key: settings[transform.key]
        for transform in TRANSFORMS
        if settings.get(transform.key) not in (None, transform.neutral)
    }
    if not recipe:
        return {}
    fill = {"fill_mode": fill_mode} | ({"cval": cval} if fill_mode == "constant" else {})
    return {**recipe, **fill, "interpolation": interpolation}


def draw_values(recipe: Recipe, seed: int, path: str, copy_number: int) -> dict[str, float | bool]:
    """Return the values of one copy of one source."""
    return {
        name: value
        for key, setting in recipe.items()
        if key in BY_KEY
        for name, value in BY_KEY[key].draw(setting, lambda name: draw_unit(name, seed, path, copy_number)).items()
    }


def compose_matrix(recipe: Recipe, values: Values, width: float, height: float) -> Matrix:
    """Return the one matrix of these values, about the centre of the upright picture."""
    matrices = [
        transform.matrix(values, width, height)
        for transform in TRANSFORMS
        if transform.matrix is not None and transform.key in recipe
    ]
    return reduce(multiply, matrices, IDENTITY)


def region_of(recipe: Recipe) -> tuple[float, float, float, float]:
    """Return the part of the picture that exists: left, top, right, bottom in fractions."""
    for transform in TRANSFORMS:
        if transform.region is not None and transform.key in recipe:
            return transform.region(recipe[transform.key])
    return (0.0, 0.0, 1.0, 1.0)
