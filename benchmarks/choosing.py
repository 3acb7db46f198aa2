"""What choosing by looks does to a set with near-duplicates and wrong labels.

    python benchmarks/choosing.py

`clothing`, each photograph five times: as it is, and saved again at four qualities. For each of 20 seeds, 5 % of all
files get the label of another class, drawn by hash. Every class is then cut to the smallest by each method. Counted
among the files that stay: those whose picture stays in another file too (near-duplicates; some must, because the
smallest class has only 23 pictures), and those with a wrong label. And how well the kept files tell what was dropped:
the five nearest vote by their labels, right or wrong; balanced accuracy against true labels, over all dropped files,
and over those whose picture does not stay in any file (which are others for each method). Means over the seeds, with
the interval of 95 % of such a mean (Student's t).
"""

import os
import statistics
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy import stats

from rebalance.dataset import Dataset, ImageFile
from rebalance.drawing import draw_key, draw_unit
from rebalance.embed import Embedding, embed
from rebalance.plan import MAX_PIXELS
from rebalance.planning.choosing import choose
from rebalance.planning.likeness import nearest
from rebalance.planning.neighborhood import balanced_accuracy
from rebalance.planning.selection import parse_methods
from rebalance.storage.scan import scan
from rebalance.vectors import Vectors

QUALITIES = (92, 88, 84, 80)
WRONG = 0.05
SEEDS = range(20)
METHODS = ("random", "diverse", "spread", "enn,random", "enn,spread")
N_NEIGHBORS = 5


class Outcome(NamedTuple):
    """What one method made of one set."""

    kept: float
    near_duplicates: float
    wrong_labels: float
    accuracy: float
    accuracy_of_unseen: float


def plant(source: Path, folder: Path) -> None:
    """Write each photograph five times."""
    for path in sorted(source.rglob("*.jpg")):
        target = folder / path.parent.name
        target.mkdir(parents=True, exist_ok=True)
        (target / path.name).write_bytes(path.read_bytes())
        with Image.open(path) as image:
            for quality in QUALITIES:
                image.save(target / f"{path.stem}+{quality}.jpg", quality=quality, subsampling=0)


def labeled(dataset: Dataset, seed: int) -> dict[str, str]:
    """Return the label of each path, 5 % of them wrong."""
    names = list(dataset.class_counts)
    true = {image.path: folder.name for folder in dataset.classes for image in folder.images}
    given = dict(true)
    for path in sorted(true, key=lambda path: draw_key(seed, f"wrong {path}", 0))[: round(WRONG * len(true))]:
        others = [name for name in names if name != true[path]]
        given[path] = others[int(draw_unit("wrong", seed, path, 1) * len(others))]
    return given


def picture(path: str) -> str:
    """Return which photograph a file shows."""
    return path.removesuffix(".jpg").split("+")[0]


def outcome(dataset: Dataset, vectors: Vectors, method: str, seed: int) -> Outcome:
    """Cut every class to the smallest and look at what stays."""
    true = {image.path: folder.name for folder in dataset.classes for image in folder.images}
    given = labeled(dataset, seed)
    images: dict[str, list[ImageFile]] = {name: [] for name in dataset.class_counts}
    for image in dataset.images():
        images[given[image.path]].append(image)
    n_kept = dict.fromkeys(images, min(map(len, images.values())))
    choice = choose(images, n_kept, parse_methods(method), vectors, seed=seed)
    kept = [image.path for own in choice.kept.values() for image in own]
    pictures = Counter(map(picture, kept))
    dropped = sorted(true.keys() - set(kept))
    return Outcome(
        len(kept),
        sum(count - 1 for count in pictures.values()),
        sum(given[path] != true[path] for path in kept),
        accuracy(vectors, kept, dropped, given, true),
        accuracy(vectors, kept, [path for path in dropped if picture(path) not in pictures], given, true),
    )


def accuracy(
    vectors: Vectors, kept: Sequence[str], asked: Sequence[str], given: Mapping[str, str], true: Mapping[str, str]
) -> float:
    """Return the balanced accuracy with which the kept files tell the class of others; ties go to the first class."""
    place_of = {path: place for place, path in enumerate(vectors.paths)}
    names = sorted(set(true.values()))
    rows = vectors.rows[[place_of[path] for path in kept]]
    labels = np.array([names.index(given[path]) for path in kept])
    theirs = labels[nearest(rows, vectors.rows[[place_of[path] for path in asked]], N_NEIGHBORS).indices]
    return balanced_accuracy(np.array([names.index(true[path]) for path in asked]), theirs)


def main() -> None:
    """Plant, choose and print."""
    with tempfile.TemporaryDirectory() as folder:
        plant(Path(os.environ["REBALANCE_DATA"]) / "clothing", Path(folder))
        dataset = scan(folder)
        asked = Embedding("descriptor", os.cpu_count() or 1, MAX_PIXELS)
        vectors = embed(dataset, asked, lambda _done, _all: None).vectors
        n_files = sum(dataset.class_counts.values())
        print(f"{n_files} files of {n_files // 5} pictures, {round(WRONG * n_files)} wrong labels, {len(SEEDS)} seeds")
        for method in METHODS:
            outcomes = [outcome(dataset, vectors, method, seed) for seed in SEEDS]
            told = [f"{name.replace('_', ' ')} {mean_and_interval(values)}" for name, values in columns(outcomes)]
            print(f"{method:10} {', '.join(told)}")


def columns(outcomes: Sequence[Outcome]) -> list[tuple[str, list[float]]]:
    """Return the values of all seeds by name."""
    return [(name, [getattr(one, name) for one in outcomes]) for name in Outcome._fields]


def mean_and_interval(values: Sequence[float]) -> str:
    """Return a mean and how far its interval of 95 % reaches."""
    mean, t_95 = statistics.mean(values), stats.t.ppf(0.975, len(values) - 1)
    reach = t_95 * statistics.stdev(values) / len(values) ** 0.5
    return f"{mean:.3f} +- {reach:.3f}" if mean < 1 else f"{mean:.1f} +- {reach:.1f}"


if __name__ == "__main__":
    main()
