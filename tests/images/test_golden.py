"""What has always come out of one picture: a change here breaks every tree that was ever made."""

from hashlib import blake2b

import numpy as np

from rebalance.images.levels import adjust, tone_of
from rebalance.images.pixels import Pixels
from rebalance.images.steps import add_gaussian_noise, add_poisson_noise, blur, erase
from tests.test_transforms import recipe_of

KEY = bytes(range(32))


def picture(dtype: type = np.uint8) -> Pixels:
    rows, columns, bands = np.indices((24, 32, 3))
    levels: Pixels = (7 * columns + 5 * rows + 60 * bands) % 256 * (np.iinfo(dtype).max // 255)
    return levels.astype(dtype)


def digest(pixels: Pixels) -> str:
    return blake2b(pixels.astype("<u2").tobytes(), digest_size=8).hexdigest()


def test_noise_and_erasing_are_what_they_have_always_been() -> None:
    erasing = {"erased_area": 0.2, "erased_aspect": 1.5, "erased_x": 0.3, "erased_y": 0.6}
    made = {
        "gaussian": add_gaussian_noise(picture(), {"gaussian_noise": 12.5}, KEY, {}),
        "gaussian, 16 bits": add_gaussian_noise(picture(np.uint16), {"gaussian_noise": 12.5}, KEY, {}),
        "poisson": add_poisson_noise(picture(), {"poisson_noise": 0.5}, KEY, {}),
        "poisson, 16 bits": add_poisson_noise(picture(np.uint16), {"poisson_noise": 0.5}, KEY, {}),
        "erased": erase(picture(), erasing, KEY, {"erasing_fill": "noise"}),
        "erased, 16 bits": erase(picture(np.uint16), erasing, KEY, {"erasing_fill": "noise"}),
    }
    assert {name: digest(pixels) for name, pixels in made.items()} == {
        "gaussian": "28148be3735bc9c0",
        "gaussian, 16 bits": "14a74fd901e5becf",
        "poisson": "f5aaa0d071b7d6bf",
        "poisson, 16 bits": "9ce58d35975efc7f",
        "erased": "768212160a25a835",
        "erased, 16 bits": "ab005655b723ce97",
    }


def test_levels_are_what_they_have_always_been() -> None:
    recipe = recipe_of(
        channel_shift_range=20, brightness_range=0.2, contrast_range=0.2, gamma_range=0.2, saturation_range=0.5
    )
    values = {"channel_shift": 11.5, "brightness": 0.9, "contrast": 1.15, "gamma": 0.85, "saturation": 1.3}
    made = [adjust(picture(dtype), recipe, values, tone_of(picture(dtype))) for dtype in (np.uint8, np.uint16)]
    assert [digest(pixels) for pixels in made] == ["edc806b141493f4e", "728db60c219f5910"]


def test_a_blur_is_what_it_has_always_been() -> None:
    assert digest(blur(picture(), {"gaussian_blur": 1.5}, KEY, {})) == "67b15e4f1e80e11d"
