"""The modes: what the pixels of each are worked on as and written as, one row a mode."""

from typing import NamedTuple

from PIL import Image, TiffImagePlugin

from rebalance.errors import UnfitImageError

_BITS_PER_SAMPLE, _PHOTOMETRIC, _PLANAR_CONFIGURATION, _EXTRA_SAMPLES = 258, 262, 284, 338
"""Tags of TIFF."""


class Mode(NamedTuple):
    """A mode of a source, the mode its pixels are worked on in, and the mode in which what is made of it is written."""

    opened: str
    """As `name_mode` has it."""
    worked_on: str
    written: str


MODES = (
    Mode("L", "L", "L"),
    Mode("L transparent", "LA", "LA"),
    Mode("RGB", "RGB", "RGB"),
    Mode("RGB transparent", "RGBA", "RGBA"),
    Mode("1", "L", "1"),
    Mode("1 transparent", "LA", "LA"),
    Mode("P", "RGB", "RGB"),
    Mode("P transparent", "RGBA", "RGBA"),
    Mode("PA", "RGBA", "RGBA"),
    Mode("LA", "LA", "LA"),
    Mode("RGBA", "RGBA", "RGBA"),
    Mode("I;16", "I;16", "I;16"),
    Mode("I;16 transparent", "RGBA;16", "RGBA;16"),
    Mode("RGB;16", "RGB;16", "RGB;16"),
    Mode("RGB;16 transparent", "RGBA;16", "RGBA;16"),
    Mode("RGBA;16", "RGBA;16", "RGBA;16"),
    Mode("CMYK", "RGB", "RGB"),
)
"""What is missing here is unfit as a source. YCCK is opened as CMYK; alpha is premultiplied for averages."""
_BY_OPENED = {mode.opened: mode for mode in MODES}

_HELD = {
    "JPEG": {"1": "L", "L": "L", "RGB": "RGB"},
    "PNG": {name: name for name in ("1", "L", "LA", "RGB", "RGBA", "I;16", "RGB;16", "RGBA;16")},
    "WEBP": {"1": "RGB", "L": "RGB", "LA": "RGBA", "RGB": "RGB", "RGBA": "RGBA"},
    "BMP": {name: name for name in ("1", "L", "RGB")},
    "PPM": {name: name for name in ("1", "L", "RGB", "I;16", "RGB;16")},
    "TIFF": {name: name for name in ("1", "L", "LA", "RGB", "RGBA", "I;16", "RGB;16")},
}
"""Format -> mode to write -> mode in which the format holds it without loss."""


def is_deep_color(mode: str) -> bool:
    """Return whether a mode is color of 16 bits a channel, which Pillow does not hold."""
    return mode in ("RGB;16", "RGBA;16")


def name_mode(image: Image.Image) -> str:
    """Return the mode of an opened image, with the depth that Pillow tells in its tiles alone."""
    if image.mode in ("I;16", "I;16L", "I;16B") or (image.mode == "I" and image.format == "PPM"):
        return "I;16"
    return f"{image.mode};16" if image.mode in ("RGB", "RGBA") and _has_deep_tile(image) else image.mode


def mode_of(image: Image.Image) -> Mode:
    """Return the row of an opened image, one color of which may be transparent. Raises UnfitImageError."""
    name = name_mode(image) + (" transparent" if "transparency" in image.info else "")
    if name not in _BY_OPENED:
        raise UnfitImageError(f"has mode {name}")
    return _BY_OPENED[name]


def can_write(file_format: str) -> bool:
    """Return whether a format is written at all."""
    return file_format in _HELD


def held_mode(written: str, file_format: str) -> str:
    """Return the mode in which a format holds another. Raises UnfitImageError where it cannot without loss."""
    held = _HELD[file_format].get(written)
    if held is None:
        what = "16 bits a channel" if written.endswith("16") else "transparency"
        raise UnfitImageError(f"has {what}, which {file_format} does not hold: take another --output-format")
    return held


def check_arrangement(image: Image.Image, mode: Mode) -> None:
    """Raise UnfitImageError for 16 bits in a TIFF that are not read, or not written, as they are meant."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile) or not mode.worked_on.endswith("16"):
        return
    tags = image.tag_v2
    is_plain = tags.get(_PLANAR_CONFIGURATION, 1) == 1 and not tags.get(_EXTRA_SAMPLES) and mode.opened != "RGBA;16"
    if not is_plain or tags.get(_PHOTOMETRIC) == 0:
        raise UnfitImageError(f"has mode {mode.opened} in planes, with more samples than colors, or with 0 for white")


def keeps_profile(icc: bytes, mode: str, other: str) -> bool:
    """Return whether an ICC profile of a mode also tells the colors of another: gray, or red, green and blue."""
    if mode[0] in "1LIR" and (mode[0] == "R") == (other[0] == "R"):
        return True
    return icc[16:20] == (b"RGB " if other[0] == "R" else b"GRAY")


def _has_deep_tile(image: Image.Image) -> bool:
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return bool(max(image.tag_v2.get(_BITS_PER_SAMPLE, (8,))) > 8)
    for tile in getattr(image, "tile", ()) if image.format in ("PNG", "PPM") else ():
        raw = tile.args if isinstance(tile.args, tuple) else (tile.args,)
        is_deep = image.format == "PPM" and any(isinstance(part, int) and part > 255 for part in raw)
        if is_deep or any(isinstance(part, str) and ";16" in part for part in raw):
            return True
    return False
