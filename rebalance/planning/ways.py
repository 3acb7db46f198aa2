"""The ways of balancing, each as what it fits a model to: rows, their classes, and how much each weighs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebalance.planning.estimates import Families, Features, Labels
from rebalance.planning.selection import selection_key
from rebalance.planning.synthesis import Asked, Points, aims, synthesize
from rebalance.vectors import Rows

BASE = "nothing"
N_DIMENSIONS = 64
"""Principal components that are kept of vectors."""

Weights = NDArray[np.float64]


class Material(NamedTuple):
    """What there is to try the ways on."""

    names: Sequence[str]
    """Of the classes."""
    paths: Sequence[str]
    rows: Rows
    """A vector of unit length for each image."""
    families: Families
    """The class of each image, and what is kept on one side."""
    copies: Rows
    """Vectors of augmented copies of some images."""
    sources: Labels
    """The place of the image that each is a copy of."""
    seed: int


class Places(NamedTuple):
    """Places of the images that a way is fitted to, and of those that it is judged on."""

    known: Labels
    asked: Labels


class Fitted(NamedTuple):
    """Rows to fit to, their classes, how much each weighs, and what is taken off the logits of each class."""

    rows: Features
    classes: Labels
    weights: Weights
    offsets: Weights | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """The material in the space that the model sees."""

    material: Material
    rows: Features
    copies: Features
    project: Callable[[Rows], Features]
    ranks: Labels
    """Of each image, by its key."""

    @classmethod
    def of(cls, material: Material) -> "Trial":
        """Return the material, its vectors reduced to their principal components."""
        mean = material.rows.mean(axis=0, dtype=np.float64)
        _, _, components = np.linalg.svd(material.rows - mean, full_matrices=False)
        components = components[:N_DIMENSIONS].T

        def project(rows: Rows) -> Features:
            return np.asarray((rows - mean) @ components, np.float64)

        keys = [selection_key(material.seed, path) for path in material.paths]
        ranks = np.argsort(np.array(sorted(range(len(keys)), key=keys.__getitem__), np.intp))
        return cls(material, project(material.rows), project(material.copies), project, ranks)

    def splits(self) -> Iterator[Places]:
        """Yield every split that has something to fit to of each class, and something to be judged on."""
        families = self.material.families
        for split in families.splits(self.material.seed):
            if split.asked.any() and len(np.unique(families.classes[split.known])) == len(self.material.names):
                yield Places(np.flatnonzero(split.known), np.flatnonzero(split.asked))

    def known(self, split: Places) -> tuple[Features, Labels, Labels]:
        """Return rows and classes to fit to, and how many there are of each class."""
        classes = self.material.families.classes[split.known]
        return self.rows[split.known], classes, np.bincount(classes)

    def by_key(self, split: Places, label: int) -> Labels:
        """Return the places, within what is known, of the images of a class, the smallest key first."""
        own = np.flatnonzero(self.material.families.classes[split.known] == label)
        return own[np.argsort(self.ranks[split.known[own]])]


def nothing_done(trial: Trial, split: Places) -> Fitted:
    """Take the images as they are."""
    rows, classes, _ = trial.known(split)
    return Fitted(rows, classes, np.ones(len(classes)))


def _adjusted(trial: Trial, split: Places) -> Fitted:
    """Take the logarithm of each class's share off its logit, once nothing was done (Menon et al. 2021)."""
    _, classes, counts = trial.known(split)
    return nothing_done(trial, split)._replace(offsets=np.log(counts / len(classes)))


def _weighted(trial: Trial, split: Places) -> Fitted:
    """Let every class weigh the same (King and Zeng 2001)."""
    rows, classes, counts = trial.known(split)
    return Fitted(rows, classes, 1 / counts[classes])


def _undersampled(trial: Trial, split: Places) -> Fitted:
    """Keep as many images of each class as the smallest has, those with the smallest keys."""
    rows, classes, counts = trial.known(split)
    kept = np.concatenate([trial.by_key(split, label)[: counts.min()] for label in range(len(counts))])
    return Fitted(rows[kept], classes[kept], np.ones(len(kept)))


def _copied(trial: Trial, split: Places) -> Fitted:
    """Repeat the images of each class, evenly, until it has as many as the largest."""
    rows, classes, counts = trial.known(split)
    weights = np.ones(len(classes))
    for label, count in enumerate(counts.tolist()):
        own = trial.by_key(split, label)
        weights[own] = counts.max() // count
        weights[own[: counts.max() % count]] += 1
    return Fitted(rows, classes, weights)


def _synthesized(trial: Trial, split: Places) -> Fitted:
    """Add SMOTE's samples until each class has as many as the largest; of a class of one image, copies."""
    rows, classes, counts = trial.known(split)
    material = trial.material
    vectors = material.rows[split.known]
    points = Points(vectors, classes, material.names, [material.paths[place] for place in split.known])
    wanted = {label: int(counts.max() - count) for label, count in enumerate(counts.tolist()) if count > 1}
    samples, _ = synthesize(points, wanted, Asked(seed=material.seed))
    made = [trial.project(aims(vectors, own)) for own in samples.values()]
    labels = [np.full(len(own.steps), label) for label, own in samples.items()]
    weights = np.where(counts[classes] == 1, float(counts.max()), 1.0)
    n_made = sum(map(len, labels))
    return Fitted(
        np.concatenate([rows, *made]), np.concatenate([classes, *labels]), np.concatenate([weights, np.ones(n_made)])
    )


def _augmented(trial: Trial, split: Places) -> Fitted:
    """Add the copies of known images, weighing as much together as a class lacks to the largest."""
    rows, classes, counts = trial.known(split)
    material = trial.material
    is_known = np.isin(material.sources, split.known)
    labels = material.families.classes[material.sources[is_known]]
    n_copies = np.bincount(labels, minlength=len(counts))
    lacking = counts.max() - counts
    shares = lacking / np.maximum(n_copies, 1)
    without = np.where(n_copies == 0, 1 + lacking / counts, 1.0)
    return Fitted(
        np.concatenate([rows, trial.copies[is_known]]),
        np.concatenate([classes, labels]),
        np.concatenate([without[classes], shares[labels]]),
    )


WAYS: Mapping[str, Callable[[Trial, Places], Fitted]] = {
    BASE: nothing_done,
    "logit adjustment": _adjusted,
    "class weights": _weighted,
    "under-sampling": _undersampled,
    "copies": _copied,
    "SMOTE": _synthesized,
    "augmented copies": _augmented,
}
"""Name -> what is fitted to in a split; the cheapest first."""
