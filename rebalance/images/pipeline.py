"""From one decoded source and what is drawn for a copy to the bytes of its file."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rebalance.images import steps
from rebalance.images.codec import Header, Picture, encoding_of
from rebalance.images.encoding import encode
from rebalance.images.engines import engine_of
from rebalance.images.geometry import Fill, sample, turned
from rebalance.images.levels import adjust
from rebalance.images.pixels import Pixels, border_of, colors_of, level_of, part_of, size_of, top_of
from rebalance.images.placing import Place, place
from rebalance.images.quality import MOST_ATTEMPTS, is_alike, is_bordered, is_flat, is_still
from rebalance.matrices import Values
from rebalance.plan import Recipe, Rendering
from rebalance.recipes import compose_matrix, draws_levels
from rebalance.transforms import TRANSFORMS

Draw = Callable[[int], tuple[Values, bytes]]
"""From the attempt, from 0, to the drawn values and the key of what else is random."""


@dataclass(frozen=True, slots=True)
class Making:
    """How files are made of a picture."""

    recipe: Recipe
    rendering: Rendering
    file_format: str | None = None
    """That of the suffix, where it is not the source's."""
    originals: str = "keep"
    """Kept: a copy that changes nothing is one of bytes. Kept or reencoded: a copy that is like them is drawn again."""


@dataclass(frozen=True, slots=True)
class Made:
    """One made file; `data` is None where it is its source, byte for byte."""

    data: bytes | None
    header: Header
    values: Values
    attempt: int
    note: str | None


class _Stages(NamedTuple):
    """The pixels of a copy after the geometry, after the levels too, and after every step."""

    place: Place
    sampled: Pixels
    toned: Pixels
    done: Pixels


def make_copy(picture: Picture, making: Making, draw: Draw) -> Made:
    """Return a copy by values that are drawn again while it shows too little or nearly is its source.

    Raises UnfitImageError where the format to write does not hold the mode.
    """
    for attempt in range(MOST_ATTEMPTS + 1):
        values, key = draw(attempt)
        stages = _render(picture, making, values, key)
        objection = _objection(picture, making, values, stages)
        if objection is None:
            break
    note = f"{objection}, even when drawn again {MOST_ATTEMPTS} times" if objection else None
    return _finished(picture, making, stages.done, values, attempt, note)


def remake(picture: Picture, making: Making, values: Values, key: bytes) -> Made:
    """Return the file that these values make; without a recipe, the picture as it is."""
    return _finished(picture, making, _render(picture, making, values, key).done, values, 0, None)


def _render(picture: Picture, making: Making, values: Values, key: bytes) -> _Stages:
    """Return the pixels that these values make; the source's own where they change nothing."""
    recipe = making.recipe
    where = place(size_of(picture.pixels), picture.orientation, recipe, values, making.rendering)
    sampled = _sampled(picture.pixels, where, recipe, making.rendering)
    toned = adjust(sampled, recipe, values, picture.tone_in(where.region)) if draws_levels(recipe) else sampled
    done = toned
    for transform in TRANSFORMS:
        if transform.step and transform.key in recipe:
            done = getattr(steps, transform.step)(done, values, key, recipe)
    return _Stages(where, sampled, toned, done)


def _sampled(pixels: Pixels, where: Place, recipe: Recipe, rendering: Rendering) -> Pixels:
    if where.is_whole(size_of(pixels)):
        return pixels
    part = part_of(pixels, where.region)
    return sample(
        part,
        where.matrix,
        where.size,
        fill=_fill(part, recipe),
        interpolation=rendering.interpolation,
        engine=engine_of(rendering.engine),
    )


def _fill(pixels: Pixels, recipe: Recipe) -> Fill:
    """Return what lies outside of a picture: a way to continue it, or one pixel."""
    fill_mode = str(recipe.get("fill_mode", "nearest"))
    if fill_mode == "median":
        median: Pixels = np.rint(np.median(border_of(pixels), axis=0)).astype(pixels.dtype)
        return median[None, None]
    if fill_mode == "constant":
        fill = np.full((1, 1, pixels.shape[2]), top_of(pixels), pixels.dtype)
        colors_of(fill)[:] = recipe["cval"] * level_of(pixels)
        return fill
    return "reflect" if fill_mode == "inscribed" else fill_mode


def _objection(picture: Picture, making: Making, values: Values, stages: _Stages) -> str | None:
    """Return what speaks against a copy."""
    where = stages.place
    if is_bordered(where.matrix, where.size, where.region_size):
        return "lies outside of its source for more than 40 %"
    if is_flat(stages.toned) and not is_flat(part_of(picture.pixels, where.region)):
        return "shows nothing"
    is_whole = where.region_size == size_of(picture.pixels)
    upright_size = turned(picture.orientation, size_of(picture.pixels))
    if making.originals == "transform" or not is_whole:
        return None
    if not is_still(compose_matrix(making.recipe, values, *upright_size)):
        return None
    is_like = is_alike(stages.toned, stages.sampled) and np.array_equal(stages.done, stages.toned)
    return "is its source within a pixel, a degree and 2 %" if is_like else None


def _finished(picture: Picture, making: Making, pixels: Pixels, values: Values, attempt: int, note: str | None) -> Made:
    encoding = encoding_of(picture, making.rendering, making.file_format)
    is_same = pixels is picture.pixels or np.array_equal(pixels, picture.pixels)
    if is_same and making.originals == "keep" and encoding.format == picture.own.format:
        return Made(None, picture.header, values, attempt, "the drawn values change nothing: a copy")
    encoded = encode(pixels, encoding)
    header = Header(*size_of(pixels), encoded.mode, encoding.format)
    notes = "; ".join(told for told in (picture.note, note) if told)
    return Made(encoded.data, header, values, attempt, notes or None)
