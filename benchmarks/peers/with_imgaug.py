"""Imgaug in a loop over two processes: every source is decoded once."""

from functools import partial
from pathlib import Path

import cv2
import imgaug.augmenters as iaa
from work import BRIGHTNESS, DEGREES, NOISE, QUALITY, SHEAR, SHIFT, ZOOM, Asked, asked, in_two_processes


def pipeline(arguments: Asked) -> iaa.Sequential:
    """Return the same operations and ranges."""
    augmenters: list[iaa.Augmenter] = [
        iaa.Fliplr(0.5),
        iaa.Affine(
            rotate=(-DEGREES, DEGREES),
            translate_percent={"x": (-SHIFT, SHIFT), "y": (-SHIFT, SHIFT)},
            shear=(-SHEAR, SHEAR),
            scale={"x": (1 - ZOOM, 1 + ZOOM), "y": (1 - ZOOM, 1 + ZOOM)},
            order=1,
            mode="edge",
            backend="cv2",
        ),
    ]
    if arguments.size:
        augmenters.insert(0, iaa.Resize({"width": arguments.size[0], "height": arguments.size[1]}, "area"))
    if arguments.has_levels:
        augmenters += [
            iaa.Multiply((1 - BRIGHTNESS, 1 + BRIGHTNESS)),
            iaa.AdditiveGaussianNoise(scale=NOISE, per_channel=True),
        ]
    return iaa.Sequential(augmenters)


def perform(augmenter: iaa.Sequential, job: tuple[Path, list[Path]]) -> None:
    """Make the files of one source."""
    source, outputs = job
    picture = cv2.imread(str(source))
    for output in outputs:
        cv2.imwrite(str(output), augmenter(image=picture), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


if __name__ == "__main__":
    cv2.setNumThreads(1)
    given = asked()
    in_two_processes(partial(perform, pipeline(given)), given.jobs())
