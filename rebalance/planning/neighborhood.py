"""What the nearest neighbours of images say: how safe a class is, what it is confused with, which images are odd."""

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
N_SUSPECTS = 20
"""Most that are named of a class."""
KINDS: Mapping[str, tuple[int, ...]] = {"safe": (4, 5), "borderline": (2, 3), "rare": (1,), "outlier": (0,)}
"""Kind of image -> how many of its five neighbours are of its class (Napierala and Stefanowski 2016)."""
_N_SHUFFLES = 20


class Confusion(NamedTuple):
    """Another class among the neighbours of a class: its share of them, and the one that chance would give it."""

    class_name: str
    share: float
    expected: float


class Suspect(NamedTuple):
    """An image among whose neighbours another class is more frequent than its own."""

    path: str
    n_same: int
    """How many of its neighbours are of its class."""
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
    """The shares where neighbours are drawn by lot from all other images: hypergeometric."""
    confused_with: tuple[Confusion, ...]
    """The largest share first."""
    n_suspicious: int
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
    """Look at the neighbours of every image that has a vector. Raises TargetError where there are too few.

    The same picture twice in a class counts once, so that it is not its own neighbour; in another class it counts.
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
    pictures = _Pictures(
        names=tuple(folder.name for folder in classes),
        paths=tuple(vectors.paths[place] for place in flat[kept]),
        labels=labels[kept],
        n_images=np.bincount(members.ravel(), minlength=len(kept)),
        found=nearest(rows, rows, N_NEIGHBORS, own=np.arange(len(rows))),
    )
    return Neighborhood(_accuracy(pictures.labels, pictures.theirs), _shuffled(pictures), tuple(_by_class(pictures)))


def find_near_duplicates(dataset: Dataset, vectors: Vectors, similarity: float) -> list[NearDuplicates]:
    """Return the groups of images of any class and split that are nearly the same, in the order of their paths."""
    home_of = {image.path: (folder.name, folder.split) for folder in dataset.folders for image in folder.images}
    groups = []
    for group in near_duplicate_groups(vectors.rows, similarity):
        paths = sorted((vectors.paths[index] for index in group if vectors.paths[index] in home_of), key=to_bytes)
        names, splits = (set(part) for part in zip(*(home_of[path] for path in paths), strict=True))
        groups.append(NearDuplicates(tuple(paths), len(names) > 1, len(splits) > 1))
    return sorted(groups, key=lambda group: [to_bytes(path) for path in group.paths])


class _Pictures(NamedTuple):
    """The different pictures of all classes, and the five nearest others of each."""

    names: tuple[str, ...]
    paths: tuple[str, ...]
    labels: Indices
    n_images: Indices
    """How many images of its class are this picture."""
    found: Neighbors

    @property
    def theirs(self) -> Indices:
        """The labels of the neighbours, shape (n_pictures, 5)."""
        return self.labels[self.found.indices]


def _accuracy(labels: Indices, theirs: Indices) -> float:
    """Return the balanced accuracy of the vote of the neighbours, whose labels are `theirs`."""
    votes = _votes(theirs)
    voted = np.where(votes == votes.max(axis=1, keepdims=True), theirs, len(labels)).min(axis=1)
    n_right, n_all = np.bincount(labels, voted == labels), np.bincount(labels)
    return float((n_right[n_all > 0] / n_all[n_all > 0]).mean())


def _votes(theirs: Indices) -> Indices:
    """Return, for each neighbour, how many of the neighbours have its label."""
    votes: Indices = (theirs[:, :, None] == theirs[:, None, :]).sum(axis=2)
    return votes


def _shuffled(pictures: _Pictures) -> tuple[float, float, float]:
    """Return mean, least and most of the accuracy with labels dealt out by lots, which are the same in every run."""
    lots = (np.random.PCG64(number).random_raw(len(pictures.labels)) for number in range(_N_SHUFFLES))
    dealt = (pictures.labels[np.argsort(lot, kind="stable")] for lot in lots)
    accuracies = [_accuracy(labels, labels[pictures.found.indices]) for labels in dealt]
    return sum(accuracies) / _N_SHUFFLES, min(accuracies), max(accuracies)


def _by_class(pictures: _Pictures) -> Iterator[ClassNeighborhood]:
    labels = pictures.labels
    n_same = (pictures.theirs == labels[:, None]).sum(axis=1)
    n_pictures = np.bincount(labels, minlength=len(pictures.names))
    suspects = _suspects(pictures, n_same)
    order = np.argsort(labels, kind="stable")
    for label, own in enumerate(np.split(order, np.cumsum(n_pictures)[:-1])):
        counts = np.bincount(n_same[own], pictures.n_images[own], minlength=N_NEIGHBORS + 1)
        n_images = int(counts.sum())
        yield ClassNeighborhood(
            pictures.names[label],
            n_images,
            shares=_by_kind((counts / max(n_images, 1)).tolist()),
            expected=_by_kind(_by_chance(int(n_pictures[label]) - 1, len(labels) - 1)),
            confused_with=_confusions(label, pictures.theirs[own], n_pictures, pictures.names),
            n_suspicious=len(suspects.get(label, ())),
            suspects=tuple(
                _described(pictures, index, int(n_same[index])) for index in suspects.get(label, ())[:N_SUSPECTS]
            ),
        )


def _by_kind(shares: Sequence[float]) -> dict[str, float]:
    """Return shares by how many neighbours are of the same class, as shares of each kind."""
    return {kind: sum(shares[n_same] for n_same in counts) for kind, counts in KINDS.items()}


def _by_chance(n_same: int, n_others: int) -> list[float]:
    """Return how likely it is that 0, 1 ... 5 neighbours are of the same class, as `n_same` of `n_others` are."""
    ways = comb(n_others, N_NEIGHBORS)
    return [
        comb(max(n_same, 0), drawn) * comb(n_others - max(n_same, 0), N_NEIGHBORS - drawn) / ways
        for drawn in range(N_NEIGHBORS + 1)
    ]


def _confusions(label: int, theirs: Indices, n_pictures: Indices, names: Sequence[str]) -> tuple[Confusion, ...]:
    others, counts = np.unique(theirs[theirs != label], return_counts=True)
    n_others = int(n_pictures.sum()) - 1
    return tuple(
        Confusion(names[others[index]], float(counts[index] / theirs.size), float(n_pictures[others[index]] / n_others))
        for index in np.argsort(-counts, kind="stable").tolist()
    )


def _suspects(pictures: _Pictures, n_same: Indices) -> dict[int, list[int]]:
    """Return, by class, the images that have more neighbours of another; those with the fewest of their own first.

    Then those that are most alone in the other class, then those whose neighbours are nearest.
    """
    n_rival = np.where(pictures.theirs == pictures.labels[:, None], 0, _votes(pictures.theirs)).max(axis=1)
    odd = np.flatnonzero(n_rival > n_same)
    distance = pictures.found.distances.mean(axis=1)
    by_class: dict[int, list[int]] = {}
    for index in odd[np.lexsort((odd, distance[odd], -n_rival[odd], n_same[odd]))].tolist():
        by_class.setdefault(int(pictures.labels[index]), []).append(index)
    return by_class


def _described(pictures: _Pictures, index: int, n_same: int) -> Suspect:
    theirs = pictures.labels[pictures.found.indices[index]]
    n_rival = np.where(theirs == pictures.labels[index], 0, (theirs[:, None] == theirs).sum(axis=1))
    place = int(n_rival.argmax())
    other = pictures.found.indices[index, place]
    similarity = 1 - float(pictures.found.distances[index, place]) ** 2 / 2
    return Suspect(
        pictures.paths[index],
        n_same,
        pictures.names[pictures.labels[other]],
        pictures.paths[other],
        round(similarity, 6),
    )
