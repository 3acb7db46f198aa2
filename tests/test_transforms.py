from collections.abc import Mapping

import pytest

from rebalance.images import steps
from rebalance.recipes import draw_values, make_recipe, unseen_recipe
from rebalance.transforms import BY_KEY, TRANSFORMS, Transform, between

STRONG: dict[str, object] = {
    "crop_box": [0.1, 0.2, 0.9, 1.0], "crop_range": [0.3, 0.7], "rotation_range": 40, "width_shift_range": 0.2,
    "height_shift_range": 5, "shear_range": 20, "zoom_range": 0.4, "horizontal_flip": True, "vertical_flip": True,
    "saturation_range": 0.5, "channel_shift_range": 40, "brightness_range": 0.5, "contrast_range": 0.4,
    "gamma_range": "0.5,2", "gaussian_noise": "5,20", "poisson_noise": "0.5,5", "gaussian_blur": "0.5,3",
    "random_erasing": [0.1, 0.3],
}  # fmt: skip
"""A setting of each transform that no one overlooks."""

RANGES: dict[str, dict[str, tuple[float, float]]] = {
    "crop_box": {},
    "crop_range": {
        "crop_area": (0.3, 0.7), "crop_aspect": (0.749999, 1.333334), "crop_x": (0, 1), "crop_y": (0, 1),
    },
    "rotation_range": {"rotation": (-40, 40)},
    "width_shift_range": {"width_shift": (-0.2, 0.2)},
    "height_shift_range": {"height_shift_pixels": (-5, 5)},
    "shear_range": {"shear": (-20, 20)},
    "zoom_range": {"zoom_x": (0.6, 1.4), "zoom_y": (0.6, 1.4)},
    "horizontal_flip": {"horizontal_flip": (False, True)},
    "vertical_flip": {"vertical_flip": (False, True)},
    "saturation_range": {"saturation": (0.5, 1.5)},
    "channel_shift_range": {"channel_shift": (-40, 40)},
    "brightness_range": {"brightness": (0.5, 1.5)},
    "contrast_range": {"contrast": (0.6, 1.4)},
    "gamma_range": {"gamma": (0.5, 2)},
    "gaussian_noise": {"gaussian_noise": (5, 20)},
    "poisson_noise": {"poisson_noise": (0.5, 5)},
    "gaussian_blur": {"gaussian_blur": (0.5, 3)},
    "random_erasing": {
        "erased_area": (0.1, 0.3), "erased_aspect": (0.299999, 3.333334), "erased_x": (0, 1), "erased_y": (0, 1),
    },
}  # fmt: skip
"""What the strong settings may draw."""

MANNERS: Mapping[str, object] = {"fill_mode": "reflect", "erasing_fill": "noise", "cval": 0}
each_transform = pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda transform: transform.key)


def recipe_of(**settings: object) -> dict[str, object]:
    """Return the recipe of settings as one says them; fill_mode, erasing_fill and cval too."""
    parsed = {key: BY_KEY[key].parse(value) if key in BY_KEY else value for key, value in settings.items()}
    return dict(make_recipe({**MANNERS, **parsed}))


def strong_recipe(transform: Transform) -> dict[str, object]:
    return recipe_of(**{transform.key: STRONG[transform.key]})


def test_the_tables_above_name_every_transform() -> None:
    keys = [transform.key for transform in TRANSFORMS]
    assert set(STRONG) == set(RANGES) == set(keys)
    assert len(set(keys)) == len(keys)


@each_transform
def test_a_transform_does_one_thing(transform: Transform) -> None:
    ways = (transform.region, transform.matrix, transform.mix, transform.curve, transform.step)
    assert len([way for way in ways if way is not None]) == 1
    if transform.step is not None:
        assert callable(getattr(steps, transform.step))


@each_transform
def test_the_neutral_setting_is_a_legal_one(transform: Transform) -> None:
    assert transform.parse(transform.neutral) == transform.neutral


