import hashlib
import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile, JpegImagePlugin
from PIL.PngImagePlugin import PngInfo

from rebalance.errors import BadImageError, UnfitImageError
from rebalance.images.codec import MAX_PIXELS, check_header, check_pixels, load_image, save_image
from rebalance.images.pipeline import render
from rebalance.transforms import BY_KEY, make_recipe


def photo(size: tuple[int, int] = (48, 36), mode: str = "RGB") -> Image.Image:
    levels = np.indices(size[::-1]).sum(axis=0)
    bands = [np.clip(levels * (band + 1), 0, 255).astype(np.uint8) for band in range(3)]
    return Image.fromarray(np.stack(bands, axis=2)).convert(mode)


def encoded(image: Image.Image, file_format: str, **settings: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **settings)
    return buffer.getvalue()


def reopened(data: bytes) -> Any:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def turned(data: bytes) -> bytes:
    """Turn a file by 20 degrees as the program does."""
    settings = {"rotation_range": BY_KEY["rotation_range"].parse(30)}
    recipe = make_recipe(settings, fill_mode="reflect", cval=0, interpolation="bicubic")
    made = render(load_image(data), recipe, {"rotation": 20.0})
    assert made is not None
    return made


@pytest.mark.parametrize("quality", [30, 75, 93])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_is_written_with_the_tables_and_the_subsampling_of_its_source(
    quality: int,
    subsampling: int,
    progressive: bool,  # noqa: FBT001
) -> None:
    source = encoded(photo(), "JPEG", quality=quality, subsampling=subsampling, progressive=progressive)
    then, now = reopened(source), reopened(turned(source))
    assert now.quantization == then.quantization
    assert JpegImagePlugin.get_sampling(now) == JpegImagePlugin.get_sampling(then) == subsampling
    assert bool(now.info.get("progressive")) == progressive
    assert (now.mode, now.size) == (then.mode, then.size)


def test_a_grey_jpeg_stays_grey_with_its_table() -> None:
    source = encoded(photo(mode="L"), "JPEG", quality=40)
    made = reopened(turned(source))
    assert made.mode == "L"
    assert made.quantization == reopened(source).quantization


def test_a_jpeg_that_stores_rgb_goes_on_storing_it() -> None:
    source = encoded(photo(), "JPEG", keep_rgb=True, subsampling=0)
    made = reopened(turned(source))
    assert [layer[0] for layer in made.layer] == [ord("R"), ord("G"), ord("B")]


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "BMP", "PPM", "TIFF"])
def test_a_file_is_written_in_the_format_of_its_source(file_format: str, mode: str) -> None:
    made = reopened(turned(encoded(photo(mode=mode), file_format)))
    assert made.format == file_format
    assert made.size == (48, 36)
    assert made.mode == ("RGB" if file_format == "WEBP" else mode)


