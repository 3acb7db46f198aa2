"""Embedding a dataset: described in workers, placed in one space."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from rebalance.dataset import Dataset
from rebalance.errors import TargetError
from rebalance.images.embedding import place_all
from rebalance.plan import Unusable
from rebalance.survey import Described, describe_images
from rebalance.vectors import Vectors


@dataclass(frozen=True, slots=True)
class Embedded:
    """The vectors of a dataset, and the images that have none."""

    vectors: Vectors
    bad: Mapping[str, Unusable]
    """By path; none of them is kept."""


def embed(
    dataset: Dataset, embedder: str, n_workers: int, max_pixels: int, progress: Callable[[int, int], None]
) -> Embedded:
    """Embed every image, those that are carried over included: they share one space.

    The vectors are in the order of the dataset, whoever finished first. Raises TargetError where no image decodes.
    """
    images = list(dataset.images())
    found: dict[str, Described] = {}
    for described in describe_images(dataset.root, images, embedder, n_workers, max_pixels):
        found[described.path] = described
        progress(len(found), len(images))
    good = [found[image.path] for image in images if found[image.path].numbers is not None]
    bad = {
        path: Unusable(described.reason, is_kept=False, sha256=described.sha256)
        for path, described in sorted(found.items())
        if described.reason is not None
    }
    if not good:
        raise TargetError("no image of the source decodes, so nothing can be told of what is alike")
    rows, space = place_all(np.array([described.numbers for described in good], np.float32), embedder)
    sizes = {image.path: image.stamp.size for image in images}
    vectors = Vectors(
        paths=tuple(described.path for described in good),
        rows=rows,
        embedder=space,
        sizes=tuple(sizes[described.path] for described in good),
        sums=tuple(str(described.sha256) for described in good),
    )
    return Embedded(vectors, bad)
