"""Sampling a picture once through one matrix, with what lies outside of it filled in."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from rebalance.images.engines import Engine
from rebalance.images.pixels import Box, Fill, Pixels, Size, colors_of, has_alpha, premultiplied, size_of, straight
from rebalance.matrices import IDENTITY, Matrix, multiply

_MARGIN = 3
"""Pixels that a bicubic sample may reach beyond its own place, and one for rounding."""
_NEAR = 1.25
"""How much a copy may be zoomed to be sampled from what was averaged to the size of the output."""
_SHRINKS = 1.5
"""Source pixels a step above which the source is averaged first."""
_MOST_SMALLER = 8
"""Smaller sizes of one picture that are kept."""
_DECIMALS = 9
_LONGEST = 2**15 - 1
"""Pixels that a side may have for OpenCV."""

Indices = npt.NDArray[np.intp]


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


class Surface:
    """A picture that is sampled through one matrix after another; what an engine makes of it beforehand is kept."""

    def __init__(self, pixels: Pixels, fill: Fill, interpolation: str, engine: Engine) -> None:
        """Take pixels, and what lies outside: nearest edge, reflect dcba|abcd|dcba, wrap abcd|abcd, a pixel that pixel.

        Sampling is by the nearest pixel, bilinear or bicubic.
        """
        self._pixels, self._fill, self._interpolation, self._engine = pixels, fill, interpolation, engine
        self._planes: list[_Plane] = []

    def sample(self, matrix: Matrix, size: Size) -> Pixels:
        """Return pixels of `size` whose (x, y) is the picture's at matrix (x, y), in pixel indices.

        Where the matrix shrinks by more than 1.5 the picture is box-averaged first, unless the nearest pixel is asked
        for; where it only moves whole pixels, nothing is interpolated.
        """
        if _moves_whole_pixels(matrix):
            return _moved(self._pixels, matrix, size, self._fill)
        if not self._planes:
            self._planes = [self._plane(part) for part in self._parts()]
        sampled = [plane.sample(matrix, size) for plane in self._planes]
        return sampled[0] if len(sampled) == 1 else straight(*sampled)

    def _parts(self) -> tuple[Callable[[Pixels], Pixels], ...]:
        """Return what is interpolated: the pixels; with alpha, what is visible, and the colors as they stand."""
        return (premultiplied, colors_of) if has_alpha(self._pixels) else (np.asarray,)

    def _plane(self, part: Callable[[Pixels], Pixels]) -> "_Plane":
        fill = self._fill if isinstance(self._fill, str) else part(self._fill)
        return _Plane(part(self._pixels), fill, self._interpolation, self._engine)


class _Plane:
    """Pixels that are interpolated, all channels alike, as an engine wants them: with surroundings where it does."""

    def __init__(self, pixels: Pixels, fill: Fill, interpolation: str, engine: Engine) -> None:
        self._pixels, self._fill, self._interpolation, self._engine = pixels, fill, interpolation, engine
        self._is_small = _fits((0, 0, *size_of(pixels)), engine.most_pixels)
        self._packed: Pixels | None = None
        self._box: Box | None = None
        self._prepared: object = None
        self._smaller: dict[Size, _Plane] = {}

    def sample(self, matrix: Matrix, size: Size) -> Pixels:
        own_size = size_of(self._pixels)
        reduced_size = _reduced_size(own_size, size, matrix)
        if reduced_size != own_size and self._interpolation != "nearest":
            across, down = (new / old for new, old in zip(reduced_size, own_size, strict=True))
            return self._reduced(reduced_size).sample(scaled(matrix, across, down), size)
        tiles = list(_tiles((0, 0, *size), matrix, self._engine.most_pixels))
        if len(tiles) == 1:
            return self._warped(tiles[0], matrix)
        output = np.empty((size[1], size[0], self._pixels.shape[2]), self._pixels.dtype)
        for tile in tiles:
            output[tile[1] : tile[3], tile[0] : tile[2]] = self._warped(tile, matrix)
        return output

    def _reduced(self, size: Size) -> "_Plane":
        """Return the plane averaged to a smaller size; the last few are kept."""
        if size not in self._smaller:
            if len(self._smaller) == _MOST_SMALLER:
                self._smaller.clear()
            pixels = self._engine.shrink(self._pixels, size)
            self._smaller[size] = _Plane(pixels, self._fill, self._interpolation, self._engine)
        return self._smaller[size]

    def _warped(self, tile: Box, matrix: Matrix) -> Pixels:
        """Return a part of the output, from the part of the picture that it reaches."""
        box = self._box_around(_reach(tile, matrix))
        if box != self._box:
            n_channels = self._pixels.shape[2]
            self._prepared = self._engine.prepare(self._part(box), n_channels, self._fill, self._interpolation)
            self._box = box
        from_tile = multiply(matrix, (1, 0, tile[0], 0, 1, tile[1]))
        return self._engine.warp(self._prepared, from_tile, box[:2], (tile[2] - tile[0], tile[3] - tile[1]))

    def _part(self, box: Box) -> Pixels:
        """Return a part of the packed pixels, with what lies outside; small pictures are packed once."""
        if not self._is_small:
            return self._engine.pack(_patch(self._pixels, box, self._fill), self._interpolation)
        if self._packed is None:
            self._packed = self._engine.pack(self._pixels, self._interpolation)
        fill = self._fill if isinstance(self._fill, str) else self._engine.pack(self._fill, self._interpolation)
        return _patch(self._packed, box, fill)

    def _box_around(self, reach: Box) -> Box:
        """Return the part of the plane to prepare: what is made of it must not depend on what else was made."""
        if not self._is_small:
            return reach
        if self._engine.fills_in(self._fill, self._interpolation):
            return (0, 0, *size_of(self._pixels))
        if not self._engine.is_exact(self._pixels, self._interpolation):
            return reach
        if self._box is not None and _holds(self._box, reach):
            return self._box
        wider = _widened(reach, self._box or reach)
        return wider if _fits(wider, self._engine.most_pixels) else reach


def sample(pixels: Pixels, matrix: Matrix, size: Size, *, fill: Fill, interpolation: str, engine: Engine) -> Pixels:
    """Return what is sampled once of a picture that is needed no more."""
    return Surface(pixels, fill, interpolation, engine).sample(matrix, size)


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


def _reduced_size(size: Size, made: Size, matrix: Matrix) -> Size:
    """Return the size to average a picture to so that a step of the output is about a pixel, along each of its axes.

    That is the size of the output for every copy that is zoomed by a quarter at most, so that they share what is
    averaged; for others, steps are taken in halves of a pixel.
    """
    a, b, _, d, e, _ = matrix
    lengths = []
    for length, made_length, step in zip(size, made, (math.hypot(a, b), math.hypot(d, e)), strict=True):
        whole = length / made_length
        taken = whole if 1 / _NEAR <= step / whole <= _NEAR else round(2 * step) / 2
        lengths.append(max(1, round(length / taken)) if taken > _SHRINKS else length)
    return lengths[0], lengths[1]


def scaled(matrix: Matrix, across: float, down: float) -> Matrix:
    """Return a matrix into a picture as one into what is left of it when its sides are multiplied."""
    a, b, c, d, e, f = matrix
    return rounded((
        a * across, b * across, (c + 0.5) * across - 0.5,
        d * down, e * down, (f + 0.5) * down - 0.5,
    ))  # fmt: skip


def _tiles(tile: Box, matrix: Matrix, most: int) -> Iterator[Box]:
    """Yield parts of the output so small that the part of the picture each reaches can be gathered at one time."""
    left, top, right, bottom = tile
    if (_fits(tile, most) and _fits(_reach(tile, matrix), most)) or (right - left <= 1 and bottom - top <= 1):
        yield tile
    elif right - left >= bottom - top:
        middle = (left + right) // 2
        yield from _tiles((left, top, middle, bottom), matrix, most)
        yield from _tiles((middle, top, right, bottom), matrix, most)
    else:
        middle = (top + bottom) // 2
        yield from _tiles((left, top, right, middle), matrix, most)
        yield from _tiles((left, middle, right, bottom), matrix, most)


def _fits(box: Box, most: int) -> bool:
    """Return whether a box has so few pixels, and sides as short as OpenCV takes them."""
    width, height = box[2] - box[0], box[3] - box[1]
    return width * height <= most and max(width, height) <= _LONGEST


def _holds(box: Box, other: Box) -> bool:
    return box[0] <= other[0] and box[1] <= other[1] and box[2] >= other[2] and box[3] >= other[3]


def _widened(box: Box, other: Box) -> Box:
    """Return what holds two boxes, and an eighth of the longer side more all around."""
    left, top, right, bottom = (*map(min, box[:2], other[:2]), *map(max, box[2:], other[2:]))
    more = max(right - left, bottom - top) // 8
    return (left - more, top - more, right + more, bottom + more)


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
        patch = np.empty((bottom - top, right - left, pixels.shape[2]), pixels.dtype)
        rows = _folded(np.arange(top, bottom), height, fill)
        start, stop = max(left, 0), max(min(right, width), 0)
        if start < stop:
            patch[:, start - left : stop - left] = pixels[:, start:stop].take(rows, axis=0)
        for columns in (np.arange(left, min(right, 0)), np.arange(max(left, width), right)):
            patch[:, columns - left] = pixels[:, _folded(columns, width, fill)].take(rows, axis=0)
        return patch
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
