"""Color of 16 bits a channel, which Pillow does not hold: read and written by OpenCV, the extra `fast`."""

import struct
import zlib

import numpy as np

from rebalance.errors import UnfitImageError
from rebalance.images.engines import import_opencv, memory_told
from rebalance.images.pixels import Pixels

_AFTER_HEADER = 8 + 25
"""Where the second chunk of a PNG begins: after the signature and IHDR."""
_DEFLATE = 8
"""TIFF's number for Adobe's deflate."""


def decode_deep(data: bytes, *, most: int) -> Pixels:
    """Return the pixels [height, width, 3 or 4], uint16, where white was `most` in the file. Raises UnfitImageError."""
    cv2 = import_opencv()
    with memory_told(cv2):
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16 or decoded.ndim != 3:
        raise UnfitImageError("has 16 bits a channel in color, in a way that OpenCV does not read")
    pixels = np.ascontiguousarray(_swapped(decoded))
    return pixels if most == 65535 else np.rint(pixels * (65535 / most)).astype(np.uint16)


def encode_deep(pixels: Pixels, file_format: str, *, icc: bytes | None, exif: bytes | None) -> bytes:
    """Return a file of these pixels; a PNG with profile and EXIF."""
    cv2 = import_opencv()
    suffix = {"PNG": ".png", "TIFF": ".tiff", "PPM": ".ppm"}[file_format]
    settings = {
        "PNG": [cv2.IMWRITE_PNG_COMPRESSION, 4],
        "TIFF": [cv2.IMWRITE_TIFF_COMPRESSION, _DEFLATE],
        "PPM": [],
    }[file_format]
    with memory_told(cv2):
        _, encoded = cv2.imencode(suffix, np.ascontiguousarray(_swapped(pixels)), settings)
    data = bytes(encoded)
    if file_format != "PNG":
        return data
    chunks = (_chunk(b"iCCP", b"ICC\0\0" + zlib.compress(icc)) if icc else b"") + (
        _chunk(b"eXIf", exif) if exif else b""
    )
    return data[:_AFTER_HEADER] + chunks + data[_AFTER_HEADER:]


def _swapped(pixels: Pixels) -> Pixels:
    """Return red, green and blue the other way round: OpenCV begins with blue."""
    return pixels[:, :, [2, 1, 0, 3][: pixels.shape[2]]]


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
