from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rebalance.images.encoding import settings_for, settings_like
from rebalance.images.jpeg import write_jpeg
from rebalance.images.pixels import Pixels
from tests.images.pictures import needs_opencv, pixels_of, waves

pytestmark = needs_opencv
COLOR, GRAY = pixels_of(waves((67, 45), 3)), pixels_of(waves((67, 45), 1))


def by_pillow(pixels: Pixels, **settings: object) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(buffer, "JPEG", **settings)
    return buffer.getvalue()


def like(data: bytes) -> dict[str, object]:
    return dict(settings_like(Image.open(BytesIO(data)), data, "JPEG"))


@pytest.mark.parametrize("pixels", [COLOR, GRAY], ids=["color", "gray"])
@pytest.mark.parametrize("quality", [2, 24, 49, 50, 75, 90, 99])
def test_the_bytes_are_those_of_pillow(pixels: Pixels, quality: int) -> None:
    assert write_jpeg(pixels, settings_for("JPEG", quality)) == by_pillow(pixels, quality=quality)
    for subsampling in (0, 1, 2):
        source = by_pillow(pixels, quality=quality, subsampling=subsampling)
        assert write_jpeg(pixels, like(source)) == by_pillow(pixels, **like(source))


def test_the_bytes_of_photographs_are_those_of_pillow(clothing: Path) -> None:
    for path in sorted(clothing.rglob("*.jpg"))[::120]:
        data = path.read_bytes()
        pixels = np.asarray(Image.open(path))
        assert write_jpeg(pixels, like(data)) == by_pillow(pixels, **like(data))


@pytest.mark.parametrize(
    "settings",
    [
        {"qtables": [[3] * 64, [5] * 64]},
        like(by_pillow(COLOR, quality=100)),
        {"quality": 90, "progressive": True},
        {"quality": 90, "keep_rgb": True},
        {"quality": 90, "icc_profile": b"profile"},
        {"quality": 90, "exif": b"Exif"},
    ],
    ids=["tables of its own", "one table for all", "progressive", "stored as RGB", "a profile", "an orientation"],
)
def test_what_opencv_does_not_write_is_left_to_pillow(settings: dict[str, object]) -> None:
    assert write_jpeg(COLOR, settings) is None
