import pytest

from rebalance.parsers import Parser, amount, box, factors, flag, shares, strength
from rebalance.transforms import BY_KEY

DEGREES = amount("degrees from 0 to 90", lambda degrees: 0 <= degrees <= 90)
FACTORS = factors(0.01, 100)
SIGMA = strength(0.5, 20, "pixels")
SHARES = shares(0.1, 1)


@pytest.mark.parametrize(
    ("parse", "said", "meant"),
    [
        (DEGREES, 7, 7.0), (DEGREES, "7.5", 7.5), (DEGREES, [90], 90.0), (DEGREES, " 3 ", 3.0), (DEGREES, 0, 0.0),
        (FACTORS, 0.2, (0.8, 1.2)), (FACTORS, "0.5,2", (0.5, 2.0)), (FACTORS, [0.5, 2], (0.5, 2.0)),
        (FACTORS, 0, (1.0, 1.0)), (FACTORS, 0.99, (0.01, 1.99)), (FACTORS, "0.01,100", (0.01, 100.0)),
        (FACTORS, (1, 1), (1.0, 1.0)), (FACTORS, 0.3, (0.7, 1.3)),
        (SIGMA, 2, (2.0, 2.0)), (SIGMA, "1,3", (1.0, 3.0)), (SIGMA, [0.5, 20], (0.5, 20.0)), (SIGMA, 0, (0.0, 0.0)),
        (SIGMA, "0,0", (0.0, 0.0)),
        (SHARES, [0.1, 1], (0.1, 1.0)), (SHARES, "0.3,0.3", (0.3, 0.3)), (shares(0, 0), (0, 0), (0.0, 0.0)),
        (shares(0.1, 0), [0, 0], (0.0, 0.0)),
        (box, "0,0.25,1,0.5", (0.0, 0.25, 1.0, 0.5)), (box, [0, 0, 1, 1], (0.0, 0.0, 1.0, 1.0)),
        (flag, True, True), (flag, False, False),
    ],
)  # fmt: skip
def test_a_setting_means_the_same_as_number_list_or_text(parse: Parser, said: object, meant: object) -> None:
    assert parse(said) == meant


@pytest.mark.parametrize(
    ("parse", "wrong"),
    [
        (DEGREES, -1), (DEGREES, 91), (DEGREES, "nan"), (DEGREES, "inf"), (DEGREES, "1e400"), (DEGREES, "0.1.2"),
        (DEGREES, True), (DEGREES, [1, 2]), (DEGREES, []), (DEGREES, ""), (DEGREES, None), (DEGREES, {}),
        (DEGREES, [[1]]), (DEGREES, 10**400),
        (FACTORS, 1), (FACTORS, -0.1), (FACTORS, "1.2,0.8"), (FACTORS, "0,1"), (FACTORS, "1,101"), (FACTORS, "1,2,3"),
        (FACTORS, "1,"), (FACTORS, [True, True]),
        (SIGMA, 0.4), (SIGMA, 21), (SIGMA, "0,3"), (SIGMA, "3,1"), (SIGMA, "1,2,3"), (SIGMA, []), (SIGMA, -1),
        (SHARES, [0, 1]), (SHARES, [0.5, 1.1]), (SHARES, [0.9, 0.5]), (SHARES, 0.5), (SHARES, [0.1, 0.2, 0.3]),
        (box, "0,0,0,1"), (box, "0.5,0,0.4,1"), (box, "0,0,1"), (box, "0,0,1,1.1"), (box, "-0.1,0,1,1"),
        (box, "0,0.5,1,0.5"),
        (flag, 1), (flag, "yes"), (flag, None), (flag, "true"),
    ],
)  # fmt: skip
def test_what_is_no_legal_setting_is_refused_with_what_would_be(parse: Parser, wrong: object) -> None:
    with pytest.raises(ValueError, match=r"from|LOW|LEFT|true"):
        parse(wrong)


@pytest.mark.threat(74)
@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("rotation_range", -1), ("rotation_range", 361), ("width_shift_range", -0.1), ("width_shift_range", 1000001),
        ("height_shift_range", "inf"), ("shear_range", 90), ("zoom_range", 1), ("zoom_range", "0,1"),
        ("crop_range", [0, 1]), ("crop_range", [0.5, 1.1]), ("crop_box", "0,0,1"), ("horizontal_flip", 1),
        ("vertical_flip", "yes"), ("saturation_range", 1.1), ("saturation_range", "-0.5,1"),
        ("saturation_range", "0,11"), ("channel_shift_range", 256), ("channel_shift_range", -1),
        ("brightness_range", "0,11"), ("brightness_range", 2), ("contrast_range", "-1,1"), ("gamma_range", 1),
        ("gamma_range", "0.01,1"), ("gamma_range", "1,21"), ("gaussian_noise", -1), ("gaussian_noise", 256),
        ("poisson_noise", 0.001), ("poisson_noise", "0,1"), ("poisson_noise", 1001), ("gaussian_blur", 101),
        ("gaussian_blur", "2,1"), ("random_erasing", 0.2), ("random_erasing", [0.5, 0.2]),
        ("random_erasing", [0.1, 1.01]),
    ],
)  # fmt: skip
def test_a_transform_refuses_what_is_out_of_its_range(key: str, wrong: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        BY_KEY[key].parse(wrong)


@pytest.mark.parametrize(
    ("key", "said", "meant"),
    [
        ("rotation_range", 360, 360.0), ("width_shift_range", 0.999, 0.999), ("zoom_range", 0.2, (0.8, 1.2)),
        ("zoom_range", "0.5,2", (0.5, 2.0)), ("saturation_range", 1, (0.0, 2.0)), ("brightness_range", "0,0", (0, 0)),
        ("contrast_range", "0,10", (0.0, 10.0)), ("gamma_range", 0.95, (0.05, 1.95)),
        ("gaussian_noise", "0,255", (0.0, 255.0)), ("poisson_noise", "0.01,1000", (0.01, 1000.0)),
        ("poisson_noise", 0, (0.0, 0.0)), ("gaussian_blur", 1.5, (1.5, 1.5)), ("random_erasing", [0, 1], (0.0, 1.0)),
        ("crop_range", [0.001, 1], (0.001, 1.0)),
    ],
)  # fmt: skip
def test_a_transform_takes_what_is_just_in_its_range(key: str, said: object, meant: object) -> None:
    assert BY_KEY[key].parse(said) == meant


def test_what_would_be_legal_is_told_in_numbers() -> None:
    with pytest.raises(ValueError, match=r"0 <= F <= 0\.99 .* 0\.01 <= LOW <= HIGH <= 100"):
        FACTORS("much")
    with pytest.raises(ValueError, match=r"0 \(off\), pixels from 0\.5 to 20"):
        SIGMA("much")
