"""The transforms, one entry a transform: option, meaning, neutral value, draw, and what it does. Pure Python.

Names are those of Keras' `ImageDataGenerator` where it has them, meanings those its documentation states. The order is
that of the work, seen from the source: the part of the picture that exists, one matrix, one mix of the colors, one
curve of the levels, then the steps. Levels are gray levels of 255, whatever the depth of the picture.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from rebalance import matrices
from rebalance.matrices import Matrix, Values
from rebalance.parsers import Parser, Range, amount, box, factors, flag, shares, strength

Setting = Any
Unit = Callable[[str], float]
"""From the name of a parameter to its u in [0, 1)."""
Levels = Any
"""An array of levels: what a curve does to it is arithmetic and `clip`."""
Mix = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]
"""Rows that make the new red, green and blue of the old ones."""


LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in the luma (ITU-R BT.601)."""


class Tone(NamedTuple):
    """What a curve may know of a source: its darkest and brightest level, and the mean of its luma."""

    low: float
    high: float
    mean: float


@dataclass(frozen=True, slots=True)
class Transform:
    """One transform; of `region`, `matrix`, `mix`, `curve` and `step` it has one."""

    key: str
    help: str
    metavar: str
    neutral: Setting
    parse: Parser
    draw: Callable[[Setting, Unit], Values]
    n_values: int = 1
    region: Callable[[Setting], tuple[float, float, float, float]] | None = None
    """From the setting to the part of the picture that exists at all: left, top, right, bottom in fractions."""
    matrix: Callable[[Values, float, float], Matrix] | None = None
    """From drawn values, width and height (pixels) to a matrix about the center."""
    mix: Callable[[Values], Mix] | None = None
    curve: Callable[[Values, Levels, Tone], Levels] | None = None
    """From levels to levels; beyond 0 and 255 they are clipped after it."""
    step: str | None = None
    """The name of a function of `images.steps`: pixels, drawn values, key of the copy, recipe -> pixels."""
    fill: str | None = None
    """The setting that says what it fills with; what moves pixels has `fill_mode`."""
    closest: Callable[[Setting], float] | None = None
    """From a setting to the least share of a side of the picture that a draw shows, enlarged; without, it is all."""
    unseen: Callable[[Setting], Setting] | None = None
    """From a setting to one that leaves the traces it leaves and that nobody sees; without, there is none."""

    @property
    def is_flag(self) -> bool:
        """Whether the setting is on or off."""
        return isinstance(self.neutral, bool)

    @property
    def moves_pixels(self) -> bool:
        """Whether it is part of the geometry."""
        return self.matrix is not None or self.region is not None

    @property
    def fill_setting(self) -> str | None:
        """Return the setting that says what it fills with."""
        return "fill_mode" if self.moves_pixels else self.fill


def _at_most(most: float) -> Callable[[float], float]:
    return lambda setting: min(setting, most)


def _within_limits(low: float, high: float) -> Callable[[Range], Range]:
    return lambda setting: (min(max(setting[0], low), high), min(max(setting[1], low), high))


def _unseen_shift(setting: float) -> float:
    """Return a shift of a pixel at most, or of a 400th of the side."""
    return min(setting, 1.0 if setting >= 1 else 0.0025)


def _as_it_is(setting: Setting) -> Setting:
    return setting


def between(low: float, high: float, u: float) -> float:
    """Return the value at u of a range, rounded to the 6 decimals that the manifest shows."""
    return round(low + (high - low) * u, 6)


def _symmetric(name: str) -> Callable[[float, Unit], Values]:
    return lambda setting, unit: {name: between(-setting, setting, unit(name))}


def _within(*names: str) -> Callable[[Range, Unit], Values]:
    return lambda setting, unit: {name: between(*setting, unit(name)) for name in names}


def _coin(name: str) -> Callable[[bool, Unit], Values]:
    return lambda _setting, unit: {name: unit(name) < 0.5}


def _draw_shift(name: str) -> Callable[[float, Unit], Values]:
    """Draw a shift: a fraction below 1, pixels from 1."""
    return lambda setting, unit: {
        name if setting < 1 else f"{name}_pixels": between(-setting, setting, unit(name)),
    }


def _draw_part(name: str, aspect: float) -> Callable[[Range, Unit], Values]:
    """Draw a part of the picture: share of the area, aspect relative to the picture's (log-uniform), where it lies."""
    return lambda setting, unit: {
        f"{name}_area": between(*setting, unit(f"{name}_area")),
        f"{name}_aspect": round(math.exp(between(-math.log(aspect), math.log(aspect), unit(f"{name}_aspect"))), 6),
        f"{name}_x": between(0, 1, unit(f"{name}_x")),
        f"{name}_y": between(0, 1, unit(f"{name}_y")),
    }


def _saturation(values: Values) -> Mix:
    """Return the mix that moves every color away from its luma (ITU-R BT.601) by a factor."""
    factor = values["saturation"]
    luma = [(1 - factor) * weight for weight in LUMA]
    red, green, blue = ([weight + factor * (row == column) for column, weight in enumerate(luma)] for row in range(3))
    return ((red[0], red[1], red[2]), (green[0], green[1], green[2]), (blue[0], blue[1], blue[2]))


_SHIFT = amount("a fraction below 1, or pixels from 1 to 1000000", lambda shift: 0 <= shift <= 10**6)

