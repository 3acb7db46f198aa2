"""Images with any number of labels each."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

LabelSet = tuple[int, ...]
"""Places of labels among the names, ascending."""


class LabelForm(NamedTuple):
    """How a file says which labels an image has."""

    path_column: str
    columns: tuple[str, ...] = ()
    """The labels, each with a column of 0 and 1; or one column that lists them, where there is a delimiter."""
    delimiter: str | None = None


@dataclass(frozen=True)
class Labels:
    """The labels of a set of images; without slots, for what is counted once to stay."""

    names: tuple[str, ...]
    """Of the labels, in the order of their columns."""
    sets: tuple[LabelSet, ...]
    """Every combination that occurs, once, ascending."""
    set_of: Mapping[str, int]
    """Path -> the place of its combination."""

    def of(self, path: str) -> LabelSet:
        """Return those of an image."""
        return self.sets[self.set_of[path]]

    @property
    def n_images(self) -> int:
        """How many images there are."""
        return len(self.set_of)

    @cached_property
    def n_with(self) -> tuple[int, ...]:
        """How many images have each combination."""
        counts = Counter(self.set_of.values())
        return tuple(counts[place] for place in range(len(self.sets)))

    @cached_property
    def positives(self) -> tuple[int, ...]:
        """How many images have each label."""
        counts = [0] * len(self.names)
        for label_set, n_images in zip(self.sets, self.n_with, strict=True):
            for label in label_set:
                counts[label] += n_images
        return tuple(counts)


def labels_of(names: tuple[str, ...], found: Mapping[str, LabelSet]) -> Labels:
    """Return the labels of images by path."""
    sets = tuple(sorted(set(found.values())))
    place_of = {label_set: place for place, label_set in enumerate(sets)}
    return Labels(names, sets, {path: place_of[label_set] for path, label_set in found.items()})
