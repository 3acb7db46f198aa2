import numpy as np
import numpy.typing as npt
import pytest

from rebalance.images.engines import engine_of
from rebalance.images.geometry import Surface, rounded
from rebalance.images.lanes import pack
from rebalance.images.pixels import Pixels
from rebalance.matrices import Matrix
from tests.images.pictures import ENGINES, FILLS, SHAPES, fill_of, pixels_of, waves

MATRICES: list[Matrix] = [
    rounded((0.9, 0.3, -4.3, -0.25, 1.1, 6.1)),
    rounded((-1.0, 0.0, 45.5, 0.0, 1.0, 0.25)),
    rounded((0.5, 0.02, 70.123456789, 0.1, 0.6, -33.987654321)),
    rounded((2.6, 0.0, -10.0, 0.3, 1.7, 3.3)),
]


def noise(n_channels: int) -> Pixels:
    words = np.random.PCG64(n_channels).random_raw(60 * 50 * n_channels // 8)
    return words.view(np.uint8).reshape(50, 60, n_channels).copy()


def cubic(distance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the kernel of Keys (1981) with a = -0.75."""
    a, x = -0.75, np.abs(distance)
    near, far = (a + 2) * x**3 - (a + 3) * x**2 + 1, a * (x**3 - 5 * x**2 + 8 * x - 4)
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def linear(distance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    weights: npt.NDArray[np.float64] = np.maximum(1 - np.abs(distance), 0.0)
    return weights


@pytest.mark.parametrize("n_channels", [1, 3])
@pytest.mark.parametrize(("interpolation", "reach"), [("bilinear", 1), ("bicubic", 2)])
def test_a_place_between_pixels_is_weighed_by_the_kernel(n_channels: int, interpolation: str, reach: int) -> None:
    """Noise from black to white; a place is rounded to 1/64, which is worth up to 255 / 64 a pixel here."""
    pixels, matrix, size = noise(n_channels), MATRICES[0], (40, 30)
    made = Surface(pixels, "nearest", interpolation, engine_of("pillow")).sample(matrix, size)
    kernel = cubic if interpolation == "bicubic" else linear
    a, b, c, d, e, f = matrix
    for x, y in [(0, 0), (7, 3), (20, 15), (39, 29), (33, 2)]:
        place_x, place_y = (np.floor(64 * place + 0.5) / 64 for place in (a * x + b * y + c, d * x + e * y + f))
        columns = np.arange(np.floor(place_x) - reach, np.floor(place_x) + reach + 1)
        rows = np.arange(np.floor(place_y) - reach, np.floor(place_y) + reach + 1)
        part = pixels[np.clip(rows, 0, 49).astype(int)][:, np.clip(columns, 0, 59).astype(int)]
        expected = np.einsum("r,c,rck->k", kernel(rows - place_y), kernel(columns - place_x), part.astype(np.float64))
        assert np.abs(made[y, x] - expected.clip(0, 255)).max() <= (0.51 if interpolation == "bilinear" else 1.5)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_black_and_white_stay_and_what_passes_them_is_cut_off(interpolation: str) -> None:
    stripes = np.zeros((40, 40, 3), np.uint8)
    stripes[:, 20:] = 255
    made = Surface(stripes, "nearest", interpolation, engine_of("pillow")).sample((0.37, 0.1, 9.0, 0, 1, 0.3), (40, 40))
    assert set(made[:, :5].ravel()) == {0}
    assert set(made[:, -5:].ravel()) == {255}
    for level in (0, 1, 254, 255):
        flat = np.full((40, 40, 3), level, np.uint8)
        sampled = Surface(flat, "reflect", interpolation, engine_of("pillow")).sample(MATRICES[0], (40, 40))
        assert set(sampled.ravel()) == {level}


def test_the_channels_of_a_word_do_not_touch_each_other() -> None:
    """Each channel alone is what it is among the others."""
    pixels = noise(3)
    for interpolation in ("bilinear", "bicubic"):
        together = Surface(pixels, "wrap", interpolation, engine_of("pillow")).sample(MATRICES[0], (60, 50))
        for channel in range(3):
            one = Surface(pixels[:, :, channel : channel + 1], "wrap", interpolation, engine_of("pillow"))
            assert np.array_equal(one.sample(MATRICES[0], (60, 50))[:, :, 0], together[:, :, channel])


def test_a_word_holds_its_channels_21_bits_apart() -> None:
    assert pack(np.array([[[1, 2, 3]]], np.uint8)).tolist() == [[[1 + (2 << 21) + (3 << 42)]]]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("n_channels", "depth"), SHAPES)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
def test_what_was_sampled_before_changes_nothing(engine: str, n_channels: int, depth: str, interpolation: str) -> None:
    """What is kept between copies depends on those that were made; the copies must not."""
    pixels = pixels_of(waves((60, 50), n_channels), depth)
    for fill in FILLS:
        kept = Surface(pixels, fill_of(fill, pixels), interpolation, engine_of(engine))
        for matrix in (*MATRICES, *reversed(MATRICES)):
            fresh = Surface(pixels, fill_of(fill, pixels), interpolation, engine_of(engine))
            assert np.array_equal(kept.sample(matrix, (60, 50)), fresh.sample(matrix, (60, 50)))
