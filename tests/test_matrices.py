import math

import pytest

from rebalance import matrices
from rebalance.matrices import IDENTITY, Matrix, multiply
from rebalance.recipes import compose_matrix, draw_values
from tests.test_transforms import recipe_of


def test_matrices_multiply_as_matrices_do() -> None:
    assert multiply((1, 2, 3, 4, 5, 6), (7, 8, 9, 10, 11, 12)) == (27, 30, 36, 78, 87, 102)


def test_the_identity_changes_no_matrix() -> None:
    matrix: Matrix = (1, 2, 3, 4, 5, 6)
    assert multiply(matrix, IDENTITY) == multiply(IDENTITY, matrix) == matrix


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [
        (0, (1, 0, 0, 0, 1, 0)), (90, (0, -1, 0, 1, 0, 0)), (-90, (0, 1, 0, -1, 0, 0)), (180, (-1, 0, 0, 0, -1, 0)),
        (270, (0, 1, 0, -1, 0, 0)), (360, (1, 0, 0, 0, 1, 0)),
    ],
)  # fmt: skip
def test_a_right_angle_turns_exactly(degrees: float, expected: Matrix) -> None:
    assert matrices.rotation({"rotation": degrees}, 30, 20) == expected


def test_a_turn_is_the_textbook_rotation() -> None:
    half, root = 0.5, math.sqrt(3) / 2
    assert matrices.rotation({"rotation": 30}, 9, 9) == pytest.approx((root, -half, 0, half, root, 0))


def test_a_shear_slants_the_columns_and_keeps_the_rows() -> None:
    assert matrices.shear({"shear": 30}, 9, 9) == pytest.approx((1, -0.5, 0, 0, math.sqrt(3) / 2, 0))


def test_a_flip_mirrors_its_own_axis_alone() -> None:
    assert matrices.horizontal_flip({"horizontal_flip": True}, 9, 9) == (-1, 0, 0, 0, 1, 0)
    assert matrices.vertical_flip({"vertical_flip": True}, 9, 9) == (1, 0, 0, 0, -1, 0)
    assert matrices.horizontal_flip({"horizontal_flip": False}, 9, 9) == IDENTITY
    assert matrices.vertical_flip({"vertical_flip": False}, 9, 9) == IDENTITY


def test_a_shift_is_in_pixels_or_in_fractions_of_its_own_side() -> None:
    assert compose_matrix(recipe_of(width_shift_range=0.25), {"width_shift": 0.25}, 80, 40) == (1, 0, 20, 0, 1, 0)
    assert compose_matrix(recipe_of(height_shift_range=0.25), {"height_shift": -0.25}, 80, 40) == (1, 0, 0, 0, 1, -10)
    assert compose_matrix(recipe_of(width_shift_range=4), {"width_shift_pixels": -3.5}, 80, 40) == (1, 0, -3.5, 0, 1, 0)
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


def test_a_recipe_without_geometry_has_the_identity() -> None:
    recipe = recipe_of(brightness_range=0.5, gaussian_blur=3, random_erasing=[0.1, 0.2])
    assert compose_matrix(recipe, {"brightness": 0.5, "gaussian_blur": 3.0}, 100, 60) == IDENTITY


def test_a_crop_takes_its_share_of_the_area_and_stays_inside() -> None:
    recipe = recipe_of(crop_range=[0.3, 0.7])
    for copy in range(1, 200):
        values = draw_values(recipe, 0, "c/a", copy)
        a, b, c, d, e, f = compose_matrix(recipe, values, 200, 100)
        assert b == d == 0
        assert a * e == pytest.approx(values["crop_area"])
        assert abs(c) + a * 100 <= 100 + 1e-9
        assert abs(f) + e * 50 <= 50 + 1e-9


def test_a_crop_that_would_be_wider_than_the_picture_is_as_wide_as_it() -> None:
    values = {"crop_area": 0.9, "crop_aspect": 1.333333, "crop_x": 0.0, "crop_y": 0.0}
    matrix: Matrix = compose_matrix(recipe_of(crop_range=[0.9, 0.9]), values, 200, 100)
    assert matrix == pytest.approx((1, 0, 0, 0, 0.9, -5))


def test_a_crop_that_would_be_higher_than_the_picture_is_as_high_as_it() -> None:
    values = {"crop_area": 0.9, "crop_aspect": 0.75, "crop_x": 1.0, "crop_y": 1.0}
    matrix: Matrix = compose_matrix(recipe_of(crop_range=[0.9, 0.9]), values, 200, 100)
    assert matrix == pytest.approx((0.9, 0, 10, 0, 1, 0))


def test_a_crop_lies_where_it_is_drawn() -> None:
    """A quarter of the area, as wide as high: half of each side, in the right upper corner."""
    values = {"crop_area": 0.25, "crop_aspect": 1.0, "crop_x": 1.0, "crop_y": 0.0}
    matrix = compose_matrix(recipe_of(crop_range=[0.2, 0.3]), values, 200, 100)
    assert matrix == pytest.approx((0.5, 0, 50, 0, 0.5, -25))
