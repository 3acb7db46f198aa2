import numpy as np
import pytest

from rebalance.images.levels import adjust, make_table, tone_of
from rebalance.images.pixels import Pixels
from rebalance.matrices import Values
from rebalance.transforms import Tone
from tests.test_transforms import recipe_of

TONE = Tone(50, 200, 100)
WIDE = Tone(0, 255, 127.5)
OLD = (0, 50, 100, 200, 255)


def gray(*levels: int, dtype: type = np.uint8) -> Pixels:
    return np.array(levels, dtype)[None, :, None]


def color(*levels: int, dtype: type = np.uint8) -> Pixels:
    return np.array(levels, dtype)[None, None]


@pytest.mark.parametrize(
    ("key", "values", "expected"),
    [
        ("brightness_range", {"brightness": 0.5}, (0, 25, 50, 100, 128)),
        ("brightness_range", {"brightness": 1.5}, (0, 75, 150, 255, 255)),
        ("brightness_range", {"brightness": 0.0}, (0, 0, 0, 0, 0)),
        ("contrast_range", {"contrast": 0.5}, (50, 75, 100, 150, 178)),
        ("contrast_range", {"contrast": 2.0}, (0, 0, 100, 255, 255)),
        ("contrast_range", {"contrast": 0.0}, (100, 100, 100, 100, 100)),
        ("gamma_range", {"gamma": 2.0}, (0, 10, 39, 157, 255)),
        ("gamma_range", {"gamma": 0.5}, (0, 113, 160, 226, 255)),
        ("channel_shift_range", {"channel_shift": 30.0}, (50, 80, 130, 200, 200)),
        ("channel_shift_range", {"channel_shift": -30.0}, (50, 50, 70, 170, 200)),
        ("channel_shift_range", {"channel_shift": 12.4}, (50, 62, 112, 200, 200)),
    ],
)
def test_a_curve_makes_the_levels_worked_out_by_hand(key: str, values: Values, expected: tuple[int, ...]) -> None:
    """Of a source from 50 to 200 with a mean luma of 100."""
    recipe = {key: (0, 0)}
    assert adjust(gray(*OLD), recipe, values, TONE).ravel().tolist() == list(expected)
    in_color = np.repeat(gray(*OLD), 3, axis=2)
    assert adjust(in_color, recipe, values, TONE).tolist() == [[[level] * 3 for level in expected]]


@pytest.mark.parametrize(
    ("key", "values", "old", "new"),
    [
        ("brightness_range", {"brightness": 0.5}, (0, 1000, 1001, 65535), (0, 500, 500, 32768)),
        ("brightness_range", {"brightness": 1.001}, (1000, 60000, 65500), (1001, 60060, 65535)),
        ("contrast_range", {"contrast": 2.0}, (0, 25700, 30000, 65535), (0, 25700, 34300, 65535)),
        ("gamma_range", {"gamma": 2.0}, (0, 257, 30000, 65535), (0, 1, 13733, 65535)),
        ("channel_shift_range", {"channel_shift": 1.0}, (12850, 20000, 51300), (13107, 20257, 51400)),
    ],
)
def test_a_curve_of_16_bits_is_as_fine_as_they_are(
    key: str, values: Values, old: tuple[int, ...], new: tuple[int, ...]
) -> None:
    """Gray levels 50, 100 and 200 are 12850, 25700 and 51400."""
    made = adjust(gray(*old, dtype=np.uint16), {key: (0, 0)}, values, TONE)
    assert made.dtype == np.uint16
    assert made.ravel().tolist() == list(new)


def test_curves_are_shift_brightness_contrast_gamma_and_clip_in_between() -> None:
    """Levels from 0 to 200, mean 100: the mean goes 100, 140, 210, and contrast is about that.

    0: 40, 60, 135, 71.5. 50: 90, 135, 172.5, 116.7. 100: 140, 210, 210, 172.9. 160 and 200: 200, 255, 232.5, 212.0.
    """
    recipe = recipe_of(gamma_range="0.5,2", contrast_range=0.5, brightness_range=0.5, channel_shift_range=50)
    values = {"channel_shift": 40.0, "brightness": 1.5, "contrast": 0.5, "gamma": 2.0}
    made = adjust(gray(0, 50, 100, 160, 200), recipe, values, Tone(0, 200, 100))
    assert made.ravel().tolist() == [71, 117, 173, 212, 212]


