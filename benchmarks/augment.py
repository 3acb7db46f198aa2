"""Whole processes that write augmented photographs: rebalance, the loop people write by hand, and the limit."""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

ROUNDS = 5
N_EACH = 100
"""Files that each class is brought to."""


def rebalance(engine: str, source: Path, output: Path) -> list[str]:
    """Return the command that balances with the default transforms."""
    command = [sys.executable, "-m", "rebalance", "augment", str(source), "-o", str(output), "-s", str(N_EACH), "-q"]
    return [*command, "--engine", engine]


def by_hand(source: Path, output: Path) -> list[str]:
    """Return the command of the private script, as good as it is usually written."""
    return [sys.executable, str(Path(__file__).parent / "by_hand.py"), "warp", str(source), str(output), str(N_EACH)]


def limit(source: Path, output: Path) -> list[str]:
    """Return the command that only decodes and encodes."""
    return [sys.executable, str(Path(__file__).parent / "by_hand.py"), "limit", str(source), str(output), str(N_EACH)]


ENTRIES = {
    "rebalance": partial(rebalance, "pillow"),
    "with fast": partial(rebalance, "opencv"),
    "by hand": by_hand,
    "limit": limit,
}


def main() -> None:
    """Time the entries in turn and print medians of their ratios to rebalance."""
    photographs = Path(os.environ["REBALANCE_DATA"]) / "clothing"
    seconds: dict[str, list[float]] = {name: [] for name in ENTRIES}
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        for name in ("Blouse", "Top"):
            shutil.copytree(photographs / name, source / name)
        n_sources = sum(1 for _ in source.rglob("*.jpg"))
        for round_number in range(ROUNDS + 1):
            for name, command in ENTRIES.items():
                output = Path(folder) / "output"
                began = time.perf_counter()
                subprocess.run(command(source, output), check=True, stdout=subprocess.DEVNULL)
                if round_number:  # the first round warms the caches
                    seconds[name].append(time.perf_counter() - began)
                n_written = sum(1 for _ in output.rglob("*.jpg"))
                if n_written != 2 * N_EACH:
                    sys.exit(f"{name} wrote {n_written} files instead of {2 * N_EACH}")
                shutil.rmtree(output)
    print(f"{2 * N_EACH - n_sources} new files and {n_sources} originals, {os.cpu_count()} cores, {ROUNDS} rounds")
    for name, times in seconds.items():
        ratio = statistics.median(other / ours for other, ours in zip(times, seconds["rebalance"], strict=True))
        print(f"{name:10} median {statistics.median(times):6.2f} s, ratio to rebalance {ratio:5.2f}")


if __name__ == "__main__":
    main()
