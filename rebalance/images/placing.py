"""Where a picture's pixels go: the part of it that is used, and the matrix from stored output to stored input."""

import math
from functools import lru_cache
from typing import NamedTuple

from rebalance.images.geometry import centered, rounded, to_stored, to_upright, turned
from rebalance.images.pixels import Box, Size
from rebalance.matrices import IDENTITY, Matrix, Values, multiply
from rebalance.plan import Recipe, Rendering
from rebalance.recipes import compose_matrix, region_of

_LEAST_INSCRIBED = 0.25
"""Share of the largest view without a border that `inscribed` leaves, however far it was shifted."""


class Place(NamedTuple):
    """The pixels of the source that are used, the size of the output, and the matrix between their pixel indices."""

    region: Box
    size: Size
    matrix: Matrix

    @property
    def region_size(self) -> Size:
        """Return width and height of the region."""
        left, top, right, bottom = self.region
        return (right - left, bottom - top)

    def is_whole(self, size: Size) -> bool:
        """Return whether nothing moves: every pixel of a picture of this size stays where it is."""
        return self.matrix == IDENTITY and self.size == size and self.region == (0, 0, *size)


def place(size: Size, orientation: int, recipe: Recipe, values: Values, rendering: Rendering) -> Place:
    """Return where the pixels of a stored picture of this size and EXIF orientation go.

    The geometry is meant for the upright picture; where the pixels are stored turned, it is turned with them.
    """
    upright_size = turned(orientation, size)
    region = _in_pixels(region_of(recipe), upright_size)
    made_size = rendering.size or upright_size
    matrix = compose_matrix(recipe, values, *upright_size)
    geometry = _between(matrix, made_size, upright_size, region)
    if recipe.get("fill_mode") == "inscribed":
        geometry = _inscribed(geometry, made_size, region)
    made_orientation = 1 if rendering.orientation == "upright" else orientation
    stored_size = turned(made_orientation, made_size)
    stored = to_stored(orientation, size)
    stored_region = _moved(region, stored)
    from_region = (1.0, 0.0, -stored_region[0], 0.0, 1.0, -stored_region[1])
    into_source = multiply(stored, multiply(geometry, to_upright(made_orientation, stored_size)))
    return Place(stored_region, stored_size, rounded(multiply(from_region, into_source)))


@lru_cache(maxsize=64)
def untouched_place(size: Size, orientation: int, rendering: Rendering) -> Place:
    """Return where the pixels of a stored picture go for which nothing is drawn."""
    return place(size, orientation, {}, {}, rendering)


def _between(matrix: Matrix, made_size: Size, size: Size, region: Box) -> Matrix:
    """Return a matrix about the center as one from the pixel indices of the output to those of the picture."""
    across, down = size[0] / made_size[0], size[1] / made_size[1]
    scaled = (
        across, 0.0, (across - 1) / 2,
        0.0, down, (down - 1) / 2,
    )  # fmt: skip
    return multiply(centered(matrix, size, region), scaled)


def _inscribed(matrix: Matrix, made_size: Size, region: Box) -> Matrix:
    """Return the matrix zoomed in about its center just enough that no border shows."""
    a, b, c, d, e, f = matrix
    x, y = (made_size[0] - 1) / 2, (made_size[1] - 1) / 2
    center = (a * x + b * y + c, d * x + e * y + f)
    reach = (abs(a) * (x + 0.5) + abs(b) * (y + 0.5), abs(d) * (x + 0.5) + abs(e) * (y + 0.5))
    spans = ((region[0] - 0.5, region[2] - 0.5), (region[1] - 0.5, region[3] - 0.5))
    rooms = [
        max(0.0, min(place - low, high - place)) / half
        for place, half, (low, high) in zip(center, reach, spans, strict=True)
        if half
    ]
    most = [(high - low) / 2 / half for half, (low, high) in zip(reach, spans, strict=True) if half]
    factor = max(min([1.0, *rooms]), _LEAST_INSCRIBED * min([1.0, *most]))
    new_x, new_y = (
        min(max(place, low + factor * half), high - factor * half)
        for place, half, (low, high) in zip(center, reach, spans, strict=True)
    )
    a, b, d, e = (factor * value for value in (a, b, d, e))
    return (a, b, new_x - a * x - b * y, d, e, new_y - d * x - e * y)


def _in_pixels(fractions: tuple[float, float, float, float], size: Size) -> Box:
    """Return the pixels that a part given in fractions touches; at least one."""
    left, top = (min(math.floor(round(start * n, 6)), n - 1) for start, n in zip(fractions[:2], size, strict=True))
    right, bottom = (math.ceil(round(end * n, 6)) for end, n in zip(fractions[2:], size, strict=True))
    return (left, top, max(right, left + 1), max(bottom, top + 1))


def _moved(box: Box, matrix: Matrix) -> Box:
    """Return the box that a matrix of whole pixels and right angles makes of a box."""
    a, b, c, d, e, f = matrix
    corners = [(box[0], box[1]), (box[2] - 1, box[3] - 1)]
    xs = sorted(round(a * x + b * y + c) for x, y in corners)
    ys = sorted(round(d * x + e * y + f) for x, y in corners)
    return (xs[0], ys[0], xs[1] + 1, ys[1] + 1)
