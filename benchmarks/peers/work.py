"""What every peer is asked for: the ranges of the transforms, the files to make, two processes to make them in."""

import argparse
import functools
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

DEGREES = 15
SHIFT = 0.1
SHEAR = 5
ZOOM = 0.1
BRIGHTNESS = 0.2
NOISE = 8
QUALITY = 90
SIZE_AS_IT_IS = "none"
N_PROCESSES = 2


class Asked(argparse.Namespace):
    """The arguments of every peer."""

    source: Path
    output: Path
    n_copies: int
    work: str
    size: tuple[int, int] | None
    """Width and height of the outputs."""

    @property
    def has_levels(self) -> bool:
        """Return whether brightness and noise are asked for beside geometry."""
        return self.work == "full"

    def jobs(self) -> list[tuple[Path, list[Path]]]:
        """Return each image with the files to make of it."""
        images = sorted(self.source.rglob("*.jpg"))
        return [(path, [self.output / f"{path.stem}_{copy}.jpg" for copy in range(self.n_copies)]) for path in images]


def asked() -> Asked:
    """Read the command line and make the folder for the outputs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("n_copies", type=int)
    parser.add_argument("work", choices=("geometry", "full"))
    parser.add_argument("size", type=_size)
    arguments = parser.parse_args(namespace=Asked())
    arguments.output.mkdir(parents=True)
    return arguments


def in_two_processes(perform: Callable[[tuple[Path, list[Path]]], None], jobs: list[tuple[Path, list[Path]]]) -> None:
    """Perform every job in a pool: the loop that people write where a library has none."""
    with ProcessPoolExecutor(N_PROCESSES, multiprocessing.get_context("fork")) as pool:
        list(pool.map(perform, jobs, chunksize=1 + len(jobs) // 100))


def save_at_our_quality() -> None:
    """Let libraries that offer no quality save at the one that all others save at; 4:2:0 is Pillow's default."""
    from PIL import Image  # noqa: PLC0415  not every peer has it

    Image.Image.save = functools.partialmethod(Image.Image.save, quality=QUALITY)  # type: ignore[assignment]


def _size(text: str) -> tuple[int, int] | None:
    if text == SIZE_AS_IT_IS:
        return None
    width, height = text.split("x")
    return int(width), int(height)