def test_a_lossless_webp_stays_lossless() -> None:
    assert b"VP8L" in turned(encoded(photo(), "WEBP", lossless=True))[:64]
    assert b"VP8L" not in turned(encoded(photo(), "WEBP", quality=60))[:64]


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_an_icc_profile_is_kept(file_format: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert reopened(turned(encoded(photo(), file_format, icc_profile=profile))).info["icc_profile"] == profile


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_only_the_orientation_is_kept_of_exif(file_format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "maker of the camera"
    exif.get_ifd(0x8825)[1] = "N"
    made = reopened(turned(encoded(photo(), file_format, exif=exif.tobytes())))
    assert dict(made.getexif()) == {0x0112: orientation}
    assert made.size == (48, 36)


def test_an_orientation_that_is_no_legal_value_is_not_copied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 0
    assert dict(reopened(turned(encoded(photo(), "JPEG", exif=exif.tobytes()))).getexif()) == {}


def test_comments_and_text_are_not_copied() -> None:
    assert b"a secret" not in turned(encoded(photo(), "JPEG", comment=b"a secret"))
    text = PngInfo()
    text.add_text("who", "a secret")
    assert b"a secret" not in turned(encoded(photo(), "PNG", pnginfo=text))


def test_comments_are_not_copied_where_no_border_shows() -> None:
    """Magnified, every sample lies in the picture, which is then cut and not filled."""
    settings = {"zoom_range": BY_KEY["zoom_range"].parse("0.4,0.6")}
    recipe = make_recipe(settings, fill_mode="reflect", cval=0, interpolation="bicubic")
    picture = load_image(encoded(photo((100, 80)), "JPEG", comment=b"a secret"))
    made = render(picture, recipe, {"zoom_x": 0.5, "zoom_y": 0.5})
    assert made is not None
    assert b"a secret" not in made


def test_values_that_change_nothing_make_no_new_bytes() -> None:
    settings = {"horizontal_flip": True}
    recipe = make_recipe(settings, fill_mode="reflect", cval=0, interpolation="bicubic")
    assert render(load_image(encoded(photo(), "JPEG")), recipe, {"horizontal_flip": False}) is None


def test_a_source_that_is_written_under_another_suffix_is_encoded_anew() -> None:
    settings = {"horizontal_flip": True}
    recipe = make_recipe(settings, fill_mode="reflect", cval=0, interpolation="bicubic")
    made = render(load_image(encoded(photo(), "PPM"), is_renamed=True), recipe, {"horizontal_flip": False})
    assert made is not None
    assert reopened(made).format == "PNG"
    assert np.asarray(reopened(made)).tolist() == np.asarray(photo()).tolist()


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


@pytest.mark.parametrize("size", [(60_000, 60_000), (MAX_PIXELS + 1, 1), (13_000, 13_000)])
def test_too_many_pixels_are_refused_before_they_are_decoded(size: tuple[int, int]) -> None:
    for check in (check_header, check_pixels, load_image):
        with pytest.raises(BadImageError, match="is more than 89478485 pixels"):
            check(png_of_size(*size))


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA", "I;16", "I", "F", "CMYK"])
def test_a_mode_that_is_not_worked_on_is_unfit_and_sound(mode: str) -> None:
    file_format = "TIFF" if mode in ("F", "I", "CMYK") else "PNG"
    image = Image.new(mode, (8, 8)) if mode.startswith(("I", "F")) else photo().convert(mode)
    data = encoded(image, file_format)
    with pytest.raises(UnfitImageError, match=f"has mode {mode}"):
        load_image(data)
    assert check_header(data).mode == mode


def deep_png() -> bytes:
    """Return a PNG of 2x1 pixels with 16 bits a channel, which Pillow opens as RGB."""
    header = b"IHDR" + (2).to_bytes(4) + (1).to_bytes(4) + bytes([16, 2, 0, 0, 0])
    chunks = [header, b"IDAT" + zlib.compress(b"\0" + bytes(range(12))), b"IEND"]
    framed = (len(chunk[4:]).to_bytes(4) + chunk + zlib.crc32(chunk).to_bytes(4) for chunk in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


@pytest.mark.parametrize("data", [deep_png(), b"P6 2 1 65535\n" + bytes(12), b"P3 1 1 1000\n1 2 3\n"])
def test_sixteen_bits_a_channel_are_unfit_although_pillow_calls_them_rgb(data: bytes) -> None:
    assert check_pixels(data).mode == "RGB"
    with pytest.raises(UnfitImageError, match="has 16 bits a channel"):
        load_image(data)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "BMP", "PPM", "TIFF"])
def test_eight_bits_a_channel_are_fit_in_every_size(file_format: str) -> None:
    assert load_image(encoded(photo((700, 500)), file_format)).pixels.size == (700, 500)


def test_a_spoilt_exif_block_is_no_orientation() -> None:
    assert load_image(encoded(photo(), "WEBP", exif=b"garbage!!garbage")).orientation == 1


def test_a_progressive_jpeg_of_much_detail_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = Image.frombytes("RGB", (400, 400), hashlib.shake_128(b"noise").digest(3 * 400 * 400))
    with monkeypatch.context() as patched:
        patched.setattr(ImageFile, "MAXBLOCK", 10**7)
        data = encoded(noise, "JPEG", quality=100, subsampling=0, progressive=True)
    assert reopened(turned(data)).info["progressive"]


def test_a_lossless_webp_with_a_profile_stays_lossless() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    made = turned(encoded(photo(), "WEBP", lossless=True, icc_profile=profile))
    assert b"VP8L" in made
    assert b"VP8 " not in made


def test_an_animation_is_unfit_and_sound() -> None:
    data = encoded(photo(mode="L"), "GIF", save_all=True, append_images=[photo(mode="L").rotate(90)])
    with pytest.raises(UnfitImageError, match="more than one picture"):
        load_image(data)
    assert check_pixels(data).format == "GIF"


def test_a_transparent_colour_is_unfit() -> None:
    with pytest.raises(UnfitImageError, match="transparent colour"):
        load_image(encoded(photo(), "PNG", transparency=(0, 0, 0)))


@pytest.mark.parametrize("size", [(1, 1), (1, 60_000), (60_000, 1), (3, 2)])
def test_the_smallest_and_the_thinnest_pictures_are_warped(size: tuple[int, int]) -> None:
    made = reopened(turned(encoded(Image.new("L", size, 90), "PNG")))
    assert made.size == size
    assert set(made.tobytes()) == {90}


def test_the_corrupt_files_of_the_suite_are_all_found(odd_files: Path) -> None:
    bad = set()
    for path in sorted((odd_files / "pngsuite").glob("*.png")):
        try:
            check_pixels(path.read_bytes())
        except BadImageError:
            bad.add(path.name)
    assert bad == {path.name for path in (odd_files / "pngsuite").glob("x*.png")}
    assert len(bad) == 14


def test_the_pixels_are_those_of_the_source(odd_files: Path) -> None:
    data = (odd_files / "exif_orientation" / "Landscape_6.jpg").read_bytes()
    picture = load_image(data)
    assert picture.orientation == 6
    assert picture.pixels.tobytes() == Image.open(io.BytesIO(data)).tobytes()
    assert reopened(save_image(picture.pixels, picture)).getexif()[0x0112] == 6