@pytest.mark.parametrize(
    ("factor", "expected"),
    [(0.0, (124, 124, 124)), (0.5, (162, 112, 87)), (1.0, (200, 100, 50)), (2.0, (255, 76, 0))],
)
def test_saturation_moves_colors_from_their_bt601_gray(factor: float, expected: tuple[int, int, int]) -> None:
    """The luma of (200, 100, 50) is 59.8 + 58.7 + 5.7 = 124.2."""
    made = adjust(color(200, 100, 50), recipe_of(saturation_range=0.5), {"saturation": factor}, WIDE)
    assert made.ravel().tolist() == list(expected)


def test_saturation_of_16_bits_is_as_fine_as_they_are() -> None:
    """The luma of (51400, 25700, 12850) is 31919.4."""
    deep = color(51400, 25700, 12850, dtype=np.uint16)
    recipe = recipe_of(saturation_range=0.5)
    assert adjust(deep, recipe, {"saturation": 0.0}, WIDE).ravel().tolist() == [31919, 31919, 31919]
    assert adjust(deep, recipe, {"saturation": 0.5}, WIDE).ravel().tolist() == [41660, 28810, 22385]
    assert (adjust(deep, recipe, {"saturation": 1.0}, WIDE) == deep).all()


@pytest.mark.parametrize("factor", [0.0, 0.3, 1.0, 1.7, 10.0])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_saturation_leaves_every_gray_as_it_is(dtype: type, factor: float) -> None:
    every: Pixels = np.arange(np.iinfo(dtype).max + 1).astype(dtype)[None, :, None]
    for n_channels in (1, 3):
        pixels = np.repeat(every, n_channels, axis=2)
        assert (adjust(pixels, recipe_of(saturation_range=0.5), {"saturation": factor}, WIDE) == pixels).all()


def test_colors_are_mixed_before_the_curves() -> None:
    recipe = recipe_of(saturation_range=1, brightness_range=0.5)
    made = adjust(color(200, 100, 50), recipe, {"saturation": 0.0, "brightness": 0.5}, WIDE)
    assert made.ravel().tolist() == [62, 62, 62]


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("brightness_range", {"brightness": 0.95}), ("brightness_range", {"brightness": 1.05}),
        ("contrast_range", {"contrast": 0.95}), ("contrast_range", {"contrast": 1.05}),
        ("channel_shift_range", {"channel_shift": 5.0}), ("gamma_range", {"gamma": 1.05}),
        ("gamma_range", {"gamma": 0.95}),
    ],
)  # fmt: skip
def test_a_gentle_curve_of_16_bits_is_monotone_and_keeps_the_levels_apart(key: str, values: Values) -> None:
    table = make_table({key: (0, 0)}, values, WIDE, top=65535)
    assert table is not None
    assert table.shape == (65536,)
    assert table.dtype == np.uint16
    assert (np.diff(table.astype(np.int64)) >= 0).all()
    assert len(np.unique(table)) > 60000


@pytest.mark.parametrize("top", [255, 65535])
def test_neutral_curves_have_no_table(top: int) -> None:
    recipe = recipe_of(channel_shift_range=9, brightness_range=0.5, contrast_range=0.5, gamma_range=0.5)
    values = {"channel_shift": 0.0, "brightness": 1.0, "contrast": 1.0, "gamma": 1.0}
    assert make_table(recipe, values, WIDE, top=top) is None
    assert make_table({}, {}, WIDE, top=top) is None
    assert make_table(recipe, values | {"brightness": 0.9}, WIDE, top=top) is not None


def test_the_tone_is_darkest_brightest_and_mean_luma() -> None:
    """Means of red, green and blue are 100, 50 and 30: 29.9 + 29.35 + 3.42."""
    assert tone_of(np.array([[[200, 100, 50], [0, 0, 10]]], np.uint8)) == (0, 200, 62.67)
    assert tone_of(gray(10, 20, 60)) == (10, 60, 30)


def test_the_tone_of_16_bits_is_in_gray_levels_of_255() -> None:
    assert tone_of(gray(2570, 5140, 15420, dtype=np.uint16)) == (10, 60, 30)
    assert tone_of(gray(1000, dtype=np.uint16)) == pytest.approx((3.891051, 3.891051, 3.891051))


def test_what_is_wholly_transparent_has_no_part_in_the_tone() -> None:
    assert tone_of(np.array([[[10, 255], [40, 1], [250, 0]]], np.uint8)) == (10, 40, 25)
    assert tone_of(np.array([[[200, 100, 50, 9], [255, 0, 0, 0]]], np.uint8)) == (50, 200, 124.2)


def test_a_picture_that_is_wholly_transparent_has_a_tone_still() -> None:
    assert tone_of(np.array([[[10, 0], [40, 0]]], np.uint8)) == (10, 40, 25)
