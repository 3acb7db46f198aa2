"""A source as it is worked on: its pixels, and what it takes to encode its like."""

from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from rebalance.errors import UnfitImageError
from rebalance.images.codec import Header, decode, header_of, open_image, orientation_of, stored_orientation, translate
from rebalance.images.deep import decode_deep
from rebalance.images.encoding import LOSSY, Encoding, settings_for, settings_like
from rebalance.images.geometry import Surface
from rebalance.images.levels import tone_of
from rebalance.images.modes import Mode, can_write, check_arrangement, is_deep_color, keeps_profile, mode_of
from rebalance.images.pixels import Box, Pixels, Size, part_of, size_of
from rebalance.plan import MAX_PIXELS, Recipe, Rendering
from rebalance.recipes import closest_of
from rebalance.transforms import Tone

_GREY_STEPS = {"L;2": 85, "L;4": 17}
"""How PNG stores gray of few bits -> the step between its levels; Pillow scales the pixels, not the transparent one."""


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


def load_image(
    data: bytes, *, engine: str = "pillow", max_pixels: int = MAX_PIXELS, least: tuple[float, float] | None = None
) -> Picture:
    """Decode a source, not smaller than `least` (width and height, upright) if it can be decoded smaller at all.

    Raises BadImageError where it is broken, UnfitImageError where nothing can be made from it.
    """
    return translate(lambda: _loaded(data, engine, max_pixels, least))


def load_source(data: bytes, rendering: Rendering, recipe: Recipe) -> Picture:
    """Decode a source as large as what is made of it by a recipe or without needs it. Raises likewise."""
    least, closest = None, closest_of(recipe)
    if rendering.size and closest:
        least = (rendering.size[0] / closest, rendering.size[1] / closest)
    return load_image(data, engine=rendering.engine, max_pixels=rendering.max_pixels, least=least)


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


def _loaded(data: bytes, engine: str, max_pixels: int, least: tuple[float, float] | None) -> Picture:
    image = open_image(data, max_pixels)
    header, mode = header_of(image), mode_of(image)
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
    if getattr(image, "is_animated", False) and image.format != "MPO":  # n_frames would look for the last one
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
