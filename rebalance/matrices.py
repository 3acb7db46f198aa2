"""The matrices of the geometry: from drawn values, width and height to what maps output to input. Pure Python.

Pixels, x right, y down, about the center of the upright picture.
"""

import math
from collections.abc import Mapping

Values = Mapping[str, float | bool]
Matrix = tuple[float, float, float, float, float, float]
"""(a, b, c, d, e, f): input x = a x + b y + c, input y = d x + e y + f."""

IDENTITY: Matrix = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def multiply(left: Matrix, right: Matrix) -> Matrix:
    """Return the matrix that applies `right`, then `left`."""
    a, b, c, d, e, f = left
    g, h, i, j, k, m = right
    return (a * g + b * j, a * h + b * k, a * i + b * m + c, d * g + e * j, d * h + e * k, d * i + e * m + f)


def inverse(matrix: Matrix) -> Matrix:
    """Return the matrix that undoes another, which is not singular."""
    a, b, c, d, e, f = matrix
    scale = 1 / (a * e - b * d)
    a, b, d, e = e * scale, -b * scale, -d * scale, a * scale
    return (a, b, -a * c - b * f, d, e, -d * c - e * f)


def sides(area: float, aspect: float) -> tuple[float, float]:
    """Return the shares of width and height that make a share of the area; a side that would pass 1 is cut to it."""
    across = min(1.0, max(area, math.sqrt(area * aspect)))
    return across, area / across if across else 0.0


def crop(values: Values, width: float, height: float) -> Matrix:
    """Return the crop scaled back to the source's size."""
    across, down = sides(values["crop_area"], values["crop_aspect"])
    return (
        across, 0.0, (values["crop_x"] - 0.5) * (1 - across) * width,
        0.0, down, (values["crop_y"] - 0.5) * (1 - down) * height,
    )  # fmt: skip


def rotation(values: Values, _width: float, _height: float) -> Matrix:
    """Return R(theta)."""
    cosine, sine = _cos_sin(values["rotation"])
    return (cosine, -sine, 0.0, sine, cosine, 0.0)


def width_shift(values: Values, width: float, _height: float) -> Matrix:
    """Return T(tx, 0)."""
    return (1.0, 0.0, values.get("width_shift_pixels", values.get("width_shift", 0.0) * width), 0.0, 1.0, 0.0)


def height_shift(values: Values, _width: float, height: float) -> Matrix:
    """Return T(0, ty)."""
    return (1.0, 0.0, 0.0, 0.0, 1.0, values.get("height_shift_pixels", values.get("height_shift", 0.0) * height))


def shear(values: Values, _width: float, _height: float) -> Matrix:
    """Return Sh(s) = [[1, -sin s], [0, cos s]]."""
    cosine, sine = _cos_sin(values["shear"])
    return (1.0, -sine, 0.0, 0.0, cosine, 0.0)


def zoom(values: Values, _width: float, _height: float) -> Matrix:
    """Return Z(zx, zy)."""
    return (values["zoom_x"], 0.0, 0.0, 0.0, values["zoom_y"], 0.0)


def horizontal_flip(values: Values, _width: float, _height: float) -> Matrix:
    """Return the mirror of left and right, or nothing."""
    return (-1.0 if values["horizontal_flip"] else 1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def vertical_flip(values: Values, _width: float, _height: float) -> Matrix:
    """Return the mirror of top and bottom, or nothing."""
    return (1.0, 0.0, 0.0, 0.0, -1.0 if values["vertical_flip"] else 1.0, 0.0)


def _cos_sin(degrees: float) -> tuple[float, float]:
    """Return cosine and sine, exact at right angles."""
    radians = math.radians(degrees)
    return round(math.cos(radians), 15), round(math.sin(radians), 15)
