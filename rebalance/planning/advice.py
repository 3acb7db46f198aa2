"""What is worth doing about the counts of a tree, each with its reason; nothing acts on it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from rebalance.dataset import Dataset
from rebalance.errors import listed

_MILD = 3
"""Largest / smallest below which balancing seldom changes anything."""
_ENOUGH = 500
"""Images of the smallest class from which there is enough to learn from, weighed or thresholded."""
_FEW = 10
_NAMED = 5
"""Classes that a line names."""


class Loader(NamedTuple):
    """What reads a tree for training, by the ends of names."""

    name: str
    suffixes: frozenset[str]


LOADERS = {
    "keras": Loader("Keras (image_dataset_from_directory)", frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png"})),
    "torch": Loader(
        "torchvision (ImageFolder)",
        frozenset({".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp"}),
    ),
}
"""As Keras 3.15 and torchvision 0.29 list them."""


class Advice(NamedTuple):
    """What to do, and why."""

    advice: str
    reason: str


def advise(dataset: Dataset) -> Iterator[Advice]:
    """Yield what a tree's counts and the names of its files suggest."""
    counts, ratio = dataset.class_counts, dataset.imbalance_ratio
    if ratio is not None and ratio < _MILD:
        yield Advice(
            "leave it as it is",
            f"the imbalance ratio {ratio:.2f} is below {_MILD}, where balancing seldom changes much",
        )
    if ratio is not None and ratio >= _MILD:
        yield from _of_lopsided(counts)
    if few := [f"{name!r} ({count})" for name, count in counts.items() if count < _FEW]:
        yield Advice(
            f"take more pictures of {listed(few, _NAMED)}",
            f"fewer than {_FEW} in a class: nothing here replaces them, neither copies nor weights",
        )
    for loader in LOADERS.values():
        if unread := [_told_unread(name, left) for name, left in unread_by(dataset, loader).items()]:
            yield Advice(
                f"convert {listed(unread, _NAMED)} for {loader.name}, as augment --output-format png does",
                f"it reads no files but {', '.join(sorted(loader.suffixes))}, and passes over the others in silence",
            )


def _of_lopsided(counts: Mapping[str, int]) -> Iterator[Advice]:
    smallest = min(counts.values())
    if smallest >= _ENOUGH:
        yield Advice(
            "for decisions, take weights (--weights, --export) or a threshold tuned on natural validation data "
            "(score --tune-on), and write no pictures",
            f"the smallest class has {smallest} images, {_ENOUGH} or more: copies add nothing to them",
        )
    yield Advice(
        "for probabilities, do not balance, or put the prior back (score --prior-correct)",
        "a model trained on balanced classes takes rare ones for likelier than they are",
    )


def unread_by(dataset: Dataset, loader: Loader) -> dict[str, Counter[str]]:
    """Return the files of each class that a loader passes over, by the end of their names."""
    unread = {}
    for folder in dataset.classes:
        suffixes = Counter(map(suffix_of, folder.image_names))
        if left := Counter({suffix: n for suffix, n in suffixes.items() if suffix not in loader.suffixes}):
            unread[folder.name] = left
    return unread


def suffix_of(name: str) -> str:
    """Return the end of a name from its last point on, in small letters."""
    return "." + name.rpartition(".")[2].lower()


def _told_unread(name: str, left: Mapping[str, int]) -> str:
    ends: Sequence[str] = sorted(left)
    return f"{sum(left.values())} of {name!r} ({', '.join(ends)})"
