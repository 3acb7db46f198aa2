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
class Vectors:
    """Vectors by path, as they were computed or read."""

    paths: tuple[str, ...]
    rows: Rows
    embedder: Mapping[str, Any] = field(default_factory=dict)
    """What it takes to place further images in the same space, ready for JSON; empty where nobody knows."""
    sizes: tuple[int, ...] = ()
    """Bytes of each image as it was embedded; empty where nobody knows."""
    sums: tuple[str, ...] = ()
    """sha256 of each image as it was embedded; empty where nobody knows."""

    def near_duplicate_from(self, asked: float | None) -> float:
        """Return the cosine from which two pictures are nearly the same: what is asked for, or what is usual."""
        return asked if asked is not None else NEAR_DUPLICATE.get(str(self.embedder.get("name")), _OF_OTHERS)
