import pytest
from PIL import Image

from rebalance.errors import BadImageError
from rebalance.images.container import Container, read_container
from tests.images.pictures import encoded


def ramp(size: tuple[int, int] = (40, 20)) -> Image.Image:
    return Image.linear_gradient("L").resize(size).convert("RGB")


def jpeg(**settings: object) -> Container:
    return read_container(encoded(ramp(), "JPEG", **settings))


def test_a_jpeg_says_how_it_was_encoded() -> None:
    data = encoded(ramp(), "JPEG", quality=90, subsampling=0)
    found = read_container(data)
    assert found._replace(bytes_per_pixel=0, tables=0) == Container(
        "JPEG", "RGB", 40, 20, 0, 0, "4:4:4", progressive=False, orientation="", icc=""
    )
    assert found.bytes_per_pixel == len(data) / 800
    assert jpeg(subsampling=2).subsampling == "4:2:0"
    assert jpeg(progressive=True).progressive


def test_the_lower_the_quality_the_larger_the_tables() -> None:
    tables = [jpeg(quality=quality).tables for quality in (95, 75, 30)]
    assert tables == sorted(set(tables))


def test_the_orientation_and_the_profile_are_told_as_they_stand() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert jpeg(exif=exif).orientation == "6"
    exif[0x0112] = 0
    assert jpeg(exif=exif).orientation == "0"
    assert jpeg(icc_profile=b"x" * 200).icc == "200"


def test_what_is_no_jpeg_has_no_tables() -> None:
    assert read_container(encoded(ramp().convert("P"), "PNG"))[:3] == ("PNG", "P", 40)
    assert read_container(encoded(ramp(), "PNG"))[5:] == (0, "", False, "", "")


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(BadImageError):
        read_container(b"no image")
