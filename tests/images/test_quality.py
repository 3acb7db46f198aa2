import math

import numpy as np
import pytest

from rebalance import matrices
from rebalance.drawing import attempt_key
from rebalance.images.pipeline import MadeFile, Making, make_copy
from rebalance.images.pixels import Pixels
from rebalance.images.placing import Place
from rebalance.images.quality import border_share, is_alike, is_bordered, is_flat, is_still
from rebalance.matrices import IDENTITY, Matrix, Values, multiply
from rebalance.plan import SOURCE_LIKE
from rebalance.recipes import draw_values
from tests.images.test_pipeline import decoded, draws, picture_of, pixels_of
from tests.test_transforms import recipe_of

SIZE = (100, 50)
ROOT = math.sqrt(0.5)


@pytest.mark.parametrize(
    ("matrix", "share"),
    [
        ((1, 0, 0, 0, 1, 0), 0), ((-1, 0, 99, 0, 1, 0), 0), ((1, 0, 0, 0, -1, 49), 0), ((-1, 0, 99, 0, -1, 49), 0),
        ((1, 0, 50, 0, 1, 0), 0.5), ((1, 0, 0, 0, 1, -25), 0.5), ((1, 0, -50, 0, 1, 25), 0.75),
        ((1, 0, 100, 0, 1, 0), 1), ((1, 0, 0, 0, 1, 300), 1), ((1, 0, 10, 0, 1, 0), 0.1),
        ((2, 0, -49.5, 0, 2, -24.5), 0.75), ((2, 0, -49.5, 0, 1, 0), 0.5), ((0.5, 0, 24.75, 0, 0.5, 12.25), 0),
        ((0, -1, 74, 1, 0, -25), 0.5), ((1, 1, -24.5, 0, 1, 0), 0.125), ((0, 0, 5, 0, 0, 5), 1),
    ],
)  # fmt: skip
def test_the_share_outside_of_the_source_is_that_worked_out_by_hand(matrix: Matrix, share: float) -> None:
    """Of 100 x 50 pixels; the slant pushes out two triangles of 25 x 25 / 2 pixels, 625 of 5000."""
    assert border_share(matrix, SIZE, SIZE) == pytest.approx(share, abs=1e-12)


def test_a_square_turned_by_45_degrees_loses_four_corners() -> None:
    """What is left is the regular octagon in the square: 2 (sqrt(2) - 1) of its area."""
    middle = 49.5
    matrix = (ROOT, -ROOT, middle, ROOT, ROOT, middle - 2 * ROOT * middle)
    assert border_share(matrix, (100, 100), (100, 100)) == pytest.approx(1 - 2 * (math.sqrt(2) - 1), abs=1e-9)


def test_a_picture_made_larger_has_no_border() -> None:
    assert border_share((0.25, 0, -0.375, 0, 0.25, -0.375), (400, 200), SIZE) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("shift", "expected"), [(39.9, False), (40, False), (40.1, True), (-40.1, True)])
def test_more_than_two_fifths_of_border_are_too_much(shift: float, expected: bool) -> None:  # noqa: FBT001
    assert is_bordered(Place((0, 0, 100, 50), (100, 50), (1, 0, shift, 0, 1, 0))) == expected


@pytest.mark.parametrize(("dtype", "most"), [(np.uint8, 2), (np.uint16, 514)])
def test_a_picture_is_flat_within_two_gray_levels_of_each_channel(dtype: type, most: int) -> None:
    pixels: Pixels = np.full((40, 40, 3), 50 * most, dtype) + np.array([0, 30, 90], dtype)
    assert is_flat(pixels)
    pixels[17, 23, 1] += most
    assert is_flat(pixels)
    pixels[17, 23, 1] += 1
    assert not is_flat(pixels)
    pixels[17, 23, 1] = 0
    assert not is_flat(pixels)


