"""What the nearest neighbors of images say: how safe a class is, what it is confused with, which images are odd."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import NamedTuple

import numpy as np

from rebalance.dataset import ClassFolder, Dataset, to_bytes
from rebalance.errors import TargetError
from rebalance.planning.likeness import Indices, Neighbors, near_duplicate_groups, nearest, same_pictures
from rebalance.vectors import Vectors

N_NEIGHBORS = 5
KINDS: Mapping[str, tuple[int, ...]] = {"safe": (4, 5), "borderline": (2, 3), "rare": (1,), "outlier": (0,)}
"""Kind of image -> how many of its five neighbors are of its class (Napierala and Stefanowski 2016)."""
_N_SHUFFLES = 20


class Confusion(NamedTuple):
    """Another class among the neighbors of a class's images: its share of them, and the one that chance would give."""

    class_name: str
    share: float
    expected: float


class Suspect(NamedTuple):
    """A picture among whose neighbors another class is more frequent than its own."""

    path: str
    """Of its first image."""
    n_images: int
    """How many images of the class are this picture."""
    n_same: int
    """How many of its neighbors are of its class."""
    looks_like: str
    nearest: str
    """The nearest image of that class."""
    similarity: float
    """Cosine to it."""


class ClassNeighborhood(NamedTuple):
    """One class among the others."""

    name: str
    n_images: int
    """With a vector."""
    shares: Mapping[str, float]
    """By kind."""
    expected: Mapping[str, float]
    """The shares where neighbors are drawn by lot from all other pictures: hypergeometric; zeros of an empty class."""
    confused_with: tuple[Confusion, ...]
    """The largest share first."""
    n_suspicious: int
    """Images."""
    suspects: tuple[Suspect, ...]
    """The most suspicious first."""


@dataclass(frozen=True, slots=True)
class Neighborhood:
    """How well vectors tell classes apart, and each class among the others."""

    accuracy: float
    """Balanced accuracy of a vote of the five nearest other images; ties go to the first class."""
    shuffled: tuple[float, float, float]
    """The same where labels are dealt out anew, 20 times: mean, least and most."""
    classes: tuple[ClassNeighborhood, ...]


class NearDuplicates(NamedTuple):
    """Images that a chain of pairs joins of which each is nearly the same picture twice."""

    paths: tuple[str, ...]
    is_across_classes: bool
    is_across_splits: bool


def find_neighborhood(classes: Sequence[ClassFolder], vectors: Vectors) -> Neighborhood:
    """Look at the neighbors of every image that has a vector. Raises TargetError where there are too few.

    The same picture twice in a class counts once, so that it is not its own neighbor; in another class it counts.
    """
    place_of = {path: place for place, path in enumerate(vectors.paths)}
    places = [[place_of[image.path] for image in folder.images if image.path in place_of] for folder in classes]
    labels = np.repeat(np.arange(len(classes)), [len(own) for own in places])
    flat = np.array([place for own in places for place in own], np.intp)
    rows = vectors.rows[flat]
    firsts = same_pictures(rows, [vectors.sums[place] for place in flat] if vectors.sums else ())
    _, kept, members = np.unique(np.stack([labels, firsts], axis=1), axis=0, return_index=True, return_inverse=True)
    if len(kept) <= N_NEIGHBORS:
        raise TargetError(
            f"{len(kept)} different pictures are too few to look at {N_NEIGHBORS} neighbors: it takes {N_NEIGHBORS + 1}"
        )
    rows = rows[firsts[kept]]
    found = nearest(rows, rows, N_NEIGHBORS, own=np.arange(len(rows)))
    pictures = _Pictures(
        names=tuple(folder.name for folder in classes),
        paths=tuple(vectors.paths[place] for place in flat[kept]),
        labels=labels[kept],
        theirs=labels[kept][found.indices],
        n_images=np.bincount(members.ravel(), minlength=len(kept)),
        found=found,
    )
    accuracy = balanced_accuracy(pictures.labels, pictures.theirs)
    return Neighborhood(accuracy, _shuffled(pictures), tuple(_by_class(pictures)))


def find_near_duplicates(dataset: Dataset, vectors: Vectors, similarity: float) -> list[NearDuplicates]:
    """Return the groups of images of any class and split that are nearly the same, in the order of their paths."""
    home_of = {image.path: (folder.name, folder.split) for folder in dataset.folders for image in folder.images}
    groups = []
    for group in near_duplicate_groups(vectors.rows[:], similarity):
        paths = sorted((vectors.paths[index] for index in group), key=to_bytes)
        names, splits = (set(part) for part in zip(*(home_of[path] for path in paths), strict=True))
        groups.append(NearDuplicates(tuple(paths), len(names) > 1, len(splits) > 1))
    return sorted(groups, key=lambda group: [to_bytes(path) for path in group.paths])


def balanced_accuracy(labels: Indices, theirs: Indices) -> float:
    """Return the balanced accuracy of a vote of neighbors, whose labels are `theirs`, shape (n, n_neighbors).

    Ties go to the first class; classes that nothing is labeled with have no say.
    """
    votes = _votes(theirs)
    voted = np.where(votes == votes.max(axis=1, keepdims=True), theirs, np.iinfo(np.intp).max).min(axis=1)
    n_right, n_all = np.bincount(labels, voted == labels), np.bincount(labels)
    return float((n_right[n_all > 0] / n_all[n_all > 0]).mean())


