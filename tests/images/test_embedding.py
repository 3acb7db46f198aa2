import io
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from rebalance.errors import BadImageError
from rebalance.images import choice
from rebalance.images.descriptor import DIMENSIONS, describe, fit_space, placed
from rebalance.images.embedding import EMBEDDERS, embed_image, place_all
from rebalance.images.eye import view_image
from rebalance.plan import MAX_PIXELS
from rebalance.vectors import NEAR_DUPLICATE


def encoded(image: Image.Image, file_format: str = "PNG", **settings: object) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **settings)
    return file.getvalue()


def scene(size: tuple[int, int] = (120, 90)) -> Image.Image:
    image = Image.new("RGB", size, (40, 90, 200))
    image.paste((220, 180, 30), (10, 20, 70, 60))
    image.paste((10, 10, 10), (80, 5, 100, 85))
    return image


def cosines(pictures: Sequence[Image.Image], embedder: str) -> list[float]:
    described = np.array(
        [embed_image(encoded(picture), EMBEDDERS[embedder], MAX_PIXELS) for picture in pictures], np.float32
    )
    rows, _ = place_all(described, EMBEDDERS[embedder])
    return [float(rows[0] @ row) for row in rows[1:]]


@pytest.mark.parametrize("embedder", EMBEDDERS)
@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (7, 3), (900, 700)])
def test_every_picture_has_a_vector_of_unit_length(embedder: str, size: tuple[int, int]) -> None:
    solids = [Image.new("RGB", size, (level, level, level)) for level in (0, 128, 255)]
    described = np.array(
        [embed_image(encoded(picture), EMBEDDERS[embedder], MAX_PIXELS) for picture in solids], np.float32
    )
    rows, _ = place_all(described, EMBEDDERS[embedder])
    assert np.isfinite(rows).all()
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-5)
    assert rows.dtype == np.float32


@pytest.mark.parametrize("embedder", EMBEDDERS)
def test_a_set_of_one_picture_has_a_vector_too(embedder: str) -> None:
    rows, space = place_all(
        np.array([embed_image(encoded(scene()), EMBEDDERS[embedder], MAX_PIXELS)]), EMBEDDERS[embedder]
    )
    assert np.linalg.norm(rows) == pytest.approx(1)
    assert space["name"] == embedder


@pytest.mark.parametrize("embedder", EMBEDDERS)
def test_a_recompressed_picture_is_nearer_than_another(embedder: str) -> None:
    again = Image.open(io.BytesIO(encoded(scene(), "JPEG", quality=80)))
    others = [scene().rotate(90, expand=True), Image.linear_gradient("L").convert("RGB")]
    near, *far = cosines([scene(), again, *others], embedder)
    assert near > 0.8 > max(far)


def test_a_descriptor_is_of_its_parts() -> None:
    described = describe(np.asarray(scene()))
    assert described.shape == (DIMENSIONS,) == (501,)
    assert np.linalg.norm(described[:384]) == pytest.approx(1, abs=1e-3)
    assert np.linalg.norm(described[384:448]) == pytest.approx(1, abs=1e-3)


def test_further_pictures_are_placed_in_a_space_that_was_fitted_before() -> None:
    described = np.array([describe(np.asarray(scene((120 + 9 * step, 90)))) for step in range(4)])
    space = fit_space(described)
    assert (placed(described[2:3], space) == placed(described, space)[2:3]).all()


def test_a_picture_is_seen_as_its_orientation_has_it() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoded(scene().rotate(90, expand=True), exif=exif)
    assert (view_image(turned, 32) == np.asarray(scene())).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_as_pillow_does_it(orientation: int) -> None:
    from PIL import ImageOps  # noqa: PLC0415  the reference

    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(scene(), exif=exif)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert (view_image(data, 32) == np.asarray(upright)).all()


def test_what_is_transparent_is_white_whatever_color_hides_behind_it() -> None:
    hidden = Image.new("RGBA", (4, 4), (200, 0, 0, 0))
    assert (view_image(encoded(hidden), 32) == 255).all()


def test_deep_gray_keeps_its_high_byte_and_numbers_are_stretched() -> None:
    deep = Image.fromarray(np.array([[0, 0x1234], [0x8000, 0xFFFF]], np.uint16))
    assert view_image(encoded(deep), 32)[..., 0].tolist() == [[0, 0x12], [0x80, 0xFF]]
    numbers = Image.fromarray(np.array([[-1.0, 0.0], [0.5, 1.0]], np.float32))
    assert view_image(encoded(numbers, "TIFF"), 32)[..., 1].tolist() == [[0, 127], [191, 255]]


def test_a_large_jpeg_is_decoded_no_smaller_than_is_looked_at() -> None:
    data = encoded(scene().resize((1600, 1200)), "JPEG")
    height, width, _ = view_image(data, 96).shape
    assert (width, height) == (200, 150)


def test_what_does_not_decode_says_why() -> None:
    with pytest.raises(BadImageError, match="does not decode"):
        embed_image(encoded(scene(), "JPEG")[:-400], EMBEDDERS["descriptor"], MAX_PIXELS)
    with pytest.raises(BadImageError, match="more than 100 pixels"):
        embed_image(encoded(scene()), EMBEDDERS["pixels"], 100)


def test_all_embedders_can_be_asked_for_and_have_a_usual_similarity() -> None:
    assert tuple(EMBEDDERS) == choice.EMBEDDERS == tuple(NEAR_DUPLICATE)
