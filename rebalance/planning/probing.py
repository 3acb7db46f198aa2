"""Whether balancing would help at all: the ways to do it tried on vectors, with logistic regression."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebalance.errors import TargetError
from rebalance.planning.estimates import N_FOLDS, Estimate, Families, Features, Labels, estimate, recalls
from rebalance.planning.selection import selection_key
from rebalance.planning.synthesis import Asked, Points, aims, synthesize
from rebalance.vectors import Rows

BASE = "nothing"
N_DIMENSIONS = 64
"""Principal components that are kept of vectors."""
_STRENGTHS = (1.0, 10.0, 100.0, 1000.0)
"""Inverse weight decay, a training image: the one with the least log loss is taken for all ways."""
_MOST_STEPS = 100
"""Of fitting: what has not converged by then is as good as stopped early."""
_LEVEL = 0.975
"""Quantile that ends a 95 % interval."""

Weights = NDArray[np.float64]
Losses = NDArray[np.float64]


class Score(NamedTuple):
    """How one way does on images that nothing was fitted to."""

    way: str
    balanced_accuracy: Estimate
    behind: Estimate
    """How far behind the best way that is."""
    worst_class: str
    worst_recall: Estimate
    """Of that class, the least of all."""
    lost: Estimate
    """What the largest class loses of its recall where nothing is done."""
    log_loss: Estimate
    """In nats, on classes as frequent as they are."""


@dataclass(frozen=True, slots=True)
class Probe:
    """The ways that were tried, the cheapest first."""

    scores: tuple[Score, ...]
    n_classes: int
    """Those that could be tried."""
    n_splits: int
    remarks: tuple[str, ...]

    @property
    def best(self) -> Score:
        """The way with the largest balanced accuracy."""
        return max(self.scores, key=lambda score: score.balanced_accuracy.value)

    @property
    def advised(self) -> Score:
        """The cheapest way that is not worse than the best, at the 5 % level."""
        return next(score for score in self.scores if score.behind.low <= 0)


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


def probe_ways(material: Material) -> Probe:
    """Try every way on all splits. Raises TargetError where there are fewer than two classes of two families."""
    families = material.families
    told, remarks = _told_classes(material)
    if len(told) < 2:
        raise TargetError("a probe takes two classes of two images, or groups, and more: there is nothing to compare")
    kept = np.isin(families.classes, told)
    material = _picked(material, kept)
    trial = _Trial.of(material)
    ways = [way for way in WAYS if way != "augmented copies" or len(material.copies)]
    splits = list(trial.splits())
    found, losses = trial.tried(ways, splits)
    return _scored(material, ways, found, losses, tuple(remarks))


class _Places(NamedTuple):
    """Places of the images that a way is fitted to, and of those that it is judged on."""

    known: Labels
    asked: Labels


class _Fitted(NamedTuple):
    """Rows to fit to, their classes, how much each weighs, and what is taken off the logits of each class."""

    rows: Features
    classes: Labels
    weights: Weights
    offsets: Weights | None = None


@dataclass(frozen=True, slots=True)
class _Trial:
    """The material in the space that the model sees."""

    material: Material
    rows: Features
    copies: Features
    project: Callable[[Rows], Features]
    ranks: Labels
    """Of each image, by its key."""

    @classmethod
    def of(cls, material: Material) -> "_Trial":
        mean = material.rows.mean(axis=0, dtype=np.float64)
        _, _, components = np.linalg.svd(material.rows - mean, full_matrices=False)
        components = components[:N_DIMENSIONS].T

        def project(rows: Rows) -> Features:
            return np.asarray((rows - mean) @ components, np.float64)

        keys = [selection_key(material.seed, path) for path in material.paths]
        ranks = np.argsort(np.array(sorted(range(len(keys)), key=keys.__getitem__), np.intp))
        return cls(material, project(material.rows), project(material.copies), project, ranks)

    def splits(self) -> Iterator[_Places]:
        """Yield every split that has something to fit to of each class, and something to be judged on."""
        families = self.material.families
        for split in families.splits(self.material.seed):
            if split.asked.any() and len(np.unique(families.classes[split.known])) == len(self.material.names):
                yield _Places(np.flatnonzero(split.known), np.flatnonzero(split.asked))

    def tried(self, ways: Sequence[str], splits: Sequence[_Places]) -> tuple[Losses, Losses]:
        """Return recalls, shape (n_ways, n_splits, n_classes), NaN of what is not there, and log losses."""
        strength = self._strength(splits[:N_FOLDS])
        n_classes = len(self.material.names)
        found, losses = np.zeros((len(ways), len(splits), n_classes)), np.zeros((len(ways), len(splits)))
        for number, split in enumerate(splits):
            own = self.material.families.classes[split.asked]
            for place, way in enumerate(ways):
                logs = self._judged(WAYS[way](self, split), split, strength)
                found[place, number] = recalls(logs.argmax(axis=1) == own, own, n_classes)
                losses[place, number] = -logs[np.arange(len(own)), own].mean()
        return found, losses

    def _strength(self, splits: Sequence[_Places]) -> float:
        """Return the inverse weight decay with which doing nothing has the least log loss."""

        def loss(strength: float) -> float:
            total = 0.0
            for split in splits:
                own = self.material.families.classes[split.asked]
                logs = self._judged(_nothing(self, split), split, strength)
                total -= float(logs[np.arange(len(own)), own].sum())
            return total

        return min(_STRENGTHS, key=loss)

    def _judged(self, fitted: _Fitted, split: _Places, strength: float) -> NDArray[np.float64]:
        """Return the logarithms of the probabilities of each class, shape (n_asked, n_classes).

        The mean loss of what is fitted to is minimized, with the same weight decay whatever weighs how much.
        """
        from scipy.special import log_softmax  # noqa: PLC0415  takes seconds
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415  the same

        model = LogisticRegression(C=strength * len(split.known), max_iter=_MOST_STEPS, tol=1e-3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(fitted.rows, fitted.classes, fitted.weights / fitted.weights.sum())
        logits = np.asarray(model.decision_function(self.rows[split.asked]), np.float64)
        if logits.ndim == 1:
            logits = np.stack([-logits / 2, logits / 2], axis=1)
        if fitted.offsets is not None:
            logits = logits - fitted.offsets
        return np.asarray(log_softmax(logits, axis=1), np.float64)

    def known(self, split: _Places) -> tuple[Features, Labels, Labels]:
        """Return rows and classes to fit to, and how many there are of each class."""
        classes = self.material.families.classes[split.known]
        return self.rows[split.known], classes, np.bincount(classes)

    def by_key(self, split: _Places, label: int) -> Labels:
        """Return the places, within what is known, of the images of a class, the smallest key first."""
        own = np.flatnonzero(self.material.families.classes[split.known] == label)
        return own[np.argsort(self.ranks[split.known[own]])]


def _nothing(trial: _Trial, split: _Places) -> _Fitted:
    rows, classes, _ = trial.known(split)
    return _Fitted(rows, classes, np.ones(len(classes)))


def _adjusted(trial: _Trial, split: _Places) -> _Fitted:
    """Take the logarithm of each class's share off its logit, once nothing was done (Menon et al. 2021)."""
    _, classes, counts = trial.known(split)
    return _nothing(trial, split)._replace(offsets=np.log(counts / len(classes)))