class _Pictures(NamedTuple):
    """The different pictures of all classes, class after class, and the five nearest others of each."""

    names: tuple[str, ...]
    paths: tuple[str, ...]
    labels: Indices
    theirs: Indices
    """The labels of the neighbors, shape (n_pictures, 5)."""
    n_images: Indices
    """How many images of its class are this picture."""
    found: Neighbors


def _votes(theirs: Indices) -> Indices:
    """Return, for each neighbor, how many of the neighbors have its label."""
    votes: Indices = (theirs[:, :, None] == theirs[:, None, :]).sum(axis=2)
    return votes


def _shuffled(pictures: _Pictures) -> tuple[float, float, float]:
    """Return mean, least and most of the accuracy with labels dealt out by lots, which are the same in every run."""
    lots = (np.random.PCG64(number).random_raw(len(pictures.labels)) for number in range(_N_SHUFFLES))
    dealt = (pictures.labels[np.argsort(lot, kind="stable")] for lot in lots)
    accuracies = [balanced_accuracy(labels, labels[pictures.found.indices]) for labels in dealt]
    return sum(accuracies) / _N_SHUFFLES, min(accuracies), max(accuracies)


def _by_class(pictures: _Pictures) -> Iterator[ClassNeighborhood]:
    n_pictures = np.bincount(pictures.labels, minlength=len(pictures.names))
    n_others = len(pictures.labels) - 1
    n_same = (pictures.theirs == pictures.labels[:, None]).sum(axis=1)
    suspects = _suspects(pictures, n_same)
    starts = np.cumsum(n_pictures) - n_pictures
    for label, name in enumerate(pictures.names):
        own = slice(int(starts[label]), int(starts[label] + n_pictures[label]))
        n_images = pictures.n_images[own]
        of_each = np.bincount(n_same[own], n_images, minlength=N_NEIGHBORS + 1) / max(int(n_images.sum()), 1)
        yield ClassNeighborhood(
            name,
            int(n_images.sum()),
            shares=_by_kind(of_each.tolist()),
            expected=_by_kind(_by_chance(int(n_pictures[label]), n_others)),
            confused_with=tuple(
                Confusion(pictures.names[other], share, float(n_pictures[other] / n_others))
                for other, share in _shares(pictures.theirs[own], n_images)
                if other != label
            ),
            n_suspicious=sum(suspect.n_images for suspect in suspects.get(label, ())),
            suspects=tuple(suspects.get(label, ())),
        )


def _by_kind(of_each: Sequence[float]) -> dict[str, float]:
    """Return shares by how many neighbors are of the same class, as shares of each kind."""
    return {kind: sum(of_each[n_same] for n_same in counts) for kind, counts in KINDS.items()}


def _by_chance(n_pictures: int, n_others: int) -> list[float]:
    """Return how likely it is that 0, 1 ... 5 of the others drawn by lot are of the class of a picture."""
    if not n_pictures:
        return [0.0] * (N_NEIGHBORS + 1)
    n_same, ways = n_pictures - 1, comb(n_others, N_NEIGHBORS)
    return [
        comb(n_same, drawn) * comb(n_others - n_same, N_NEIGHBORS - drawn) / ways for drawn in range(N_NEIGHBORS + 1)
    ]


def _shares(theirs: Indices, n_images: Indices) -> list[tuple[int, float]]:
    """Return the labels of neighbors and the share of each, the largest first."""
    labels, places = np.unique(theirs, return_inverse=True)
    counts = np.bincount(places.ravel(), np.repeat(n_images, theirs.shape[1]))
    order = np.argsort(-counts, kind="stable")
    return [(int(labels[index]), float(counts[index] / counts.sum())) for index in order]


def _suspects(pictures: _Pictures, n_same: Indices) -> dict[int, list[Suspect]]:
    """Return, by class, the images that have more neighbors of another; those with the fewest of their own first.

    Then those that are most alone in the other class, then those whose neighbors are nearest.
    """
    of_others = np.where(pictures.theirs == pictures.labels[:, None], 0, _votes(pictures.theirs))
    n_rival, rival = of_others.max(axis=1), of_others.argmax(axis=1)
    odd = np.flatnonzero(n_rival > n_same)
    distance = pictures.found.distances.mean(axis=1)
    by_class: dict[int, list[Suspect]] = {}
    for index in odd[np.lexsort((odd, distance[odd], -n_rival[odd], n_same[odd]))].tolist():
        other = pictures.found.indices[index, rival[index]]
        suspect = Suspect(
            path=pictures.paths[index],
            n_images=int(pictures.n_images[index]),
            n_same=int(n_same[index]),
            looks_like=pictures.names[pictures.labels[other]],
            nearest=pictures.paths[other],
            similarity=round(1 - float(pictures.found.distances[index, rival[index]]) ** 2 / 2, 6),
        )
        by_class.setdefault(int(pictures.labels[index]), []).append(suspect)
    return by_class
