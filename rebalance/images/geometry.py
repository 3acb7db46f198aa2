"""Sampling a picture once through one matrix, with what lies outside of it filled in."""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from rebalance.images.engines import Engine
from rebalance.images.pixels import Box, Pixels, Size, colors_of, has_alpha, premultiplied, size_of, straight
from rebalance.matrices import IDENTITY, Matrix, multiply

_MARGIN = 3
"""Pixels that a bicubic sample may reach beyond its own place, and one for rounding."""
_SHRINKS = 1.5
"""Source pixels a step above which the source is averaged first."""
_DECIMALS = 9
_LEAST_LIMIT = 2**20
"""Pixels of the input that one step may always gather; above it, twice those of the picture."""
_LONGEST = 2**15 - 1
"""Pixels that a side may have for OpenCV."""

Indices = npt.NDArray[np.intp]
Fill = str | Pixels
"""What lies outside: nearest, reflect, wrap, or one pixel [1, 1, channels]."""


def centered(matrix: Matrix, size: Size, region: Box) -> Matrix:
    """Return a matrix about the center as one between pixel indices, from `size` (width, height) into `region`."""
    width, height = size
    left, top, right, bottom = region
    to_center = (1.0, 0.0, -(width - 1) / 2, 0.0, 1.0, -(height - 1) / 2)
    into_region = (
        (right - left) / width, 0.0, (left + right - 1) / 2,
        0.0, (bottom - top) / height, (top + bottom - 1) / 2,
    )  # fmt: skip
    return multiply(into_region, multiply(matrix, to_center))


def to_upright(orientation: int, size: Size) -> Matrix:
    """Return the matrix from stored to upright pixel indices for an EXIF orientation; size is the stored one."""
    right, bottom = size[0] - 1, size[1] - 1
    return {
        1: IDENTITY,
        2: (-1.0, 0.0, right, 0.0, 1.0, 0.0),
        3: (-1.0, 0.0, right, 0.0, -1.0, bottom),
        4: (1.0, 0.0, 0.0, 0.0, -1.0, bottom),
        5: (0.0, 1.0, 0.0, 1.0, 0.0, 0.0),
        6: (0.0, -1.0, bottom, 1.0, 0.0, 0.0),
        7: (0.0, -1.0, bottom, -1.0, 0.0, right),
        8: (0.0, 1.0, 0.0, -1.0, 0.0, right),
    }[orientation]


def to_stored(orientation: int, size: Size) -> Matrix:
    """Return the inverse of `to_upright` (its linear part is orthogonal)."""
    a, b, c, d, e, f = to_upright(orientation, size)
    return (a, d, -(a * c + d * f), b, e, -(b * c + e * f))


def turned(orientation: int, size: Size) -> Size:
    """Return a size as it is after or before turning upright."""
    return size if orientation < 5 else (size[1], size[0])


def turned_upright(pixels: Pixels, orientation: int) -> Pixels:
    """Return stored pixels as their EXIF orientation has them."""
    size = size_of(pixels)
    return _moved(pixels, to_stored(orientation, size), turned(orientation, size), "nearest")


def rounded(matrix: Matrix) -> Matrix:
    """Return the matrix as it is applied: rounded, and without negative zeros."""
    a, b, c, d, e, f = (round(value, _DECIMALS) + 0.0 for value in matrix)
    return (a, b, c, d, e, f)


def sample(pixels: Pixels, matrix: Matrix, size: Size, *, fill: Fill, interpolation: str, engine: Engine) -> Pixels:
    """Return pixels of `size` whose (x, y) is the input's at matrix (x, y), in pixel indices.

    Outside the input, fill nearest is edge, reflect dcba|abcd|dcba, wrap abcd|abcd|abcd, a pixel that pixel. Where the
    matrix shrinks by more than 1.5 the input is box-averaged first, unless the nearest pixel is asked for; where it
    only moves whole pixels, nothing is interpolated.
    """
    if _moves_whole_pixels(matrix):
        return _moved(pixels, matrix, size, fill)

    def interpolate(pixels: Pixels, fill: Fill) -> Pixels:
        return _interpolated(pixels, matrix, size, fill=fill, interpolation=interpolation, engine=engine)

    if not has_alpha(pixels):
        return interpolate(pixels, fill)
    visible = interpolate(premultiplied(pixels), fill if isinstance(fill, str) else premultiplied(fill))
    hidden = interpolate(colors_of(pixels), fill if isinstance(fill, str) else colors_of(fill))
    return straight(visible, hidden)


def _interpolated(
    pixels: Pixels, matrix: Matrix, size: Size, *, fill: Fill, interpolation: str, engine: Engine
) -> Pixels:
    if interpolation != "nearest":
        pixels, matrix = _reduced(pixels, matrix, engine)
    output = np.empty((size[1], size[0], pixels.shape[2]), pixels.dtype)
    for tile in _tiles((0, 0, *size), matrix, limit=2 * pixels.shape[0] * pixels.shape[1] + _LEAST_LIMIT):
        box = _reach(tile, matrix)
        from_tile = multiply((1, 0, -box[0], 0, 1, -box[1]), multiply(matrix, (1, 0, tile[0], 0, 1, tile[1])))
        tile_size = (tile[2] - tile[0], tile[3] - tile[1])
        warped = engine.warp(_patch(pixels, box, fill), from_tile, tile_size, interpolation)
        output[tile[1] : tile[3], tile[0] : tile[2]] = warped
    return output


