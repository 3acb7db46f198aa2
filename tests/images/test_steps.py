import math

import numpy as np
import numpy.typing as npt
import pytest

from rebalance.images.pixels import Pixels
from rebalance.images.steps import add_gaussian_noise, add_poisson_noise, blur, erase
from rebalance.recipes import draw_values
from tests.test_transforms import recipe_of

KEY, OTHER = b"k" * 32, b"o" * 32
Floats = npt.NDArray[np.float64]


def flat(level: int, dtype: type = np.uint8, shape: tuple[int, int, int] = (256, 256, 3)) -> Pixels:
    return np.full(shape, level, dtype)


def gaussian(sigma: float, dtype: type = np.uint8, key: bytes = KEY) -> Floats:
    """Return the noise of a flat field of level 128, in gray levels."""
    level = np.iinfo(dtype).max // 255
    noisy = add_gaussian_noise(flat(128 * level, dtype), {"gaussian_noise": sigma}, key, {})
    noise: Floats = noisy.astype(np.float64) / level - 128
    return noise


def correlation(one: Floats, other: Floats) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


@pytest.mark.parametrize("sigma", [1, 5, 20])
@pytest.mark.parametrize(("dtype", "step"), [(np.uint8, 1.0), (np.uint16, 1 / 257)])
def test_gaussian_noise_is_normal_with_its_standard_deviation(dtype: type, step: float, sigma: float) -> None:
    """Rounding to a step adds step^2 / 12 to the variance."""
    noise = gaussian(sigma, dtype)
    variance = sigma**2 + step**2 / 12
    deviation = math.sqrt(variance)
    assert abs(noise.mean()) < 4 * deviation / math.sqrt(noise.size)
    assert noise.var() == pytest.approx(variance, rel=0.02)
    assert abs((noise**3).mean() / deviation**3) < 4 * math.sqrt(6 / noise.size)
    assert (noise**4).mean() / deviation**4 == pytest.approx(3, abs=0.05)


def test_gaussian_noise_has_the_tails_of_a_normal_distribution() -> None:
    noise = np.abs(gaussian(10, np.uint16)) / 10
    shares = [(noise < reach).mean() for reach in (0.5, 1, 2, 3)]
    assert shares == pytest.approx([0.38292, 0.68269, 0.95450, 0.99730], abs=0.005)
    assert 4 < noise.max() < 4.4


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_noise_of_neighbors_channels_and_copies_has_nothing_in_common(dtype: type) -> None:
    """65,000 pixels and more: four standard errors are 0.016."""
    noise, other = gaussian(5, dtype), gaussian(5, dtype, OTHER)
    pairs = [
        (noise[:, 1:], noise[:, :-1]), (noise[1:], noise[:-1]), (noise[:, 4:], noise[:, :-4]), (noise, other),
        (noise[:, :, 0], noise[:, :, 1]), (noise[:, :, 0], noise[:, :, 2]), (noise[:, :, 1], noise[:, :, 2]),
        (np.abs(noise[:, 1:]), np.abs(noise[:, :-1])), (np.abs(noise), np.abs(other)),
    ]  # fmt: skip
    assert max(abs(correlation(*pair)) for pair in pairs) < 0.016


def test_gaussian_noise_and_poisson_noise_of_one_copy_have_nothing_in_common() -> None:
    photons = add_poisson_noise(flat(128), {"poisson_noise": 5.0}, KEY, {}).astype(np.float64)
    assert abs(correlation(gaussian(5), photons)) < 0.016


def test_noise_beyond_black_and_white_is_clipped() -> None:
    """Half of the noise about 0 and 255 is clipped: what is left has a mean of sigma / sqrt(2 pi)."""
    dark = add_gaussian_noise(flat(0), {"gaussian_noise": 20.0}, KEY, {})
    bright = add_gaussian_noise(flat(255), {"gaussian_noise": 20.0}, KEY, {})
    assert dark.mean() == pytest.approx(7.979, abs=0.15)
    assert 255 - bright.mean() == pytest.approx(7.979, abs=0.15)


