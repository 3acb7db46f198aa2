"""From the bytes of a file to pixels and back, keeping how the file was encoded."""

import contextlib
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
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
from rebalance.images.deep import decode_deep
from rebalance.images.encoding import LOSSY, ORIENTATION_TAG, Encoding, settings_for, settings_like
from rebalance.images.engines import import_opencv
from rebalance.images.geometry import Surface
from rebalance.images.levels import tone_of
from rebalance.images.modes import Mode, can_write, check_arrangement, is_deep_color, keeps_profile, mode_of, name_mode
from rebalance.images.pixels import Box, Pixels, Size, part_of, size_of
from rebalance.plan import MAX_PIXELS, Recipe, Rendering
from rebalance.recipes import closest_of
from rebalance.transforms import Tone

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

_GREY_STEPS = {"L;2": 85, "L;4": 17}
"""How PNG stores gray of few bits -> the step between its levels; Pillow scales the pixels, not the transparent one."""

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
    """A decoded source: its pixels as stored, and what it takes to encode its like."""

    pixels: Pixels
    header: Header
    orientation: int
    """EXIF orientation, 1 to 8, from stored to upright."""
    own: Encoding
    """How the source itself is encoded, but for a mode that is written as another."""
    scale: int = 1
    """Of the stored size, whose sides were divided by so much in decoding."""
    tones: dict[Box, Tone] = field(default_factory=dict)
    """Of the parts that have been asked for."""
    surfaces: dict[tuple[object, ...], Surface] = field(default_factory=dict)
    """What its copies are sampled from, by what decides it."""

    @property
    def size(self) -> Size:
        """Return the stored width and height, that of a picture decoded smaller too."""
        return size_of(self.pixels) if self.scale == 1 else (self.header.width, self.header.height)

    def part(self, region: Box) -> Pixels:
        """Return the pixels within a box of the stored size."""
        return self.pixels if region == (0, 0, *self.size) else part_of(self.pixels, region)

    def tone_in(self, region: Box) -> Tone:
        """Return what the curves of all copies of a part know of it."""
        if region not in self.tones:
            self.tones[region] = tone_of(self.part(region))
        return self.tones[region]


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
        header = _header(image)
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
        header = _header(image)
        decode(image, data, max_pixels)
        return header

    return translate(check)


def load_image(
    data: bytes, *, engine: str = "pillow", max_pixels: int = MAX_PIXELS, least: tuple[float, float] | None = None
) -> Picture:
    """Decode a source, not smaller than `least` (width and height, upright) if it can be decoded smaller at all.

    Raises BadImageError where it is broken, UnfitImageError where nothing can be made from it.
    """
    return translate(lambda: _loaded(data, engine, max_pixels, least))


def load_source(data: bytes, rendering: Rendering, recipe: Recipe) -> Picture:
    """Decode a source as large as what is made of it by a recipe or without needs it. Raises likewise."""
    closest = closest_of(recipe)
    least = rendering.size and closest and (rendering.size[0] / closest, rendering.size[1] / closest)
    return load_image(data, engine=rendering.engine, max_pixels=rendering.max_pixels, least=least or None)


def encoding_of(picture: Picture, rendering: Rendering, file_format: str | None) -> Encoding:
    """Return how something made of a picture is encoded; a format that is None is that of the source."""
    written = picture.own.format if can_write(picture.own.format) else "PNG"
    if rendering.output_format != "same":
        file_format = rendering.output_format.upper()
    file_format = file_format or written
    is_own = file_format == picture.own.format and (rendering.quality is None or file_format not in LOSSY)
    settings = picture.own.settings if is_own else settings_for(file_format, rendering.quality)
    orientation = None if rendering.orientation == "upright" else picture.own.orientation
    return Encoding(file_format, picture.own.mode, settings, picture.own.icc, orientation)


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
    return image


def decode(image: Image.Image, data: bytes, max_pixels: int) -> Image.Image:
    """Return an opened image decoded in full; a PNG has its checksums read first, which closes it."""
    if image.format == "PNG":
        image.verify()
        image = open_image(data, max_pixels)
    image.load()
    return image


def _loaded(data: bytes, engine: str, max_pixels: int, least: tuple[float, float] | None) -> Picture:
    image = open_image(data, max_pixels)
    header, mode = _header(image), mode_of(image)
    icc = image.info.get("icc_profile")
    icc = icc if icc and keeps_profile(icc, mode.opened, mode.written) else None
    _check_fit(image, mode, icc, engine)
    raw = _raw_mode(image)
    scale = _drafted(image, least) if least else 1
    image = decode(image, data, max_pixels)
    orientation = orientation_of(image)
    file_format = "JPEG" if header.format == "MPO" else header.format
    own = Encoding(file_format, mode.written, settings_like(image, data, file_format), icc, orientation)
    return Picture(_pixels(image, data, mode, raw), header, orientation or 1, own, scale)


def _drafted(image: Image.Image, least: tuple[float, float]) -> int:
    """Have a JPEG decoded by a half, a quarter or an eighth, where that is not smaller than `least`; return by what."""
    if image.format not in ("JPEG", "MPO"):
        return 1
    across, down = reversed(least) if stored_orientation(image) in (5, 6, 7, 8) else least
    room = min(image.width / across, image.height / down)
    scale = max(divisor for divisor in (1, 2, 4, 8) if divisor == 1 or divisor <= room)
    if scale > 1:
        image.draft(None, (image.width // scale, image.height // scale))
    return scale


def _check_fit(image: Image.Image, mode: Mode, icc: bytes | None, engine: str) -> None:
    """Raise UnfitImageError where an image is sound and nothing can be made of it as it is meant."""
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
        raise UnfitImageError("has more than one picture")
    check_arrangement(image, mode)
    if not is_deep_color(mode.worked_on):
        return
    if engine != "opencv":
        raise UnfitImageError(
            f"has mode {mode.opened}: only --engine opencv works on 16 bits a channel in color "
            "(pip install 'rebalance-images[fast]')"
        )
    if icc and image.format != "PNG":
        raise UnfitImageError(f"has mode {mode.opened} and an ICC profile, which OpenCV cannot write to {image.format}")


def _raw_mode(image: Image.Image) -> object:
    """Return what the first tile of an opened image says of its bytes; decoding forgets it."""
    tiles = getattr(image, "tile", ())
    return tiles[0].args if tiles else None


def _pixels(image: Image.Image, data: bytes, mode: Mode, raw: object) -> Pixels:
    """Return the pixels of a decoded image as they are worked on; `raw` is its raw mode."""
    if raw in _GREY_STEPS and "transparency" in image.info:
        image.info["transparency"] *= _GREY_STEPS[str(raw)]
    if mode.opened == "I;16 transparent":
        return _with_transparent_level(np.asarray(image).astype(np.uint16), image.info["transparency"])
    if mode.opened == "I;16":
        return np.asarray(image).astype(np.uint16)[:, :, None]
    if is_deep_color(mode.worked_on):
        return decode_deep(data, most=raw[1] if image.format == "PPM" and isinstance(raw, tuple) else 65535)
    pixels = np.asarray(image if image.mode == mode.worked_on else image.convert(mode.worked_on))
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _with_transparent_level(gray: Pixels, level: int) -> Pixels:
    """Return 16-bit gray of which one level is transparent as color with alpha, for want of gray with alpha in 16."""
    alpha = np.where(gray == level, 0, 65535).astype(np.uint16)
    return np.stack([gray, gray, gray, alpha], axis=2)


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


def _header(image: Image.Image) -> Header:
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
