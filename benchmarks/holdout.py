"""Whole processes that copy a tree into train and val: rebalance, the loop people write by hand, and split-folders."""

import os
import sys
import tempfile
from functools import partial
from pathlib import Path

from rounds import Entry, folder_in_memory, peer_python, time_in_turn

N_COPIES = 10
"""Copies of every photograph in the source, told apart by bytes behind their end."""
SHARE = "0.2"

_BY_HAND = """
import random, shutil, sys
from pathlib import Path
source, output, share = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
for folder in sorted(source.iterdir()):
    images = sorted(folder.iterdir())
    random.Random(0).shuffle(images)
    n_held = round(share * len(images))
    for split, part in (("val", images[:n_held]), ("train", images[n_held:])):
        (output / split / folder.name).mkdir(parents=True)
        for image in part:
            shutil.copyfile(image, output / split / folder.name / image.name)
"""


def rebalance(source: Path, output: Path) -> list[str]:
    """Return the command that holds a part back and leaves nothing out: hashes, checks, manifest and sync included."""
    command = [sys.executable, "-m", "rebalance", "undersample", str(source), "-o", str(output), "-q"]
    return [*command, "-s", "1000000", "--holdout", SHARE]


def by_hand(source: Path, output: Path) -> list[str]:
    """Return the command of the private script."""
    return [sys.executable, "-c", _BY_HAND, str(source), str(output), SHARE]


def split_folders(python: Path, source: Path, output: Path) -> list[str]:
    """Return the command of split-folders, by copy, its only way that leaves the source as it is."""
    ratio = (1 - float(SHARE), float(SHARE))
    call = f"import splitfolders; splitfolders.ratio({str(source)!r}, {str(output)!r}, seed=0, ratio={ratio})"
    return [str(python), "-c", call]


def main() -> None:
    """Time the entries in turn; split-folders where it is installed."""
    entries: dict[str, Entry] = {"rebalance": rebalance, "by hand": by_hand}
    if python := peer_python("split-folders"):
        entries["split-folders"] = partial(split_folders, python)
    photographs = sorted((Path(os.environ["REBALANCE_DATA"]) / "clothing").rglob("*.jpg"))
    with tempfile.TemporaryDirectory(dir=folder_in_memory()) as folder:
        for photograph in photographs:
            for number in range(N_COPIES):
                copy = Path(folder) / "source" / photograph.parent.name / f"{photograph.stem}-{number}.jpg"
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(photograph.read_bytes() + bytes(number))
        time_in_turn(entries, Path(folder) / "source", Path(folder) / "output", N_COPIES * len(photographs))


if __name__ == "__main__":
    main()
