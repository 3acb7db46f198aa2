"""Recipes: the settings that are not neutral, the values drawn for one copy, and the matrix these make. Pure Python."""

import math
from collections.abc import Mapping
from functools import partial, reduce

from rebalance.drawing import attempt_key, draw_unit
from rebalance.matrices import IDENTITY, Matrix, Values, multiply
from rebalance.plan import Recipe
from rebalance.transforms import BY_KEY, TRANSFORMS, Setting

FILL_MODES = ("nearest", "reflect", "wrap", "constant", "median", "inscribed")
ERASING_FILLS = ("noise", "mean", "constant")
FILL_SETTINGS = ("fill_mode", "cval", "erasing_fill")
"""Settings of a recipe that are no transforms: what is filled in."""


def make_recipe(settings: Mapping[str, Setting]) -> Recipe:
    """Return the recipe of these parsed settings: without what is neutral, None or of no effect."""
    recipe = {
        transform.key: settings[transform.key]
        for transform in TRANSFORMS
        if settings.get(transform.key) not in (None, transform.neutral)
    }
    fills = {name: settings[name] for key in recipe if (name := BY_KEY[key].fill_setting)}
    if "constant" in fills.values():
        fills["cval"] = settings["cval"]
    return recipe | fills


def unseen_recipe(recipe: Recipe) -> Recipe:
    """Return a recipe whose draws leave the traces that those of another leave, and that look the same to the eye.

    Ranges are cut down to half a degree, a pixel, 1 or 2 %; flips, crops to a part and erasing are left out, noise and
    blur stay: they are traces.
    """
    shrunk = {
        key: unseen(setting)
        for key, setting in recipe.items()
        if key in BY_KEY and (unseen := BY_KEY[key].unseen) is not None
    }
    return make_recipe({**recipe, **dict.fromkeys(BY_KEY), **shrunk})


def draws_levels(recipe: Recipe) -> bool:
    """Return whether a recipe may change levels or colors."""
    return any(BY_KEY[key].curve or BY_KEY[key].mix for key in recipe if key in BY_KEY)


def draw_values(recipe: Recipe, seed: int, path: str, copy_number: int, attempt: int = 0) -> dict[str, float | bool]:
    """Return the values of one copy of one source."""
    unit = partial(draw_unit, seed=seed, path=path, copy_number=copy_number, attempt=attempt)
    return {
        name: value
        for key, setting in recipe.items()
        if key in BY_KEY
        for name, value in BY_KEY[key].draw(setting, unit).items()
    }


def told_recipe(recipe: Recipe) -> str:
    """Return what is drawn, in a line."""
    return ", ".join(f"{key} {value}" for key, value in recipe.items()) or "nothing drawn"


def told_values(values: Mapping[str, float | bool]) -> list[str]:
    """Return drawn values in words, what is left as it is aside."""
    return [
        name.replace("_", " ") if value is True else f"{name.replace('_', ' ')} {value:.4g}"
        for name, value in values.items()
        if value is not False
    ]


def draw_attempt(
    recipe: Recipe, seed: int, path: str, copy_number: int, attempt: int
) -> tuple[dict[str, float | bool], bytes]:
    """Return the values of one copy of one source, and the key of what else is random."""
    return draw_values(recipe, seed, path, copy_number, attempt), attempt_key(seed, path, copy_number, attempt)


def draw_candidate(
    recipe: Recipe, seed: int, sample: tuple[str, int], candidate: int, attempt: int = 0
) -> tuple[dict[str, float | bool], bytes]:
    """Return the values and the key of one candidate for a synthetic sample: its base's path and its copy number."""
    return draw_attempt(recipe, seed, f"{sample[0]}\0{sample[1]}", candidate, attempt)


def compose_matrix(recipe: Recipe, values: Values, width: float, height: float) -> Matrix:
    """Return the one matrix of these values, about the center of the upright picture."""
    transforms = (transform for transform in TRANSFORMS if transform.key in recipe)
    return reduce(multiply, (entry.matrix(values, width, height) for entry in transforms if entry.matrix), IDENTITY)


def closest_of(recipe: Recipe) -> float:
    """Return the least share of a side of a picture that a draw of this recipe shows; 0 where that is not known."""
    if region_of(recipe) != (0.0, 0.0, 1.0, 1.0) or recipe.get("fill_mode") == "inscribed":
        return 0.0
    return math.prod(
        (
            min(1.0, closest(setting))
            for key, setting in recipe.items()
            if key in BY_KEY and (closest := BY_KEY[key].closest) is not None
        ),
        start=1.0,
    )


def region_of(recipe: Recipe) -> tuple[float, float, float, float]:
    """Return the part of the picture that exists: left, top, right, bottom in fractions."""
    for transform in TRANSFORMS:
        if transform.region is not None and transform.key in recipe:
            return transform.region(recipe[transform.key])
    return (0.0, 0.0, 1.0, 1.0)
