"""One vector an image, by which images are told to be alike."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

NEAR_DUPLICATE = {"descriptor": 0.95, "pixels": 0.995}
"""Embedder -> the cosine from which two pictures are nearly the same."""
_OF_OTHERS = 0.95

BLOCK = 4096
"""Rows that are worked on in float64 at a time."""

Rows = NDArray[np.float32]
"""float32, shape (n_images, n_dimensions), every row of unit length: Euclidean and cosine order agree."""


@dataclass(frozen=True, slots=True)
class RowView:
    """Rows that lie in a file, perhaps larger than the memory, as `Rows` when they are looked at."""

    stored: NDArray[Any]
    """Floats of any size and any length of row."""
    order: NDArray[np.intp]
    """Which of them, in which order."""
    lengths: NDArray[np.float64] | None = None
    """Euclidean, of those stored; None where all are 1."""

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.order)

    @property
    def shape(self) -> tuple[int, int]:
        """Return how many rows there are, of how many numbers."""
        return len(self.order), int(self.stored.shape[1])

    def __getitem__(self, key: "slice | NDArray[np.intp]") -> Rows:
        """Return rows, read and scaled."""
        places = self.order[key]
        read = self.stored[places]
        if self.lengths is None:
            return np.asarray(read, np.float32)
        return np.asarray(read / self.lengths[places][..., None], np.float32)

    def picked(self, places: NDArray[np.intp]) -> "RowView":
        """Return some of the rows, unread."""
        return RowView(self.stored, self.order[places], self.lengths)


RowSource = Rows | RowView


def picked(rows: RowSource, places: NDArray[np.intp]) -> RowSource:
    """Return some of the rows without reading those that lie in a file."""
    return rows.picked(places) if isinstance(rows, RowView) else rows[places]


@dataclass(frozen=True, slots=True)
class Vectors:
    """Vectors by path, as they were computed or read."""

    paths: tuple[str, ...]
    rows: RowSource
    embedder: Mapping[str, Any] = field(default_factory=dict)
    """What it takes to place further images in the same space, ready for JSON; empty where nobody knows."""
    sizes: tuple[int, ...] = ()
    """Bytes of each image as it was embedded; empty where nobody knows."""
    sums: tuple[str, ...] = ()
    """sha256 of each image as it was embedded; empty where nobody knows."""
    lengths: NDArray[np.float64] | None = None
    """Of each row before it was brought to unit length; None where all were 1."""

    def near_duplicate_from(self, asked: float | None) -> float:
        """Return the cosine from which two pictures are nearly the same: what is asked for, or what is usual."""
        return asked if asked is not None else NEAR_DUPLICATE.get(str(self.embedder.get("name")), _OF_OTHERS)
