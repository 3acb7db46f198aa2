"""Sampling 8-bit gray or color with numpy alone: the channels of a pixel lie side by side in one word, 21 bits each.

One addition or multiplication then does for all channels, in whole numbers, which are the same on every machine.
"""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from rebalance.images.pixels import Pixels, Point, Size
from rebalance.matrices import Matrix

_Words = npt.NDArray[np.uint64]
_Places = npt.NDArray[np.int64]

_LANE = 21
_LANES = 1 | 1 << _LANE | 1 << 2 * _LANE
"""One in every lane: what multiplies a number into all of them."""
_FRACTION_BITS = 6
"""A place is rounded to 1/64 of a pixel."""
_PLACE_BITS = 32
_ROWS = 32
"""Rows of the output at a time: what is computed of them stays in the cache of a processor."""
_SHARPNESS = -0.75
"""The parameter a of the cubic kernel (Keys 1981), as OpenCV has it."""
_ACROSS_BITS, _BETWEEN_BITS, _DOWN_BITS = 11, 3, 8
"""Of a cubic weight along x, of what is left of a level between both passes, of a weight along y."""
_BIAS = 128
"""Gray levels added to what a cubic kernel makes, twice, since it may fall below black: by 48, then by 114."""


def pack(pixels: Pixels) -> Pixels:
    """Return pixels [height, width, 1 or 3], uint8, as words [height, width, 1]; of gray, two lanes are empty."""
    if pixels.shape[2] == 1:
        return pixels.astype(np.uint64)
    fours = np.frombuffer(Image.fromarray(np.ascontiguousarray(pixels)).tobytes("raw", "RGBX"), "<u4")
    colors = fours.astype(np.uint64).reshape(*pixels.shape[:2], 1)
    words = np.bitwise_and(colors, np.uint64(0xFF))
    words |= (colors & 0xFF00) << (_LANE - 8)
    words |= (colors & 0xFF0000) << (2 * _LANE - 16)
    return words


@dataclass(frozen=True, slots=True)
class Words:
    """Pixels of one word each, to be sampled bilinearly or on cubics."""

    words: Pixels
    n_channels: int
    is_cubic: bool

    def warp(self, matrix: Matrix, origin: Point, size: Size) -> Pixels:
        """Return `size` pixels whose (x, y) is the picture's at matrix (x, y); the first word lies at `origin`.

        Every place needs a pixel more to the right and below; a cubic one, two, and one to the left and above.
        """
        width, height = size
        flat, stride = self.words.reshape(-1), self.words.shape[1]
        made = np.empty((height, width), np.uint32)
        first = _first_line(matrix, origin, width)
        sample = _cubic if self.is_cubic else _linear
        for top in range(0, height, _ROWS):
            rows = range(top, min(top + _ROWS, height))
            index, across, down = _places(first, rows, stride)
            made[rows.start : rows.stop] = _in_bytes(sample(flat, stride, index, across, down))
        if self.n_channels == 1:
            return made.astype(np.uint8)[:, :, None]
        fours = Image.frombuffer("RGBX", size, made.astype("<u4", copy=False), "raw", "RGBX", 0, 1)
        return np.frombuffer(fours.tobytes("raw", "RGB"), np.uint8).reshape(height, width, 3)


class _Line(NamedTuple):
    """Where the places of the first line of an output lie, and how far those of the next lie from there."""

    x: _Places
    y: _Places
    x_step: int
    y_step: int


def _first_line(matrix: Matrix, origin: Point, width: int) -> _Line:
    """Return places in 2^-32 of a pixel, so far beyond their own that to cut them off is to round them to 1/64."""
    x_step, x_row, x_start, y_step, y_row, y_start = (round(value * 2**_PLACE_BITS) for value in matrix)
    half = 2 ** (_PLACE_BITS - _FRACTION_BITS - 1)
    x_start, y_start = (start - (n << _PLACE_BITS) + half for start, n in zip((x_start, y_start), origin, strict=True))
    columns = np.arange(width, dtype=np.int64)
    return _Line(columns * x_step + x_start, columns * y_step + y_start, x_row, y_row)


