"""The descriptor of an image: what it shows as numbers, for those who have no network at hand.

Parts, each of unit length:
  shape   oriented gradients in 8 x 8 soft cells (Dalal & Triggs 2005: the strongest color channel's gradient, unsigned
          orientation shared between the two nearest bins, L2 normalization), with some of its own mirror image added;
  color  the square root of a joint RGB histogram (Swain & Ballard 1991; the root: Arandjelovic & Zisserman 2012);
  lbp     the square root of rotation-invariant uniform binary patterns at two scales (Ojala et al. 2002);
  edges   the square root of a joint histogram of gradient strength and orientation;
and the mean color. Counts are integers up to the last step, so that all processors agree. What sets tell their
images apart by differs, so the parts are centered and weighed by how they vary within a set: `fit_space` and `placed`.
"""

import functools
from collections.abc import Iterator, Mapping
from math import fsum, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rebalance.vectors import BLOCK

Levels = NDArray[np.int16]
"""Shape (height, width), or of colors (3, height, width)."""
Ints = NDArray[np.int32]
Floats = NDArray[np.float64]

SIDE = 96
"""Width and height of the raster that is described; proportions are not kept."""
_PARTS = {"shape": (384, 1.0), "color": (64, 0.38), "lbp": (20, 0.54), "edges": (30, 0.54), "mean": (3, 0.05)}
"""Length and weight of each part."""
DIMENSIONS = sum(length for length, _ in _PARTS.values())
_DECIMALS = 6
_LEAST = 1e-6
"""What counts as no length."""
_CELLS = 8
"""Cells of the shape a side; each reaches half a cell into its neighbors."""
_DIRECTIONS = ((64, 0), (55, 32), (32, 55), (0, 64), (-32, 55), (-55, 32))
"""64 times the cosine and sine of 0, 30, ... 150 degrees."""
_COSINES, _SINES = np.array(_DIRECTIONS, np.int32).T[:, :, None, None]
_DAMPING = 0.15
"""Share of the root mean square cell energy added to every cell's norm, so that flat cells stay small."""
_FLOOR = 2.0e4
"""The same for the picture: the strength of a cell of noise, in units of the pooled votes."""
_CENTERING = 0.6
"""Share of a cell's mean over orientations that is taken off."""
_MIRRORED = 0.3
"""Weight of the mirror image that is added to the shape."""
_SHADES = 4
"""Bins of the color histogram a channel."""
_SHADE_BITS = 8
"""A bin is so many bits of a sum of four pixels wide: 1024 levels in four bins."""
_STEPS = (2304, 20736, 129600, 705600)
"""Squared gradients of red + green + blue of four pixels between the bins of strength: 4, 12, 30 and 70 levels."""
_RISE = 9
"""How much red + green + blue a neighbor must be brighter to count in a binary pattern: 3 gray levels."""
_RING = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
"""Places of a pixel's eight neighbors, in order around it."""


def _uniform(code: int) -> int:
    """Return the number of bright neighbors, or 9 for a pattern of more than one arc."""
    return code.bit_count() if (code ^ (code >> 1 | (code & 1) << 7)).bit_count() <= 2 else 9


_PATTERNS = np.array([_uniform(code) for code in range(256)])


