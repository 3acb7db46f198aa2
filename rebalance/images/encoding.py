"""How a file is encoded: as its source was, or as is asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageFile, JpegImagePlugin

from rebalance.images.deep import encode_deep
from rebalance.images.jpeg import write_jpeg
from rebalance.images.modes import held_mode, is_deep_color, keeps_profile
from rebalance.images.pixels import Pixels

ORIENTATION_TAG = 0x0112
_JPEG_WITHOUT_TRANSFORM = [ord(letter) for letter in "RGB"]
_QUALITY = 90
"""Where there are no tables to follow: a lossy file of a source that was none, and WebP, which stores no quality."""

LOSSY = ("JPEG", "WEBP")
"""Formats that --quality is about."""

Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Encoding:
    """Format, encoder settings, ICC profile and EXIF orientation of a file, and the mode it is meant to have."""

    format: str
    mode: str
    settings: Settings
    icc: bytes | None = None
    orientation: int | None = None


class Encoded(NamedTuple):
    """A file, and the mode in which it holds its pixels."""

    data: bytes
    mode: str


def encode(pixels: Pixels, encoding: Encoding, engine: str = "pillow") -> Encoded:
    """Return the file, which is the same by either engine. Raises UnfitImageError where its format lacks the mode."""
    mode = held_mode(encoding.mode, encoding.format)
    if encoding.format == "WEBP" and mode == "RGBA" and (pixels[:, :, -1] == 255).all():
        mode = "RGB"  # libwebp leaves an alpha out that hides nothing
    icc = encoding.icc if encoding.icc and keeps_profile(encoding.icc, encoding.mode, mode) else None
    exif = _exif(encoding.orientation)
    if is_deep_color(mode):
        exif = exif and exif.removeprefix(b"Exif\0\0")
        return Encoded(encode_deep(pixels, encoding.format, icc=icc, exif=exif), mode)
    settings = dict(encoding.settings)
    if icc:
        settings["icc_profile"] = icc
    if exif and encoding.format in ("JPEG", "PNG", "WEBP"):
        settings["exif"] = exif
    if engine == "opencv" and encoding.format == "JPEG" and mode == encoding.mode and mode in ("L", "RGB"):
        data = write_jpeg(pixels, settings)
        if data is not None:
            return Encoded(data, mode)
    image = _image(pixels, encoding.mode)
    return Encoded(_saved(image if mode == encoding.mode else image.convert(mode), encoding.format, settings), mode)


def image_from_gray(levels: bytes, width: int, height: int, scale: int) -> bytes:
    """Return a PNG of 8-bit gray levels, row by row, each side `scale` times as long (bicubic)."""
    image = Image.frombytes("L", (width, height), levels).resize(
        (width * scale, height * scale), Image.Resampling.BICUBIC
    )
    return encode(np.asarray(image)[:, :, None], Encoding("PNG", "L", settings_for("PNG", None))).data


def settings_like(image: Image.Image, data: bytes, file_format: str) -> Settings:
    """Return what makes an encoder write as an opened image was written."""
    return _LIKE[file_format](image, data) if file_format in _LIKE else settings_for(file_format, None)


def settings_for(file_format: str, quality: int | None) -> Settings:
    """Return what an encoder is told without a file to follow."""
    lossy = {"quality": quality or _QUALITY}
    webp = {**lossy, "method": 4, "exact": True}  # exact: with the colors that nobody sees
    return {"JPEG": lossy, "WEBP": webp, "PNG": {"compress_level": 4}}.get(file_format, {})


def _image(pixels: Pixels, mode: str) -> Image.Image:
    """Return pixels as an image of a mode that Pillow holds."""
    if mode == "1":
        black_and_white = np.where(pixels[:, :, 0] >= 128, np.uint8(255), np.uint8(0))
        return Image.fromarray(black_and_white).convert("1", dither=Image.Dither.NONE)
    return Image.fromarray(np.ascontiguousarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels))


def _saved(image: Image.Image, file_format: str, settings: Settings) -> bytes:
    buffer = BytesIO()
    block = ImageFile.MAXBLOCK
    if settings.get("progressive"):  # is written in one piece, for which Pillow's guess can be too small
        ImageFile.MAXBLOCK = 6 * image.width * image.height + block
    try:
        image.save(buffer, format=file_format, **settings)
    finally:
        ImageFile.MAXBLOCK = block
    return buffer.getvalue()


def _exif(orientation: int | None) -> bytes | None:
    if orientation is None:
        return None
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    return exif.tobytes()


def _like_jpeg(image: Image.Image, _data: bytes) -> Settings:
    """Return the source's quantisation tables, chroma subsampling, color transform and scan order."""
    subsampling = JpegImagePlugin.get_sampling(image)
    layers = image.layer[:3]  # type: ignore[attr-defined]
    components = [layer[0] for layer in layers]
    tables = [image.quantization[layer[3]] for layer in layers]  # type: ignore[attr-defined]
    while len(tables) > 1 and tables[-1] == tables[-2]:
        tables.pop()  # a component without a table of its own has that of the one before
    return {
        "qtables": tables,
        "subsampling": 0 if subsampling == -1 else subsampling,
        "keep_rgb": components == _JPEG_WITHOUT_TRANSFORM,
        "progressive": bool(image.info.get("progressive")),
    }


def _like_webp(_image: Image.Image, data: bytes) -> Settings:
    """Return lossless where the source is; a lossy file does not store its quality."""
    place = 12
    while data[place : place + 4] not in (b"VP8 ", b"VP8L", b""):
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        place += 8 + size + size % 2
    return {"lossless": data[place : place + 4] == b"VP8L", "quality": _QUALITY, "method": 4, "exact": True}


def _like_tiff(image: Image.Image, _data: bytes) -> Settings:
    compression = image.info.get("compression", "raw")
    return {"compression": compression if compression in ("raw", "tiff_lzw", "packbits") else "tiff_adobe_deflate"}


_LIKE: Mapping[str, Callable[[Image.Image, bytes], Settings]] = {
    "JPEG": _like_jpeg,
    "WEBP": _like_webp,
    "TIFF": _like_tiff,
}
"""Format -> what makes an encoder write as the source's did, where formats leave a choice."""
