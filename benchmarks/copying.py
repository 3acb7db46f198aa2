"""Whole processes that bring every class to the size of the largest by copies: rebalance and its peers."""

import os
import sys
import tempfile
from pathlib import Path

from rounds import folder_in_memory, time_in_turn

HERE = Path(__file__).parent
N_HELD_BACK = 2
"""Images of each class that split-folders sets aside: it balances only what it has split."""


def rebalance(source: Path, output: Path) -> list[str]:
    """Return the command that copies, checks, hashes, syncs and writes a manifest."""
    return [sys.executable, "-m", "rebalance", "augment", str(source), "-o", str(output), "--config", "copy", "-q"]


def split_folders(source: Path, output: Path) -> list[str]:
    """Return split-folders with its over-sampling of the training part."""
    call = (
        f"import splitfolders; splitfolders.fixed({str(source)!r}, {str(output)!r}, seed=0, "
        f"fixed=({N_HELD_BACK},), oversample=True)"
    )
    return [str(HERE / ".peers" / "split-folders" / "bin" / "python"), "-c", call]


def imbalanced_learn(source: Path, output: Path) -> list[str]:
    """Return the loop that people write around RandomOverSampler."""
    python = HERE / ".peers" / "imbalanced-learn" / "bin" / "python"
    return [str(python), str(HERE / "peers" / "with_imblearn.py"), str(source), str(output)]


def main() -> None:
    """Time the entries in turn; split-folders ends with a file for each of those it held back more in every class."""
    entries = {"rebalance": rebalance}
    if (HERE / ".peers" / "imbalanced-learn").exists():
        entries["imbalanced-learn"] = imbalanced_learn
    source = Path(os.environ["REBALANCE_DATA"]) / "clothing"
    counts = [len(list(folder.glob("*.jpg"))) for folder in source.iterdir() if folder.is_dir()]
    n_files = len(counts) * max(counts)
    with tempfile.TemporaryDirectory(dir=folder_in_memory()) as folder:
        time_in_turn(entries, source, Path(folder) / "output", n_files)
        if (HERE / ".peers" / "split-folders").exists():
            time_in_turn({"split-folders": split_folders}, source, Path(folder) / "output", n_files)


if __name__ == "__main__":
    main()
