"""Whole processes that bring every class to the size of the largest by copies: rebalance and its peers."""

import os
import sys
import tempfile
from functools import partial
from pathlib import Path

from rounds import Entry, folder_in_memory, peer_python, time_in_turn

LOOP = Path(__file__).parent / "peers" / "with_imblearn.py"
N_HELD_BACK = 2
"""Images of each class that split-folders sets aside: it balances only what it has split."""


def rebalance(source: Path, output: Path) -> list[str]:
    """Return the command that copies, checks, hashes, syncs and writes a manifest."""
    return [sys.executable, "-m", "rebalance", "augment", str(source), "-o", str(output), "--config", "copy", "-q"]


def split_folders(python: Path, source: Path, output: Path) -> list[str]:
    """Return split-folders with its over-sampling of the training part."""
    call = (
        f"import splitfolders; splitfolders.fixed({str(source)!r}, {str(output)!r}, seed=0, "
        f"fixed=({N_HELD_BACK},), oversample=True)"
    )
    return [str(python), "-c", call]


def imbalanced_learn(python: Path, source: Path, output: Path) -> list[str]:
    """Return the loop that people write around RandomOverSampler."""
    return [str(python), str(LOOP), str(source), str(output)]


def main() -> None:
    """Time the entries in turn; what split-folders holds back and what it trains on are as many files in all."""
    entries: dict[str, Entry] = {"rebalance": rebalance}
    for name, entry in (("imbalanced-learn", imbalanced_learn), ("split-folders", split_folders)):
        if python := peer_python(name):
            entries[name] = partial(entry, python)
    source = Path(os.environ["REBALANCE_DATA"]) / "clothing"
    counts = [len(list(folder.glob("*.jpg"))) for folder in source.iterdir() if folder.is_dir()]
    with tempfile.TemporaryDirectory(dir=folder_in_memory()) as folder:
        time_in_turn(entries, source, Path(folder) / "output", len(counts) * max(counts))


if __name__ == "__main__":
    main()
