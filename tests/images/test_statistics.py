import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from rebalance.images.statistics import KINDS, STATISTICS, describe, measure
from tests.images.pictures import encoded

NAMES = [statistic.name for statistic in STATISTICS]


def photograph(size: tuple[int, int] = (200, 160)) -> Image.Image:
    """Return soft shapes with some noise, as a camera makes them."""
    width, height = size
    rows, columns = np.indices((height, width))
    shapes = 110 + 60 * np.sin(columns / 17.0) * np.cos(rows / 23.0) + 30 * ((columns // 41 + rows // 37) % 2)
    noise = (np.random.PCG64(5).random_raw(width * height) % 13).reshape(height, width)
    return Image.fromarray((shapes + noise).clip(0, 255).astype(np.uint8))


def of(image: Image.Image) -> dict[str, float]:
    return dict(zip(NAMES, describe(np.asarray(image.convert("L"), np.float32)).tolist(), strict=True))


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    return Image.open(io.BytesIO(encoded(image, "JPEG", quality=quality)))


def test_blur_takes_the_finest_detail() -> None:
    sharp, soft = of(photograph()), of(photograph().filter(ImageFilter.GaussianBlur(0.8)))
    for name in ("laplacian", "third", "diagonal", "octave1", "floor"):
        assert soft[name] < sharp[name] - 0.2, name


def test_blocks_of_jpeg_show_at_their_edges_and_moved_ones_at_another_phase() -> None:
    plain, blocks = of(photograph()), of(jpeg(photograph(), 20))
    assert blocks["grid_across"] > plain["grid_across"] + 0.3
    assert blocks["grid_down"] > plain["grid_down"] + 0.3
    moved = of(jpeg(photograph(), 20).crop((3, 3, 195, 155)))
    assert moved["grid_across"] < blocks["grid_across"] - 0.3
    assert moved["phase_across"] > plain["phase_across"] + 0.3


@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
def test_a_mirrored_border_and_a_constant_one_are_found_on_any_side(side: str) -> None:
    turns = {"left": 0, "top": 1, "right": 2, "bottom": 3}[side]
    pixels = np.rot90(np.asarray(photograph()), turns)
    mirrored, constant = pixels.copy(), pixels.copy()
    mirrored[:, :8] = pixels[:, 15:7:-1]
    constant[:, :8] = pixels[:, 8:9]
    plain = of(Image.fromarray(pixels))
    assert of(Image.fromarray(np.rot90(mirrored, -turns)))["mirror"] > 0.99
    assert plain["mirror"] < 0.7
    assert of(Image.fromarray(np.rot90(constant, -turns)))["constant"] < plain["constant"] - 1


def test_levels_that_are_cut_off_or_missing_are_found() -> None:
    plain = of(photograph())
    brighter = of(photograph().point(lambda level: level * 1.5))
    assert brighter["white"] > plain["white"] + 2
    assert brighter["missing"] > plain["missing"] + 0.2
    assert brighter["comb"] > plain["comb"] + 0.5
    assert of(photograph().point(lambda level: level - 90))["black"] > plain["black"] + 2


def test_what_is_without_noise_is_still() -> None:
    assert of(Image.new("L", (64, 64), 90))["still"] == 1
    assert of(photograph())["still"] < 0.2


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (2, 2), (3, 5), (9, 9), (700, 11)])
def test_every_size_has_finite_statistics(size: tuple[int, int]) -> None:
    for image in (Image.new("L", size, 0), photograph(size)):
        values = measure(encoded(image, "PNG"), [None, 8])
        assert values.shape == (2, len(STATISTICS))
        assert np.isfinite(values).all()


def test_a_picture_is_measured_as_it_stands_upright_and_in_the_size_of_training() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoded(photograph().transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif)
    small = photograph().resize((64, 64), Image.Resampling.BILINEAR)
    native, resized = measure(turned, [None, 64])
    assert native == pytest.approx(measure(encoded(photograph(), "PNG"), [None])[0])
    assert resized == pytest.approx(measure(encoded(small, "PNG"), [None])[0])


def test_each_has_a_name_of_its_own_and_a_kind() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert sorted(place for places in KINDS.values() for place in places) == list(range(len(NAMES)))
