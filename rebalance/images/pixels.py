"""The form pixels are worked on in: an array [height, width, channels] of uint8 or uint16.

One channel is grey, three are red, green and blue; an even number ends with alpha, which is not premultiplied.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[Any]
Size = tuple[int, int]
"""Width and height in pixels."""
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
    """Return how many steps of the depth make one grey level of 255: 1 or 257."""
    return top_of(pixels) // 255


def has_alpha(pixels: Pixels) -> bool:
    """Return whether the last channel is alpha."""
    return int(pixels.shape[2]) % 2 == 0


def colors_of(pixels: Pixels) -> Pixels:
    """Return the channels without alpha, a view."""
    return pixels[:, :, : pixels.shape[2] - has_alpha(pixels)]


def with_colors(pixels: Pixels, colors: Pixels) -> Pixels:
    """Return pixels with other colours and the same alpha."""
    return np.concatenate([colors, pixels[:, :, -1:]], axis=2) if has_alpha(pixels) else colors


def visible_colors(pixels: Pixels) -> Pixels:
    """Return the colours [number, channels] of what is not wholly transparent; of everything, where all of it is."""
    colors = colors_of(pixels)
    is_visible = pixels[:, :, -1] > 0 if has_alpha(pixels) and pixels[:, :, -1].any() else None
    return colors.reshape(-1, colors.shape[2]) if is_visible is None else colors[is_visible]


def part_of(pixels: Pixels, box: Box) -> Pixels:
    """Return the pixels within a box, a view; all of them themselves."""
    left, top, right, bottom = box
    return pixels if box == (0, 0, *size_of(pixels)) else pixels[top:bottom, left:right]


def premultiplied(pixels: Pixels) -> Pixels:
    """Return the pixels with their colours weighted by alpha, as averaging needs them."""
    if not has_alpha(pixels):
        return pixels
    top = top_of(pixels)
    weighted = (colors_of(pixels).astype(np.uint64) * pixels[:, :, -1:] + top // 2) // top
    return with_colors(pixels, weighted.astype(pixels.dtype))


def straight(pixels: Pixels, hidden: Pixels) -> Pixels:
    """Return premultiplied pixels as they were; what is wholly transparent has the colours of `hidden`.

    Nobody sees these, but for the loaders that drop alpha.
    """
    alpha = pixels[:, :, -1:].astype(np.uint64)
    colors = (colors_of(pixels) * np.uint64(top_of(pixels)) + alpha // 2) // np.maximum(alpha, 1)
    seen = np.minimum(colors, top_of(pixels)).astype(pixels.dtype)
    return with_colors(pixels, np.where(alpha > 0, seen, hidden))
