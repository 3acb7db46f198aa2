"""Planning synthetic samples of many images: time and memory beside imbalanced-learn called directly.

    python benchmarks/smote.py                  # 100,000 vectors of 512 numbers, 20 classes, 1:50, all to the largest
    python benchmarks/smote.py mapped [FOLDER]  # 1,000,000 of 256 in a file that is mapped: memory beside that file

Vectors are drawn around a center for each class, from a fixed stream. Each side runs in a process of its own, one after
the other; both read the same .npy. Memory is the peak of what the process holds for itself (RssAnon): pages of a mapped
file belong to the system, which takes them back when it needs them.
"""

import contextlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from imblearn.over_sampling import SMOTE

from rebalance.dataset import ClassFolder, Dataset, ImageFile, Stamp
from rebalance.planning.smote import Showing, SmoteOptions, plan_smote
from rebalance.planning.synthesis import Asked
from rebalance.planning.targets import SamplingStrategy
from rebalance.storage.embeddings import read_vectors

N_CLASSES = 20
RATIO = 50
SIZES = {"direct": (100_000, 512), "mapped": (1_000_000, 256)}


def class_counts(n_rows: int) -> list[int]:
    """Return class sizes in a geometric series from 1 to 1/50, the largest first."""
    shares = RATIO ** (-np.arange(N_CLASSES) / (N_CLASSES - 1))
    counts = np.round(shares / shares.sum() * n_rows).astype(int)
    counts[0] += n_rows - counts.sum()
    return [int(count) for count in counts]


def write_vectors(path: Path, n_rows: int, n_dimensions: int) -> None:
    """Write rows of unit length, class after class, in blocks."""
    stream = np.random.PCG64(1)
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (n_rows, n_dimensions)}
        np.lib.format.write_array_header_1_0(file, header)
        for count in class_counts(n_rows):
            center = _draw(stream, 1, n_dimensions)
            for start in range(0, count, 10_000):
                rows = center + 1.5 * _draw(stream, min(10_000, count - start), n_dimensions)
                file.write((rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype("<f4").tobytes())


def _draw(stream: "np.random.PCG64", n_rows: int, n_dimensions: int) -> np.ndarray:
    return stream.random_raw(n_rows * n_dimensions).reshape(n_rows, n_dimensions) / 2**63 - 1


@contextlib.contextmanager
def told(name: str) -> Iterator[None]:
    """Print seconds and the peak of the memory held meanwhile."""
    peak, is_done = [0], threading.Event()

    def watch() -> None:
        while not is_done.wait(0.02):
            lines = Path("/proc/self/status").read_text().splitlines()
            peak[0] = max(peak[0], *(int(line.split()[1]) for line in lines if line.startswith("RssAnon")))

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.perf_counter()
    try:
        yield
    finally:
        seconds = time.perf_counter() - began
        is_done.set()
        watcher.join()
    print(f"{name:18} {seconds:7.1f} s, {peak[0] / 1024:6.0f} MiB held", flush=True)


def plan(path: Path, n_rows: int) -> None:
    """Plan as `rebalance smote` does, from the file to the last operation of every class."""
    counts = class_counts(n_rows)
    names = [f"{label:02d}/{index:06d}.jpg" for label, count in enumerate(counts) for index in range(count)]
    list_path = path.with_suffix(".txt")
    list_path.write_text("\n".join(names))
    stamp = Stamp(1, 0, 0, 0)
    with told("rebalance"):
        vectors = read_vectors(str(path), str(list_path))
        images = iter(ImageFile(name, stamp) for name in names)
        folders = [
            ClassFolder(f"{label:02d}", tuple(next(images) for _ in range(count))) for label, count in enumerate(counts)
        ]
        asked = SmoteOptions(SamplingStrategy(word="not majority"), Asked(), vectors, showing=Showing("blend", 0))
        made = plan_smote(Dataset("root", tuple(folders)), asked, {})
        n_samples = sum(
            operation.kind == "synthetic" for folder in folders for operation in made.operations(folder.directory)
        )
    print(f"{'':18} {n_samples} samples planned, each with its name, base, neighbor and step", flush=True)


def resample(path: Path, n_rows: int) -> None:
    """Call imbalanced-learn on the same file."""
    with told("imbalanced-learn"):
        rows = np.load(path)
        labels = np.repeat(np.arange(N_CLASSES), class_counts(n_rows))
        made, _ = SMOTE(random_state=0).fit_resample(rows, labels)
    print(f"{'':18} {len(made) - n_rows} samples made", flush=True)


def main() -> None:
    """Run both sides, or one where it is named."""
    arguments = sys.argv[1:]
    if arguments[:1] in (["plan"], ["resample"]):
        {"plan": plan, "resample": resample}[arguments[0]](Path(arguments[1]), int(arguments[2]))
        return
    kind = "mapped" if arguments[:1] == ["mapped"] else "direct"
    n_rows, n_dimensions = SIZES[kind]
    with tempfile.TemporaryDirectory(dir=arguments[1] if len(arguments) > 1 else None) as folder:
        path = Path(folder) / "vectors.npy"
        write_vectors(path, n_rows, n_dimensions)
        print(f"{n_rows} x {n_dimensions}, {path.stat().st_size / 2**20:.0f} MiB, {N_CLASSES} classes, 1:{RATIO}")
        for side in ("plan", "resample") if kind == "direct" else ("plan",):
            subprocess.run([sys.executable, __file__, side, str(path), str(n_rows)], check=True)


if __name__ == "__main__":
    main()
