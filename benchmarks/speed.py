"""Whole processes that write augmented photographs: rebalance, its peers at their fastest, and the limit.

    python benchmarks/speed.py [--outputs N ...] [--work geometry full] [--size none 224x224] [--rounds N]

Every entry makes the same number of pictures from the same photographs, of one size, with the same operations in the
same ranges, JPEG of quality 90 with 4:2:0. In every round all of them run one after the other; a ratio is that of two
runs of one round, and the median over rounds is printed. Other sizes are made in the first of the numbers alone. What
is written is counted and decoded each time. One more run beforehand, which is not timed, measures memory.
"""

import argparse
import itertools
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageOps
from rounds import Run, folder_in_memory, most_memory, peer_python, run_once

PEERS = Path(__file__).parent / "peers"
N_SOURCES = 200
SIZE = (500, 375)
CLASSES = ("a", "b")
GEOMETRY = """[augment]
horizontal_flip = true
rotation_range = 15
width_shift_range = 0.1
height_shift_range = 0.1
shear_range = 5
zoom_range = 0.1
fill_mode = "nearest"
"""
LEVELS = """brightness_range = 0.2
gaussian_noise = 8
"""


class Job(NamedTuple):
    """What an entry is to make."""

    source: Path
    n_outputs: int
    work: str
    size: str
    """Width x height of the outputs; none: as they are."""

    def config(self) -> Path:
        """Return the configuration of the operations for rebalance, written beside the photographs."""
        path = self.source.parent / f"{self.work}.toml"
        path.write_text(GEOMETRY + (LEVELS if self.work == "full" else ""))
        return path


class Entry(NamedTuple):
    """A program: its name, its command, and how many files it writes beside those that were asked for."""

    name: str
    command: Callable[[Job, Path], list[str]]
    n_more: int = 0


def augment(source: Path, output: Path, n_outputs: int, n_classes: int = len(CLASSES)) -> list[str]:
    """Return the arguments that make so many files beside the originals."""
    return ["augment", str(source), "-o", str(output), "-s", str((N_SOURCES + n_outputs) // n_classes), "-q"]


def ours(name: str, engine: str, interpolation: str) -> Entry:
    """Return rebalance, which carries the originals over too, with manifest, hashes, staging and sync."""

    def command(job: Job, output: Path) -> list[str]:
        size = [] if job.size == "none" else ["--size", job.size]
        return [
            sys.executable, "-m", "rebalance", *augment(job.source, output, job.n_outputs),
            "--engine", engine, "--interpolation", interpolation, "--config", str(job.config()), *size,
        ]  # fmt: skip

    return Entry(name, command, N_SOURCES)


def peer(name: str, script: str, python: Path | str) -> Entry:
    """Return a script of the folder of peers, run by the interpreter of its environment."""

    def command(job: Job, output: Path) -> list[str]:
        n_copies = str(job.n_outputs // N_SOURCES)
        return [str(python), str(PEERS / script), str(job.source), str(output), n_copies, job.work, job.size]

    return Entry(name, command)


def entries(work: str) -> Iterator[Entry]:
    """Yield what there is to compare; a peer that is not installed is left out, by name."""
    yield ours("rebalance", "pillow", "bilinear")
    yield ours("rebalance with fast", "opencv", "bilinear")
    yield ours("rebalance, bicubic", "pillow", "bicubic")
    yield ours("rebalance with fast, bicubic", "opencv", "bicubic")
    yield peer("limit", "limit.py", sys.executable)
    for name in ("keras", "augmentor", "albumentations", "imgaug"):
        if name == "augmentor" and work == "full":
            continue
        if python := peer_python(name):
            yield peer(name, f"with_{name}.py", python)


def write_photographs(folder: Path) -> None:
    """Write the photographs of the benchmark: of `clothing`, cut and resized to one size, in two classes."""
    photographs = sorted((Path(os.environ["REBALANCE_DATA"]) / "clothing").rglob("*.jpg"))
    step = len(photographs) // N_SOURCES
    for number, path in enumerate(photographs[::step][:N_SOURCES]):
        target = folder / CLASSES[number % len(CLASSES)] / f"{number:03d}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        image = Image.open(path).convert("RGB")
        ImageOps.fit(image, SIZE, Image.Resampling.BICUBIC).save(target, quality=90)


def check(output: Path, n_files: int, size: str) -> None:
    """Count the files and decode them all. Ends the benchmark where one is missing, damaged or of another size."""
    paths = sorted(path for path in output.rglob("*") if path.suffix in (".jpg", ".jpeg"))
    wanted = SIZE if size == "none" else tuple(map(int, size.split("x")))
    with ProcessPoolExecutor() as pool:
        sizes = set(pool.map(_decoded_size, paths, chunksize=50))
    if len(paths) != n_files or sizes != {wanted}:
        sys.exit(f"{output.name}: {len(paths)} files of sizes {sizes} instead of {n_files} of {wanted}")


def _decoded_size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        image.load()
        return image.size


def compare(job: Job, folder: Path, n_rounds: int) -> None:
    """Run all entries in turn and print the table."""
    compared = list(entries(job.work))
    runs: dict[str, list[Run]] = {entry.name: [] for entry in compared}
    memory = {}
    for number in range(n_rounds + 1):
        for entry in compared:
            output = folder / entry.name.replace(" ", "-").replace(",", "")
            command = entry.command(job, output)
            if number:
                runs[entry.name].append(run_once(command))
            else:
                memory[entry.name] = most_memory(command)
            check(output, job.n_outputs + entry.n_more, job.size)
            shutil.rmtree(output)
    size = f"{SIZE[0]}x{SIZE[1]}" if job.size == "none" else job.size
    work = "geometry, brightness, noise" if job.work == "full" else "geometry"
    print(f"\n### {job.n_outputs} outputs of {size}: {work} ({n_rounds} rounds)\n")
    print(
        "| program | images/s | CPU ms an image | peak MiB | seconds, to rebalance | seconds, to rebalance with fast |"
    )
    print("|---|---|---|---|---|---|")
    for name, own in runs.items():
        speed = job.n_outputs / statistics.median(run.wall for run in own)
        cpu = 1000 * statistics.median(run.cpu for run in own) / job.n_outputs
        ratios = [
            statistics.median(run.wall / first.wall for run, first in zip(own, runs[ours_name], strict=True))
            for ours_name in ("rebalance", "rebalance with fast")
        ]
        print(
            f"| {name} | {speed:.0f} | {cpu:.2f} | {memory[name]:.0f} | {ratios[0]:.2f} | {ratios[1]:.2f} |", flush=True
        )


def main() -> None:
    """Print a table for every number of outputs, work and size."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--outputs", type=int, nargs="+", default=[600, 6000])
    parser.add_argument("--work", nargs="+", default=["geometry", "full"])
    parser.add_argument("--size", nargs="+", default=["none", "224x224"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=folder_in_memory(), help="where the pictures are written")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        source = Path(folder) / "source"
        write_photographs(source)
        print(
            f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, files in {asked.folder or 'a temporary folder'}"
        )
        for size in asked.size:
            numbers = asked.outputs if size == "none" else asked.outputs[:1]
            for work, n_outputs in itertools.product(asked.work, numbers):
                compare(Job(source, n_outputs, work, size), Path(folder), asked.rounds)


if __name__ == "__main__":
    main()
