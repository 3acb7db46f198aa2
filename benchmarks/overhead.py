"""What a Dask scheduler costs an image, beside local workers: both in turns, in one run.

python -m benchmarks.overhead [ROUNDS], with REBALANCE_DATA leading to the photographs. Two workers each; what is
started once is taken out by the difference between a small and a large target.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.test_cluster import Machines

SMALL, LARGE, N_CLASSES = 200, 400, 6


def main() -> None:
    """Print the milliseconds an image of both, and their ratio, of each round and their medians."""
    n_rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    source = Path(os.environ["REBALANCE_DATA"]) / "clothing"
    with tempfile.TemporaryDirectory() as folder:
        machines = Machines(Path(folder))
        try:
            for _ in range(2):
                machines.add_worker()
            machines.wait(2)
            ways = {"local": ("-j", "2"), "dask": ("--backend", "dask", "--scheduler", str(machines.file))}
            rounds = [{way: _slope(source, Path(folder), more) for way, more in ways.items()} for _ in range(n_rounds)]
        finally:
            machines.stop()
    print("ms an image: local    dask   more   ratio")
    for own in rounds:
        local, dask = own["local"], own["dask"]
        print(f"           {local:7.2f} {dask:7.2f} {dask - local:6.2f} {dask / local:7.3f}")
    more = statistics.median(own["dask"] - own["local"] for own in rounds)
    ratio = statistics.median(own["dask"] / own["local"] for own in rounds)
    print(f"medians: {more:+.2f} ms an image, ratio {ratio:.3f}")


def _slope(source: Path, folder: Path, more: tuple[str, ...]) -> float:
    """Return the milliseconds that an image more takes."""
    small, large = (_seconds(source, folder, target, more) for target in (SMALL, LARGE))
    return (large - small) / ((LARGE - SMALL) * N_CLASSES) * 1000


def _seconds(source: Path, folder: Path, target: int, more: tuple[str, ...]) -> float:
    output = folder / "out"
    command = [sys.executable, "-m", "rebalance", "augment", source, "-o", output, "-s", str(target), "-q", *more]
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    shutil.rmtree(output)
    return seconds


if __name__ == "__main__":
    main()