def test_one_pixel_is_flat() -> None:
    assert is_flat(np.array([[[5, 200, 3]]], np.uint8))


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        (matrices.rotation({"rotation": 0.9}, 9, 9), True), (matrices.rotation({"rotation": 1.1}, 9, 9), False),
        (matrices.rotation({"rotation": -0.9}, 9, 9), True), (matrices.rotation({"rotation": -1.1}, 9, 9), False),
        (matrices.rotation({"rotation": 360}, 9, 9), True), (matrices.rotation({"rotation": 180}, 9, 9), False),
        (matrices.shear({"shear": 0.9}, 9, 9), True), (matrices.shear({"shear": 1.1}, 9, 9), False),
        (matrices.shear({"shear": -1.1}, 9, 9), False),
        ((1, 0, 0.9, 0, 1, 0), True), ((1, 0, 1.1, 0, 1, 0), False), ((1, 0, 0, 0, 1, -0.9), True),
        ((1, 0, 0, 0, 1, -1.1), False), ((1, 0, 0.8, 0, 1, 0.8), False), ((1, 0, -0.6, 0, 1, 0.6), True),
        ((1.019, 0, 0, 0, 1, 0), True), ((1.021, 0, 0, 0, 1, 0), False), ((0.981, 0, 0, 0, 1, 0), True),
        ((0.979, 0, 0, 0, 1, 0), False), ((1, 0, 0, 0, 1.019, 0), True), ((1, 0, 0, 0, 0.979, 0), False),
        ((-1, 0, 0, 0, 1, 0), False), ((1, 0, 0, 0, -1, 0), False), ((-1, 0, 0, 0, -1, 0), False),
        ((0, -1, 0, 1, 0, 0), False), ((1, 0, 0, 0, 1, 0), True),
    ],
)  # fmt: skip
def test_a_matrix_is_still_within_a_pixel_a_degree_and_two_percent(
    matrix: Matrix,
    expected: bool,  # noqa: FBT001
) -> None:
    assert is_still(matrix, IDENTITY, (1, 1)) == expected
    in_pixels = multiply((1, 0, 9.5, 0, 1, 4.5), multiply(matrix, (1, 0, -9.5, 0, 1, -4.5)))
    assert is_still(in_pixels, IDENTITY, (20, 10)) == expected
    halved: Matrix = (2, 0, 0.5, 0, 2, 0.5)
    assert is_still(multiply(in_pixels, halved), halved, (20, 10)) == expected


@pytest.mark.parametrize(("dtype", "most"), [(np.uint8, 5), (np.uint16, 1310)])
def test_pictures_are_alike_within_two_percent_of_all_levels(dtype: type, most: int) -> None:
    pixels: Pixels = np.full((4, 4, 3), 20000 if dtype == np.uint16 else 80, dtype)
    for sign in (1, -1):
        other = pixels.astype(np.int64)
        other[2, 1, 0] += sign * most
        assert is_alike(pixels, other.astype(dtype))
        other[2, 1, 0] += sign
        assert not is_alike(pixels, other.astype(dtype))


def copied(
    recipe: dict[str, object], copy: int = 1, *, pixels: Pixels | None = None, originals: str = "keep"
) -> MadeFile:
    """Return a copy as the program draws it."""
    return make_copy(
        picture_of(pixels_of() if pixels is None else pixels),
        Making(recipe, SOURCE_LIKE._replace(originals=originals)),
        lambda attempt: (draw_values(recipe, 0, "c/a", copy, attempt), attempt_key(0, "c/a", copy, attempt)),
    )


def test_a_recipe_of_one_flip_never_gives_the_untouched_source() -> None:
    for copy in range(1, 101):
        made = copied(recipe_of(horizontal_flip=True), copy)
        assert made.values == {"horizontal_flip": True}
        assert np.array_equal(decoded(made), pixels_of()[:, ::-1])


def test_the_first_draw_without_objection_is_taken_and_its_number_told() -> None:
    no, yes = {"horizontal_flip": False}, {"horizontal_flip": True}
    making = Making(recipe_of(horizontal_flip=True), SOURCE_LIKE)
    for attempt in range(9):
        made = make_copy(picture_of(pixels_of()), making, draws(*[no] * attempt, yes))
        assert (made.attempt, made.values, made.notes) == (attempt, yes, ())


