"""Whole processes that write augmented photographs: rebalance, the loop people write by hand, and the limit."""

import os
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path

from rounds import time_in_turn

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
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        for name in ("Blouse", "Top"):
            shutil.copytree(photographs / name, source / name)
        n_sources = sum(1 for _ in source.rglob("*.jpg"))
        print(f"{2 * N_EACH - n_sources} new files and {n_sources} originals")
        time_in_turn(ENTRIES, source, Path(folder) / "output", 2 * N_EACH)


if __name__ == "__main__":
    main()
