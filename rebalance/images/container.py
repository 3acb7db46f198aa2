"""What an image file says of itself beside its picture: what can give a class away before a pixel is decoded."""

from typing import NamedTuple

from PIL import JpegImagePlugin

from rebalance.images.codec import open_image, stored_orientation, translate
from rebalance.images.modes import name_mode
from rebalance.plan import MAX_PIXELS

_SUBSAMPLING = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}


class Container(NamedTuple):
    """Format and header of a file: numbers, and names of what is no number; empty where a format has no such thing."""

    format: str
    mode: str
    width: int
    """Pixels, as stored."""
    height: int
    bytes_per_pixel: float
    tables: int
    """Sum of the JPEG quantization tables: the larger, the lower the quality; 0 without."""
    subsampling: str
    progressive: bool
    orientation: str
    """The EXIF tag as it stands; empty without."""
    icc: str
    """Size of the ICC profile in bytes; empty without."""


def read_container(data: bytes, max_pixels: int = MAX_PIXELS) -> Container:
    """Return what the header of an image says; no pixel is decoded. Raises BadImageError."""
    return translate(lambda: _read(data, max_pixels))


def _read(data: bytes, max_pixels: int) -> Container:
    image = open_image(data, max_pixels)
    is_jpeg = isinstance(image, JpegImagePlugin.JpegImageFile)
    tables = image.quantization.values() if is_jpeg else ()  # type: ignore[attr-defined]
    orientation = stored_orientation(image)
    return Container(
        format=str(image.format),
        mode=name_mode(image),
        width=image.width,
        height=image.height,
        bytes_per_pixel=len(data) / (image.width * image.height),
        tables=sum(map(sum, tables)),
        subsampling=_SUBSAMPLING.get(JpegImagePlugin.get_sampling(image), "other") if is_jpeg else "",
        progressive=bool(image.info.get("progressive")),
        orientation="" if orientation is None else str(orientation),
        icc=str(len(image.info["icc_profile"])) if image.info.get("icc_profile") else "",
    )
