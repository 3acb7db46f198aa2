"""The engines: what samples pixels through a matrix and averages them, Pillow or OpenCV.

Every fill mode is the same in both: the one fills in by itself, the other is handed pixels with their surroundings.
"""

import contextlib
import math
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple, Protocol

import numpy as np
from PIL import Image

from rebalance.images.choice import missing_opencv
from rebalance.images.lanes import Words, pack
from rebalance.images.pixels import Fill, Pixels, Point, Size, top_of
from rebalance.matrices import Matrix, multiply


class Engine(Protocol):
    """What samples and averages pixels [height, width, channels], colors premultiplied."""

    most_pixels: int
    """Of a picture that are gathered at one time."""

    def fills_in(self, fill: Fill, interpolation: str) -> bool:
        """Return whether it knows by itself what lies outside of a picture; else it is handed that as pixels."""

    def is_exact(self, pixels: Pixels, interpolation: str) -> bool:
        """Return whether the same place gets the same pixel however much of the surroundings is handed over."""

    def pack(self, pixels: Pixels, interpolation: str) -> Pixels:
        """Return pixels [height, width, any] in the form in which surroundings are added to them."""

    def prepare(self, packed: Pixels, n_channels: int, fill: Fill, interpolation: str) -> Any:
        """Return packed pixels in the form in which they are sampled, as often as is wanted."""

    def warp(self, prepared: Any, matrix: Matrix, origin: Point, size: Size) -> Pixels:
        """Return `size` pixels whose (x, y) is the picture's at matrix (x, y), in pixel indices.

        Pixel (0, 0) of what is prepared lies at `origin` (x, y) of the picture.
        """

    def shrink(self, pixels: Pixels, size: Size) -> Pixels:
        """Return the averages of boxes."""


class PillowEngine:
    """Sampling by what every install has: numpy for 8 bits a channel, else Pillow."""

    most_pixels = 2**22
    """Some 30 bytes each while they are prepared."""
    _RESAMPLING: Mapping[str, Image.Resampling] = {
        "nearest": Image.Resampling.NEAREST,
        "bilinear": Image.Resampling.BILINEAR,
        "bicubic": Image.Resampling.BICUBIC,
    }

    def fills_in(self, _fill: Fill, _interpolation: str) -> bool:
        """Return that it does not."""
        return False

    def is_exact(self, pixels: Pixels, interpolation: str) -> bool:
        """Return whether numpy samples, in whole numbers."""
        return pixels.dtype == np.uint8 and interpolation != "nearest"

    def pack(self, pixels: Pixels, interpolation: str) -> Pixels:
        """Return words where numpy samples; else the pixels."""
        return pack(pixels) if self.is_exact(pixels, interpolation) else pixels

    def prepare(self, packed: Pixels, n_channels: int, _fill: Fill, interpolation: str) -> "Words | _Channels":
        """Return words where numpy samples; else an image of floating point for each channel.

        In 8 bits Pillow would cut off fractions, which darkens by half a level; 16 bits it would sample byte by byte.
        """
        if packed.dtype == np.uint64:
            return Words(packed, n_channels, is_cubic=interpolation == "bicubic")
        channels = [Image.fromarray(channel.astype(np.float32)) for channel in np.moveaxis(packed, 2, 0)]
        return _Channels(channels, packed.dtype, self._RESAMPLING[interpolation])

    def warp(self, prepared: "Words | _Channels", matrix: Matrix, origin: Point, size: Size) -> Pixels:
        """Sample; for Pillow, a pixel's center is at + 0.5."""
        if isinstance(prepared, Words):
            return prepared.warp(matrix, origin, size)
        a, b, c, d, e, f = _from_origin(matrix, origin)
        coefficients = (a, b, c - (a + b) / 2 + 0.5, d, e, f - (d + e) / 2 + 0.5)
        warped = np.empty((size[1], size[0], len(prepared.images)), prepared.dtype)
        for index, channel in enumerate(prepared.images):
            made = channel.transform(size, Image.Transform.AFFINE, coefficients, prepared.resampling)
            warped[:, :, index] = np.rint(np.asarray(made)).clip(0, top_of(warped))
        return warped

    def shrink(self, pixels: Pixels, size: Size) -> Pixels:
        """Average; Pillow's own box takes whole pixels alone."""
        rows = _averaged(pixels, size[1])
        columns = _averaged(np.ascontiguousarray(rows.transpose(1, 0, 2)), size[0]).transpose(1, 0, 2)
        return np.rint(columns).clip(0, top_of(pixels)).astype(pixels.dtype)