def _moves_whole_pixels(matrix: Matrix) -> bool:
    a, b, c, d, e, f = matrix
    is_turn = (abs(a), abs(b), abs(d), abs(e)) in ((1, 0, 0, 1), (0, 1, 1, 0))
    return is_turn and c == round(c) and f == round(f)


def _moved(pixels: Pixels, matrix: Matrix, size: Size, fill: Fill) -> Pixels:
    """Return the pixels moved by flips, right angles and whole pixels."""
    a, b, _, d, e, _ = (round(value) for value in matrix)
    patch = _patch(pixels, _reach((0, 0, *size), matrix, margin=0), fill)
    moved = patch[::e, ::a] if b == 0 else patch.transpose(1, 0, 2)[::b, ::d]
    return np.ascontiguousarray(moved)


def _reduced(pixels: Pixels, matrix: Matrix, engine: Engine) -> tuple[Pixels, Matrix]:
    """Average the source over what one step of the output covers, along each of its axes."""
    a, b, c, d, e, f = matrix
    steps = [math.hypot(a, b), math.hypot(d, e)]
    lengths = (pixels.shape[1], pixels.shape[0])
    width, height = (
        max(1, round(length / step)) if step > _SHRINKS else length for length, step in zip(lengths, steps, strict=True)
    )
    if (width, height) == lengths:
        return pixels, matrix
    across, down = width / lengths[0], height / lengths[1]
    scaled = (
        a * across, b * across, (c + 0.5) * across - 0.5,
        d * down, e * down, (f + 0.5) * down - 0.5,
    )  # fmt: skip
    return engine.shrink(pixels, (width, height)), rounded(scaled)


def _tiles(tile: Box, matrix: Matrix, *, limit: int) -> Iterator[Box]:
    """Yield parts of the output small enough that the part of the input they reach has at most `limit` pixels."""
    left, top, right, bottom = tile
    reach = _reach(tile, matrix)
    width, height = reach[2] - reach[0], reach[3] - reach[1]
    is_small = width * height <= limit and max(width, height, right - left, bottom - top) <= _LONGEST
    if is_small or (right - left <= 1 and bottom - top <= 1):
        yield tile
    elif right - left >= bottom - top:
        middle = (left + right) // 2
        yield from _tiles((left, top, middle, bottom), matrix, limit=limit)
        yield from _tiles((middle, top, right, bottom), matrix, limit=limit)
    else:
        middle = (top + bottom) // 2
        yield from _tiles((left, top, right, middle), matrix, limit=limit)
        yield from _tiles((left, middle, right, bottom), matrix, limit=limit)


def _reach(tile: Box, matrix: Matrix, margin: int = _MARGIN) -> Box:
    """Return the box of input pixels that a part of the output may sample."""
    a, b, c, d, e, f = matrix
    xs = [a * x + b * y + c for x in (tile[0], tile[2] - 1) for y in (tile[1], tile[3] - 1)]
    ys = [d * x + e * y + f for x in (tile[0], tile[2] - 1) for y in (tile[1], tile[3] - 1)]
    return (
        math.floor(min(xs)) - margin,
        math.floor(min(ys)) - margin,
        math.ceil(max(xs)) + margin + 1,
        math.ceil(max(ys)) + margin + 1,
    )


def _patch(pixels: Pixels, box: Box, fill: Fill) -> Pixels:
    """Return a box of the input, filled in where it reaches outside."""
    left, top, right, bottom = box
    height, width = pixels.shape[:2]
    if left >= 0 and top >= 0 and right <= width and bottom <= height:
        return pixels[top:bottom, left:right]
    if isinstance(fill, str):
        rows = pixels[_folded(np.arange(top, bottom), height, fill)]
        inside = rows[:, max(left, 0) : max(min(right, width), 0)]
        before = rows[:, _folded(np.arange(left, min(right, 0)), width, fill)]
        after = rows[:, _folded(np.arange(max(left, width), right), width, fill)]
        return np.concatenate([before, inside, after], axis=1)
    patch = np.broadcast_to(fill, (bottom - top, right - left, pixels.shape[2])).copy()
    inner = (slice(max(top, 0), max(min(bottom, height), 0)), slice(max(left, 0), max(min(right, width), 0)))
    source = pixels[inner]
    y, x = inner[0].start - top, inner[1].start - left
    patch[y : y + source.shape[0], x : x + source.shape[1]] = source
    return patch


def _folded(indices: Indices, length: int, fill: str) -> Indices:
    """Return indices of any value as indices of 0 to length - 1."""
    if fill == "nearest":
        return np.clip(indices, 0, length - 1)
    if fill == "wrap":
        return indices % length
    period = indices % (2 * length)
    return np.minimum(period, 2 * length - 1 - period)
