"""Whether twins show that a network has learned traces: with a planted tell, and where every file was treated alike.

    python benchmarks/twins.py [SEEDS]

With REBALANCE_DATA leading to the photographs: three quarters of `clothing` are balanced, once with noise on the
generated files (the planted tell), once by the defaults, once with `--originals transform` and the same noise; a small
network (scikit-learn's MLP, on a thumbnail and on rectified fine detail, pooled, as a first layer of convolutions would
give it) is trained on each tree and predicts the twins of the last quarter
(`rebalance audit TREE --twins VAL`). Printed is how much more often it calls the second twin of a class that was large
one of the classes that were small, with a 95 % interval over images (bootstrap).
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.neural_network import MLPClassifier

SOURCE = Path(os.environ["REBALANCE_DATA"]) / "clothing"
SMALL = ("Blouse", "Top")
SIDE = 16
NOISE = ("--gaussian-noise", "8")
TREES = {
    "planted: noise on what is generated": NOISE,
    "defaults": (),
    "transform, the same noise": (*NOISE, "--originals", "transform"),
}


def rebalance(*arguments: object) -> None:
    """Run the program."""
    command = [sys.executable, "-m", "rebalance", *map(str, arguments), "-q"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def seen(path: Path) -> NDArray[np.float64]:
    """Return what the network sees of an image: a thumbnail, and how strong fine detail is in each part."""
    with Image.open(path) as image:
        gray = image.convert("L")
    thumbnail = np.asarray(gray.resize((SIDE, SIDE), Image.Resampling.BOX), np.float64) / 64 - 2
    levels = np.asarray(gray, np.float64)
    detail = np.abs(
        4 * levels[1:-1, 1:-1] - levels[:-2, 1:-1] - levels[2:, 1:-1] - levels[1:-1, :-2] - levels[1:-1, 2:]
    )
    pooled = Image.fromarray(detail.astype(np.float32)).resize((SIDE // 2, SIDE // 2), Image.Resampling.BOX)
    return np.concatenate([thumbnail.ravel(), np.log(np.asarray(pooled, np.float64) + 1).ravel() - 2])


def images(tree: Path) -> Iterator[tuple[str, Path]]:
    """Yield class and path of every image of a tree."""
    for path in sorted(tree.glob("*/*.jpg")):
        yield path.parent.name, path


def split_source(folder: Path) -> tuple[Path, Path]:
    """Write three quarters of the photographs to one tree and the last quarter to another."""
    for number, (name, path) in enumerate(images(SOURCE)):
        target = folder / ("val" if number % 4 == 3 else "train") / name
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return folder / "train", folder / "val"


def moved(tree: Path, twins: Path, seed: int) -> NDArray[np.float64]:
    """Return, for each large class's image, how much likelier a small class is called for its second twin."""
    names, paths = zip(*images(tree), strict=True)
    network = MLPClassifier((64,), alpha=0.1, max_iter=200, random_state=seed)
    network.fit(np.array([seen(path) for path in paths]), names)
    small = np.isin(network.classes_, SMALL)
    shares = []
    for name, path in images(twins / "untouched"):
        if name not in SMALL:
            pair = path, twins / "drawn" / name / path.name
            before, after = network.predict_proba(np.array([seen(one) for one in pair]))[:, small].sum(axis=1)
            shares.append(after - before)
    return np.array(shares)


def main() -> None:
    """Print a line a tree."""
    n_seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        train, val = split_source(folder)
        for number, (name, arguments) in enumerate(TREES.items()):
            tree, twins = folder / f"tree{number}", folder / f"twins{number}"
            rebalance("augment", train, "-o", tree, *arguments)
            rebalance("audit", tree, "--twins", val, "-o", twins)
            for seed in range(n_seeds):
                shares = moved(tree, twins, seed)
                lots = np.random.PCG64(0).random_raw(1000 * len(shares)) % np.uint64(len(shares))
                means = shares[lots.astype(np.intp)].reshape(1000, -1).mean(axis=1)
                low, high = np.percentile(means, [2.5, 97.5])
                print(f"{name}, network {seed}: moved {shares.mean():+.3f} ({low:+.3f} to {high:+.3f})", flush=True)


if __name__ == "__main__":
    main()
