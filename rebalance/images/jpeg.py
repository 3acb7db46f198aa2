"""Writing JPEG by OpenCV where it writes the very bytes that Pillow would: a fifth faster."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from rebalance.images.engines import import_opencv, memory_told
from rebalance.images.pixels import Pixels

_LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
_CHROMINANCE = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99, *(99,) * 32,
)  # fmt: skip
"""The quantization tables of ITU-R T.81, annex K.1, row by row."""

_SAMPLINGS = (444, 422, 420)
"""As Pillow numbers them."""


def write_jpeg(pixels: Pixels, settings: Mapping[str, Any]) -> bytes | None:
    """Return 8-bit gray or color as a baseline JPEG without metadata; None where only Pillow does what is asked for."""
    quality = _quality_of(settings, is_color=pixels.shape[2] == 3)
    if quality is None or not set(settings) <= {"qtables", "quality", "subsampling", "keep_rgb", "progressive"}:
        return None
    if settings.get("keep_rgb") or settings.get("progressive"):
        return None
    cv2 = import_opencv()
    asked = [cv2.IMWRITE_JPEG_QUALITY, quality]
    with memory_told(cv2):
        if pixels.shape[2] == 3:
            sampling = f"IMWRITE_JPEG_SAMPLING_FACTOR_{_SAMPLINGS[settings.get('subsampling', 2)]}"
            asked += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, getattr(cv2, sampling)]
            pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
        is_written, data = cv2.imencode(".jpg", np.ascontiguousarray(pixels), asked)
    return bytes(data) if is_written else None


def _quality_of(settings: Mapping[str, Any], *, is_color: bool) -> int | None:
    """Return the quality whose tables are asked for, if any has them."""
    if "qtables" not in settings:
        quality: int | None = settings.get("quality")
        return quality
    tables = tuple(tuple(table) for table in settings["qtables"])
    return _qualities().get(tables) if len(tables) == 1 + is_color else None


@cache
def _qualities() -> dict[object, int]:
    """Return the quality of a table for gray, and of two for color."""
    scaled = {quality: [_scaled(table, quality) for table in (_LUMINANCE, _CHROMINANCE)] for quality in range(1, 101)}
    return {key: quality for quality, (luma, chroma) in scaled.items() for key in ((luma,), (luma, chroma))}


def _scaled(table: Sequence[int], quality: int) -> tuple[int, ...]:
    """Return a table as libjpeg scales it to a quality, with what 8 bits hold at most."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return tuple(min(max((value * percent + 50) // 100, 1), 255) for value in table)
