"""Whether the geometry is that of Keras' ImageDataGenerator for the same drawn values: its matrices, then its pictures.

    KERAS_BACKEND=numpy python benchmarks/keras_geometry.py PHOTOGRAPH

Keras moves along x by what it draws from height_shift_range and along y by width_shift_range (keras #17398), because
its get_random_transform calls the former `tx` and the latter `ty`: these two are swapped back here, and nothing else is
changed. It turns about x = height/2 - 0.5 and y = width/2 - 0.5, the center only of square pictures: so these are.
Keras' own code computes its numbers; what it hands to SciPy is written down on the way.

Columns: the largest difference of the coefficients, which are rounded to 9 decimals here; the same with Keras' shifts
not swapped back; then, for each engine, the largest and the mean difference of gray levels. Keras' levels are floats,
so rounding them accounts for 0.5, and cutting their decimals off, as Pillow does, for 1. OpenCV 4 rounds coordinates to
1/32 of a pixel, worth some levels at edges; OpenCV 5 does not. Any backend of Keras will do: none of it runs.
"""

import sys
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import scipy.ndimage
from keras.src.legacy.preprocessing.image import ImageDataGenerator
from PIL import Image

from rebalance.drawing import draw_unit
from rebalance.images.engines import engine_of, import_opencv
from rebalance.images.geometry import sample
from rebalance.images.pixels import Pixels, size_of
from rebalance.images.placing import place
from rebalance.matrices import IDENTITY, Matrix, Values, multiply
from rebalance.plan import Recipe, Rendering
from rebalance.recipes import draw_values, make_recipe
from rebalance.transforms import TRANSFORMS

N_DRAWS = 40
SIDE = 255
"""Of the smooth picture, in pixels; odd, where a photograph's is mostly even."""
NEUTRAL: Values = {
    "rotation": 0.0, "width_shift": 0.0, "height_shift": 0.0, "shear": 0.0,
    "zoom_x": 1.0, "zoom_y": 1.0, "horizontal_flip": False,
}  # fmt: skip
ALONE: Values = {
    "rotation": 33.3, "width_shift": 0.1234, "height_shift": -0.0777, "shear": 20.0,
    "zoom_x": 0.83, "zoom_y": 1.17, "horizontal_flip": True,
}  # fmt: skip
"""The values that are tried one at a time; the configuration's own shear is too small to show much."""
MOST = 1e-9
"""By how much coefficients may differ, ours being rounded."""
ENGINES = ("pillow", "opencv") if find_spec("cv2") else ("pillow",)

Parameters = Mapping[str, Any]
"""What Keras' get_random_transform returns."""


class Difference(NamedTuple):
    """How far apart both are for one draw: the columns of the report."""

    coefficients: float
    unswapped: float
    levels: Mapping[str, Pixels]
    """Of every pixel, by engine."""


class Setup(NamedTuple):
    """What both make of one configuration: Keras' generator, our recipe and rendering."""

    generator: ImageDataGenerator
    recipe: Recipe
    rendering: Rendering


