"""What the file of an image shows to the eye."""

import contextlib

import numpy as np

from rebalance.errors import UnfitImageError
from rebalance.images.codec import decode, open_image, orientation_of, translate
from rebalance.images.geometry import turned_upright
from rebalance.images.pixels import Pixels
from rebalance.images.viewing import shown_on_white
from rebalance.plan import MAX_PIXELS


def view_image(data: bytes, least: int | None = None, *, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Return what an image shows to the eye, uint8 of shape (height, width, 3): upright, on white, its first picture.

    A JPEG is decoded smaller where each side keeps at least `least` pixels. Raises BadImageError.
    """
    return translate(lambda: _viewed(data, least, max_pixels))


def _viewed(data: bytes, least: int | None, max_pixels: int) -> Pixels:
    image = open_image(data, max_pixels)
    if least is not None and image.format in ("JPEG", "MPO"):
        image.draft("RGB", (least, least))
    image = decode(image, data, max_pixels)
    orientation = 1
    with contextlib.suppress(UnfitImageError):
        orientation = orientation_of(image) or 1
    return turned_upright(np.asarray(shown_on_white(image)), orientation)
