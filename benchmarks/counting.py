"""`rebalance inspect` of a million files in a thousand classes beside `find`; originals carried over as hard links."""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rounds import folder_in_memory, run_once

from rebalance.dataset import ImageFile, Stamp, to_bytes
from rebalance.storage.transfer import StagedTree, read_source

N_CLASSES = 1_000
N_EACH = 1_000
N_LINKED = 30_000
ROUNDS = 5
_LINKS = 60_000
"""Names that a file may have on ext4, less some."""


def write_tree(root: Path) -> None:
    """Write the tree of links."""
    n_written = 0
    for number in range(N_CLASSES):
        folder = root / f"class{number:04d}"
        folder.mkdir(parents=True)
        for index in range(N_EACH):
            first = root.parent / f"image{n_written // _LINKS}"
            if n_written % _LINKS == 0:
                first.touch()
            os.link(first, folder / f"{index:06d}.jpg")
            n_written += 1


def count(root: Path) -> None:
    """Print the median ratio of both, in turn, and the memory of the larger."""
    ratios = []
    for _ in range(ROUNDS):
        found = run_once(["sh", "-c", f"find {root} | wc -l"])
        inspected = run_once([sys.executable, "-m", "rebalance", "inspect", str(root)])
        ratios.append(inspected.wall / found.wall)
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    ratio = statistics.median(ratios)
    print(f"inspect of {N_CLASSES * N_EACH} files: {ratio:.2f} times find | wc -l, {memory} MiB (median of {ROUNDS})")


def link(root: Path, folder: Path) -> None:
    """Print how many originals a second are read, hashed, and carried over as hard links, and the last step alone."""
    for part in ("tree/c", "tmp"):
        (folder / part).mkdir(parents=True)
    staged = StagedTree(to_bytes(str(folder / "tree")), to_bytes(str(folder / "tmp")), "hardlink")
    paths = sorted(root.rglob("*.jpg"))[:N_LINKED]
    images = [ImageFile(str(path.relative_to(root)), Stamp.of(path.stat())) for path in paths]
    began = time.perf_counter()
    sources = [read_source(to_bytes(str(root)), image) for image in images]
    read = time.perf_counter()
    for number, source in enumerate(sources):
        staged.carry(source, f"c/{number}.jpg")
    ended = time.perf_counter()
    print(f"{N_LINKED / (ended - read):.0f} hard links a second, {N_LINKED / (read - began):.0f} empty files read")


def main() -> None:
    """Write the tree in memory where there is such, and time both."""
    with tempfile.TemporaryDirectory(dir=folder_in_memory()) as name:
        root = Path(name) / "source"
        write_tree(root)
        count(root)
        link(root, Path(name) / "output")
        subprocess.run(["rm", "-rf", name], check=True)
        Path(name).mkdir()


if __name__ == "__main__":
    main()