@each_transform
def test_the_neutral_setting_leaves_no_recipe(transform: Transform) -> None:
    manners = {"fill_mode": "wrap", "erasing_fill": "constant", "cval": 3}
    assert make_recipe({**manners, transform.key: transform.neutral}) == {}
    assert make_recipe({**manners, transform.key: None}) == {}


@each_transform
def test_a_strong_setting_is_in_the_recipe_as_it_is_parsed(transform: Transform) -> None:
    assert strong_recipe(transform)[transform.key] == transform.parse(STRONG[transform.key]) != transform.neutral


@each_transform
def test_drawn_values_lie_in_their_range_and_have_six_decimals_at_most(transform: Transform) -> None:
    ranges = RANGES[transform.key]
    for copy in range(1, 200):
        values = draw_values(strong_recipe(transform), 0, "c/a", copy, attempt=copy % 3)
        assert set(values) == set(ranges)
        for name, value in values.items():
            assert value == round(value, 6)
            assert ranges[name][0] <= value <= ranges[name][1]


@each_transform
def test_drawn_values_reach_both_ends_of_their_range(transform: Transform) -> None:
    recipe = strong_recipe(transform)
    drawn = [draw_values(recipe, 0, "c/a", copy) for copy in range(1, 65)]
    for name, (low, high) in RANGES[transform.key].items():
        values = [values[name] for values in drawn]
        assert min(values) <= low + (high - low) / 20
        assert max(values) >= high - (high - low) / 12


@each_transform
def test_one_transform_never_moves_the_draw_of_another(transform: Transform) -> None:
    for attempt in (0, 1):
        alone = draw_values(strong_recipe(transform), 7, "c/a.png", 3, attempt)
        together = draw_values(recipe_of(**STRONG), 7, "c/a.png", 3, attempt)
        without = draw_values(recipe_of(**{**STRONG, transform.key: transform.neutral}), 7, "c/a.png", 3, attempt)
        assert {**without, **alone} == together
        assert len(without) + len(alone) == len(together)


UNSEEN: dict[str, object] = {
    "crop_box": None, "crop_range": (0.98, 0.98), "rotation_range": 0.5, "width_shift_range": 0.0025,
    "height_shift_range": 1, "shear_range": 0.5, "zoom_range": (0.99, 1.01), "horizontal_flip": None,
    "vertical_flip": None, "saturation_range": (0.98, 1.02), "channel_shift_range": 2,
    "brightness_range": (0.98, 1.02), "contrast_range": (0.98, 1.02), "gamma_range": (0.98, 1.02),
    "gaussian_noise": (5, 20), "poisson_noise": (0.5, 5), "gaussian_blur": (0.5, 3), "random_erasing": None,
}  # fmt: skip
"""What is left of the strong settings where nobody is to see it; None: nothing."""


@each_transform
def test_of_a_strong_setting_only_what_nobody_sees_and_its_traces_are_left(transform: Transform) -> None:
    assert unseen_recipe(strong_recipe(transform)).get(transform.key) == UNSEEN[transform.key]
    shrunk = unseen_recipe(recipe_of(**STRONG))
    assert {key: shrunk.get(key) for key in BY_KEY} == UNSEEN
    assert unseen_recipe(shrunk) == shrunk


def test_what_fills_stays_where_something_is_left_that_fills() -> None:
    assert unseen_recipe(recipe_of(rotation_range=3, fill_mode="constant", cval=9))["cval"] == 9
    assert unseen_recipe(recipe_of(random_erasing=[0.1, 0.2])) == {}


def test_a_weak_setting_stays_as_it_is() -> None:
    weak = recipe_of(rotation_range=0.2, zoom_range="0.995,1.005", brightness_range=0.01)
    assert unseen_recipe(weak) == weak