def counted(photons: float, level: float, step: float) -> tuple[float, float, float]:
    """Return mean, variance and fourth central moment of Poisson(photons x level) / photons in whole steps."""
    rate = photons * level
    counts = range(int(rate + 12 * math.sqrt(rate) + 40))
    chances = [math.exp(count * math.log(rate) - rate - math.lgamma(count + 1)) for count in counts]
    shown = [min(255.0, round(count / photons / step) * step) for count in counts]
    mean = sum(chance * value for chance, value in zip(chances, shown, strict=True))
    variance, fourth = (
        sum(chance * (value - mean) ** power for chance, value in zip(chances, shown, strict=True)) for power in (2, 4)
    )
    return mean, variance, fourth


@pytest.mark.parametrize("photons", [0.05, 0.3, 1, 5, 50])
@pytest.mark.parametrize(
    ("dtype", "level"),
    [*((np.uint8, level) for level in (1, 10, 60, 128, 200)),
     *((np.uint16, level) for level in (257, 1000, 2570, 15420, 32896, 51400))],
)  # fmt: skip
def test_poisson_noise_counts_photons(dtype: type, level: int, photons: float) -> None:
    """Within four standard errors, and the 1 / 4096 to which a chance is known."""
    depth = np.iinfo(dtype).max // 255
    noisy = add_poisson_noise(flat(level, dtype), {"poisson_noise": photons}, KEY, {}) / depth
    mean, variance, fourth = counted(photons, level / depth, 1 / depth)
    assert abs(noisy.mean() - mean) < 4 * math.sqrt(variance / noisy.size) + 0.001
    assert abs(noisy.var() - variance) < 4 * math.sqrt((fourth - variance**2) / noisy.size) + 0.002 * variance + 0.0002


@pytest.mark.parametrize(
    ("dtype", "level", "photons"),
    [(np.uint8, 60, 0.3), (np.uint8, 60, 1), (np.uint8, 128, 1), (np.uint8, 10, 0.05),
     (np.uint16, 1000, 0.3), (np.uint16, 1000, 5), (np.uint16, 32896, 50), (np.uint16, 51400, 1)],
)  # fmt: skip
def test_the_mean_of_poisson_noise_is_the_level_and_its_variance_the_level_by_the_photons(
    dtype: type, level: int, photons: float
) -> None:
    depth = np.iinfo(dtype).max // 255
    noisy = add_poisson_noise(flat(level, dtype), {"poisson_noise": photons}, KEY, {}) / depth
    assert noisy.mean() == pytest.approx(level / depth, rel=0.01)
    assert noisy.var() == pytest.approx(level / depth / photons, rel=0.02)


def test_black_has_no_photons_and_white_does_not_overflow() -> None:
    for dtype, top in ((np.uint8, 255), (np.uint16, 65535)):
        assert not add_poisson_noise(flat(0, dtype), {"poisson_noise": 0.3}, KEY, {}).any()
        white = add_poisson_noise(flat(top, dtype), {"poisson_noise": 1.0}, KEY, {})
        assert white.max() == top
        assert white.min() > 0.6 * top
        assert (white == top).mean() == pytest.approx(0.508, abs=0.01)  # of Poisson(255), 50.8 % are 255 or more


def test_photons_of_neighbors_channels_and_copies_have_nothing_in_common() -> None:
    for dtype, level in ((np.uint8, 128), (np.uint16, 30000)):
        made = [add_poisson_noise(flat(level, dtype), {"poisson_noise": 1.0}, key, {}) for key in (KEY, OTHER)]
        noise, other = (pixels.astype(np.float64) for pixels in made)
        assert abs(correlation(noise[:, 1:], noise[:, :-1])) < 0.016
        assert abs(correlation(noise[:, :, 0], noise[:, :, 1])) < 0.016
        assert abs(correlation(noise, other)) < 0.016


