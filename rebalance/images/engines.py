"""The engines: what samples pixels through a matrix and averages them, Pillow or OpenCV.

Both are handed pixels whose surroundings are filled in already, so that every fill mode is the same in both.
"""

import contextlib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Protocol

import numpy as np
from PIL import Image

from rebalance.images.choice import missing_opencv
from rebalance.images.pixels import Pixels, Size, top_of
from rebalance.matrices import Matrix

_SUMMED_AT_ONCE = 2**20
"""Pixels whose sums are held at one time."""


class Engine(Protocol):
    """What samples and averages pixels [height, width, channels], colors premultiplied."""

    def warp(self, pixels: Pixels, matrix: Matrix, size: Size, interpolation: str) -> Pixels:
        """Return `size` pixels whose (x, y) is the input's at matrix (x, y), in pixel indices."""

    def shrink(self, pixels: Pixels, size: Size) -> Pixels:
        """Return the averages of boxes."""


class PillowEngine:
    """Sampling by Pillow, as every install has it."""

    _RESAMPLING: Mapping[str, Image.Resampling] = {
        "nearest": Image.Resampling.NEAREST,
        "bilinear": Image.Resampling.BILINEAR,
        "bicubic": Image.Resampling.BICUBIC,
    }

    def warp(self, pixels: Pixels, matrix: Matrix, size: Size, interpolation: str) -> Pixels:
        """Sample channel by channel in floating point; a pixel's center is at + 0.5 for Pillow.

        In 8 bits Pillow would cut off fractions, which darkens by half a level; 16 bits it would sample byte by byte.
        """
        a, b, c, d, e, f = matrix
        coefficients = (a, b, c - (a + b) / 2 + 0.5, d, e, f - (d + e) / 2 + 0.5)
        warped = np.empty((size[1], size[0], pixels.shape[2]), pixels.dtype)
        for index in range(pixels.shape[2]):
            channel = Image.fromarray(pixels[:, :, index].astype(np.float32))
            made = channel.transform(size, Image.Transform.AFFINE, coefficients, self._RESAMPLING[interpolation])
            warped[:, :, index] = np.rint(np.asarray(made)).clip(0, top_of(pixels))
        return warped

    def shrink(self, pixels: Pixels, size: Size) -> Pixels:
        """Average; Pillow's own box takes whole pixels alone."""
        rows = _averaged(pixels, size[1])
        columns = _averaged(rows.transpose(1, 0, 2), size[0]).transpose(1, 0, 2)
        return np.rint(columns).clip(0, top_of(pixels)).astype(pixels.dtype)


class OpenCVEngine:
    """Sampling by OpenCV, several times faster; the extra `fast`."""

    def __init__(self) -> None:
        """Import OpenCV. Raises UsageError where it is missing."""
        self._cv2 = import_opencv()

    def warp(self, pixels: Pixels, matrix: Matrix, size: Size, interpolation: str) -> Pixels:
        """Sample; OpenCV 4 rounds coordinates to 1/32 of a pixel."""
        cv2 = self._cv2
        kernel = {"nearest": cv2.INTER_NEAREST, "bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}[interpolation]
        with memory_told(cv2):
            warped = cv2.warpAffine(
                np.ascontiguousarray(pixels),
                np.array(matrix, np.float64).reshape(2, 3),
                size,
                flags=kernel | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            )
        return np.asarray(warped).reshape(size[1], size[0], -1)

    def shrink(self, pixels: Pixels, size: Size) -> Pixels:
        """Average."""
        with memory_told(self._cv2):
            averaged = self._cv2.resize(np.ascontiguousarray(pixels), size, interpolation=self._cv2.INTER_AREA)
        return np.asarray(averaged).reshape(size[1], size[0], -1)


def _averaged(lines: Pixels, n_lines: int) -> Pixels:
    """Return averages [n_lines, ...] of the lines [number, ...], each over its share of them, fractions included."""
    ends = np.arange(n_lines + 1) * (len(lines) / n_lines)
    whole = np.minimum(ends.astype(np.intp), len(lines) - 1)
    rest = (ends - whole)[:, None, None]
    averages = np.empty((n_lines, *lines.shape[1:]), np.float32)
    n_each = max(1, _SUMMED_AT_ONCE // len(lines))
    for start in range(0, lines.shape[1], n_each):
        part = lines[:, start : start + n_each].astype(np.float64)
        sums = np.concatenate([np.zeros_like(part[:1]), np.cumsum(part, axis=0)])
        averages[:, start : start + n_each] = np.diff(sums[whole] + rest * part[whole], axis=0) * (n_lines / len(lines))
    return averages


@contextlib.contextmanager
def memory_told(cv2: Any) -> Iterator[None]:
    """Raise MemoryError where OpenCV has none, as everything else does."""
    try:
        yield
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError from None
        raise


@cache
def engine_of(name: str) -> Engine:
    """Return an engine by its name. Raises UsageError where it is not installed."""
    return OpenCVEngine() if name == "opencv" else PillowEngine()


@cache
def import_opencv() -> Any:
    """Return OpenCV, on one thread: a worker has one core. Raises UsageError where it is missing."""
    try:
        import cv2  # noqa: PLC0415  an extra, and slow to import
    except ImportError:
        raise missing_opencv() from None
    cv2.setNumThreads(1)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # what is wrong, we say
    return cv2