def configured(name: str) -> Setup:
    """Return what a bundled configuration says, whose other names are arguments of Keras too."""
    text = resources.files("rebalance.configs").joinpath(f"{name}.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)["augment"]
    interpolation = table.pop("interpolation")
    order = {"nearest": 0, "bilinear": 1}[interpolation]
    generator = ImageDataGenerator(**table, interpolation_order=order, data_format="channels_last")
    settings = {entry.key: entry.parse(table[entry.key]) for entry in TRANSFORMS if entry.key in table}
    recipe = make_recipe(settings | {"fill_mode": table["fill_mode"]})
    return Setup(generator, recipe, Rendering(interpolation=interpolation))


def keras_parameters(generator: ImageDataGenerator, values: Values, shape: tuple[int, ...]) -> Parameters:
    """Return what Keras makes of these values, given to it in the order in which it draws."""
    drawn = [values[name] for name in ("rotation", "height_shift", "width_shift", "shear")]
    zooms = (values["zoom_x"], values["zoom_y"])
    coins = [0.0 if values["horizontal_flip"] else 0.5, 0.5]
    with patch("numpy.random.uniform", side_effect=[*drawn, zooms]), patch("numpy.random.random", side_effect=coins):
        return generator.get_random_transform(shape)


def swapped(parameters: Parameters) -> Parameters:
    """Return the parameters with the shifts under each other's name."""
    return {**parameters, "tx": parameters["ty"], "ty": parameters["tx"]}


def keras_made(generator: ImageDataGenerator, pixels: Pixels, parameters: Parameters) -> tuple[Matrix, Pixels]:
    """Return the matrix Keras applies, in our order, and the picture it makes."""
    warp = scipy.ndimage.affine_transform
    with patch("scipy.ndimage.interpolation.affine_transform", side_effect=warp) as spy:
        made = generator.apply_transform(pixels.astype(np.float32), parameters)
    matrix = _as_ours(*spy.call_args.args[1:3]) if spy.called else IDENTITY
    return multiply(matrix, keras_flip(generator, pixels.shape, parameters)), made


def keras_flip(generator: ImageDataGenerator, shape: tuple[int, ...], parameters: Parameters) -> Matrix:
    """Return Keras' flip, which is no part of its matrix, read off a picture of the indices of its pixels."""
    indices = np.moveaxis(np.indices(shape[:2]), 0, 2)
    rows, columns = np.moveaxis(
        generator.apply_transform(indices, {"flip_horizontal": parameters["flip_horizontal"]}), 2, 0
    )
    x, y = ((float(each[0, 0]), float(each[0, 1]), float(each[1, 0])) for each in (columns, rows))
    return (x[1] - x[0], x[2] - x[0], x[0], y[1] - y[0], y[2] - y[0], y[0])


def our_picture(pixels: Pixels, matrix: Matrix, setup: Setup, engine: str) -> Pixels:
    """Return the picture that rebalance makes by a matrix."""
    fill, interpolation = setup.recipe["fill_mode"], setup.rendering.interpolation
    return sample(pixels, matrix, size_of(pixels), fill=fill, interpolation=interpolation, engine=engine_of(engine))


def compare(pixels: Pixels, values: Values, setup: Setup) -> Difference:
    """Return how far apart both are for one draw."""
    ours = place(size_of(pixels), 1, setup.recipe, values, setup.rendering).matrix
    parameters = keras_parameters(setup.generator, values, pixels.shape)
    as_it_is, _ = keras_made(setup.generator, pixels, parameters)
    theirs, picture = keras_made(setup.generator, pixels, swapped(parameters))
    levels = {engine: np.abs(our_picture(pixels, ours, setup, engine) - picture) for engine in ENGINES}
    return Difference(_farthest(ours, theirs), _farthest(ours, as_it_is), levels)


def report(name: str, found: Sequence[Difference]) -> float:
    """Print one line and return the largest difference of coefficients."""
    coefficients = max(each.coefficients for each in found)
    unswapped = max(each.unswapped for each in found)
    levels = (np.stack([each.levels[engine] for each in found]) for engine in ENGINES)
    columns = "".join(f"{each.max():10.2f}{each.mean():7.3f}" for each in levels)
    print(f"{name:27}{coefficients:12.1e}{unswapped:12.1e}{columns}")
    return coefficients


def photograph(path: str) -> Pixels:
    """Return the square in the middle of a photograph."""
    with Image.open(path) as image:
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        return np.asarray(image.convert("RGB").crop((left, top, left + side, top + side)))


def smooth_picture() -> Pixels:
    """Return seeded waves, 1 to 4 of them across the picture in each direction."""
    y, x = np.indices((SIDE, SIDE)) / SIDE
    channels = []
    for channel in range(3):
        across, down, start = (draw_unit(name, 0, "smooth", channel + 1) for name in ("across", "down", "start"))
        phase = 2 * np.pi * ((1 + 3 * across) * x + (1 + 3 * down) * y + start)
        channels.append(127.5 + 120 * np.sin(phase))
    return np.rint(np.stack(channels, axis=2)).astype(np.uint8)


def cases(recipe: Recipe) -> dict[str, list[Values]]:
    """Return the draws of the configuration, and each value alone."""
    draws: list[Values] = [draw_values(recipe, 0, "class/picture.jpg", number) for number in range(1, N_DRAWS + 1)]
    alone = {f"{name} {value:g}": [{**NEUTRAL, name: value}] for name, value in ALONE.items()}
    return {f"{N_DRAWS} draws of keras": draws, **alone}


def versions() -> str:
    """Return what is compared, by name and version."""
    found = [f"{name} {version(name)}" for name in ("keras", "scipy", "numpy", "pillow")]
    return ", ".join([*found, f"opencv {import_opencv().__version__}"] if "opencv" in ENGINES else found)


def main() -> None:
    """Print the differences for both pictures; exit 1 where a matrix is not Keras'."""
    setup = configured("keras")
    pictures = {"photograph": photograph(sys.argv[1]), "smooth picture": smooth_picture()}
    print(versions())
    largest = 0.0
    for title, pixels in pictures.items():
        engines = "".join(f"{engine:>10}   mean" for engine in ENGINES)
        print(f"\n{f'{title}, {pixels.shape[1]} x {pixels.shape[0]}':27}coefficients   unswapped{engines}")
        for name, values in cases(setup.recipe).items():
            largest = max(largest, report(name, [compare(pixels, each, setup) for each in values]))
    if largest > MOST:
        sys.exit(f"the matrices differ by {largest:g}")


def _as_ours(linear: Pixels, offset: Pixels) -> Matrix:
    """Return a matrix between (row, column) as one between (x, y)."""
    (row_row, row_column), (column_row, column_column) = linear.tolist()
    return (column_column, column_row, float(offset[1]), row_column, row_row, float(offset[0]))


def _farthest(left: Matrix, right: Matrix) -> float:
    return max(abs(one - other) for one, other in zip(left, right, strict=True))


if __name__ == "__main__":
    main()