def test_drawn_values_of_the_geometry_are_what_they_have_always_been() -> None:
    drawn = draw_values(recipe_of(**STRONG), 0, "Hat/a.jpg", 2)
    assert dict(list(drawn.items())[:12]) == {
        "crop_area": 0.628371,
        "crop_aspect": 0.871867,
        "crop_x": 0.377391,
        "crop_y": 0.739451,
        "rotation": 15.563132,
        "width_shift": -0.002197,
        "height_shift_pixels": -4.884283,
        "shear": 9.29831,
        "zoom_x": 0.677189,
        "zoom_y": 0.996411,
        "horizontal_flip": True,
        "vertical_flip": False,
    }


def test_drawn_values_of_levels_and_steps_are_what_they_have_always_been() -> None:
    drawn = draw_values(recipe_of(**STRONG), 0, "Hat/a.jpg", 2)
    assert dict(list(drawn.items())[12:]) == {
        "saturation": 1.345901,
        "channel_shift": 4.573679,
        "brightness": 0.548695,
        "contrast": 1.255112,
        "gamma": 0.845266,
        "gaussian_noise": 18.645914,
        "poisson_noise": 4.186657,
        "gaussian_blur": 2.617942,
        "erased_area": 0.21923,
        "erased_aspect": 0.966965,
        "erased_x": 0.097836,
        "erased_y": 0.881863,
    }


def test_values_drawn_again_are_what_they_have_always_been() -> None:
    drawn = draw_values(recipe_of(rotation_range=40, horizontal_flip=True, gamma_range="0.5,2"), 0, "Hat/a.jpg", 2, 1)
    assert drawn == {"rotation": 12.420896, "horizontal_flip": True, "gamma": 0.76901}


def test_a_setting_of_one_value_always_draws_it() -> None:
    recipe = recipe_of(brightness_range="0.7,0.7", gaussian_noise=4, gaussian_blur=1.25)
    for copy in range(1, 20):
        assert draw_values(recipe, 3, "c/a", copy) == {
            "brightness": 0.7, "gaussian_noise": 4.0, "gaussian_blur": 1.25,
        }  # fmt: skip


def test_a_shift_is_a_fraction_below_one_and_pixels_from_one() -> None:
    assert set(draw_values(recipe_of(width_shift_range=0.25), 0, "c/a", 1)) == {"width_shift"}
    assert set(draw_values(recipe_of(width_shift_range=1), 0, "c/a", 1)) == {"width_shift_pixels"}
    assert set(draw_values(recipe_of(height_shift_range=0.999), 0, "c/a", 1)) == {"height_shift"}


def test_half_of_the_draws_flip() -> None:
    flips = [draw_values(recipe_of(horizontal_flip=True), 0, "c/a", copy)["horizontal_flip"] for copy in range(1, 257)]
    assert sum(flips) == 128


def test_an_aspect_is_as_often_below_one_as_above() -> None:
    recipe = recipe_of(random_erasing=[0.1, 0.2], crop_range=[0.5, 0.6])
    drawn = [draw_values(recipe, 0, "c/a", copy) for copy in range(1, 257)]
    assert sum(values["erased_aspect"] < 1 for values in drawn) == 128
    assert sum(values["crop_aspect"] < 1 for values in drawn) == 128


def test_between_goes_from_low_to_high_in_six_decimals() -> None:
    assert between(-2, 6, 0.0) == -2
    assert between(-2, 6, 0.75) == 4
    assert between(0, 1, 1 / 3) == 0.333333


def test_only_the_flips_are_flags() -> None:
    assert {transform.key for transform in TRANSFORMS if transform.is_flag} == {"horizontal_flip", "vertical_flip"}


def test_two_numbers_are_said_where_shares_of_an_area_are_drawn() -> None:
    assert {transform.key: transform.n_values for transform in TRANSFORMS if transform.n_values != 1} == {
        "crop_range": 2, "random_erasing": 2,
    }  # fmt: skip