def _places(first: _Line, rows: range, stride: int) -> tuple[_Places, _Words, _Words]:
    """Return the index of the pixel above and left of every place, and how far it is from there, in 1/64."""
    lines = np.arange(rows.start, rows.stop, dtype=np.int64)[:, None]
    x = first.x + lines * first.x_step
    y = first.y + lines * first.y_step
    x >>= _PLACE_BITS - _FRACTION_BITS
    y >>= _PLACE_BITS - _FRACTION_BITS
    fraction = 2**_FRACTION_BITS - 1
    across, down = (x & fraction).view(np.uint64), (y & fraction).view(np.uint64)
    x >>= _FRACTION_BITS
    y >>= _FRACTION_BITS
    y *= stride
    y += x
    return y, across, down


def _linear(flat: _Words, stride: int, index: _Places, across: _Words, down: _Words) -> _Words:
    """Return the level of every lane, 0 to 255, between the four pixels around a place."""
    above = _between(flat.take(index), flat[1:].take(index), across)
    below = _between(flat[stride:].take(index), flat[stride + 1 :].take(index), across)
    made = _between(above, below, down)
    made += 2 ** (2 * _FRACTION_BITS - 1) * _LANES
    made >>= 2 * _FRACTION_BITS
    made &= 255 * _LANES
    return made


def _between(first: _Words, second: _Words, share: _Words) -> _Words:
    """Return 64 first + share (second - first); what is negative on the way is borrowed and given back."""
    second -= first
    second *= share
    first <<= _FRACTION_BITS
    first += second
    return first


def _cubic(flat: _Words, stride: int, index: _Places, across: _Words, down: _Words) -> _Words:
    """Return the level of every lane, 0 to 255, on the cubics through sixteen pixels around a place."""
    beside = [weights.take(across) for weights in _cubic_weights(_ACROSS_BITS)]
    below = [weights.take(down) for weights in _cubic_weights(_DOWN_BITS)]
    dropped, left = _ACROSS_BITS - _BETWEEN_BITS, _BETWEEN_BITS + _DOWN_BITS
    made = np.full(index.shape, (_BIAS * 2**left + 2 ** (left - 1)) * _LANES, np.uint64)
    index -= stride + 1
    for row, weight in enumerate(below):
        line = np.full(index.shape, (_BIAS * 2**_ACROSS_BITS + 2 ** (dropped - 1)) * _LANES, np.uint64)
        for step, share in enumerate(beside):
            pixel = flat[row * stride + step :].take(index)
            pixel *= share
            line += pixel
        line >>= dropped
        line &= (2 ** (_LANE - dropped) - 1) * _LANES
        line *= weight
        made += line
    return _cut_off(made, left)


@cache
def _cubic_weights(bits: int) -> list[_Words]:
    """Return the weights [64] of the pixels at -1, 0, 1 and 2, in whole numbers that add up to 2^bits."""
    t = np.arange(2**_FRACTION_BITS) / 2**_FRACTION_BITS
    a = _SHARPNESS
    outer = [a * (s**3 - 5 * s**2 + 8 * s - 4) for s in (1 + t, 2 - t)]
    after = (a + 2) * (1 - t) ** 3 - (a + 3) * (1 - t) ** 2 + 1
    before, beyond, right = (np.rint(weights * 2**bits).astype(np.int64) for weights in (*outer, after))
    here = 2**bits - before - beyond - right
    return [weights.astype(np.uint64) for weights in (before, here, right, beyond)]


def _cut_off(made: _Words, bits: int) -> _Words:
    """Return levels of 0 to 255 of what has `bits` of fraction and 256 levels added: below is black, above white."""
    is_inside, is_above = (made >> (bits + 8)) & _LANES, (made >> (bits + 9)) & _LANES
    is_inside *= 255
    is_above *= 255
    made >>= bits
    made &= is_inside
    made |= is_above
    return made


def _in_bytes(levels: _Words) -> _Words:
    """Return the levels of the lanes side by side in the lowest bytes."""
    third = levels >> (2 * _LANE - 16)
    third &= 0xFF0000
    second = levels >> (_LANE - 8)
    second &= 0xFF00
    levels &= 0xFF
    levels |= second
    levels |= third
    return levels
