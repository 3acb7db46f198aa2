"""The form pixels are worked on in: an array [height, width, channels] of uint8 or uint16.

One channel is gray, three are red, green and blue; an even number ends with alpha, which is not premultiplied.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[Any]
_OPAQUE = 43_690
"""What alpha is where nothing shines through, in premultiplied pixels."""

Size = tuple[int, int]
"""Width and height in pixels."""
Point = tuple[int, int]
"""Column and row of a pixel."""
Fill = str | Pixels
"""What lies outside of a picture: nearest, reflect, wrap, or one pixel [1, 1, channels]."""
Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom lie outside."""


def size_of(pixels: Pixels) -> Size:
    """Return width and height."""
    return pixels.shape[1], pixels.shape[0]


def border_of(pixels: Pixels) -> Pixels:
    """Return the outermost pixels [number, channels]."""
    edges = (pixels[0], pixels[-1], pixels[1:-1, 0], pixels[1:-1, -1])
    return np.concatenate(edges, axis=0)


def top_of(pixels: Pixels) -> int:
    """Return the brightest level that the depth allows: 255 or 65535."""
    return int(np.iinfo(pixels.dtype).max)


def level_of(pixels: Pixels) -> int:
    """Return how many steps of the depth make one gray level of 255: 1 or 257."""
    return top_of(pixels) // 255


def has_alpha(pixels: Pixels) -> bool:
    """Return whether the last channel is alpha."""
    return int(pixels.shape[2]) % 2 == 0


def colors_of(pixels: Pixels) -> Pixels:
    """Return the channels without alpha, a view."""
    return pixels[:, :, : pixels.shape[2] - has_alpha(pixels)]


def with_colors(pixels: Pixels, colors: Pixels) -> Pixels:
    """Return pixels with other colors and the same alpha."""
    return np.concatenate([colors, pixels[:, :, -1:]], axis=2) if has_alpha(pixels) else colors


def visible_colors(pixels: Pixels) -> Pixels:
    """Return the colors [number, channels] of what is not wholly transparent; of everything, where all of it is."""
    colors = colors_of(pixels)
    is_visible = pixels[:, :, -1] > 0 if has_alpha(pixels) and pixels[:, :, -1].any() else None
    return colors.reshape(-1, colors.shape[2]) if is_visible is None else colors[is_visible]


def part_of(pixels: Pixels, box: Box) -> Pixels:
    """Return the pixels within a box, a view; all of them themselves."""
    left, top, right, bottom = box
    return pixels if box == (0, 0, *size_of(pixels)) else pixels[top:bottom, left:right]


def premultiplied(pixels: Pixels) -> Pixels:
    """Return the pixels with their colors weighted by alpha, as averaging needs them, uint16.

    What is opaque has two thirds of the levels, so that an interpolation that passes it is not cut off.
    """
    top = top_of(pixels)
    alpha = pixels[:, :, -1].astype(np.float32) * np.float32(_OPAQUE / top)
    weighted = np.empty(pixels.shape, np.uint16)
    for index in range(pixels.shape[2] - 1):
        weighted[:, :, index] = np.rint(pixels[:, :, index] * (alpha / np.float32(top)))
    weighted[:, :, -1] = np.rint(alpha)
    return weighted


def straight(weighted: Pixels, hidden: Pixels) -> Pixels:
    """Return premultiplied pixels as they were, in the depth of `hidden`, whose colors stand where all is transparent.

    Nobody sees these, but for the loaders that drop alpha.
    """
    top = top_of(hidden)
    pixels = np.empty(weighted.shape, hidden.dtype)
    alpha = weighted[:, :, -1].astype(np.float32)
    pixels[:, :, -1] = np.rint(alpha * np.float32(top / _OPAQUE)).clip(0, top)
    factor = np.float32(top) / np.maximum(alpha, 1)
    for index in range(hidden.shape[2]):
        seen = np.rint(weighted[:, :, index] * factor).clip(0, top)
        pixels[:, :, index] = np.where(pixels[:, :, -1] > 0, seen, hidden[:, :, index])
    return pixels