def _weighted(trial: _Trial, split: _Places) -> _Fitted:
    """Let every class weigh the same (King and Zeng 2001)."""
    rows, classes, counts = trial.known(split)
    return _Fitted(rows, classes, 1 / counts[classes])


def _undersampled(trial: _Trial, split: _Places) -> _Fitted:
    """Keep as many images of each class as the smallest has, those with the smallest keys."""
    rows, classes, counts = trial.known(split)
    kept = np.concatenate([trial.by_key(split, label)[: counts.min()] for label in range(len(counts))])
    return _Fitted(rows[kept], classes[kept], np.ones(len(kept)))


def _copied(trial: _Trial, split: _Places) -> _Fitted:
    """Repeat the images of each class, evenly, until it has as many as the largest."""
    rows, classes, counts = trial.known(split)
    weights = np.ones(len(classes))
    for label, count in enumerate(counts.tolist()):
        own = trial.by_key(split, label)
        weights[own] = counts.max() // count
        weights[own[: counts.max() % count]] += 1
    return _Fitted(rows, classes, weights)


def _synthesized(trial: _Trial, split: _Places) -> _Fitted:
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
    return _Fitted(
        np.concatenate([rows, *made]), np.concatenate([classes, *labels]), np.concatenate([weights, np.ones(n_made)])
    )