def describe(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the parts of an image of any size, one after the other: float32, shape (DIMENSIONS,)."""
    fine = _raster(Image.fromarray(rgb))
    coarse = _halved(fine)
    gray, dim = (raster[0] + raster[1] + raster[2] for raster in (fine, coarse))
    parts = (
        _unit(_shape(coarse).ravel()),
        _unit(_rooted(_colors(coarse))),
        _unit(_rooted(np.concatenate([_binary_patterns(gray, _RISE), 4 * _binary_patterns(dim, 4 * _RISE)]))),
        _unit(_rooted(_edges(dim))),
        coarse.sum((1, 2), dtype=np.int64) / (255.0 * SIDE * SIDE),
    )
    return np.round(np.concatenate(parts), _DECIMALS).astype(np.float32)


def fit_space(described: NDArray[np.float32]) -> dict[str, Any]:
    """Return what places the images of a set, and any further one: their mean, and a scale for each part.

    A part is divided by the square root of its standard deviation, between leaving it and giving all the same say.
    """
    mean = described.mean(axis=0, dtype=np.float64)
    scales, start = [], 0
    squares = sum(((part - mean) ** 2).sum(axis=0) for part in _blocks(described))
    for length, weight in _PARTS.values():
        deviation = sqrt(float(squares[start : start + length].sum()) / len(described))
        scales.append(round(weight / sqrt(deviation), _DECIMALS) if deviation > _LEAST else 0.0)
        start += length
    return {"mean": np.round(mean, _DECIMALS).tolist(), "scales": scales}


def placed(described: NDArray[np.float32], space: Mapping[str, Any]) -> NDArray[np.float32]:
    """Return vectors of unit length in a space; an image that is the very mean lies along the first axis."""
    scales = np.repeat(space["scales"], [length for length, _ in _PARTS.values()])
    vectors = np.empty_like(described)
    for place, part in enumerate(_blocks(described)):
        rows = (part - np.array(space["mean"])) * scales
        lengths = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
        rows[lengths[:, 0] <= _LEAST, 0] = 1.0
        vectors[place * BLOCK : (place + 1) * BLOCK] = rows / np.where(lengths <= _LEAST, 1.0, lengths)
    return vectors


def _blocks(rows: NDArray[np.float32]) -> Iterator[Floats]:
    return (rows[start : start + BLOCK].astype(np.float64) for start in range(0, len(rows), BLOCK))


def _raster(image: Image.Image) -> Levels:
    """Return the colors of an image at the side described: means of boxes, or interpolated where it is smaller."""
    is_smaller = min(image.size) < SIDE
    kind = Image.Resampling.BILINEAR if is_smaller else Image.Resampling.BOX
    raster = np.asarray(image.resize((SIDE, SIDE), kind, reducing_gap=None if is_smaller else 2.0))
    return raster.transpose(2, 0, 1).astype(np.int16, order="C")


def _halved(image: Levels) -> Levels:
    """Return the sums of squares of four pixels."""
    rows = image[:, ::2] + image[:, 1::2]
    return np.asarray(rows[:, :, ::2] + rows[:, :, 1::2])


def _edged(image: Levels) -> Levels:
    """Return an image whose border is there twice."""
    height, width = image.shape[-2:]
    edged = np.empty((*image.shape[:-2], height + 2, width + 2), np.int16)
    edged[..., 1:-1, 1:-1] = image
    edged[..., 0, 1:-1], edged[..., -1, 1:-1] = image[..., 0, :], image[..., -1, :]
    edged[..., 0], edged[..., -1] = edged[..., 1], edged[..., -2]
    return edged


def _slopes(image: Levels) -> tuple[Ints, Ints]:
    """Return the central differences along x and y; the border repeats."""
    edged = _edged(image)
    dx = np.subtract(edged[..., 1:-1, 2:], edged[..., 1:-1, :-2], dtype=np.int32)
    return dx, np.subtract(edged[..., 2:, 1:-1], edged[..., :-2, 1:-1], dtype=np.int32)


def _strongest(dx: Ints, dy: Ints) -> tuple[Ints, Ints]:
    """Return each pixel's slopes in the channel where they are steepest."""
    steep = dx * dx + dy * dy
    x, y, most = dx[0], dy[0], steep[0]
    for channel in (1, 2):
        more = steep[channel] > most
        x, y = np.where(more, dx[channel], x), np.where(more, dy[channel], y)
        most = np.maximum(most, steep[channel])
    return x, y


def _votes(dx: Ints, dy: Ints) -> Ints:
    """Return each pixel's vote for every orientation: its gradient as a sum of the two directions next to it."""
    sides = np.empty((len(_DIRECTIONS) + 2, *dx.shape), np.int32)
    np.multiply(_COSINES, dy, out=sides[1:-1])
    sides[1:-1] -= _SINES * dx
    np.negative(sides[-2], out=sides[0])
    np.negative(sides[1], out=sides[-1])
    before, after = sides[:-2], -sides[2:]
    low, high = np.minimum(before, after), np.maximum(before, after)
    np.maximum(low, 0, out=low)
    low -= np.minimum(high, 0, out=high)
    return low


def _pooled(votes: Ints) -> NDArray[np.int64]:
    """Return sums over cells that overlap by half, weighted 1 3 3 1 in halves of a cell."""
    half = SIDE // 2 // (2 * _CELLS)
    rows = _folded(votes, half)
    grid = np.zeros((len(votes), 2 * _CELLS + 2, 2 * _CELLS + 2), np.int32)
    grid[:, 1:-1, 1:-1] = _folded(rows.swapaxes(1, 2), half).swapaxes(1, 2)
    grid = grid[:, 0:-3:2] + 3 * (grid[:, 1:-2:2] + grid[:, 2:-1:2]) + grid[:, 3::2]
    cells = grid[:, :, 0:-3:2] + 3 * (grid[:, :, 1:-2:2] + grid[:, :, 2:-1:2]) + grid[:, :, 3::2]
    return cells.astype(np.int64)


def _folded(planes: Ints, n_rows: int) -> Ints:
    """Return the sums of so many rows at a time of each plane."""
    return functools.reduce(np.add, (planes[:, start::n_rows] for start in range(n_rows)))


def _shape(coarse: Levels) -> Floats:
    """Return the normalized orientations of every cell, with some of the mirror image's."""
    cells = _pooled(_votes(*_strongest(*_slopes(coarse))))
    energy = (cells * cells).sum(0)
    damping = _DAMPING * sqrt(int(energy.sum()) / energy.size) + _FLOOR
    shape = cells / (np.sqrt(energy) + damping)
    shape = shape - _CENTERING * (shape.sum(0) / len(shape))
    return np.asarray(shape + _MIRRORED * shape[(-np.arange(len(shape))) % len(shape), :, ::-1])


def _colors(coarse: Levels) -> NDArray[np.intp]:
    """Return the histogram of red, green and blue together."""
    bins = coarse >> _SHADE_BITS
    joint = (bins[0] * _SHADES + bins[1]) * _SHADES + bins[2]
    return np.bincount(joint.ravel(), minlength=_SHADES**3)


def _binary_patterns(gray: Levels, rise: int) -> NDArray[np.intp]:
    """Return how many pixels have 0 to 8 brighter neighbors in one arc, and how many have several arcs."""
    height, width = gray.shape
    edged, limit = _edged(gray), gray + np.int16(rise)
    codes, is_brighter = np.zeros(gray.shape, np.uint8), np.empty(gray.shape, bool)
    for y, x in _RING:
        np.greater(edged[y : y + height, x : x + width], limit, out=is_brighter)
        codes += codes
        codes |= is_brighter.view(np.uint8)
    counts = np.bincount(codes.ravel(), minlength=256)
    return np.bincount(_PATTERNS, counts, minlength=10).astype(np.intp)


def _edges(gray: Levels) -> NDArray[np.intp]:
    """Return the histogram of gradient strength and nearest orientation together."""
    dx, dy = _slopes(gray)
    steep = dx * dx + dy * dy
    strength = sum((steep > step).view(np.uint8) for step in _STEPS)
    nearest = _first_largest(_votes(dx, dy))
    return np.bincount((strength * len(_DIRECTIONS) + nearest).ravel(), minlength=(len(_STEPS) + 1) * len(_DIRECTIONS))


def _first_largest(votes: Ints) -> Ints:
    """Return which of the votes is the largest at each pixel, in the last bits of the largest: argmax is slow."""
    last = len(votes) - 1
    largest: Ints = ((votes << 3) | (last - np.arange(len(votes), dtype=np.int32)[:, None, None])).max(axis=0)
    return last - (largest & 7)


def _rooted(counts: NDArray[np.intp]) -> Floats:
    """Return the square roots of counts, under which Euclidean is Hellinger's distance."""
    return np.sqrt(counts.astype(np.float64))


def _unit(vector: Floats) -> Floats:
    """Return the vector at length 1; of zeros, zeros."""
    length = sqrt(fsum((vector * vector).tolist()))
    return vector / length if length else vector
