import hashlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile, JpegImagePlugin
from PIL.PngImagePlugin import PngInfo

from rebalance.errors import UnfitImageError
from rebalance.images.encoding import encode
from rebalance.images.picture import encoding_of, load_image
from rebalance.images.pipeline import Making, remake
from rebalance.plan import SOURCE_LIKE, Rendering
from rebalance.recipes import make_recipe
from tests.images.pictures import SRGB, deep, encoded, needs_opencv, photo, pixels_of, ramp, reopened, turned, waves


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


def test_a_gray_jpeg_stays_gray_with_its_table() -> None:
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


def test_a_lossless_webp_with_a_profile_stays_lossless() -> None:
    made = turned(encoded(photo(), "WEBP", lossless=True, icc_profile=SRGB))
    assert b"VP8L" in made
    assert b"VP8 " not in made


@pytest.mark.threat(44)
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_an_icc_profile_is_kept(file_format: str) -> None:
    assert reopened(turned(encoded(photo(), file_format, icc_profile=SRGB))).info["icc_profile"] == SRGB


@pytest.mark.threat(42, 43)
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


@pytest.mark.threat(43)
def test_comments_and_text_are_not_copied() -> None:
    assert b"a secret" not in turned(encoded(photo(), "JPEG", comment=b"a secret"))
    text = PngInfo()
    text.add_text("who", "a secret")
    assert b"a secret" not in turned(encoded(photo(), "PNG", pnginfo=text))


def test_a_progressive_jpeg_of_much_detail_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = Image.frombytes("RGB", (400, 400), hashlib.shake_128(b"noise").digest(3 * 400 * 400))
    with monkeypatch.context() as patched:
        patched.setattr(ImageFile, "MAXBLOCK", 10**7)
        data = encoded(noise, "JPEG", quality=100, subsampling=0, progressive=True)
    assert reopened(turned(data)).info["progressive"]


def test_comments_are_not_copied_where_no_border_shows() -> None:
    """Magnified, every sample lies in the picture, which is then cut and not filled."""
    recipe = make_recipe({"zoom_range": (0.4, 0.6), "fill_mode": "reflect"})
    picture = load_image(encoded(photo((100, 80)), "JPEG", comment=b"a secret"))
    made = remake(picture, Making(recipe, SOURCE_LIKE), {"zoom_x": 0.5, "zoom_y": 0.5}, b"key")
    assert made.data is not None
    assert b"a secret" not in made.data


FLIP = make_recipe({"horizontal_flip": True, "fill_mode": "nearest"})


def test_values_that_change_nothing_make_no_new_bytes() -> None:
    picture = load_image(encoded(photo(), "JPEG"))
    assert remake(picture, Making(FLIP, SOURCE_LIKE), {"horizontal_flip": False}, b"key").data is None


def test_a_source_that_is_written_under_another_suffix_is_encoded_anew() -> None:
    picture = load_image(encoded(photo(), "PPM"))
    made = remake(picture, Making(FLIP, SOURCE_LIKE, "PNG"), {"horizontal_flip": False}, b"key").data
    assert made is not None
    assert reopened(made).format == "PNG"
    assert np.asarray(reopened(made)).tolist() == np.asarray(photo()).tolist()


def remade(data: bytes, **rendering: Any) -> Any:
    """Return what a file becomes where nothing is drawn."""
    picture = load_image(data)
    making = Making({}, Rendering(**rendering, originals="reencode"))
    return remake(picture, making, {}, b"key")


@pytest.mark.parametrize(
    ("output_format", "mode", "expected"),
    [
        ("jpeg", "L", "L"), ("jpeg", "RGB", "RGB"), ("jpeg", "1", "L"), ("png", "L", "L"), ("png", "1", "1"),
        ("png", "RGBA", "RGBA"), ("png", "LA", "LA"), ("webp", "L", "RGB"), ("webp", "LA", "RGBA"),
        ("webp", "1", "RGB"), ("webp", "RGBA", "RGBA"),
    ],
)  # fmt: skip
def test_an_output_format_holds_a_mode_as_it_can(output_format: str, mode: str, expected: str) -> None:
    source = photo().convert(mode)
    if mode.endswith("A"):
        source.putalpha(Image.new("L", source.size, 128))
    made = remade(encoded(source, "PNG"), output_format=output_format)
    image = reopened(made.data)
    assert (image.format, image.mode, image.size) == (output_format.upper(), expected, (48, 36))
    assert (made.header.format, made.header.mode) == (output_format.upper(), expected)
    assert np.abs(np.asarray(image.convert("L"), int) - np.asarray(source.convert("L"), int)).mean() < 3


@pytest.mark.parametrize(
    ("output_format", "mode", "what"),
    [("jpeg", "RGBA", "transparency"), ("jpeg", "LA", "transparency"), ("jpeg", "I;16", "16 bits a channel"),
     ("webp", "I;16", "16 bits a channel")],
)  # fmt: skip
def test_what_an_output_format_cannot_hold_is_unfit(output_format: str, mode: str, what: str) -> None:
    image = Image.new("I;16", (9, 8), 4000) if mode == "I;16" else photo().convert(mode)
    with pytest.raises(UnfitImageError, match=rf"has {what}, .*--output-format"):
        remade(encoded(image, "PNG"), output_format=output_format)


