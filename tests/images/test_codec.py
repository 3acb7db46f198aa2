import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rebalance.errors import BadImageError, UnfitImageError
from rebalance.images.codec import check_header, check_pixels
from rebalance.images.encoding import encode
from rebalance.images.picture import encoding_of, load_image
from rebalance.plan import MAX_PIXELS, SOURCE_LIKE
from tests.images.pictures import (
    ENGINES,
    deep,
    encoded,
    needs_opencv,
    photo,
    pixels_of,
    reopened,
    turned,
    turned_picture,
    waves,
)


@pytest.mark.threat(33, 37, 45)
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"garbage" * 100, "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n", "not an image"),
        (b"%PDF-1.4\n" * 20, "not an image"),
        (b"\0\0\0\x20ftypheic" + bytes(100), "HEIC is not supported"),
        (b"\0\0\0\x20ftypavif" + bytes(100), "AVIF is not supported"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(100), "JPEG XL is not supported"),
        (encoded(photo(), "PNG")[:100], "does not decode"),
        (encoded(photo((400, 300)), "JPEG")[:2000], "does not decode"),
        (encoded(photo((400, 300)), "JPEG")[:-2], "does not decode"),
    ],
)  # fmt: skip
def test_what_cannot_be_decoded_is_refused_with_a_reason_by_its_header_already(data: bytes, reason: str) -> None:
    with pytest.raises(BadImageError, match=reason):
        check_header(data)
    with pytest.raises(BadImageError, match=reason):
        load_image(data)


@pytest.mark.threat(33)
def test_a_wrong_checksum_of_a_png_is_noticed() -> None:
    data = bytearray(encoded(photo(), "PNG"))
    data[data.index(b"IDAT") + 10] ^= 1
    with pytest.raises(BadImageError, match="does not decode"):
        check_header(bytes(data))


def png_of_size(width: int, height: int) -> bytes:
    """Return a small PNG whose header promises a large picture."""
    header = b"IHDR" + width.to_bytes(4) + height.to_bytes(4) + bytes([8, 2, 0, 0, 0])
    chunks = [header, b"IDAT" + zlib.compress(b"\0"), b"IEND"]
    framed = (len(chunk[4:]).to_bytes(4) + chunk + zlib.crc32(chunk).to_bytes(4) for chunk in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


@pytest.mark.threat(34, 35)
@pytest.mark.parametrize("size", [(60_000, 60_000), (MAX_PIXELS + 1, 1), (13_000, 13_000)])
def test_too_many_pixels_are_refused_before_they_are_decoded(size: tuple[int, int]) -> None:
    for check in (check_header, check_pixels, load_image):
        with pytest.raises(BadImageError, match=r"is more than 89478485 pixels \(--max-pixels\)$"):
            check(png_of_size(*size))


def test_as_many_pixels_as_are_allowed_are_decoded() -> None:
    data = encoded(photo((48, 36)), "PNG")
    assert load_image(data, max_pixels=48 * 36).pixels.shape == (36, 48, 3)
    for check in (check_header, check_pixels):
        with pytest.raises(BadImageError, match=r"48x36 is more than 1727 pixels \(--max-pixels\)"):
            check(data, 48 * 36 - 1)


@pytest.mark.threat(40)
@pytest.mark.parametrize(("mode", "size"), [("I", (8, 8)), ("F", (8, 8))])
def test_a_mode_that_is_not_worked_on_is_unfit_and_sound(mode: str, size: tuple[int, int]) -> None:
    data = encoded(Image.new(mode, size), "TIFF")
    with pytest.raises(UnfitImageError, match=f"has mode {mode}$"):
        load_image(data)
    assert check_header(data).mode == check_pixels(data).mode == mode


@pytest.mark.threat(40)
@pytest.mark.parametrize("data", [b"P6 2 1 65535\n" + bytes(12), b"P3 1 1 1000\n1 2 3\n"])
def test_sixteen_bits_a_channel_are_sound_and_named_although_pillow_calls_them_rgb(data: bytes) -> None:
    assert reopened(data).mode == "RGB"
    assert check_pixels(data).mode == check_header(data).mode == "RGB;16"


@needs_opencv
def test_the_pixels_of_16_bits_of_color_are_those_of_the_file() -> None:
    pixels = pixels_of(waves(n_channels=4), "uint16")
    assert np.array_equal(load_image(deep(pixels), engine="opencv").pixels, pixels)
    assert np.array_equal(load_image(deep(pixels[:, :, :3], ".tiff"), engine="opencv").pixels, pixels[:, :, :3])


@pytest.mark.threat(38)
@pytest.mark.parametrize("file_format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_an_animation_is_unfit_and_sound(file_format: str) -> None:
    data = encoded(photo(), file_format, save_all=True, append_images=[photo().rotate(90)])
    with pytest.raises(UnfitImageError, match="more than one picture"):
        load_image(data)
    assert check_pixels(data).format == file_format


@pytest.mark.threat(38)
def test_of_an_mpo_the_first_picture_is_made_into_a_jpeg() -> None:
    data = encoded(photo(), "MPO", save_all=True, append_images=[photo().rotate(180)], quality=95)
    picture = load_image(data)
    assert np.abs(picture.pixels.astype(int) - np.asarray(photo())).mean() < 3
    made = turned_picture(picture, 5.0, SOURCE_LIKE)
    assert made.data is not None
    assert (reopened(made.data).format, getattr(reopened(made.data), "n_frames", 1)) == ("JPEG", 1)


@pytest.mark.threat(39)
def test_inks_are_noted() -> None:
    picture = load_image(encoded(photo().convert("CMYK"), "JPEG"))
    assert turned_picture(picture, 5.0, SOURCE_LIKE).notes == ("mode CMYK became RGB",)
    assert turned_picture(load_image(encoded(photo(), "JPEG")), 5.0, SOURCE_LIKE).notes == ()
    gray = load_image(encoded(photo(mode="L"), "PNG"))
    assert turned_picture(gray, 5.0, SOURCE_LIKE._replace(output_format="webp")).notes == ("mode L became RGB",)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "BMP", "PPM", "TIFF"])
