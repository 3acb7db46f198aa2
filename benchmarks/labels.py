"""Images with 224 labels, long-tailed: what `augment --labels` costs, and what it reaches beside ML-ROS.

The labels are made: label l is on a share 0.5 / l^1.3 of the images, drawn on its own; what none has is given to one.
ML-ROS (Charte, Rivera, del Jesus and Herrera 2015) repeats images of the labels with more than the mean IRLbl, in turn,
until they have no more than that.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

N_LABELS = 224
Table = NDArray[np.bool_]


def made(n_images: int) -> Table:
    """Return which image has which label."""
    words = np.random.PCG64(1).random_raw(n_images * N_LABELS).reshape(n_images, N_LABELS)
    table = words / 2.0**64 < 0.5 / np.arange(1, N_LABELS + 1) ** 1.3
    for label in np.flatnonzero(~table.any(axis=0)).tolist():
        table[(7919 * label) % n_images, label] = True
    return np.asarray(table)


def write(folder: Path, table: Table) -> None:
    """Write links to one small image, and the table."""
    (folder / "images").mkdir()
    first = folder / "images" / "0.png"
    Image.new("RGB", (8, 8)).save(first)
    for number in range(1, len(table)):
        os.link(first, folder / "images" / f"{number}.png") if number % 60_000 else Image.new("RGB", (8, 8)).save(
            first := folder / "images" / f"{number}.png"
        )
    with (folder / "labels.csv").open("w") as file:
        file.write(",".join(["path", *(f"l{label:03d}" for label in range(N_LABELS))]) + "\n")
        for number, row in enumerate(table):
            file.write(f"{number}.png,{','.join(np.where(row, '1', '0'))}\n")


def ml_ros(table: Table) -> tuple[NDArray[np.intp], int]:
    """Return the counts of the labels after ML-ROS, and how many copies it makes."""
    counts, n_copies = table.sum(axis=0), 0
    ratios = counts.max() / counts
    bags = {int(label): np.flatnonzero(table[:, label]) for label in np.flatnonzero(ratios > ratios.mean())}
    source = np.random.PCG64(2)
    while bags:
        for label in list(bags):
            counts = counts + table[bags[label][int(source.random_raw()) * len(bags[label]) >> 64]]
            n_copies += 1
            if counts.max() / counts[label] <= ratios.mean():
                del bags[label]
    return np.asarray(counts), n_copies


def timed(*arguments: object) -> tuple[str, str, float]:
    """Run a command; return what it printed, and seconds."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "rebalance", *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    return ran.stdout, ran.stderr, time.perf_counter() - start


def compare(n_images: int) -> None:
    """Print what is reached for so many images, and what it takes."""
    table = made(n_images)
    counts = table.sum(axis=0)
    print(
        f"\n{n_images} images, {N_LABELS} labels on {counts.min()} to {counts.max()} of them, {(counts == 1).sum()} on "
        f"one, {len(np.unique(table, axis=0))} label sets"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, table)
        labels = ("--labels", folder / "labels.csv")
        _, _, seconds = timed("inspect", folder / "images", *labels)
        print(f"inspect: {seconds:.1f} s")
        by_ros, n_by_ros = ml_ros(table)
        for strategy in ("sqrt", "1.0"):
            planned = ("augment", folder / "images", *labels, "-s", strategy, "-o", folder / "out", "-n")
            printed, said, seconds = timed(*planned)
            rows = [line.split() for line in printed.splitlines()[1 : N_LABELS + 1]]
            targets, reached = (np.array([int(row[column]) for row in rows]) for column in (2, 3))
            certificate = next(line for line in said.splitlines() if "linear programming" in line)
            print(f"-s {strategy}: {seconds:.1f} s; {printed.splitlines()[-1]}")
            print(f"  {certificate.removeprefix('rebalance: note: ')}")
            for told, found in (("before", counts), ("ours", reached), (f"ML-ROS, {n_by_ros} copies", by_ros)):
                off = (np.abs(found - targets) / targets).sum()
                print(
                    f"  {told}: off by {off:.2f} targets, {(found == targets).sum()} labels exactly, MeanIR "
                    f"{(found.max() / found).mean():.2f}"
                )
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"most memory of a process: {peak:.0f} MiB")


if __name__ == "__main__":
    for n in map(int, sys.argv[1:] or ("2000", "100000")):
        compare(n)