class _Channels(NamedTuple):
    """The channels of a picture as images of floating point."""

    images: list[Image.Image]
    dtype: "np.dtype[Any]"
    resampling: Image.Resampling


class OpenCVEngine:
    """Sampling by OpenCV, several times faster; the extra `fast`."""

    most_pixels = 2**26

    def __init__(self) -> None:
        """Import OpenCV. Raises UsageError where it is missing."""
        self._cv2 = cv2 = import_opencv()
        self._kernels = {"nearest": cv2.INTER_NEAREST, "bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}

    def fills_in(self, fill: Fill, interpolation: str) -> bool:
        """Return that it does, but for a wrapped picture and cubics on a mirrored one, where it reads other pixels."""
        return not isinstance(fill, str) or fill == "nearest" or (fill == "reflect" and interpolation != "bicubic")

    def is_exact(self, _pixels: Pixels, _interpolation: str) -> bool:
        """Return that it is not: places are in floating point."""
        return False

    def pack(self, pixels: Pixels, _interpolation: str) -> Pixels:
        """Return pixels without gaps."""
        return np.ascontiguousarray(pixels)

    def prepare(self, packed: Pixels, n_channels: int, fill: Fill, interpolation: str) -> "_Flat":
        """Return the pixels with what is told of them; bilinear, four channels are sampled faster than three."""
        border, value = self._border_of(fill)
        if n_channels == 3 and interpolation == "bilinear":
            packed = self._cv2.cvtColor(packed, self._cv2.COLOR_RGB2RGBA)
        return _Flat(packed, n_channels, self._kernels[interpolation], border, value)

    def _border_of(self, fill: Fill) -> tuple[int, tuple[float, ...]]:
        """Return the border mode for a fill, and the level of each channel where it is a pixel."""
        if isinstance(fill, str):
            return (self._cv2.BORDER_REFLECT if fill == "reflect" else self._cv2.BORDER_REPLICATE), ()
        return self._cv2.BORDER_CONSTANT, tuple(fill[0, 0].tolist())

    def warp(self, prepared: "_Flat", matrix: Matrix, origin: Point, size: Size) -> Pixels:
        """Sample; OpenCV 4 rounds coordinates to 1/32 of a pixel."""
        cv2 = self._cv2
        with memory_told(cv2):
            warped = cv2.warpAffine(
                prepared.pixels,
                np.array(_from_origin(matrix, origin), np.float64).reshape(2, 3),
                size,
                flags=prepared.kernel | cv2.WARP_INVERSE_MAP,
                borderMode=prepared.border,
                borderValue=prepared.value,
            )
            if prepared.n_channels == 3 and prepared.pixels.shape[2] == 4:
                warped = cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB)
        return np.asarray(warped).reshape(size[1], size[0], -1)

    def shrink(self, pixels: Pixels, size: Size) -> Pixels:
        """Average."""
        with memory_told(self._cv2):
            averaged = self._cv2.resize(np.ascontiguousarray(pixels), size, interpolation=self._cv2.INTER_AREA)
        return np.asarray(averaged).reshape(size[1], size[0], -1)


class _Flat(NamedTuple):
    """Pixels as OpenCV samples them, and how."""

    pixels: Pixels
    n_channels: int
    kernel: int
    border: int
    value: tuple[float, ...]


def _from_origin(matrix: Matrix, origin: Point) -> Matrix:
    """Return a matrix into the picture as one into a part of it that begins at `origin`."""
    return multiply((1, 0, -origin[0], 0, 1, -origin[1]), matrix)


def _averaged(lines: Pixels, n_lines: int) -> Pixels:
    """Return averages [n_lines, ...] of the lines [number, ...], each over its share of them, fractions included."""
    length = len(lines) / n_lines
    starts = np.arange(n_lines) * length
    first = np.floor(starts).astype(np.intp)
    averages = np.zeros((n_lines, *lines.shape[1:]), np.float32)
    for number in range(math.ceil(length) + 1):
        line = first + number
        covered = np.minimum(line + 1, starts + length) - np.maximum(line, starts)
        weights = (covered.clip(0) / length).astype(np.float32).reshape(-1, *(1,) * (lines.ndim - 1))
        averages += np.multiply(lines[np.minimum(line, len(lines) - 1)], weights, dtype=np.float32)
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