@pytest.mark.parametrize("originals", ["keep", "reencode", "transform"])
def test_a_copy_that_shows_nothing_is_kept_after_eight_more_draws_and_told(originals: str) -> None:
    made = copied(recipe_of(brightness_range="0,0"), originals=originals)
    assert made.attempt == 8
    assert made.notes == ("shows nothing, even when drawn again 8 times",)
    assert not decoded(made).any()


@pytest.mark.parametrize("originals", ["keep", "reencode", "transform"])
def test_a_copy_that_is_mostly_border_is_drawn_again(originals: str) -> None:
    making = Making(recipe_of(width_shift_range=0.9), SOURCE_LIKE._replace(originals=originals))
    drawn: list[Values] = [{"width_shift": 0.5}, {"width_shift": -0.875}, {"width_shift": 0.375}]
    assert make_copy(picture_of(pixels_of()), making, draws(*drawn)).attempt == 2
    made = make_copy(picture_of(pixels_of()), making, draws(*drawn[:1] * 9))
    assert (made.attempt, made.notes) == (
        8,
        ("lies outside of its source for more than 40 %, even when drawn again 8 times",),
    )


def test_a_flat_source_may_stay_flat() -> None:
    flat = np.full((20, 20, 3), 128, np.uint8)
    made = copied(recipe_of(brightness_range="0.5,0.5"), pixels=flat)
    assert (made.attempt, made.notes) == (0, ())
    assert (decoded(made) == 64).all()


def test_noise_does_not_hide_that_nothing_is_shown_and_erasing_all_of_it_is_no_objection() -> None:
    dark = copied(recipe_of(brightness_range="0,0", gaussian_noise=20))
    assert dark.notes == ("shows nothing, even when drawn again 8 times",)
    erased = copied(recipe_of(random_erasing=[1, 1], erasing_fill="constant", cval=0))
    assert (erased.attempt, erased.notes) == (0, ())


@pytest.mark.parametrize(
    ("settings", "like", "unlike"),
    [
        ({"rotation_range": 9}, {"rotation": 0.9}, {"rotation": 1.1}),
        ({"width_shift_range": 3}, {"width_shift_pixels": 0.9}, {"width_shift_pixels": -1.1}),
        ({"zoom_range": 0.2}, {"zoom_x": 1.019, "zoom_y": 0.981}, {"zoom_x": 1.0, "zoom_y": 0.979}),
        ({"brightness_range": 0.2}, {"brightness": 1.01}, {"brightness": 1.05}),
        ({"gaussian_noise": "0,9"}, {"gaussian_noise": 0.0}, {"gaussian_noise": 1.0}),
        ({"gaussian_blur": "0,9"}, {"gaussian_blur": 0.0}, {"gaussian_blur": 1.0}),
        ({"vertical_flip": True}, {"vertical_flip": False}, {"vertical_flip": True}),
    ],
)
@pytest.mark.parametrize("originals", ["keep", "reencode", "transform"])
def test_a_copy_like_its_source_is_drawn_again_unless_originals_are_drawn_too(
    settings: dict[str, object], like: Values, unlike: Values, originals: str
) -> None:
    making = Making(recipe_of(**settings), SOURCE_LIKE._replace(originals=originals))
    made = make_copy(picture_of(pixels_of()), making, draws(like, like, unlike))
    assert made.attempt == (0 if originals == "transform" else 2)
    assert made.notes == ()


def test_a_copy_like_its_source_is_kept_in_the_end_and_told() -> None:
    made = copied(recipe_of(brightness_range="1.01,1.01"))
    assert (made.attempt, made.notes) == (
        8,
        ("is its source within a pixel, a degree and 2 %, even when drawn again 8 times",),
    )


def test_a_reported_attempt_draws_the_reported_values() -> None:
    recipe = recipe_of(width_shift_range=0.9, horizontal_flip=True)
    attempts = []
    for copy in range(1, 65):
        made = copied(recipe, copy)
        assert made.values == draw_values(recipe, 0, "c/a", copy, made.attempt)
        attempts.append(made.attempt)
    assert attempts.count(0) < 50
    assert max(attempts) > 1
    assert all(abs(copied(recipe, copy).values["width_shift"]) <= 0.4375 for copy in range(1, 9))