def _augmented(trial: _Trial, split: _Places) -> _Fitted:
    """Add the copies of known images, weighing as much together as a class lacks to the largest."""
    rows, classes, counts = trial.known(split)
    material = trial.material
    is_known = np.isin(material.sources, split.known)
    labels = material.families.classes[material.sources[is_known]]
    n_copies = np.bincount(labels, minlength=len(counts))
    lacking = counts.max() - counts
    shares = lacking / np.maximum(n_copies, 1)
    without = np.where(n_copies == 0, 1 + lacking / counts, 1.0)
    return _Fitted(
        np.concatenate([rows, trial.copies[is_known]]),
        np.concatenate([classes, labels]),
        np.concatenate([without[classes], shares[labels]]),
    )


WAYS: Mapping[str, Callable[[_Trial, _Places], _Fitted]] = {
    BASE: _nothing,
    "logit adjustment": _adjusted,
    "class weights": _weighted,
    "under-sampling": _undersampled,
    "copies": _copied,
    "SMOTE": _synthesized,
    "augmented copies": _augmented,
}
"""Name -> what is fitted to in a split; the cheapest first."""


def _told_classes(material: Material) -> tuple[list[int], list[str]]:
    """Return the classes with two families or more, and what there is to say of the others."""
    counts = np.bincount(material.families.class_of, minlength=len(material.names))
    remarks = [
        f"class {name!r} has {count or 'no'} image or group: nothing could be held back, so it is left out"
        for name, count in zip(material.names, counts.tolist(), strict=True)
        if count < 2
    ]
    return np.flatnonzero(counts >= 2).tolist(), remarks


def _picked(material: Material, is_kept: NDArray[np.bool_]) -> Material:
    """Return what is left where some classes are left out, the others counted from 0."""
    labels = np.unique(material.families.classes[is_kept])
    families = material.families.picked(is_kept)
    place_of = np.cumsum(is_kept) - 1
    has_source = is_kept[material.sources]
    return material._replace(
        names=[material.names[label] for label in labels],
        paths=[path for path, kept in zip(material.paths, is_kept, strict=True) if kept],
        rows=material.rows[is_kept],
        families=Families(np.searchsorted(labels, families.classes), families.members),
        copies=material.copies[has_source],
        sources=place_of[material.sources[has_source]],
    )


def _scored(material: Material, ways: Sequence[str], found: Losses, losses: Losses, remarks: tuple[str, ...]) -> Probe:
    accuracies = np.nanmean(found, axis=2)
    best = accuracies.mean(axis=1).argmax()
    largest = np.bincount(material.families.classes).argmax()
    of_classes = np.nanmean(found, axis=1)
    scores = []
    for place, way in enumerate(ways):
        worst = int(of_classes[place].argmin())
        scores.append(
            Score(
                way=way,
                balanced_accuracy=estimate(accuracies[place], 1 / len(material.names), 0, 1),
                behind=estimate(accuracies[best] - accuracies[place]),
                worst_class=material.names[worst],
                worst_recall=estimate(found[place, :, worst], 0.0, 0, 1),
                lost=estimate(found[ways.index(BASE), :, largest] - found[place, :, largest]),
                log_loss=estimate(losses[place]),
            )
        )
    return Probe(tuple(scores), len(material.names), found.shape[1], remarks)
