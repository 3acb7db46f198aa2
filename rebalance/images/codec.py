"""From the bytes of a file to pixels and back, keeping how the file was encoded."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, TypeVar

import numpy
import PIL
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
    features,
)

from rebalance.errors import BadImageError, UnfitImageError

T = TypeVar("T")

ENGINE = "pillow"
MAX_PIXELS = 89_478_485
"""Width x height above which an image is refused before it is decoded (Pillow's own warning level)."""

_FORMATS = tuple(
    plugin.format
    for plugin in (
        JpegImagePlugin.JpegImageFile,
        PngImagePlugin.PngImageFile,
        WebPImagePlugin.WebPImageFile,
        BmpImagePlugin.BmpImageFile,
        PpmImagePlugin.PpmImageFile,
        TiffImagePlugin.TiffImageFile,
        GifImagePlugin.GifImageFile,
    )
)
"""What is decoded at all, by content (an MPO is opened as the JPEG it begins with). Nothing in it starts a program."""

_KNOWN_BUT_NOT_READ: Mapping[bytes, str] = {
    b"ftypheic": "HEIC", b"ftypheix": "HEIC", b"ftypmif1": "HEIF", b"ftypavif": "AVIF", b"ftypavis": "AVIF",
    b"JXL \r\n\x87\n": "JPEG XL",
}  # fmt: skip

_WORKED_ON: Mapping[str, str] = {"L": "L", "RGB": "RGB"}
"""Mode of a source -> mode its pixels are worked on and written in. What is missing here is unfit as a source."""

_ORIENTATION_TAG = 0x0112
_JPEG_WITHOUT_TRANSFORM = [ord(letter) for letter in "RGB"]

Image.MAX_IMAGE_PIXELS = None  # ours is stricter, and an error where Pillow's is a warning
ImageFile.LOAD_TRUNCATED_IMAGES = False


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of an image without decoding it."""

    width: int
    height: int
    mode: str
    format: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded source: its pixels as stored, its EXIF orientation (1 to 8), and how to encode its like."""

    pixels: Image.Image
    header: Header
    orientation: int
    format: str
    """What is generated is written as this, which may not be the format of the source."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments for Pillow's `save`."""
    is_like_source: bool = True
    """Whether what is generated has the format of the source, so that its bytes may serve unchanged."""


def library_versions() -> dict[str, str]:
    """Return the versions that decide the bytes of what is written here."""
    linked = {name: str(features.version(name)) for name in ("libjpeg_turbo", "zlib", "zlib_ng", "webp", "libtiff")}
    return {"pillow": PIL.__version__, "numpy": numpy.__version__, **linked}


def check_header(data: bytes) -> Header:
    """Return what the header says; PNG files have their checksums read, cut JPEG files are noticed.

    Raises BadImageError with the reason.
    """
    image = _translate(lambda: _open(data))
    header = _header(image)
    if header.format == "PNG":
        _translate(image.verify)
    elif header.format in ("JPEG", "MPO") and data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda"):
        check_pixels(data)
    return header


def check_pixels(data: bytes) -> Header:
    """Decode the whole image and return its header. Raises BadImageError with the reason."""
    return _header(_translate(lambda: _decoded(_open(data), data)))


def load_image(data: bytes, *, is_renamed: bool = False) -> Picture:
    """Decode a source. Raises BadImageError where it is broken, UnfitImageError where nothing can be made from it.

    `is_renamed`: what is generated has the suffix .png where the source has another, and is written as PNG.
    """
    return _translate(lambda: _loaded(data, is_renamed=is_renamed))


def save_image(pixels: Image.Image, like: Picture) -> bytes:
    """Encode pixels as `like` was: format, tables, subsampling, ICC profile, EXIF orientation; nothing else is kept."""
    buffer = BytesIO()
    block = ImageFile.MAXBLOCK
    if like.settings.get("progressive"):  # is written in one piece, for which Pillow's guess can be too small
        ImageFile.MAXBLOCK = 6 * pixels.width * pixels.height + block
    try:
        pixels.save(buffer, format=like.format, **like.settings)
    finally:
        ImageFile.MAXBLOCK = block
    return buffer.getvalue()


def image_from_grey(levels: bytes, width: int, height: int, scale: int) -> bytes:
    """Return a PNG of 8-bit grey levels, row by row, each side `scale` times as long (bicubic)."""
    image = Image.frombytes("L", (width, height), levels).resize(
        (width * scale, height * scale), Image.Resampling.BICUBIC
    )
    return save_image(image, Picture(image, Header(*image.size, "L", "PNG"), 1, "PNG"))


def _open(data: bytes) -> Image.Image:
    """Open by content, whatever the file is called, and refuse too many pixels before any is decoded."""
    if not data:
        raise BadImageError("the file is empty")
    for magic, name in _KNOWN_BUT_NOT_READ.items():
        if magic in data[:16]:
            raise BadImageError(f"{name} is not supported: convert it to PNG or JPEG")
    image = Image.open(BytesIO(data), formats=_FORMATS)
    if image.width * image.height > MAX_PIXELS:
        raise BadImageError(f"{image.width}x{image.height} is more than {MAX_PIXELS} pixels")
    return image


def _decoded(image: Image.Image, data: bytes) -> Image.Image:
    """Return an opened image decoded in full; a PNG has its checksums read first, which closes it."""
    if image.format == "PNG":
        image.verify()
        image = _open(data)
    image.load()
    return image


def _loaded(data: bytes, *, is_renamed: bool) -> Picture:
    image = _open(data)
    _check_depth(image)
    image = _decoded(image, data)
    _check_fit(image)
    file_format = "PNG" if is_renamed else _written_format(image)
    settings = _ENCODER_SETTINGS[file_format](image, data)
    orientation = _orientation(image)
    if orientation is not None:
        settings |= _orientation_settings(file_format, orientation)
    if image.info.get("icc_profile"):
        settings["icc_profile"] = image.info["icc_profile"]
    is_like_source = file_format == _stored_format(image)
    image.info = {}  # or what is made of it would inherit comments and text
    return Picture(image, _header(image), orientation or 1, file_format, settings, is_like_source)


def _translate(action: Callable[[], T]) -> T:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return action()
    except (BadImageError, MemoryError):
        raise
    except PIL.UnidentifiedImageError:
        raise BadImageError("not an image of a known format") from None
    except Exception as error:  # noqa: BLE001  damaged files raise OSError, SyntaxError, ValueError, TypeError and more
        raise BadImageError(f"does not decode: {error}" if str(error) else "does not decode") from None


def _header(image: Image.Image) -> Header:
    return Header(image.width, image.height, image.mode, str(image.format))


def _check_depth(image: Image.Image) -> None:
    """Raise UnfitImageError for 16-bit colour, which Pillow opens as 8-bit RGB; its raw mode still tells."""
    for tile in getattr(image, "tile", ()) if image.mode == "RGB" else ():
        raw = tile.args if isinstance(tile.args, tuple) else (tile.args,)
        is_deep = image.format == "PPM" and any(isinstance(part, int) and part > 255 for part in raw)
        if is_deep or any(isinstance(part, str) and ";16" in part for part in raw):
            raise UnfitImageError("has 16 bits a channel")


def _check_fit(image: Image.Image) -> None:
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
        raise UnfitImageError("has more than one picture")
    if "transparency" in image.info:
        raise UnfitImageError(f"has a transparent colour (mode {image.mode})")
    if image.mode not in _WORKED_ON:
        raise UnfitImageError(f"has mode {image.mode}")


def _stored_format(image: Image.Image) -> str:
    """Return the format of a file; an MPO is a JPEG with more behind it."""
    return "JPEG" if image.format == "MPO" else str(image.format)


def _written_format(image: Image.Image) -> str:
    """Return the format of what is generated: the source's own, PNG where that cannot be written alike."""
    stored = _stored_format(image)
    return stored if stored in _ENCODER_SETTINGS else "PNG"


def _orientation(image: Image.Image) -> int | None:
    """Return the legal EXIF orientation that is stored, or None. TIFF is turned upright as it is loaded."""
    if image.format == "TIFF":
        return None
    try:
        orientation = _translate(lambda: image.getexif().get(_ORIENTATION_TAG))
    except BadImageError:  # a spoilt tag is what loaders pass over
        return None
    return orientation if orientation in range(1, 9) else None


def _orientation_settings(file_format: str, orientation: int) -> dict[str, Any]:
    if file_format not in ("JPEG", "PNG", "WEBP"):
        return {}
    exif = Image.Exif()
    exif[_ORIENTATION_TAG] = orientation
    return {"exif": exif.tobytes()}


def _jpeg_settings(image: Image.Image, _data: bytes) -> dict[str, Any]:
    """Return the source's quantisation tables, chroma subsampling, colour transform and scan order."""
    subsampling = JpegImagePlugin.get_sampling(image)
    components = [layer[0] for layer in image.layer]  # type: ignore[attr-defined]
    return {
        "qtables": list(image.quantization.values()),  # type: ignore[attr-defined]
        "subsampling": 0 if subsampling == -1 else subsampling,
        "keep_rgb": components == _JPEG_WITHOUT_TRANSFORM,
        "progressive": bool(image.info.get("progressive")),
    }


def _webp_settings(_image: Image.Image, data: bytes) -> dict[str, Any]:
    """Return lossless where the source is; a lossy file does not store its quality."""
    place = 12
    while data[place : place + 4] not in (b"VP8 ", b"VP8L", b""):
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        place += 8 + size + size % 2
    return {"lossless": data[place : place + 4] == b"VP8L", "quality": 90, "method": 4}


def _tiff_settings(image: Image.Image, _data: bytes) -> dict[str, Any]:
    compression = image.info.get("compression", "raw")
    return {"compression": compression if compression in ("raw", "tiff_lzw", "packbits") else "tiff_adobe_deflate"}


_ENCODER_SETTINGS: Mapping[str, Callable[[Image.Image, bytes], dict[str, Any]]] = {
    "JPEG": _jpeg_settings,
    "PNG": lambda _image, _data: {"compress_level": 4},
    "WEBP": _webp_settings,
    "BMP": lambda _image, _data: {},
    "PPM": lambda _image, _data: {},
    "TIFF": _tiff_settings,
}
"""Format -> what makes an encoder write as the source's did."""