@pytest.mark.parametrize("sigma", [0.2, 0.7, 1, 5, 33.3, 100])
@pytest.mark.parametrize(("dtype", "levels"), [(np.uint8, (0, 1, 128, 255)), (np.uint16, (1, 12345, 65534, 65535))])
def test_a_blur_leaves_a_flat_field_exactly_as_it_is(dtype: type, levels: tuple[int, ...], sigma: float) -> None:
    for level in levels:
        for shape in ((12, 13, 1), (1, 9, 3), (9, 1, 3), (1, 1, 1)):
            assert (blur(flat(level, dtype, shape), {"gaussian_blur": sigma}, KEY, {}) == level).all()


@pytest.mark.parametrize("sigma", [0.6, 1, 2, 5, 20])
def test_a_blur_makes_of_a_line_a_gaussian_of_its_standard_deviation(sigma: float) -> None:
    line = np.zeros((3, 201, 1), np.uint16)
    line[:, 100] = 65535
    places = np.arange(201) - 100
    for pixels, axis in ((line, 1), (line.transpose(1, 0, 2), 0)):
        made = np.moveaxis(blur(pixels, {"gaussian_blur": sigma}, KEY, {}), axis, 0)[:, 1, 0].astype(np.float64)
        assert made.sum() == pytest.approx(65535, rel=0.001)
        assert math.sqrt((made * places**2).sum() / made.sum()) == pytest.approx(sigma, rel=0.02)
        assert made[100 + round(sigma)] / made[100] == pytest.approx(math.exp(-((round(sigma) / sigma) ** 2) / 2), 0.01)


def test_a_blur_is_the_same_in_every_direction() -> None:
    dot = np.zeros((41, 41, 1), np.uint16)
    dot[20, 20] = 65535
    made = blur(dot, {"gaussian_blur": 2.0}, KEY, {})
    assert made.max() == made[20, 20] == pytest.approx(65535 / (2 * math.pi * 4), rel=0.001)
    for other in (made[::-1], made[:, ::-1], made.transpose(1, 0, 2)):
        assert (other == made).all()


def test_a_blur_mirrors_the_picture_at_its_border() -> None:
    """The normal distribution has the densities 0.39894, 0.24197 and 0.05399 at 0, 1 and 2."""
    line = np.zeros((1, 40, 1), np.uint16)
    line[:, 0] = 60000
    made = blur(line, {"gaussian_blur": 1.0}, KEY, {})[0, :, 0]
    assert made[0] == pytest.approx(60000 * (0.39894 + 0.24197), abs=10)
    assert made[1] == pytest.approx(60000 * (0.24197 + 0.05399), abs=10)
    assert made.sum() == pytest.approx(60000, abs=5)
    assert blur(line, {"gaussian_blur": 50.0}, KEY, {}).mean() == pytest.approx(1500, abs=1)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.uint8, 2), (np.uint16, 8)])
def test_a_blur_takes_no_color_from_what_is_transparent(dtype: type, tolerance: int) -> None:
    depth = np.iinfo(dtype).max // 255
    pixels = np.zeros((20, 20, 4), np.int64)
    pixels[:, :10] = (200, 50, 10, 255)
    pixels[:, 10:] = (0, 255, 0, 0)
    made = blur((pixels * depth).astype(dtype), {"gaussian_blur": 2.0}, KEY, {}).astype(np.int64)
    shown = made[made[:, :, 3] >= 100 * depth]
    assert len(shown) > 200
    assert np.abs(shown[:, :3] - np.array([200, 50, 10]) * depth).max() <= tolerance
    assert (made[:, 19] == np.array([0, 255, 0, 0]) * depth).all()
    assert 110 < made[0, 9, 3] / depth < 160
    assert 90 < made[0, 10, 3] / depth < 120


def erased(values: dict[str, float], fill: str = "constant", shape: tuple[int, int, int] = (20, 40, 1)) -> Pixels:
    """Return which pixels of a black picture are filled."""
    filled: Pixels = erase(flat(0, shape=shape), values, KEY, {"erasing_fill": fill, "cval": 77})[:, :, 0] == 77
    return filled


