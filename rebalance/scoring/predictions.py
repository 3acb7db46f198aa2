"""What one trained model says of the images of a test set."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rebalance.errors import SourceTreeError

Labels = NDArray[np.intp]
"""Places of classes among the names, shape (n_images,)."""
Probabilities = NDArray[np.float64]
"""Shape (n_images, n_classes); every row sums to 1."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """One run: truth and prediction of each image."""

    told: str
    """Where they were read."""
    names: tuple[str, ...]
    """Of the classes, sorted: the index order of Keras and torchvision."""
    paths: tuple[str, ...]
    truth: Labels
    called: Labels
    probabilities: Probabilities | None = None
    groups: Labels | None = None
    """What belongs together (a patient, a product), as places among `group_names`."""
    group_names: tuple[str, ...] = ()
    """Sorted."""

    @property
    def cells(self) -> Labels:
        """The cell of the confusion matrix that each image is counted in, row after row."""
        return self.truth * len(self.names) + self.called

    def confusion(self) -> NDArray[np.float64]:
        """Return the images of class i that are called j, shape (n_classes, n_classes)."""
        n_classes = len(self.names)
        return np.bincount(self.cells, minlength=n_classes**2).reshape(n_classes, n_classes).astype(np.float64)

    def decided(self, called: Labels) -> Self:
        """Return the same with other decisions."""
        return replace(self, called=called)

    def renamed(self, names: Sequence[str]) -> Self:
        """Return the same over more classes, of which the new ones are never true or called."""
        if tuple(names) == self.names:
            return self
        place_of = {name: place for place, name in enumerate(names)}
        places = np.array([place_of[name] for name in self.names], np.intp)
        probabilities = self.probabilities
        if probabilities is not None:
            probabilities = np.zeros((len(self.paths), len(names)))
            probabilities[:, places] = self.probabilities
        return replace(
            self, names=tuple(names), truth=places[self.truth], called=places[self.called], probabilities=probabilities
        )

    def ordered(self, paths: Sequence[str]) -> Self:
        """Return the same with the images in this order."""
        if tuple(paths) == self.paths:
            return self
        row_of = {path: row for row, path in enumerate(self.paths)}
        rows = np.array([row_of[path] for path in paths], np.intp)
        return replace(
            self,
            paths=tuple(paths),
            truth=self.truth[rows],
            called=self.called[rows],
            probabilities=None if self.probabilities is None else self.probabilities[rows],
            groups=None if self.groups is None else self.groups[rows],
        )


def aligned(runs: Sequence[Predictions]) -> list[Predictions]:
    """Return runs with the same classes and images, these sorted by path, so that no number depends on their order.

    Probabilities stay where every run has them; groups are those of the first run. Raises SourceTreeError where runs
    are of other images.
    """
    first = runs[0].ordered(sorted(runs[0].paths))
    names = sorted({name for run in runs for name in run.names})
    has_all = all(run.probabilities is not None for run in runs)
    found = []
    for run in [first, *runs[1:]]:
        _check_same_images(first, run)
        own = run.renamed(names).ordered(first.paths)
        _check_same_truth(first.renamed(names), own)
        probabilities = own.probabilities if has_all else None
        found.append(replace(own, groups=first.groups, group_names=first.group_names, probabilities=probabilities))
    return found


def _check_same_images(first: Predictions, other: Predictions) -> None:
    if missing := sorted(set(first.paths) - set(other.paths)):
        raise SourceTreeError(
            f"{other.told}: has no row for {missing[0]!r}, which {first.told} has ({len(missing)} such): "
            "predict the same images"
        )
    if len(other.paths) > len(first.paths):
        extra = min(set(other.paths) - set(first.paths))
        raise SourceTreeError(
            f"{first.told}: has no row for {extra!r}, which {other.told} has: predict the same images"
        )


def _check_same_truth(first: Predictions, other: Predictions) -> None:
    for row in np.flatnonzero(first.truth != other.truth).tolist():
        names = first.names
        raise SourceTreeError(
            f"{other.told}: {first.paths[row]!r} is {names[other.truth[row]]!r} in it and "
            f"{names[first.truth[row]]!r} in {first.told}: an image has one y_true"
        )
