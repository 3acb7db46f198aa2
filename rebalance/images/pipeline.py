"""From one decoded source and what is drawn for a copy to the bytes of its file."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rebalance.errors import UnfitImageError
from rebalance.images import steps
from rebalance.images.codec import Header
from rebalance.images.encoding import encode
from rebalance.images.engines import engine_of
from rebalance.images.geometry import Surface, sample, scaled
from rebalance.images.levels import adjust
from rebalance.images.modes import held_mode
from rebalance.images.picture import Picture, encoding_of
from rebalance.images.pixels import Box, Fill, Pixels, Size, border_of, colors_of, level_of, size_of, top_of
from rebalance.images.placing import Place, place, untouched_place
from rebalance.images.quality import MOST_ATTEMPTS, is_alike, is_bordered, is_flat, is_still
from rebalance.matrices import Values
from rebalance.plan import Recipe, Rendering
from rebalance.recipes import draws_levels
from rebalance.transforms import TRANSFORMS

UNCHANGED = "the drawn values change nothing: byte for byte its source"

Draw = Callable[[int], tuple[Values, bytes]]
"""From the attempt, from 0, to the drawn values and the key of what else is random."""


@dataclass(frozen=True, slots=True)
class Making:
    """How files are made of a picture."""

    recipe: Recipe
    rendering: Rendering
    file_format: str | None = None
    """That of the suffix, where it is not the source's."""


@dataclass(frozen=True, slots=True)
class MadeFile:
    """One made file; `data` is None where it is its source, byte for byte."""

    data: bytes | None
    header: Header
    values: Values
    attempt: int
    notes: tuple[str, ...]


class Drawn(NamedTuple):
    """A copy before it is encoded."""

    pixels: Pixels
    values: Values
    attempt: int
    notes: tuple[str, ...]


class _Stages(NamedTuple):
    """The pixels of a copy after the geometry, after the levels too, and after every step."""

    place: Place
    sampled: Pixels
    toned: Pixels
    done: Pixels


def make_copy(picture: Picture, making: Making, draw: Draw) -> MadeFile:
    """Return a copy by drawn values as a file. Raises UnfitImageError where its format does not hold the mode."""
    return finish(picture, making, draw_copy(picture, making, draw))


def draw_copy(picture: Picture, making: Making, draw: Draw) -> Drawn:
    """Return a copy by values that are drawn again while it shows too little or nearly is its source."""
    for attempt in range(MOST_ATTEMPTS + 1):
        values, key = draw(attempt)
        where = _place(picture, making, values)
        is_last = attempt == MOST_ATTEMPTS
        objection = "lies outside of its source for more than 40 %" if is_bordered(where) else None
        if objection and not is_last:
            continue
        stages = _render(picture, making, where, values, key)
        objection = objection or _objection(picture, making, stages)
        if objection is None or is_last:
            break
    notes = (f"{objection}, even when drawn again {MOST_ATTEMPTS} times",) if objection else ()
    return Drawn(stages.done, values, attempt, notes)


def remake(picture: Picture, making: Making, values: Values, key: bytes) -> MadeFile:
    """Return the file that these values make; without a recipe, the picture as it is."""
    stages = _render(picture, making, _place(picture, making, values), values, key)
    return finish(picture, making, Drawn(stages.done, values, 0, ()))


def rendered(picture: Picture, rendering: Rendering) -> Pixels:
    """Return the pixels of a picture for which nothing is drawn."""
    making = Making({}, rendering)
    return _render(picture, making, _place(picture, making, {}), {}, b"").done


def resized(pixels: Pixels, size: Size, rendering: Rendering) -> Pixels:
    """Return upright pixels in another size, sampled as the rendering has it."""
    where = place(size_of(pixels), 1, {}, {}, rendering._replace(size=size))
    engine = engine_of(rendering.engine)
    return sample(pixels, where.matrix, size, fill="nearest", interpolation=rendering.interpolation, engine=engine)


