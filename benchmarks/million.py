"""A million links to one small image in a thousand lopsided classes: what undersample takes in time and memory."""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

N_IMAGES = 1_000_000
N_CLASSES = 1_000
_LINKS = 60_000
"""Names that a file may have on ext4, less some."""


def class_counts() -> list[int]:
    """Return counts that fall like 1 / (rank + 5) and add up."""
    weights = [1 / (rank + 5) for rank in range(N_CLASSES)]
    counts = [round(N_IMAGES * weight / sum(weights)) for weight in weights]
    counts[0] += N_IMAGES - sum(counts)
    return counts


def write_source(root: Path) -> None:
    """Write the tree of links."""
    n_written = 0
    for rank, count in enumerate(class_counts()):
        folder = root / "source" / f"class{rank:04d}"
        folder.mkdir(parents=True)
        for number in range(count):
            image = root / f"image{n_written // _LINKS}.png"
            if n_written % _LINKS == 0:
                Image.new("RGB", (16, 16), (200, 30, 60)).save(image)
            (folder / f"{number:06d}.png").hardlink_to(image)
            n_written += 1


def main() -> None:
    """Undersample to the smallest class at random and in a window; print seconds and the largest process."""
    with tempfile.TemporaryDirectory() as folder:
        write_source(Path(folder))
        for method in (["random"], ["window", "--window", "3"]):
            output = Path(folder) / method[0]
            command = [sys.executable, "-m", "rebalance", "undersample", f"{folder}/source", "-o", str(output), "-q"]
            began = time.perf_counter()
            subprocess.run([*command, "--method", *method], check=True, stdout=subprocess.DEVNULL)
            seconds = time.perf_counter() - began
            n_files = sum(1 for _ in output.rglob("*.png"))
            memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
            print(f"{method[0]}: {N_IMAGES} -> {n_files} files in {seconds:.0f} s, largest process so far {memory} MiB")


if __name__ == "__main__":
    main()
