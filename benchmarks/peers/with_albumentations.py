"""Albumentations in a loop over two processes: every source is decoded once, OpenCV has one thread a process."""

from functools import partial
from pathlib import Path

import albumentations as A  # noqa: N812  as its documentation has it
import cv2
from work import BRIGHTNESS, DEGREES, NOISE, QUALITY, SHEAR, SHIFT, ZOOM, Asked, asked, in_two_processes


def pipeline(arguments: Asked) -> A.Compose:
    """Return the same operations and ranges."""
    transforms: list[A.BasicTransform] = [
        A.HorizontalFlip(p=0.5),
        A.Affine(
            rotate=(-DEGREES, DEGREES),
            translate_percent={"x": (-SHIFT, SHIFT), "y": (-SHIFT, SHIFT)},
            shear={"x": (-SHEAR, SHEAR), "y": 0},
            scale={"x": (1 - ZOOM, 1 + ZOOM), "y": (1 - ZOOM, 1 + ZOOM)},
            interpolation=cv2.INTER_LINEAR,
            border_mode=cv2.BORDER_REPLICATE,
            p=1,
        ),
    ]
    if arguments.size:
        transforms.insert(0, A.Resize(arguments.size[1], arguments.size[0], interpolation=cv2.INTER_AREA))
    if arguments.has_levels:
        transforms += [
            A.MultiplicativeNoise((1 - BRIGHTNESS, 1 + BRIGHTNESS), per_channel=False, elementwise=False, p=1),
            A.GaussNoise(std_range=(NOISE / 255, NOISE / 255), per_channel=True, p=1),
        ]
    return A.Compose(transforms)


def perform(compose: A.Compose, job: tuple[Path, list[Path]]) -> None:
    """Make the files of one source."""
    source, outputs = job
    picture = cv2.imread(str(source))
    for output in outputs:
        cv2.imwrite(str(output), compose(image=picture)["image"], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


if __name__ == "__main__":
    cv2.setNumThreads(1)
    given = asked()
    in_two_processes(partial(perform, pipeline(given)), given.jobs())
