import pytest

from rebalance.recipes import draw_values, draws_levels, make_recipe, region_of
from rebalance.transforms import TRANSFORMS, Transform
from tests.test_transforms import STRONG, each_transform, recipe_of, strong_recipe

GEOMETRY = {
    "crop_box", "crop_range", "rotation_range", "width_shift_range", "height_shift_range", "shear_range", "zoom_range",
    "horizontal_flip", "vertical_flip",
}  # fmt: skip
LEVELS = {"saturation_range", "channel_shift_range", "brightness_range", "contrast_range", "gamma_range"}


@each_transform
def test_what_moves_pixels_says_what_is_filled_in(transform: Transform) -> None:
    assert transform.moves_pixels == (transform.key in GEOMETRY)
    assert ("fill_mode" in strong_recipe(transform)) == (transform.key in GEOMETRY)


@each_transform
def test_a_recipe_knows_whether_it_changes_levels(transform: Transform) -> None:
    assert draws_levels(strong_recipe(transform)) == (transform.key in LEVELS)


@each_transform
def test_a_recipe_of_one_transform_says_only_how_that_one_is_carried_out(transform: Transform) -> None:
    recipe = strong_recipe(transform)
    manner = {"random_erasing": {"erasing_fill"}}.get(
        transform.key, {"fill_mode"} if transform.key in GEOMETRY else set()
    )
    assert set(recipe) == {transform.key} | manner


def test_a_recipe_is_in_the_order_of_the_work_whatever_order_it_is_said_in() -> None:
    backwards = dict(reversed(STRONG.items()))
    expected = [*(transform.key for transform in TRANSFORMS), "fill_mode", "erasing_fill"]
    assert list(recipe_of(**backwards)) == expected


@pytest.mark.parametrize(
    ("settings", "has_cval"),
    [
        ({"rotation_range": 3, "fill_mode": "constant"}, True),
        ({"random_erasing": [0.1, 0.2], "erasing_fill": "constant"}, True),
        ({"rotation_range": 3, "fill_mode": "median", "erasing_fill": "constant"}, False),
        ({"brightness_range": 0.2, "fill_mode": "constant", "erasing_fill": "constant"}, False),
    ],
)
def test_a_constant_level_is_kept_where_something_is_filled_with_it(
    settings: dict[str, object],
    has_cval: bool,  # noqa: FBT001
) -> None:
    recipe = recipe_of(cval=9, **settings)
    assert ("cval" in recipe) == has_cval
    assert recipe.get("cval", 9) == 9


def test_nothing_asked_for_is_an_empty_recipe() -> None:
    recipe = make_recipe({"fill_mode": "constant", "erasing_fill": "constant", "cval": 1})
    assert recipe == {}
    assert not draws_levels(recipe)
    assert draw_values(recipe, 0, "c/a", 1) == {}


def test_only_a_crop_box_limits_the_region() -> None:
    assert [transform.key for transform in TRANSFORMS if transform.region] == ["crop_box"]
    assert region_of(recipe_of(rotation_range=3)) == (0, 0, 1, 1)
    assert region_of(recipe_of(crop_box="0.1,0.2,0.9,1")) == (0.1, 0.2, 0.9, 1.0)


def test_every_attempt_at_a_copy_draws_other_values() -> None:
    recipe = recipe_of(**STRONG)
    drawn = [draw_values(recipe, 0, "c/a", 1, attempt) for attempt in range(9)]
    assert len({values["rotation"] for values in drawn}) == 9
    assert drawn[0] == draw_values(recipe, 0, "c/a", 1)
    assert drawn[3] == draw_values(recipe, 0, "c/a", 1, attempt=3)
    assert all(set(values) == set(drawn[0]) for values in drawn)
