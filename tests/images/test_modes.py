import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from rebalance.errors import UnfitImageError
from rebalance.images.deep import encode_deep
from rebalance.images.modes import MODES, held_mode
from rebalance.images.picture import load_image
from rebalance.plan import Rendering
from tests.images.pictures import (
    ENGINES,
    SRGB,
    Levels,
    deep,
    encoded,
    is_deep,
    levels_in,
    needs_opencv,
    photo,
    pixels_of,
    reopened,
    turned,
    turned_picture,
    waves,
    with_chunks,
)


def gray(levels: Levels) -> Image.Image:
    return Image.fromarray(pixels_of(levels[:, :, 0]))


def color(levels: Levels) -> Image.Image:
    return Image.fromarray(pixels_of(levels[:, :, :3]))


def gray_alpha(levels: Levels) -> Image.Image:
    return Image.fromarray(pixels_of(levels[:, :, [0, 3]]))


def color_alpha(levels: Levels) -> Image.Image:
    return Image.fromarray(pixels_of(levels))


def black_and_white(levels: Levels) -> Image.Image:
    return Image.fromarray(levels[:, :, 0] > 0.5)


def deep_gray(levels: Levels) -> Image.Image:
    return Image.fromarray(pixels_of(levels[:, :, 0], "uint16"))


def deep_color(levels: Levels, n_channels: int = 3) -> Any:
    return pixels_of(levels[:, :, :n_channels], "uint16")


def in_palette(levels: Levels) -> Image.Image:
    return color(levels).quantize(200, dither=Image.Dither.NONE)