TRANSFORMS: tuple[Transform, ...] = (
    Transform(
        "crop_box", "Take this part of every picture as the whole picture, in fractions of it.", "L,T,R,B",
        (0.0, 0.0, 1.0, 1.0), box, draw=lambda _setting, _unit: {}, region=lambda setting: setting,
    ),
    Transform(
        "crop_range", "Crop to a share of the area, aspect within 3/4..4/3 of the source's, scaled back to its size.",
        "LOW HIGH", (1.0, 1.0), shares(0.001, 1), _draw_part("crop", 4 / 3), n_values=2, matrix=matrices.crop,
        closest=lambda setting: math.sqrt(setting[0] * 3 / 4), unseen=_within_limits(0.98, 1),
    ),
    Transform(
        "rotation_range", "Turn by up to this many degrees, either way.", "DEGREES", 0.0,
        amount("degrees from 0 to 360", lambda degrees: 0 <= degrees <= 360), _symmetric("rotation"),
        matrix=matrices.rotation, unseen=_at_most(0.5),
    ),
    Transform(
        "width_shift_range", "Shift along x: below 1 a fraction of the width, from 1 pixels.", "SHIFT",
        0.0, _SHIFT, _draw_shift("width_shift"), matrix=matrices.width_shift, unseen=_unseen_shift,
    ),
    Transform(
        "height_shift_range", "Shift along y: below 1 a fraction of the height, from 1 pixels.", "SHIFT",
        0.0, _SHIFT, _draw_shift("height_shift"), matrix=matrices.height_shift, unseen=_unseen_shift,
    ),
    Transform(
        "shear_range", "Shear by up to this many degrees, either way.", "DEGREES", 0.0,
        amount("degrees from 0 to 89", lambda degrees: 0 <= degrees <= 89), _symmetric("shear"), matrix=matrices.shear,
        closest=lambda degrees: math.cos(math.radians(degrees)), unseen=_at_most(0.5),
    ),
    Transform(
        "zoom_range", "Zoom each axis by a factor from 1-Z to 1+Z, or LOW to HIGH; below 1 magnifies.", "Z|LOW,HIGH",
        (1.0, 1.0), factors(0.01, 100), _within("zoom_x", "zoom_y"), matrix=matrices.zoom,
        closest=lambda setting: setting[0], unseen=_within_limits(0.99, 1.01),
    ),
    Transform(
        "horizontal_flip", "Mirror left and right, for half of the draws.", metavar="", neutral=False, parse=flag,
        draw=_coin("horizontal_flip"), matrix=matrices.horizontal_flip,
    ),
    Transform(
        "vertical_flip", "Mirror top and bottom, for half of the draws.", metavar="", neutral=False, parse=flag,
        draw=_coin("vertical_flip"), matrix=matrices.vertical_flip,
    ),
    Transform(
        "saturation_range", "Take colors away from their gray by a factor from 1-S to 1+S, or LOW to HIGH.",
        "S|LOW,HIGH", (1.0, 1.0), factors(0, 10), _within("saturation"), mix=_saturation,
        unseen=_within_limits(0.98, 1.02),
    ),
    Transform(
        "channel_shift_range", "Add up to this many gray levels, either way, but not beyond the source's own range.",
        "LEVELS", 0.0, amount("gray levels from 0 to 255", lambda levels: 0 <= levels <= 255),
        _symmetric("channel_shift"),
        curve=lambda values, levels, tone: (levels + values["channel_shift"]).clip(tone.low, tone.high),
        unseen=_at_most(2),
    ),
    Transform(
        "brightness_range", "Multiply levels by a factor from 1-B to 1+B, or LOW to HIGH; 0 is black.",
        "B|LOW,HIGH", (1.0, 1.0), factors(0, 10), _within("brightness"),
        curve=lambda values, levels, _tone: levels * values["brightness"], unseen=_within_limits(0.98, 1.02),
    ),
    Transform(
        "contrast_range", "Take levels away from the mean luma by a factor from 1-C to 1+C, or LOW to HIGH.",
        "C|LOW,HIGH", (1.0, 1.0), factors(0, 10), _within("contrast"),
        curve=lambda values, levels, tone: tone.mean + (levels - tone.mean) * values["contrast"],
        unseen=_within_limits(0.98, 1.02),
    ),
    Transform(
        "gamma_range", "Raise levels to a power from 1-G to 1+G, or LOW to HIGH; below 1 brightens.",
        "G|LOW,HIGH", (1.0, 1.0), factors(0.05, 20), _within("gamma"),
        curve=lambda values, levels, _tone: 255 * (levels / 255) ** values["gamma"], unseen=_within_limits(0.98, 1.02),
    ),
    Transform(
        "gaussian_noise", "Add Gaussian noise of this standard deviation in gray levels, or of one drawn from a range.",
        "SIGMA|LOW,HIGH", (0.0, 0.0), strength(0, 255, "gray levels"), _within("gaussian_noise"),
        step="add_gaussian_noise", unseen=_as_it_is,
    ),
    Transform(
        "poisson_noise", "Let every pixel count photons: so many a gray level, or a number drawn from a range.",
        "PHOTONS|LOW,HIGH", (0.0, 0.0), strength(0.01, 1000, "photons a gray level"), _within("poisson_noise"),
        step="add_poisson_noise", unseen=_as_it_is,
    ),
    Transform(
        "gaussian_blur", "Blur with a Gaussian of this standard deviation in pixels, or of one drawn from a range.",
        "SIGMA|LOW,HIGH", (0.0, 0.0), strength(0, 100, "pixels"), _within("gaussian_blur"), step="blur",
        unseen=_as_it_is,
    ),
    Transform(
        "random_erasing", "Fill a rectangle of a share of the area, aspect within 3/10..10/3 of the picture's.",
        "LOW HIGH", (0.0, 0.0), shares(0.0, 0), _draw_part("erased", 10 / 3), n_values=2,
        step="erase", fill="erasing_fill",
    ),
)  # fmt: skip

BY_KEY: Mapping[str, Transform] = {transform.key: transform for transform in TRANSFORMS}
