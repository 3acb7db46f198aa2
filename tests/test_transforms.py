import math

import pytest

from rebalance.transforms import (
    BY_KEY,
    IDENTITY,
    TRANSFORMS,
    Matrix,
    Transform,
    compose_matrix,
    draw_values,
    make_recipe,
    multiply,
    region_of,
)

STRONG: dict[str, object] = {
    "crop_box": [0.1, 0.2, 0.9, 1.0], "crop_range": [0.3, 0.7], "rotation_range": 40, "width_shift_range": 0.2,
    "height_shift_range": 5, "shear_range": 20, "zoom_range": 0.4, "horizontal_flip": True, "vertical_flip": True,
}  # fmt: skip
FILL = {"fill_mode": "reflect", "cval": 0, "interpolation": "bicubic"}


def recipe_of(**settings: object) -> dict[str, object]:
    parsed = {key: BY_KEY[key].parse(value) for key, value in settings.items()}
    return dict(make_recipe(parsed, fill_mode="reflect", cval=0, interpolation="bicubic"))


def test_the_table_below_names_every_transform() -> None:
    assert set(STRONG) == {transform.key for transform in TRANSFORMS}


@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda transform: transform.key)
def test_the_neutral_setting_leaves_no_recipe(transform: Transform) -> None:
    assert make_recipe({transform.key: transform.neutral}, fill_mode="wrap", cval=3, interpolation="nearest") == {}


@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda transform: transform.key)
def test_a_neutral_setting_draws_what_changes_nothing(transform: Transform) -> None:
    recipe = {transform.key: transform.neutral}
    for copy in range(1, 9):
        values = {
            key: False if isinstance(value, bool) else value
            for key, value in draw_values(recipe, 0, "c/a", copy).items()
        }
        assert compose_matrix(recipe, values, 40, 30) == pytest.approx(IDENTITY, abs=1e-12)


@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda transform: transform.key)
def test_one_transform_never_moves_the_draw_of_another(transform: Transform) -> None:
    alone = draw_values(recipe_of(**{transform.key: STRONG[transform.key]}), 7, "c/a.png", 3)
    together = draw_values(recipe_of(**STRONG), 7, "c/a.png", 3)
    assert alone.items() <= together.items()


@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda transform: transform.key)
def test_drawn_values_have_six_decimals_at_most(transform: Transform) -> None:
    for copy in range(1, 20):
        for value in draw_values(recipe_of(**{transform.key: STRONG[transform.key]}), 0, "c/a", copy).values():
            assert value == round(value, 6)


def test_drawn_values_are_what_they_have_always_been() -> None:
    assert draw_values(recipe_of(**STRONG), 0, "Hat/a.jpg", 2) == {
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


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("rotation_range", -1), ("rotation_range", 361), ("rotation_range", "nan"), ("rotation_range", "1e400"),
        ("rotation_range", "0.1.2"), ("rotation_range", True), ("rotation_range", [1, 2]), ("rotation_range", None),
        ("width_shift_range", -0.1), ("height_shift_range", "inf"), ("shear_range", 90), ("zoom_range", 1),
        ("zoom_range", "1.2,0.8"), ("zoom_range", "0,1"), ("zoom_range", "1,2,3"), ("crop_range", [0, 1]),
        ("crop_range", [0.5, 1.1]), ("crop_range", [0.9, 0.5]), ("crop_range", 0.5), ("crop_box", "0,0,0,1"),
        ("crop_box", "0.5,0,0.4,1"), ("crop_box", "0,0,1"), ("horizontal_flip", 1), ("vertical_flip", "yes"),
    ],
)  # fmt: skip
def test_a_setting_out_of_range_is_refused(key: str, wrong: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        BY_KEY[key].parse(wrong)


def test_a_zoom_is_symmetric_about_one_or_goes_from_low_to_high() -> None:
    assert BY_KEY["zoom_range"].parse(0.2) == (0.8, 1.2)
    assert BY_KEY["zoom_range"].parse("0.5,2") == (0.5, 2.0)


def test_a_shift_is_a_fraction_below_one_and_pixels_from_one() -> None:
    fraction = draw_values(recipe_of(width_shift_range=0.25), 0, "c/a", 1)
    pixels = draw_values(recipe_of(width_shift_range=4), 0, "c/a", 1)
    assert set(fraction) == {"width_shift"}
    assert set(pixels) == {"width_shift_pixels"}
    assert compose_matrix(recipe_of(width_shift_range=0.25), {"width_shift": 0.25}, 80, 40) == (1, 0, 20, 0, 1, 0)
    assert compose_matrix(recipe_of(height_shift_range=4), {"height_shift_pixels": 4.0}, 80, 40) == (1, 0, 0, 0, 1, 4)


def test_the_matrix_is_that_of_the_documented_order() -> None:
    """Worked by hand: R(90) T(3, 4) Sh(30) Z(2, 0.5) F, flipped along x."""
    recipe = recipe_of(
        rotation_range=90,
        width_shift_range=3,
        height_shift_range=4,
        shear_range=30,
        zoom_range="0.5,2",
        horizontal_flip=True,
    )
    values = {
        "rotation": 90.0, "width_shift_pixels": 3.0, "height_shift_pixels": 4.0, "shear": 30.0, "zoom_x": 2.0,
        "zoom_y": 0.5, "horizontal_flip": True,
    }  # fmt: skip
    # Sh Z F = [[1, -1/2], [0, sqrt(3)/2]] [[-2, 0], [0, 1/2]] = [[-2, -1/4], [0, sqrt(3)/4]]; T adds (3, 4);
    # R(90) (x, y) = (-y, x)
    expected = (0, -math.sqrt(3) / 4, -4, -2, -0.25, 3)
    assert compose_matrix(recipe, values, 100, 60) == pytest.approx(expected, abs=1e-12)


def test_a_crop_takes_its_share_of_the_area_and_stays_inside() -> None:
    recipe = recipe_of(crop_range=[0.3, 0.7])
    for copy in range(1, 200):
        values = draw_values(recipe, 0, "c/a", copy)
        a, b, c, d, e, f = compose_matrix(recipe, values, 200, 100)
        assert b == d == 0
        assert a * e == pytest.approx(values["crop_area"])
        assert abs(c) + a * 100 <= 100 + 1e-9
        assert abs(f) + e * 50 <= 50 + 1e-9
        assert 0.3 <= values["crop_area"] <= 0.7
        assert 0.749 <= values["crop_aspect"] <= 1.334


def test_a_crop_that_would_be_wider_than_the_picture_is_as_wide_as_it() -> None:
    values = {"crop_area": 0.9, "crop_aspect": 1.333333, "crop_x": 0.0, "crop_y": 0.0}
    matrix: Matrix = compose_matrix(recipe_of(crop_range=[0.9, 0.9]), values, 200, 100)
    assert matrix == pytest.approx((1, 0, 0, 0, 0.9, -5))


def test_matrices_multiply_as_matrices_do() -> None:
    assert multiply((1, 2, 3, 4, 5, 6), (7, 8, 9, 10, 11, 12)) == (27, 30, 36, 78, 87, 102)


def test_only_a_crop_box_limits_the_region() -> None:
    assert region_of(recipe_of(rotation_range=3)) == (0, 0, 1, 1)
    assert region_of(recipe_of(crop_box="0.1,0.2,0.9,1")) == (0.1, 0.2, 0.9, 1.0)
