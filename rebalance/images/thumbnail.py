"""Small pictures of files, for pages."""

import io

from PIL import Image

from rebalance.images.eye import view_image
from rebalance.plan import MAX_PIXELS

_QUALITY = 72


def render_thumbnail(data: bytes, side: int, max_pixels: int = MAX_PIXELS) -> bytes:
    """Return what a file shows to the eye as a JPEG of at most `side` pixels across and down. Raises BadImageError."""
    image = Image.fromarray(view_image(data, side, max_pixels=max_pixels))
    image.thumbnail((side, side), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY, optimize=True)
    return file.getvalue()
