"""How the cost of `rebalance augment` grows with outputs, pixels, classes and workers, and its memory with outputs.

    python benchmarks/scaling.py [--engine pillow|opencv] [--rounds N]

The default transforms on 200 photographs of 500x375. Each row is the median of the rounds; the slope is that of the
logarithm of seconds over that of the size, by least squares over all sizes and between the last two: 1 is linear.
"""

import argparse
import math
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from rounds import Run, folder_in_memory, most_memory, run_once
from speed import CLASSES, augment, write_photographs

N_OUTPUTS = 2000
OUTPUTS = (500, 1000, 2000, 4000, 8000)
WIDTHS = (125, 250, 500, 1000)
N_CLASSES = (2, 8, 32, 100)
WORKERS = (1, 2, 3, 4)
MEMORY_OUTPUTS = (2000, 6000, 20000)


class Way(NamedTuple):
    """How the command is run."""

    engine: str
    n_outputs: int = N_OUTPUTS
    n_workers: int = os.cpu_count() or 1
    n_classes: int = len(CLASSES)


def command(source: Path, output: Path, way: Way) -> list[str]:
    """Return the command that makes so many files beside the originals."""
    arguments = augment(source, output, way.n_outputs, way.n_classes)
    return [sys.executable, "-m", "rebalance", *arguments, "--engine", way.engine, "-j", str(way.n_workers)]


def resized(source: Path, target: Path, width: int) -> Path:
    """Write the photographs in another size of the same shape."""
    for path in source.rglob("*.jpg"):
        other = target / path.relative_to(source)
        other.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as image:
            image.resize((width, width * 3 // 4), Image.Resampling.BICUBIC).save(other, quality=90)
    return target


def dealt(source: Path, target: Path, n_classes: int) -> Path:
    """Write the photographs dealt out to so many classes."""
    for number, path in enumerate(sorted(source.rglob("*.jpg"))):
        folder = target / f"class{number % n_classes:04d}"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / path.name)
    return target


def slope(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Return the slope of the line of least squares through the logarithms."""
    return statistics.linear_regression([math.log(n) for n in sizes], [math.log(n) for n in seconds]).slope


def grow(what: str, sizes: Sequence[int], run: Callable[[int], Run], n_rounds: int) -> None:
    """Run every size in turn, round after round, and print the table."""
    runs: dict[int, list[Run]] = {size: [] for size in sizes}
    for _ in range(n_rounds):
        for size in sizes:
            runs[size].append(run(size))
    walls = [statistics.median(run.wall for run in runs[size]) for size in sizes]
    print(f"\n| {what} | seconds | CPU seconds | seconds, to the first |\n|---|---|---|---|")
    for size, wall in zip(sizes, walls, strict=True):
        cpu = statistics.median(run.cpu for run in runs[size])
        print(f"| {size} | {wall:.2f} | {cpu:.2f} | {wall / walls[0]:.2f} |")
    print(f"\nslope {slope(sizes, walls):.2f}, of the last two {slope(sizes[-2:], walls[-2:]):.2f}", flush=True)


def main() -> None:
    """Print a table for each of the four, then memory."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", default="pillow")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=folder_in_memory()) as name:
        folder = Path(name)
        source, output = folder / "source", folder / "output"
        write_photographs(source)
        by_width = {width: resized(source, folder / f"width{width}", width) for width in WIDTHS}
        by_classes = {n_classes: dealt(source, folder / f"dealt{n_classes}", n_classes) for n_classes in N_CLASSES}

        def timed(tree: Path, way: Way) -> Run:
            run = run_once(command(tree, output, way))
            shutil.rmtree(output)
            return run

        way = Way(asked.engine)
        grow("outputs", OUTPUTS, lambda n: timed(source, way._replace(n_outputs=n)), asked.rounds)
        grow("width, pixels", WIDTHS, lambda n: timed(by_width[n], way), asked.rounds)
        grow("classes", N_CLASSES, lambda n: timed(by_classes[n], way._replace(n_classes=n)), asked.rounds)
        grow("workers", WORKERS, lambda n: timed(source, way._replace(n_outputs=6000, n_workers=n)), asked.rounds)
        print("\n| outputs of 125x93 | peak MiB, all processes |\n|---|---|")
        for n_outputs in MEMORY_OUTPUTS:
            peak = most_memory(command(by_width[WIDTHS[0]], output, way._replace(n_outputs=n_outputs)))
            shutil.rmtree(output)
            print(f"| {n_outputs} | {peak:.1f} |", flush=True)


if __name__ == "__main__":
    main()
