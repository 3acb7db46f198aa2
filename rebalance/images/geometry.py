"""Sampling a picture once through one matrix, with what lies outside of it filled in."""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image

from rebalance.transforms import IDENTITY, Matrix, multiply

_RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
_MARGIN = 3
"""Pixels that a bicubic sample may reach beyond its own place, and one for rounding."""
_SHRINKS = 1.5
"""Source pixels a step above which the source is averaged first."""
_DECIMALS = 9
_LEAST_LIMIT = 2**20
"""Pixels of the input that one step may always gather; above it, twice those of the picture."""
_PACKED = {"L": ("L", np.uint8), "RGB": ("RGBX", np.uint32)}
"""Mode -> Pillow's raw mode and the numpy type that hold one pixel in one number."""

Indices = npt.NDArray[np.intp]
Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom lie outside."""


def centered(matrix: Matrix, size: tuple[int, int], region: Box) -> Matrix:
    """Return a matrix about the centre as one between pixel indices, from `size` (width, height) into `region`."""
    width, height = size
    left, top, right, bottom = region
    to_center = (1.0, 0.0, -(width - 1) / 2, 0.0, 1.0, -(height - 1) / 2)
    into_region = (
        (right - left) / width, 0.0, (left + right - 1) / 2,
        0.0, (bottom - top) / height, (top + bottom - 1) / 2,
    )  # fmt: skip
    return multiply(into_region, multiply(matrix, to_center))


def to_upright(orientation: int, size: tuple[int, int]) -> Matrix:
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


def to_stored(orientation: int, size: tuple[int, int]) -> Matrix:
    """Return the inverse of `to_upright` (its linear part is orthogonal)."""
    a, b, c, d, e, f = to_upright(orientation, size)
    return (a, d, -(a * c + d * f), b, e, -(b * c + e * f))


def rounded(matrix: Matrix) -> Matrix:
    """Return the matrix as it is applied: rounded, and without negative zeros."""
    a, b, c, d, e, f = (round(value, _DECIMALS) + 0.0 for value in matrix)
    return (a, b, c, d, e, f)


def sample(
    image: Image.Image, matrix: Matrix, size: tuple[int, int], *, fill_mode: str, cval: int, interpolation: str
) -> Image.Image:
    """Return a picture of `size` whose pixel (x, y) is the input's at matrix (x, y), in pixel indices.

    Outside the input, fill_mode nearest is edge, reflect dcba|abcd|dcba, wrap abcd|abcd|abcd, constant cval (0 to 255).
    Where the matrix shrinks by more than 1.5 the input is box-averaged first, unless the nearest pixel is asked for;
    where it only moves whole pixels, nothing is interpolated.
    """
    if _moves_whole_pixels(matrix):
        interpolation = "nearest"
    elif interpolation != "nearest":
        image, matrix = _reduced(image, matrix)
    output = Image.new(image.mode, size, None)
    for tile in _tiles((0, 0, *size), matrix, limit=2 * image.width * image.height + _LEAST_LIMIT):
        box = _reach(tile, matrix)
        patch = _patch(image, box, fill_mode, cval)
        coefficients = _pillow_coefficients(matrix, tile, box)
        tile_size = (tile[2] - tile[0], tile[3] - tile[1])
        warped = patch.transform(tile_size, Image.Transform.AFFINE, coefficients, _RESAMPLING[interpolation])
        if tile_size == size:
            return warped
        output.paste(warped, tile[:2])
    return output


def _moves_whole_pixels(matrix: Matrix) -> bool:
    a, b, c, d, e, f = matrix
    is_turn = (abs(a), abs(b), abs(d), abs(e)) in ((1, 0, 0, 1), (0, 1, 1, 0))
    return is_turn and c == round(c) and f == round(f)


def _reduced(image: Image.Image, matrix: Matrix) -> tuple[Image.Image, Matrix]:
    """Average the source over what one step of the output covers, along each of its axes."""
    a, b, c, d, e, f = matrix
    steps = [math.hypot(a, b), math.hypot(d, e)]
    width, height = (
        max(1, round(length / step)) if step > _SHRINKS else length
        for length, step in zip(image.size, steps, strict=True)
    )
    if (width, height) == image.size:
        return image, matrix
    across, down = width / image.width, height / image.height
    scaled = (
        a * across, b * across, (c + 0.5) * across - 0.5,
        d * down, e * down, (f + 0.5) * down - 0.5,
    )  # fmt: skip
    return image.resize((width, height), Image.Resampling.BOX), rounded(scaled)


def _tiles(tile: Box, matrix: Matrix, *, limit: int) -> Iterator[Box]:
    """Yield parts of the output small enough that the part of the input they reach has at most `limit` pixels."""
    left, top, right, bottom = tile
    reach = _reach(tile, matrix)
    if (reach[2] - reach[0]) * (reach[3] - reach[1]) <= limit or (right - left <= 1 and bottom - top <= 1):
        yield tile
    elif right - left >= bottom - top:
        middle = (left + right) // 2
        yield from _tiles((left, top, middle, bottom), matrix, limit=limit)
        yield from _tiles((middle, top, right, bottom), matrix, limit=limit)
    else:
        middle = (top + bottom) // 2
        yield from _tiles((left, top, right, middle), matrix, limit=limit)
        yield from _tiles((left, middle, right, bottom), matrix, limit=limit)


def _reach(tile: Box, matrix: Matrix) -> Box:
    """Return the box of input pixels that a part of the output may sample."""
    a, b, c, d, e, f = matrix
    xs = [a * x + b * y + c for x in (tile[0], tile[2] - 1) for y in (tile[1], tile[3] - 1)]
    ys = [d * x + e * y + f for x in (tile[0], tile[2] - 1) for y in (tile[1], tile[3] - 1)]
    return (
        math.floor(min(xs)) - _MARGIN,
        math.floor(min(ys)) - _MARGIN,
        math.ceil(max(xs)) + _MARGIN + 1,
        math.ceil(max(ys)) + _MARGIN + 1,
    )


def _patch(image: Image.Image, box: Box, fill_mode: str, cval: int) -> Image.Image:
    """Return a box of the input, filled in where it reaches outside."""
    left, top, right, bottom = box
    size = (right - left, bottom - top)
    if left >= 0 and top >= 0 and right <= image.width and bottom <= image.height:
        return image.crop(box)
    if fill_mode == "constant":
        patch = Image.new(image.mode, size, (cval,) * len(image.getbands()))
        patch.paste(image, (-left, -top))
        return patch
    columns = _folded(np.arange(left, right), image.width, fill_mode)
    rows = _folded(np.arange(top, bottom), image.height, fill_mode)
    packing, dtype = _PACKED[image.mode]
    pixels = np.frombuffer(image.tobytes("raw", packing), dtype).reshape(image.height, image.width)
    filled = pixels.take(rows, axis=0).take(columns, axis=1)
    return Image.frombytes(image.mode, size, filled.tobytes(), "raw", packing)


def _folded(indices: Indices, length: int, fill_mode: str) -> Indices:
    """Return indices of any value as indices of 0 to length - 1."""
    if fill_mode == "nearest":
        return np.clip(indices, 0, length - 1)
    if fill_mode == "wrap":
        return indices % length
    period = indices % (2 * length)
    return np.minimum(period, 2 * length - 1 - period)


def _pillow_coefficients(matrix: Matrix, tile: Box, box: Box) -> Matrix:
    """Return the coefficients from a tile to its patch in Pillow's terms, where a pixel's centre is at + 0.5."""
    a, b, c, d, e, f = matrix
    x, y = tile[0] - 0.5, tile[1] - 0.5
    return (a, b, a * x + b * y + c - box[0] + 0.5, d, e, d * x + e * y + f - box[1] + 0.5)
