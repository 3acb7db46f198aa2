"""Pictures to test on, files of them, and how files are read without the code under test."""

import io
import struct
import zlib
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageCms

from rebalance.images.picture import Picture, load_image
from rebalance.images.pipeline import MadeFile, Making, make_copy
from rebalance.images.pixels import Pixels
from rebalance.plan import Recipe, Rendering
from rebalance.recipes import make_recipe
from rebalance.transforms import BY_KEY

Levels = npt.NDArray[np.float64]

needs_opencv = pytest.mark.skipif(find_spec("cv2") is None, reason="OpenCV, the extra fast, is not installed")
ENGINES = ("pillow", pytest.param("opencv", marks=needs_opencv))
FILLS = ("nearest", "reflect", "wrap", "color")
SHAPES = [(n_channels, depth) for n_channels in (1, 2, 3, 4) for depth in ("uint8", "uint16")]
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def waves(size: tuple[int, int] = (64, 48), n_channels: int = 4, *, length: float = 1.0) -> Levels:
    """Return slanted waves between 0.1 and 0.9 [height, width, channels], another in every channel."""
    y, x = np.indices(size[::-1])
    x, y = x / length, y / length
    bands = [0.5 + 0.4 * np.sin(x / (3 + band)) * np.cos(y / (4 + band) + band) for band in range(n_channels)]
    return np.stack(bands, axis=2)


def pixels_of(levels: Levels, depth: str = "uint8") -> Pixels:
    """Return levels of 0 to 1 in a depth."""
    return np.rint(levels * np.iinfo(depth).max).astype(depth)


def ramp(n_channels: int, depth: str = "uint8", size: tuple[int, int] = (31, 17)) -> Pixels:
    """Return steep ramps; what could be alpha is opaque."""
    rows, columns = np.indices(size[::-1])
    bands = [(rows * 11 + columns * 3 + 40 * band) % 256 for band in range(n_channels)]
    if n_channels % 2 == 0:
        bands[-1] = np.full_like(rows, 255)
    return (np.stack(bands, axis=2) * (np.iinfo(depth).max // 255)).astype(depth)


def fill_of(name: str, pixels: Pixels) -> Any:
    """Return a fill by its name; the color is 9, opaque."""
    if name != "color":
        return name
    fill = np.full((1, 1, pixels.shape[2]), 9, pixels.dtype)
    if pixels.shape[2] % 2 == 0:
        fill[:, :, -1] = np.iinfo(pixels.dtype).max
    return fill


def photo(size: tuple[int, int] = (48, 36), mode: str = "RGB") -> Image.Image:
    levels = np.indices(size[::-1]).sum(axis=0)
    bands = [np.clip(levels * (band + 1), 0, 255).astype(np.uint8) for band in range(3)]
    return Image.fromarray(np.stack(bands, axis=2)).convert(mode)


def encoded(image: Image.Image, file_format: str, **settings: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **settings)
    return buffer.getvalue()


def deep(pixels: Pixels, suffix: str = ".png") -> bytes:
    """Return a file of 16-bit color, written by OpenCV, which begins with blue."""
    import cv2  # noqa: PLC0415  an extra

    order = [2, 1, 0, 3][: pixels.shape[2]]
    return bytes(cv2.imencode(suffix, np.ascontiguousarray(pixels[:, :, order]))[1])


def with_chunks(png: bytes, *chunks: bytes) -> bytes:
    """Return a PNG with these chunks, kind and content, after its header."""
    framed = (struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks)
    return png[:33] + b"".join(framed) + png[33:]


def reopened(data: bytes) -> Any:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def is_deep(data: bytes) -> bool:
    """Return whether a file has colors of 16 bits a channel, by its header or its tag."""
    if data.startswith(b"P6"):
        return b"\n65535\n" in data[:20]
    if data.startswith(b"\x89PNG"):
        return data[24] == 16 and data[25] in (2, 6)
    return data[:2] in (b"II", b"MM") and set(reopened(data).tag_v2[258]) == {16} and reopened(data).mode != "I;16"


def levels_in(data: bytes) -> Levels:
    """Return the levels of a file, 0 to 1, [height, width, channels], as Pillow or OpenCV reads them."""
    if is_deep(data):
        import cv2  # noqa: PLC0415  an extra

        decoded = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED))
        return decoded[:, :, [2, 1, 0, 3][: decoded.shape[2]]] / 65535
    image = reopened(data)
    levels = np.asarray(image, dtype=np.float64) / {"1": 1, "I;16": 65535, "I": 65535}.get(image.mode, 255)
    return levels if levels.ndim == 3 else levels[:, :, None]


def rotation_recipe(fill_mode: str = "reflect") -> Recipe:
    return make_recipe({"rotation_range": BY_KEY["rotation_range"].parse(30), "fill_mode": fill_mode, "cval": 0})


def turned(
    data: bytes, degrees: float = 5.0, *, engine: str = "pillow", fill_mode: str = "reflect", **rendering: Any
) -> bytes:
    """Turn a file as the program does."""
    return (
        turned_picture(load_image(data, engine=engine), degrees, Rendering(engine=engine, **rendering), fill_mode).data
        or b""
    )


def turned_picture(picture: Picture, degrees: float, rendering: Rendering, fill_mode: str = "reflect") -> MadeFile:
    making = Making(rotation_recipe(fill_mode), rendering._replace(originals="transform"))
    return make_copy(picture, making, lambda _attempt: ({"rotation": degrees}, b"key"))
