"""Synthetic samples made visible: the nearest copy of either image, a blend, or what a decoder makes of them."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from rebalance.images.decoder import Decoded
from rebalance.images.encoding import settings_for
from rebalance.images.geometry import turned, turned_upright
from rebalance.images.picture import Picture
from rebalance.images.pipeline import Draw, Drawn, MadeFile, Making, draw_copy, finish, holds, rendered, resized
from rebalance.images.pixels import Pixels, colors_of, has_alpha, level_of, premultiplied, size_of, straight
from rebalance.images.viewing import pixels_on_white
from rebalance.plan import Rendering
from rebalance.vectors import Rows

SAME = "both pictures blend into the base: byte for byte its source"
_ROUNDED = 10_000
"""Vectors are compared in steps of 1e-4, which processors agree on."""
_TURNED_BACK = {6: 8, 8: 6}
"""EXIF orientations whose inverse is another one."""
_STRIP = 256
"""Rows that are blended at a time."""
_LUMA = (299, 587, 114)
"""Thousandths of red, green and blue (ITU-R BT.601)."""


class Parent(NamedTuple):
    """An image that a copy can be made of."""

    name: str
    """base or neighbor."""
    picture: Picture
    making: Making


class Shown(NamedTuple):
    """What is shown of a sample; of a copy, of whom it is, and its number among those that were made, from 1."""

    made: MadeFile
    parent: str | None
    candidate: int | None


def nearest_copy(
    parents: tuple[Parent, Parent],
    n_candidates: int,
    draw: Callable[[int], Draw],
    embed: Callable[[Pixels], Rows],
    aim: Rows,
) -> Shown:
    """Return, of copies of both images in turn, the one whose vector is nearest to the aim; the first of equals.

    An image whose mode the format to write does not hold has none.

    `draw` has what is drawn for a candidate, from 1; `embed` the vector of upright 8-bit colors [height, width, 3].
    """
    wanted = _in_steps(aim)
    fitting = [parent for parent in parents if holds(parent.picture, parent.making)] or parents[:1]
    best: tuple[int, Drawn, Parent, int] | None = None
    for candidate in range(1, n_candidates + 1):
        parent = fitting[(candidate - 1) % len(fitting)]
        drawn = draw_copy(parent.picture, parent.making, draw(candidate))
        difference = _in_steps(embed(shown_of(drawn.pixels, parent.picture, parent.making.rendering))) - wanted
        distance = int(difference @ difference)
        if best is None or distance < best[0]:
            best = (distance, drawn, parent, candidate)
    assert best is not None
    _, drawn, parent, candidate = best
    return Shown(finish(parent.picture, parent.making, drawn), parent.name, candidate)


def blend(base: Parent, neighbor: Picture, step: float) -> MadeFile:
    """Return (1 - step) base + step neighbor in stored values, rounded, as a file like the base.

    The neighbor is turned as the base is stored, resized to its width and height, proportions not kept, and brought to
    its mode: gray becomes colors that are equal, colors their luma, what is transparent is laid on white where the base
    has no alpha, and is opaque where the base alone has it; depths are scaled.
    """
    mixed = np.empty_like(base.picture.pixels)
    like = _like(neighbor, base.picture, base.making.rendering)
    for start in range(0, len(mixed), _STRIP):
        strip = slice(start, start + _STRIP)
        mixed[strip] = _mixed(base.picture.pixels[strip], like[strip], step)
    blended = replace(base.picture, pixels=mixed, tones={}, surfaces={})
    made = finish(base.picture, base.making, Drawn(rendered(blended, base.making.rendering), {}, 0, ()))
    return replace(made, notes=(SAME,)) if made.data is None else made


def _mixed(base: Pixels, neighbor: Pixels, step: float) -> Pixels:
    """Return some rows of a blend; colors are weighted by alpha where there is such."""
    neighbor = _in_mode(_in_depth(neighbor, base), base)
    if not has_alpha(base):
        return np.rint((1 - step) * base.astype(np.float64) + step * neighbor.astype(np.float64)).astype(base.dtype)
    weighted = (1 - step) * premultiplied(base).astype(np.float64) + step * premultiplied(neighbor).astype(np.float64)
    return straight(np.rint(weighted).astype(np.uint16), colors_of(base))


def decoded(base: Parent, made: Decoded) -> MadeFile:
    """Return a decoded picture as a file in the format of the base, upright, in the size that was asked for, if any."""
    mode = "L" if made.pixels.shape[2] == 1 else "RGB"
    own = base.picture.own
    settings = own.settings if own.mode == mode else settings_for(own.format, base.making.rendering.quality)
    header = replace(base.picture.header, mode=mode)
    picture = Picture(made.pixels, header, 1, replace(own, mode=mode, settings=settings, icc=None, orientation=None))
    pixels = rendered(picture, base.making.rendering)
    return finish(picture, base.making, Drawn(pixels, {}, 0, made.notes), is_new=True)


def _in_steps(vector: Rows) -> Pixels:
    return np.rint(vector.astype(np.float64) * _ROUNDED).astype(np.int64)


def shown_of(pixels: Pixels, picture: Picture, rendering: Rendering) -> Pixels:
    """Return what a copy of a picture shows to the eye, as embedders take it."""
    is_upright = rendering.orientation == "upright"
    return turned_upright(pixels_on_white(pixels), 1 if is_upright else picture.orientation)


def _like(picture: Picture, base: Picture, rendering: Rendering) -> Pixels:
    """Return the pixels of a picture in size and orientation of those of a base."""
    size = turned(base.orientation, size_of(base.pixels))
    upright = resized(turned_upright(picture.pixels, picture.orientation), size, rendering)
    return turned_upright(upright, _TURNED_BACK.get(base.orientation, base.orientation))


def _in_depth(pixels: Pixels, like: Pixels) -> Pixels:
    if pixels.dtype == like.dtype:
        return pixels
    return np.rint(pixels * (level_of(like) / level_of(pixels))).astype(like.dtype)


def _in_mode(pixels: Pixels, like: Pixels) -> Pixels:
    """Return pixels with the channels of others."""
    top = np.iinfo(like.dtype).max
    colors = colors_of(pixels)
    if has_alpha(pixels) and not has_alpha(like):
        share = pixels[:, :, -1:].astype(np.float64) / top
        colors = np.rint(colors * share + top * (1 - share)).astype(like.dtype)
    if colors.shape[2] != colors_of(like).shape[2]:
        colors = _gray(colors) if colors.shape[2] == 3 else np.repeat(colors, 3, axis=2)
    if not has_alpha(like):
        return colors
    alpha = pixels[:, :, -1:] if has_alpha(pixels) else np.full((*pixels.shape[:2], 1), top, like.dtype)
    return np.concatenate([colors, alpha], axis=2)


def _gray(colors: Pixels) -> Pixels:
    luma = sum(colors[:, :, index].astype(np.int64) * weight for index, weight in enumerate(_LUMA))
    return ((np.asarray(luma) + 500) // 1000).astype(colors.dtype)[:, :, None]