def format_written(picture: Picture, making: Making) -> str:
    """Return the format in which what is made of a picture is written."""
    return encoding_of(picture, making.rendering, making.file_format).format


def holds(picture: Picture, making: Making) -> bool:
    """Return whether the format that is to be written holds the mode of a picture."""
    encoding = encoding_of(picture, making.rendering, making.file_format)
    try:
        held_mode(encoding.mode, encoding.format)
    except UnfitImageError:
        return False
    return True


def finish(picture: Picture, making: Making, drawn: Drawn, *, is_new: bool = False) -> MadeFile:
    """Return a copy as a file, or something new. Raises UnfitImageError where its format does not hold the mode."""
    encoding = encoding_of(picture, making.rendering, making.file_format)
    may_be_same = not is_new and making.rendering.originals == "keep" and encoding.format == picture.own.format
    if may_be_same and _are_equal(drawn.pixels, picture.pixels):
        return MadeFile(None, picture.header, drawn.values, drawn.attempt, (UNCHANGED,))
    encoded = encode(drawn.pixels, encoding, making.rendering.engine)
    opened, header = picture.header.mode, Header(*size_of(drawn.pixels), encoded.mode, encoding.format)
    notes = drawn.notes
    if opened != encoded.mode:
        notes = (f"mode {opened} became {encoded.mode}", *notes)
    return MadeFile(encoded.data, header, drawn.values, drawn.attempt, notes)


def _render(picture: Picture, making: Making, where: Place, values: Values, key: bytes) -> _Stages:
    """Return the pixels that these values make; the source's own where they change nothing."""
    recipe = making.recipe
    sampled = _sampled(picture, where, making)
    toned = adjust(sampled, recipe, values, picture.tone_in(where.region)) if draws_levels(recipe) else sampled
    done = toned
    for transform in TRANSFORMS:
        if transform.step and transform.key in recipe:
            done = getattr(steps, transform.step)(done, values, key, recipe)
    return _Stages(where, sampled, toned, done)


def _place(picture: Picture, making: Making, values: Values) -> Place:
    return place(picture.size, picture.orientation, making.recipe, values, making.rendering)


def _sampled(picture: Picture, where: Place, making: Making) -> Pixels:
    if where.is_whole(picture.size):
        return picture.pixels
    matrix = where.matrix if picture.scale == 1 else scaled(where.matrix, 1 / picture.scale, 1 / picture.scale)
    return _surface(picture, where.region, making).sample(matrix, where.size)


def _surface(picture: Picture, region: Box, making: Making) -> Surface:
    """Return what all copies of a part of a picture are sampled from."""
    recipe, rendering = making.recipe, making.rendering
    made_by = (region, recipe.get("fill_mode"), recipe.get("cval"), rendering.interpolation, rendering.engine)
    if made_by not in picture.surfaces:
        part = picture.part(region)
        engine = engine_of(rendering.engine)
        picture.surfaces[made_by] = Surface(part, _fill(part, recipe), rendering.interpolation, engine)
    return picture.surfaces[made_by]


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


def _objection(picture: Picture, making: Making, stages: _Stages) -> str | None:
    """Return what speaks against a copy that lies within its source."""
    where = stages.place
    if is_flat(stages.toned) and not is_flat(picture.part(where.region)):
        return "shows nothing"
    if making.rendering.originals == "transform" or where.region_size != picture.size:
        return None
    untouched = untouched_place(picture.size, picture.orientation, making.rendering)
    if not is_still(where.matrix, untouched.matrix, where.region_size):
        return None
    is_like = is_alike(stages.toned, stages.sampled) and np.array_equal(stages.done, stages.toned)
    return "is its source within a pixel, a degree and 2 %" if is_like else None


def _are_equal(pixels: Pixels, other: Pixels) -> bool:
    """Return whether pixels are the same; most that differ do so in some of a few rows."""
    return pixels is other or (np.array_equal(pixels[::64], other[::64]) and np.array_equal(pixels, other))