def test_eight_bits_a_channel_are_fit_in_every_size(file_format: str) -> None:
    assert load_image(encoded(photo((700, 500)), file_format)).pixels.shape == (500, 700, 3)


@pytest.mark.threat(42)
def test_a_spoilt_exif_block_is_no_orientation() -> None:
    assert load_image(encoded(photo(), "WEBP", exif=b"garbage!!garbage")).orientation == 1


@pytest.mark.threat(48)
@pytest.mark.parametrize("size", [(1, 1), (1, 60_000), (60_000, 1), (3, 2)])
def test_the_smallest_and_the_thinnest_pictures_are_warped(size: tuple[int, int]) -> None:
    made = reopened(turned(encoded(Image.new("L", size, 90), "PNG")))
    assert made.size == size
    assert set(made.tobytes()) == {90}


@pytest.mark.threat(33)
def test_the_corrupt_files_of_the_suite_are_all_found_and_no_other_is(odd_files: Path) -> None:
    bad = set()
    for path in sorted((odd_files / "pngsuite").glob("*.png")):
        try:
            check_pixels(path.read_bytes())
        except BadImageError:
            bad.add(path.name)
    assert bad == {path.name for path in (odd_files / "pngsuite").glob("x*.png")}
    assert len(bad) == 14


@pytest.mark.parametrize("engine", ENGINES)
def test_the_corrupt_files_of_the_suite_are_bad_and_not_unfit(odd_files: Path, engine: str) -> None:
    for path in sorted((odd_files / "pngsuite").glob("x*.png")):
        with pytest.raises(BadImageError) as raised:
            load_image(path.read_bytes(), engine=engine)
        assert raised.type is BadImageError, path.name


@needs_opencv
def test_all_sound_files_of_the_suite_are_sources_and_sources_again(odd_files: Path) -> None:
    sound = sorted((odd_files / "pngsuite").glob("[!x]*.png"))
    assert len(sound) == 161
    for path in sound:
        made = turned(path.read_bytes(), engine="opencv")
        assert reopened(made).size == reopened(path.read_bytes()).size, path.name


def test_the_pixels_are_those_of_the_source(odd_files: Path) -> None:
    data = (odd_files / "exif_orientation" / "Landscape_6.jpg").read_bytes()
    picture = load_image(data)
    assert picture.orientation == 6
    assert picture.pixels.tobytes() == Image.open(io.BytesIO(data)).tobytes()
    assert reopened(encode(picture.pixels, encoding_of(picture, SOURCE_LIKE, None)).data).getexif()[0x0112] == 6


@pytest.mark.parametrize("engine", ENGINES)
def test_a_bmp_of_16_bits_a_pixel_has_8_bit_colors(engine: str) -> None:
    pixels = struct.pack("<HH", 0xF800, 0x07E0)
    header = struct.pack("<IiiHHIIiiII", 40, 2, 1, 1, 16, 3, 4, 2835, 2835, 0, 0) + struct.pack(
        "<III", 0xF800, 0x07E0, 0x1F
    )
    start = 14 + len(header)
    data = b"BM" + struct.pack("<IHHI", start + 4, 0, 0, start) + header + pixels
    assert load_image(data, engine=engine).pixels.tolist() == [[[255, 0, 0], [0, 255, 0]]]


@needs_opencv
def test_a_pixmap_of_other_depth_has_its_levels_scaled() -> None:
    picture = load_image(b"P6 1 1 1000\n" + struct.pack(">3H", 100, 200, 300), engine="opencv")
    assert picture.pixels.ravel().tolist() == [6554, 13107, 19660]


@pytest.mark.threat(41)
@pytest.mark.parametrize(
    ("name", "n_transparent"), [("tbbn0g04.png", 464), ("tbwn3p08.png", 454), ("tbrn2c08.png", 453)]
)
def test_the_transparent_color_of_a_png_is_transparent(odd_files: Path, name: str, n_transparent: int) -> None:
    picture = load_image((odd_files / "pngsuite" / name).read_bytes())
    assert int((picture.pixels[:, :, -1] == 0).sum()) == n_transparent