def transparent_palette(levels: Levels) -> Image.Image:
    """Return a GIF's worth of picture whose left third is the transparent first color."""
    image = in_palette(levels)
    image.paste(0, (0, 0, image.width // 3, image.height))
    return image


class Source(NamedTuple):
    """A file of a mode, and what its copy looks like: mode, bits a channel and format."""

    opened: str
    encode: Callable[[Levels], bytes]
    mode: str
    format: str
    bits: int = 8


SOURCES = (
    Source("L", lambda levels: encoded(gray(levels), "PNG"), "L", "PNG"),
    Source("L", lambda levels: encoded(gray(levels), "JPEG", quality=95), "L", "JPEG"),
    Source("L transparent", lambda levels: encoded(gray(levels), "PNG", transparency=128), "LA", "PNG"),
    Source("RGB", lambda levels: encoded(color(levels), "JPEG", quality=95), "RGB", "JPEG"),
    Source("RGB", lambda levels: encoded(color(levels), "WEBP", lossless=True), "RGB", "WEBP"),
    Source("RGB transparent", lambda levels: encoded(color(levels), "PNG", transparency=(9, 9, 9)), "RGBA", "PNG"),
    Source("1", lambda levels: encoded(black_and_white(levels), "PNG"), "1", "PNG", 1),
    Source("1", lambda levels: encoded(black_and_white(levels), "TIFF", compression="group4"), "1", "TIFF", 1),
    Source("1 transparent", lambda levels: encoded(black_and_white(levels), "PNG", transparency=0), "LA", "PNG"),
    Source("P", lambda levels: encoded(in_palette(levels), "PNG"), "RGB", "PNG"),
    Source("P transparent", lambda levels: encoded(transparent_palette(levels), "PNG", transparency=0), "RGBA", "PNG"),
    Source("PA", lambda levels: encoded(in_palette(levels).convert("PA"), "TIFF"), "RGBA", "TIFF"),
    Source("LA", lambda levels: encoded(gray_alpha(levels), "PNG"), "LA", "PNG"),
    Source("RGBA", lambda levels: encoded(color_alpha(levels), "PNG"), "RGBA", "PNG"),
    Source("RGBA", lambda levels: encoded(color_alpha(levels), "TIFF"), "RGBA", "TIFF"),
    Source("I;16", lambda levels: encoded(deep_gray(levels), "PNG"), "I;16", "PNG", 16),
    Source("I;16", lambda levels: encoded(deep_gray(levels), "TIFF"), "I;16", "TIFF", 16),
    Source("I;16", lambda levels: encoded(deep_gray(levels), "PPM"), "I", "PPM", 16),
    Source("CMYK", lambda levels: encoded(color(levels).convert("CMYK"), "JPEG", quality=95), "RGB", "JPEG"),
)
GIFS = (
    Source("P", lambda levels: encoded(in_palette(levels), "GIF"), "RGB", "PNG"),
    Source("P transparent", lambda levels: encoded(transparent_palette(levels), "GIF", transparency=0), "RGBA", "PNG"),
)
DEEP_SOURCES = (
    Source("I;16 transparent", lambda levels: encoded(deep_gray(levels), "PNG", transparency=9), "RGBA", "PNG", 16),
    Source("RGB;16", lambda levels: deep(deep_color(levels)), "RGB", "PNG", 16),
    Source("RGB;16", lambda levels: deep(deep_color(levels), ".tiff"), "RGB", "TIFF", 16),
    Source("RGB;16", lambda levels: deep(deep_color(levels), ".ppm"), "RGB", "PPM", 16),
    Source(
        "RGB;16 transparent",
        lambda levels: with_chunks(deep(deep_color(levels)), b"tRNS\0\1\0\1\0\1"),
        "RGBA", "PNG", 16,
    ),
    Source("RGBA;16", lambda levels: deep(deep_color(levels, 4)), "RGBA", "PNG", 16),
)  # fmt: skip


def cases(*sources: Source) -> list[Any]:
    """Return sources with each engine that works on them."""
    engines = {source: ENGINES[1:] if source in DEEP_SOURCES else ENGINES for source in sources}
    return [
        pytest.param(source, *getattr(engine, "values", (engine,)), marks=getattr(engine, "marks", ()),
                     id=f"{source.opened} {source.format} {getattr(engine, 'values', (engine,))[0]}")
        for source, of_source in engines.items()
        for engine in of_source
    ]  # fmt: skip


def shown(data: bytes) -> Levels:
    """Return the levels of a file as they are seen: colors, palettes and inks as red, green and blue on black."""
    image = Image.open(io.BytesIO(data))
    if not is_deep(data) and (image.mode in ("P", "PA", "CMYK") or "transparency" in image.info):
        if image.mode == "I;16":
            return levels_in(data)
        data = encoded(image.convert("RGB" if image.mode == "CMYK" else "RGBA"), "PNG")
    levels = levels_in(data)
    return levels if levels.shape[2] % 2 else levels[:, :, :-1] * levels[:, :, -1:]


def test_every_mode_has_a_source() -> None:
    assert {source.opened for source in (*SOURCES, *DEEP_SOURCES)} == {mode.opened for mode in MODES}


@pytest.mark.threat(39, 40, 41)
@pytest.mark.parametrize(("source", "engine"), cases(*SOURCES, *GIFS, *DEEP_SOURCES))
def test_a_copy_has_the_mode_the_depth_and_the_levels_of_its_source(source: Source, engine: str) -> None:
    data = source.encode(waves())
    made = turned(data, engine=engine)
    image = reopened(made)
    assert (image.mode, image.format, image.size) == (source.mode, source.format, (64, 48))
    assert is_deep(made) == (source in DEEP_SOURCES)
    before, after = shown(data), shown(made)
    assert after.mean() == pytest.approx(before.mean(), rel=0.02)
    assert after.std() == pytest.approx(before.std(), rel=0.1)
    assert len(np.unique(after)) >= {1: 2, 8: 90, 16: 1000}[source.bits]


@pytest.mark.parametrize(("source", "engine"), cases(*SOURCES, *GIFS, *DEEP_SOURCES))
def test_a_copy_is_a_source_of_its_own_mode(source: Source, engine: str) -> None:
    picture = load_image(turned(source.encode(waves()), engine=engine), engine=engine)
    assert picture.header.mode == picture.own.mode
    assert (picture.header.width, picture.header.height, picture.own.format) == (64, 48, source.format)


@pytest.mark.parametrize(
    ("source", "engine"), cases(*(source for source in (*SOURCES, *DEEP_SOURCES) if source.format == "PNG"))
)
def test_of_what_a_png_holds_beside_its_pixels_profile_and_orientation_are_kept(source: Source, engine: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "a secret"
    extra = (b"iCCPname\0\0" + zlib.compress(SRGB), b"eXIf" + exif.tobytes()[6:], b"tEXtwho\0a secret")
    made = turned(with_chunks(source.encode(waves()), *extra), engine=engine)
    image = reopened(made)
    assert dict(image.getexif()) == {0x0112: 6}
    assert image.info["icc_profile"] == SRGB
    assert image.size == (64, 48)
    assert b"a secret" not in made


@pytest.mark.threat(40)
@pytest.mark.parametrize("engine", ENGINES)
def test_sixteen_bits_of_gray_stay_sixteen(engine: str) -> None:
    """4,096 levels: 8 bits would leave 256, bytes warped one by one would leave noise."""
    levels = (np.arange(4096) * 16).reshape(64, 64)
    made = np.asarray(reopened(turned(encoded(Image.fromarray(levels.astype(np.uint16)), "PNG"), engine=engine)))
    assert made.dtype == np.uint16
    assert len(np.unique(made)) >= 3000
    assert made.mean() == pytest.approx(32760, rel=0.01)


@pytest.mark.threat(41)
@pytest.mark.parametrize("engine", ENGINES)
def test_no_color_of_what_is_transparent_bleeds_into_what_is_not(engine: str) -> None:
    """A red square, around it green that is not seen."""
    pixels = np.full((60, 60, 4), (0, 255, 0, 0), np.uint8)
    pixels[20:40, 20:40] = (255, 0, 0, 255)
    made = np.asarray(reopened(turned(encoded(Image.fromarray(pixels), "PNG"), 20.0, engine=engine)))
    seen = made[made[:, :, 3] > 0]
    assert len(seen) > 350
    assert seen[:, 0].min() == 255
    assert seen[:, 1:3].max() == 0
    assert made[:14, :, 3].max() == made[46:, :, 3].max() == made[:, :14, 3].max() == made[:, 46:, 3].max() == 0
    assert made[26:34, 26:34, 3].min() == 255


@pytest.mark.parametrize("engine", ENGINES)
def test_black_and_white_stay_black_and_white(engine: str) -> None:
    picture = load_image(encoded(black_and_white(waves()), "PNG"), engine=engine)
    made = reopened(turned_picture(picture, 5.0, Rendering(engine=engine)).data or b"")
    assert made.mode == "1"
    assert set(np.unique(picture.pixels)) == {0, 255}
    assert np.asarray(made.convert("L")).mean() == pytest.approx(picture.pixels.mean(), rel=0.03)


@needs_opencv
def test_the_transparent_color_of_16_bits_becomes_alpha() -> None:
    levels = pixels_of(waves(n_channels=3) / 2 + 0.4, "uint16")
    levels[16:32, 16:32] = (1, 1, 1)
    made = load_image(turned(with_chunks(deep(levels), b"tRNS\0\1\0\1\0\1"), engine="opencv"), engine="opencv")
    assert made.pixels.dtype == np.uint16
    assert made.pixels[20:28, 20:28, 3].max() == 0
    assert made.pixels[:10, :, 3].min() == 65535


@pytest.mark.threat(40)
@pytest.mark.parametrize("data", [b"P6 2 1 65535\n" + bytes(12), b"P3 1 1 1000\n1 2 3\n"])
def test_16_bits_of_color_name_the_extra_that_works_on_them(data: bytes) -> None:
    with pytest.raises(UnfitImageError, match=r"mode RGB;16.*rebalance-images\[fast\]"):
        load_image(data)


@pytest.mark.threat(41)
@pytest.mark.parametrize(
    ("file_format", "mode"), [("JPEG", "RGBA"), ("JPEG", "LA"), ("BMP", "RGBA"), ("JPEG", "I;16"), ("WEBP", "RGB;16")]
)
def test_a_format_that_cannot_hold_a_mode_names_the_way_out(file_format: str, mode: str) -> None:
    what = "16 bits a channel" if "16" in mode else "transparency"
    with pytest.raises(UnfitImageError, match=f"has {what}, which {file_format} does not hold.*--output-format"):
        held_mode(mode, file_format)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["0g01", "0g02", "0g04", "0g08", "0g16", "3p01", "3p08", "2c08", "4a08", "6a08",
                                  "2c16", "4a16", "6a16"])  # fmt: skip
def test_every_color_type_of_png_survives_a_rotation(odd_files: Path, name: str, engine: str) -> None:
    data = (odd_files / "pngsuite" / f"basn{name}.png").read_bytes()
    if engine == "pillow" and name in ("2c16", "4a16", "6a16"):
        with pytest.raises(UnfitImageError, match="16 bits a channel"):
            load_image(data)
        return
    made = turned(data, engine=engine)
    assert reopened(made).size == (32, 32)
    assert shown(made).mean() == pytest.approx(shown(data).mean(), abs=0.03)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_one_color_stays_itself_along_the_edge_of_its_alpha(engine: str, interpolation: str) -> None:
    pixels = np.zeros((60, 60, 4), np.uint8)
    pixels[:] = (180, 90, 20, 0)
    pixels[15:45, 15:45, 3] = 255
    rendering = Rendering(interpolation=interpolation, engine=engine)
    made_file = turned_picture(load_image(encoded(Image.fromarray(pixels), "PNG")), 20.0, rendering)
    assert made_file.data is not None
    made = np.asarray(reopened(made_file.data))
    seen = made[made[:, :, 3] > 16].astype(int)
    assert len(seen) > 800
    assert np.abs(seen[:, :3] - [180, 90, 20]).max() <= 1


@needs_opencv
@pytest.mark.parametrize(("n_channels", "tag", "value"), [(3, 284, 2), (4, 284, 1)])
def test_16_bits_in_an_unusual_arrangement_are_named(n_channels: int, tag: int, value: int) -> None:
    """In planes; with a fourth sample, which OpenCV writes without saying that it is alpha."""
    data = bytearray(encode_deep(np.full((4, 5, n_channels), 30_000, np.uint16), "TIFF", icc=None, exif=None))
    place = data.index(tag.to_bytes(2, "little") + b"\x03\x00\x01\x00\x00\x00")
    data[place + 8 : place + 10] = value.to_bytes(2, "little")
    with pytest.raises(UnfitImageError):
        load_image(bytes(data), engine="opencv")


def test_16_bit_gray_with_0_for_white_is_named() -> None:
    data = bytearray(encoded(Image.fromarray(np.full((4, 5), 30_000, np.uint16)), "TIFF"))
    place = data.index((262).to_bytes(2, "little") + b"\x03\x00\x01\x00\x00\x00")
    data[place + 8] = 0
    with pytest.raises(UnfitImageError, match="0 for white"):
        load_image(bytes(data))


@pytest.mark.threat(42)
def test_an_orientation_in_xmp_alone_is_named() -> None:
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    with pytest.raises(UnfitImageError, match="orientation in XMP alone"):
        load_image(encoded(photo(), "JPEG", xmp=packet))
