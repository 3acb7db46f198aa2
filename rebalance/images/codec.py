"""Opening the bytes of a file: by content, refused early, checked, decoded; errors of Pillow are told as ours."""

import contextlib
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any, TypeVar

import numpy as np
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

from rebalance.errors import BadImageError, UnfitImageError, UsageError
from rebalance.images.encoding import ORIENTATION_TAG
from rebalance.images.engines import import_opencv
from rebalance.images.modes import name_mode
from rebalance.plan import MAX_PIXELS

T = TypeVar("T")

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

_MOST_SCANS = 500
"""Of a progressive JPEG: each costs a look at every pixel, and next to no byte. Encoders write ten or so."""

Image.MAX_IMAGE_PIXELS = None  # ours is stricter, and an error where Pillow's is a warning
ImageFile.LOAD_TRUNCATED_IMAGES = False


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of an image without decoding it."""

    width: int
    height: int
    mode: str
    format: str


def library_versions(engine: str) -> dict[str, str]:
    """Return the versions that decide the bytes of what is written here."""
    linked = {name: str(features.version(name)) for name in ("libjpeg_turbo", "zlib", "zlib_ng", "webp", "libtiff")}
    opencv = {"opencv": str(import_opencv().__version__)} if engine == "opencv" else {}
    return {"pillow": PIL.__version__, "numpy": np.__version__, **opencv, **linked}


def check_header(data: bytes, max_pixels: int = MAX_PIXELS) -> Header:
    """Return what the header says; PNG files have their checksums read, cut JPEG files are noticed.

    Raises BadImageError with the reason.
    """

    def check() -> Header:
        image = open_image(data, max_pixels)
        header = header_of(image)
        if header.format == "PNG":
            image.verify()
        return header

    header = translate(check)
    if header.format in ("JPEG", "MPO") and data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda"):
        check_pixels(data, max_pixels)
    return header


def check_pixels(data: bytes, max_pixels: int = MAX_PIXELS) -> Header:
    """Decode the whole image and return its header. Raises BadImageError with the reason."""

    def check() -> Header:
        image = open_image(data, max_pixels)
        header = header_of(image)
        decode(image, data, max_pixels)
        return header

    return translate(check)


def open_image(data: bytes, max_pixels: int) -> Image.Image:
    """Open by content, whatever the file is called, and refuse too many pixels before any is decoded."""
    if not data:
        raise BadImageError("the file is empty")
    for magic, name in _KNOWN_BUT_NOT_READ.items():
        if magic in data[:16]:
            raise BadImageError(f"{name} is not supported: convert it to PNG or JPEG")
    image = Image.open(BytesIO(data), formats=_FORMATS)
    if image.format == "PNG" and not image.tile:
        raise BadImageError("does not decode: it holds no pixels")
    if image.width * image.height > max_pixels:
        raise BadImageError(f"{image.width}x{image.height} is more than {max_pixels} pixels (--max-pixels)")
    if image.info.get("progressive") and data.count(b"\xff\xda") > _MOST_SCANS:
        raise BadImageError(f"has more than {_MOST_SCANS} scans, where none needs more than some dozens: save it again")
    return image


def decode(image: Image.Image, data: bytes, max_pixels: int) -> Image.Image:
    """Return an opened image decoded in full; a PNG has its checksums read first, which closes it."""
    if image.format == "PNG":
        image.verify()
        image = open_image(data, max_pixels)
    image.load()
    return image


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep libraries of C from writing to stderr: what is wrong with an image, we say."""
    with contextlib.ExitStack() as undone:
        undone.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        with contextlib.suppress(OSError):  # without a stderr there is nothing to keep quiet
            kept = os.dup(2)
            undone.callback(os.close, kept)
            undone.callback(os.dup2, kept, 2)
            nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            os.dup2(nowhere, 2)
            os.close(nowhere)
        yield


def translate(action: Callable[[], T]) -> T:
    """Return what an action with Pillow returns. Raises BadImageError for whatever it raises of damaged files."""
    try:
        with _silence():
            return action()
    except (BadImageError, UsageError, MemoryError):
        raise
    except PIL.UnidentifiedImageError:
        raise BadImageError("not an image of a known format, or its first bytes are damaged") from None
    except Exception as error:  # noqa: BLE001  damaged files raise OSError, SyntaxError, ValueError, TypeError and more
        raise BadImageError(f"does not decode: {error}" if str(error) else "does not decode") from None


def header_of(image: Image.Image) -> Header:
    """Return what an opened image says of itself."""
    return Header(image.width, image.height, name_mode(image), str(image.format))


def orientation_of(image: Image.Image) -> int | None:
    """Return the legal EXIF orientation that is stored, or None. TIFF is turned upright as it is loaded.

    Raises UnfitImageError where it stands in XMP alone, which some loaders honor and others do not.
    """
    if image.format == "TIFF":
        return None
    orientation: Any = stored_orientation(image)
    if orientation not in range(1, 9):
        return None
    if orientation > 1 and not {"exif", "Raw profile type exif"} & image.info.keys():
        raise UnfitImageError("has its orientation in XMP alone: write it to EXIF")
    return int(orientation)


def stored_orientation(image: Image.Image) -> object:
    """Return the EXIF orientation as it is stored, legal or not; None without."""
    try:
        orientation: object = translate(lambda: image.getexif().get(ORIENTATION_TAG))
    except BadImageError:  # a spoilt tag is what loaders pass over
        return None
    return orientation
