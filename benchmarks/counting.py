"""`rebalance inspect` of a million files in a thousand classes beside `find`; originals carried over as hard links."""

import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

from million import N_IMAGES, write_source
from rounds import folder_in_memory, run_once

from rebalance.dataset import ImageFile, Stamp, to_bytes
from rebalance.storage.transfer import StagedTree, read_source

N_LINKED = 30_000
ROUNDS = 5


def count(root: Path) -> None:
    """Print the median ratio of both, in turn, and the memory of the larger."""
    ratios = []
    for _ in range(ROUNDS):
        found = run_once(["sh", "-c", f"find {root} | wc -l"])
        inspected = run_once([sys.executable, "-m", "rebalance", "inspect", str(root)])
        ratios.append(inspected.wall / found.wall)
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    ratio = statistics.median(ratios)
    print(f"inspect of {N_IMAGES} files: {ratio:.2f} times find | wc -l, {memory} MiB (median of {ROUNDS})")


def link(root: Path, folder: Path) -> None:
    """Print how many originals a second are read, hashed, and carried over as hard links, and the last step alone."""
    for part in ("tree/c", "tmp"):
        (folder / part).mkdir(parents=True)
    staged = StagedTree(to_bytes(str(folder / "tree")), to_bytes(str(folder / "tmp")), "hardlink")
    paths = sorted(root.rglob("*.png"))[:N_LINKED]
    images = [ImageFile(str(path.relative_to(root)), Stamp.of(path.stat())) for path in paths]
    began = time.perf_counter()
    sources = [read_source(to_bytes(str(root)), image) for image in images]
    read = time.perf_counter()
    for number, source in enumerate(sources):
        staged.carry(source, f"c/{number}.jpg")
    ended = time.perf_counter()
    print(f"{N_LINKED / (ended - read):.0f} hard links a second, {N_LINKED / (read - began):.0f} files read and hashed")


def main() -> None:
    """Write the tree in memory where there is such, and time both."""
    with tempfile.TemporaryDirectory(dir=folder_in_memory()) as name:
        write_source(Path(name))
        count(Path(name) / "source")
        link(Path(name) / "source", Path(name) / "output")


if __name__ == "__main__":
    main()
