"""Small pictures of files, for pages."""

import io

from PIL import Image

from rebalance.images.eye import view_image

_QUALITY = 72


def render_thumbnail(data: bytes, side: int) -> bytes:
    """Return what a file shows to the eye as a JPEG of at most `side` pixels across and down. Raises BadImageError."""
    image = Image.fromarray(view_image(data, side))
    image.thumbnail((side, side), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY, optimize=True)
    return file.getvalue()