@needs_opencv
@pytest.mark.parametrize("output_format", ["jpeg", "webp"])
def test_16_bits_of_color_are_not_made_8(output_format: str) -> None:
    data = deep(pixels_of(waves(n_channels=3), "uint16"))
    with pytest.raises(UnfitImageError, match=r"has 16 bits a channel, .*--output-format"):
        turned(data, engine="opencv", output_format=output_format)


# the first entry of the luminance table that the JPEG standard's example has is 16; 50 is that table itself
@pytest.mark.parametrize(("quality", "first"), [(25, 32), (50, 16), (75, 8), (100, 1)])
def test_a_quality_makes_the_tables(quality: int, first: int) -> None:
    source = encoded(photo(), "JPEG", quality=90)
    assert reopened(remade(source, quality=quality).data).quantization[0][0] == first
    assert reopened(remade(source, output_format="jpeg", quality=quality).data).quantization[0][0] == first


def test_an_output_format_that_is_the_source_s_keeps_its_tables() -> None:
    source = encoded(photo(), "JPEG", quality=33, subsampling=1, progressive=True)
    made = reopened(remade(source, output_format="jpeg").data)
    assert made.quantization == reopened(source).quantization
    assert JpegImagePlugin.get_sampling(made) == 1
    assert made.info.get("progressive")


def test_a_quality_of_webp_makes_a_lossy_file() -> None:
    noise = Image.frombytes("RGB", (64, 64), hashlib.shake_128(b"noise").digest(3 * 64 * 64))
    source = encoded(noise, "WEBP", lossless=True)
    low, high = (remade(source, quality=quality).data for quality in (10, 95))
    assert b"VP8L" not in low[:64]
    assert len(low) < len(high) / 2


@pytest.mark.threat(39, 44)
def test_a_profile_of_inks_is_not_kept_for_colors() -> None:
    made = turned(encoded(photo().convert("CMYK"), "JPEG", icc_profile=b"for inks" * 30))
    assert "icc_profile" not in reopened(made).info


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_a_tiff_keeps_its_compression(compression: str) -> None:
    assert reopened(turned(encoded(photo(), "TIFF", compression=compression))).info["compression"] == compression


@pytest.mark.parametrize(("file_format", "n_channels"), [("PNG", 1), ("PNG", 2), ("PNG", 3), ("PNG", 4), ("BMP", 3)])
def test_a_lossless_format_holds_every_level(file_format: str, n_channels: int) -> None:
    pixels = ramp(n_channels)
    picture = load_image(encoded(Image.fromarray(pixels[:, :, 0] if n_channels == 1 else pixels), file_format))
    assert np.array_equal(picture.pixels, pixels)
    written = np.asarray(reopened(encode(pixels, encoding_of(picture, SOURCE_LIKE, None)).data))
    assert np.array_equal(written.reshape(pixels.shape), pixels)


def test_a_profile_of_gray_is_not_written_into_color() -> None:
    gray = SRGB[:16] + b"GRAY" + SRGB[20:]
    made = reopened(turned(encoded(photo(mode="L"), "PNG", icc_profile=gray), output_format="webp"))
    assert "icc_profile" not in made.info
    assert reopened(turned(encoded(photo(mode="L"), "PNG", icc_profile=gray))).info["icc_profile"] == gray


@needs_opencv
def test_a_profile_of_gray_is_not_written_into_deep_color() -> None:
    gray = SRGB[:16] + b"GRAY" + SRGB[20:]
    source = Image.fromarray(pixels_of(waves()[:, :, 0], "uint16"))
    made = reopened(turned(encoded(source, "PNG", icc_profile=gray, transparency=9), engine="opencv"))
    assert "icc_profile" not in made.info


@pytest.mark.parametrize(("alpha", "mode"), [(255, "RGB"), (200, "RGBA")])
def test_the_mode_that_is_told_is_that_of_the_file(alpha: int, mode: str) -> None:
    source = photo().convert("RGBA")
    source.putalpha(alpha)
    making = Making({}, Rendering(output_format="webp", originals="reencode"))
    made = remake(load_image(encoded(source, "PNG")), making, {}, b"")
    assert made.data is not None
    assert made.header.mode == reopened(made.data).mode == mode


def test_a_jpeg_whose_tables_are_stored_in_another_order_keeps_them_apart() -> None:
    """The two DQT segments are swapped; the components still say which is theirs."""
    data = encoded(photo(), "JPEG", quality=60)
    first = data.index(b"\xff\xdb")
    second = data.index(b"\xff\xdb", first + 2)
    length = 2 + int.from_bytes(data[first + 2 : first + 4])
    assert second == first + length
    swapped = data[:first] + data[second : second + length] + data[first:second] + data[second + length :]
    assert list(reopened(swapped).quantization) == [1, 0]
    assert reopened(turned(swapped)).quantization == reopened(data).quantization


def test_the_hidden_colors_of_a_webp_are_kept() -> None:
    pixels = np.zeros((32, 32, 4), np.uint8)
    pixels[:] = (200, 30, 10, 0)
    pixels[8:24, 8:24] = (10, 200, 30, 255)
    source = encoded(Image.fromarray(pixels), "WEBP", lossless=True, exact=True)
    made = np.asarray(reopened(turned(source)))
    hidden = made[made[:, :, 3] == 0]
    assert len(hidden) > 500
    assert np.median(hidden, axis=0).tolist() == [200, 30, 10, 0]