@pytest.mark.parametrize(
    ("area", "aspect", "x", "y", "box"),
    [
        (0.25, 1.0, 0.5, 0.5, (10, 5, 30, 15)),
        (0.25, 1.0, 0.0, 0.0, (0, 0, 20, 10)),
        (0.25, 1.0, 1.0, 1.0, (20, 10, 40, 20)),
        (0.09, 4.0, 1.0, 0.0, (16, 0, 40, 3)),
        (0.5, 3.0, 0.5, 0.5, (0, 5, 40, 15)),
        (0.5, 0.3, 0.5, 0.5, (10, 0, 30, 20)),
        (1.0, 2.0, 0.3, 0.3, (0, 0, 40, 20)),
    ],
)
def test_the_erased_box_is_where_it_is_drawn(
    area: float, aspect: float, x: float, y: float, box: tuple[int, int, int, int]
) -> None:
    values = {"erased_area": area, "erased_aspect": aspect, "erased_x": x, "erased_y": y}
    expected = np.zeros((20, 40), bool)
    expected[box[1] : box[3], box[0] : box[2]] = True
    assert (erased(values) == expected).all()


BOX = {"erased_area": 0.25, "erased_aspect": 1.0, "erased_x": 0.5, "erased_y": 0.5}


@pytest.mark.parametrize(("dtype", "depth"), [(np.uint8, 1), (np.uint16, 257)])
def test_each_fill_is_what_it_says(dtype: type, depth: int) -> None:
    pixels = flat(0, dtype, (200, 200, 3))
    pixels[:100] = np.array([40, 80, 160]) * depth
    inside = (slice(50, 150), slice(50, 150))
    constant = erase(pixels, BOX, KEY, {"erasing_fill": "constant", "cval": 200})[inside]
    assert (constant == 200 * depth).all()
    assert (erase(pixels, BOX, KEY, {"erasing_fill": "mean"})[inside] == np.array([20, 40, 80]) * depth).all()
    noise = erase(pixels, BOX, KEY, {"erasing_fill": "noise"})[inside].astype(np.float64) / depth
    assert noise.mean() == pytest.approx(127.5, abs=4 * 73.9 / math.sqrt(30000))
    assert noise.var() == pytest.approx(255**2 / 12, rel=0.02)
    assert (noise.min(), noise.max()) == pytest.approx((0, 255), abs=0.1)
    assert abs(correlation(noise[:, :, 0], noise[:, :, 1])) < 0.04
    assert abs(correlation(noise[1:], noise[:-1])) < 0.024


def test_a_box_of_no_pixels_erases_nothing() -> None:
    pixels = flat(9, shape=(3, 3, 1))
    assert erase(pixels, BOX | {"erased_area": 0.001}, KEY, {"erasing_fill": "mean"}) is pixels


def test_drawn_boxes_are_whole_rectangles_of_their_share_and_aspect() -> None:
    """A box is rounded to whole pixels; 0.25 of the width is 40 pixels, so an aspect is off by a few percent."""
    recipe = recipe_of(random_erasing=[0.05, 0.4])
    corners = set()
    for copy in range(1, 201):
        values = draw_values(recipe, 0, "c/a", copy)
        filled = erased(values, shape=(100, 160, 1))
        rows, columns = (np.flatnonzero(filled.any(axis=axis)) for axis in (1, 0))
        assert filled.sum() == len(rows) * len(columns)
        assert abs(filled.mean() - values["erased_area"]) < 0.5 * (len(rows) + len(columns) + 1) / 16000
        if len(rows) < 100 and len(columns) < 160:
            aspect = (len(columns) / 160) / (len(rows) / 100)
            assert aspect == pytest.approx(values["erased_aspect"], rel=0.07)
        corners.add((rows[0], columns[0]))
    assert len(corners) > 150
