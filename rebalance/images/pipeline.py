"""From one decoded source and drawn values to the bytes of one generated file."""

import math

from rebalance.images.codec import Picture, save_image
from rebalance.images.geometry import Box, centered, rounded, sample, to_stored, to_upright
from rebalance.plan import Recipe
from rebalance.transforms import IDENTITY, Matrix, Values, compose_matrix, multiply, region_of


def render(picture: Picture, recipe: Recipe, values: Values) -> bytes | None:
    """Return the encoded file that these values make, or None where they change nothing."""
    region, matrix = place(picture, recipe, values)
    if picture.is_like_source and matrix == IDENTITY and region == (0, 0, *picture.pixels.size):
        return None
    source = picture.pixels
    pixels = sample(
        source if region == (0, 0, *source.size) else source.crop(region),
        matrix,
        source.size,
        fill_mode=recipe["fill_mode"],
        cval=recipe.get("cval", 0),
        interpolation=recipe["interpolation"],
    )
    return save_image(pixels, picture)


def place(picture: Picture, recipe: Recipe, values: Values) -> tuple[Box, Matrix]:
    """Return the part of the stored pixels that is used, and the matrix from stored output to stored input within it.

    The geometry is meant for the upright picture; where the pixels are stored turned, it is turned with them.
    """
    stored_size = picture.pixels.size
    upright = to_upright(picture.orientation, stored_size)
    stored = to_stored(picture.orientation, stored_size)
    size = stored_size if picture.orientation < 5 else stored_size[::-1]
    upright_region = _in_pixels(region_of(recipe), size)
    region = _moved(upright_region, stored)
    geometry = centered(compose_matrix(recipe, values, *size), size, upright_region)
    from_region = (1.0, 0.0, -region[0], 0.0, 1.0, -region[1])
    return region, rounded(multiply(from_region, multiply(stored, multiply(geometry, upright))))


def _in_pixels(fractions: tuple[float, float, float, float], size: tuple[int, int]) -> Box:
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
