"""What people write by hand to balance a tree, and the least that any program has to do; run by augment.py."""

import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from PIL import Image

ANGLES = (-6, -4, -2, 2, 4, 6)


def jobs(source: Path, output: Path, n_each: int) -> Iterator[tuple[Path, list[Path]]]:
    """Yield each image with the files to make of it."""
    for folder in sorted(source.iterdir()):
        images = sorted(folder.iterdir())
        (output / folder.name).mkdir(parents=True)
        for index, image in enumerate(images):
            shutil.copyfile(image, output / folder.name / image.name)
            copies = range(index, n_each - len(images), len(images))
            yield image, [output / folder.name / f"{image.stem}_{copy}.jpg" for copy in copies]


def warp(job: tuple[Path, list[Path]]) -> None:
    """Turn, shift and zoom an image for each of its files, bicubic, quality 90."""
    source, outputs = job
    with Image.open(source) as image:
        for index, output in enumerate(outputs):
            turned = image.rotate(ANGLES[index % len(ANGLES)], Image.Resampling.BICUBIC, translate=(8, -8))
            turned.save(output, quality=90)


def recode(job: tuple[Path, list[Path]]) -> None:
    """Decode an image once and encode it for each of its files."""
    source, outputs = job
    with Image.open(source) as image:
        image.load()
        for output in outputs:
            image.save(output, quality=90)


def main() -> None:
    """Make all files in a pool of as many processes as cores."""
    way, source, output, n_each = sys.argv[1:]
    with ProcessPoolExecutor() as pool:
        work = list(jobs(Path(source), Path(output), int(n_each)))
        list(pool.map(warp if way == "warp" else recode, work, chunksize=8))


if __name__ == "__main__":
    main()
