"""Keras' ImageDataGenerator with save_to_dir, in two processes with half of the sources each, its fastest way here.

It misplaces its geometry on pictures that are not square, which costs no time.
"""

import os
import shutil
import tempfile
from functools import partial
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "numpy")

import numpy as np
from keras.src.legacy.preprocessing.image import ImageDataGenerator
from PIL import Image
from work import (
    BRIGHTNESS,
    DEGREES,
    N_PROCESSES,
    NOISE,
    SHEAR,
    SHIFT,
    ZOOM,
    Asked,
    asked,
    in_two_processes,
    save_at_our_quality,
)

BATCH = 20


def add_noise(picture: np.ndarray) -> np.ndarray:
    """Add normal noise, as its preprocessing_function; what passes black or white is clipped."""
    return np.clip(picture + np.random.normal(0, NOISE, picture.shape), 0, 255)


def generator(arguments: Asked) -> ImageDataGenerator:
    """Return the same operations and ranges."""
    levels = {"brightness_range": (1 - BRIGHTNESS, 1 + BRIGHTNESS), "preprocessing_function": add_noise}
    return ImageDataGenerator(
        horizontal_flip=True,
        rotation_range=DEGREES,
        width_shift_range=SHIFT,
        height_shift_range=SHIFT,
        shear_range=SHEAR,
        zoom_range=ZOOM,
        fill_mode="nearest",
        interpolation_order=1,
        **(levels if arguments.has_levels else {}),
    )


def perform(arguments: Asked, job: tuple[Path, list[Path]]) -> None:
    """Make as many files as are wanted of the images of one folder."""
    folder, outputs = job
    with Image.open(next(folder.rglob("*.jpg"))) as image:
        width, height = arguments.size or image.size
    flow = generator(arguments).flow_from_directory(
        folder, target_size=(height, width), batch_size=BATCH, class_mode=None, save_to_dir=arguments.output,
        save_prefix=folder.name, save_format="jpeg", seed=int(folder.name),
    )  # fmt: skip
    for _ in range(len(outputs) // BATCH):
        next(flow)


if __name__ == "__main__":
    given = asked()
    save_at_our_quality()
    with tempfile.TemporaryDirectory() as halves:
        jobs = given.jobs()
        work = []
        for number in range(N_PROCESSES):
            part = jobs[number::N_PROCESSES]
            folder = Path(halves) / str(number)
            (folder / "images").mkdir(parents=True)
            for path, _ in part:
                shutil.copy(path, folder / "images")
            work.append((folder, [output for _, outputs in part for output in outputs]))
        in_two_processes(partial(perform, given), work)
