"""Why what was drawn for a copy had better be drawn again."""

import math

import numpy as np

from rebalance.images.pixels import Pixels, Size, level_of, top_of
from rebalance.images.placing import Place
from rebalance.matrices import Matrix, inverse, multiply

MOST_ATTEMPTS = 8
"""Times that a copy is drawn again before it is kept as it is."""
_MOST_BORDER = 0.4
"""Share of a copy that may lie outside of its source."""
_FLAT = 2
"""Gray levels between the darkest and the brightest of a picture that shows nothing."""
_NEAR_SHIFT, _NEAR_DEGREES, _NEAR_SHARE = 1.0, 1.0, 0.02
"""Pixels, degrees, and share of a length or of all levels within which a copy is its source."""

Point = tuple[float, float]


def is_flat(pixels: Pixels) -> bool:
    """Return whether a picture shows nothing: every channel is one level, but for two gray levels."""
    return all(_spread(part) <= _FLAT * level_of(pixels) for part in (pixels[::16, ::16], pixels))


def is_bordered(where: Place) -> bool:
    """Return whether more than 40 % of a picture lies outside of its source."""
    return border_share(where.matrix, where.size, where.region_size) > _MOST_BORDER


def border_share(matrix: Matrix, size: Size, source_size: Size) -> float:
    """Return the share of a picture that lies outside of its source."""
    a, b, c, d, e, f = matrix
    right, bottom = size[0] - 0.5, size[1] - 0.5
    corners = [(-0.5, -0.5), (right, -0.5), (right, bottom), (-0.5, bottom)]
    shape = [(a * x + b * y + c, d * x + e * y + f) for x, y in corners]
    whole = _area(shape)
    for axis, last in enumerate(source_size):
        shape = _clipped(shape, axis, -0.5, 1)
        shape = _clipped(shape, axis, last - 0.5, -1)
    return 1 - _area(shape) / whole if whole else 1.0


def is_still(matrix: Matrix, untouched: Matrix, source_size: Size) -> bool:
    """Return whether a matrix does what another does within a pixel, a degree and 2 %, about the middle of the source.

    Both are from the pixel indices of an output to those of its source.
    """
    a, b, c, d, e, f = multiply(matrix, inverse(untouched))
    x, y = (source_size[0] - 1) / 2, (source_size[1] - 1) / 2
    turn, slant = math.degrees(math.atan2(d, a)), math.degrees(math.atan2(-b, e))
    is_scaled = max(abs(math.hypot(a, d) - 1), abs(math.hypot(b, e) - 1)) >= _NEAR_SHARE
    is_moved = math.hypot(a * x + b * y + c - x, d * x + e * y + f - y) >= _NEAR_SHIFT
    return not is_moved and not is_scaled and max(abs(turn), abs(slant)) < _NEAR_DEGREES


def is_alike(pixels: Pixels, other: Pixels) -> bool:
    """Return whether no level of two pictures of one shape differs by 2 % of all or more."""
    difference = np.abs(pixels.astype(np.int64) - other)
    return bool(difference.max() < _NEAR_SHARE * top_of(pixels))


def _spread(pixels: Pixels) -> int:
    """Return the widest range of levels that a channel has."""
    return max(int(channel.max()) - int(channel.min()) for channel in np.moveaxis(pixels, 2, 0))


def _area(shape: list[Point]) -> float:
    """Return the area of a polygon (the shoelace formula)."""
    pairs = zip(shape, [*shape[1:], *shape[:1]], strict=True)
    return abs(sum(x * other_y - other_x * y for (x, y), (other_x, other_y) in pairs)) / 2


def _clipped(shape: list[Point], axis: int, limit: float, side: int) -> list[Point]:
    """Return the part of a convex polygon on one side of a line (Sutherland and Hodgman 1974)."""
    kept: list[Point] = []
    for point, other in zip(shape, [*shape[1:], *shape[:1]], strict=True):
        here, there = side * (point[axis] - limit), side * (other[axis] - limit)
        if here >= 0:
            kept.append(point)
        if here * there < 0:
            share = here / (here - there)
            kept.append((point[0] + share * (other[0] - point[0]), point[1] + share * (other[1] - point[1])))
    return kept
