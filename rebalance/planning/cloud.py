"""The images that samples lie between as points, and what cleaning leaves of them once the samples are there."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebalance.dataset import ImageFile
from rebalance.planning.choice import Choice, LeftOut
from rebalance.planning.samplers import Pictures, clean
from rebalance.planning.selection import selection_key
from rebalance.planning.synthesis import Points, Synthetic, aims
from rebalance.vectors import Vectors, picked


class Cloud(NamedTuple):
    """The sources as points, the image of each, and the place of each path."""

    points: Points
    images: tuple[ImageFile, ...]
    place_of: Mapping[str, int]
    lengths: NDArray[np.float64] | None
    """Of the rows before they were brought to unit length."""


def cloud_of(sources: Mapping[str, Sequence[ImageFile]], vectors: Vectors) -> Cloud:
    """Return the images of each class that have a vector."""
    place_of = {path: place for place, path in enumerate(vectors.paths)}
    labeled = [
        (label, image) for label, images in enumerate(sources.values()) for image in images if image.path in place_of
    ]
    places = np.array([place_of[image.path] for _, image in labeled], np.intp)
    rows = picked(vectors.rows, places)
    lengths = None if vectors.lengths is None else vectors.lengths[places]
    labels = np.array([label for label, _ in labeled], np.intp)
    images = tuple(image for _, image in labeled)
    paths = [image.path for image in images]
    return Cloud(
        Points(rows, labels, tuple(sources), paths), images, {path: place for place, path in enumerate(paths)}, lengths
    )


def cleaned(
    cloud: Cloud,
    samples: Mapping[int, Synthetic],
    left: Mapping[str, Sequence[ImageFile]],
    full: Sequence[int],
    cleaner: str | None,
    seed: int,
) -> Choice:
    """Return what stays of the images: all of them, or without those of full classes that cleaning removes."""
    kept = {name: tuple(images) for name, images in left.items()}
    if cleaner is None or not full:
        return Choice(kept, LeftOut("cannot be used"))
    points = cloud.points
    n_real = len(points.labels)
    made = [aims(points.rows, own) for own in samples.values()]
    labels = [np.full(len(own.steps), label) for label, own in samples.items()]
    everything = np.arange(n_real)
    pictures = Pictures(
        np.concatenate([points.rows[everything], *made]),
        np.concatenate([points.labels, *labels]).astype(np.intp),
        np.arange(n_real + sum(map(len, labels))),
        seed,
    )
    stays = np.zeros(len(pictures.labels), bool)
    stays[clean(cleaner, pictures, full)[0]] = True
    gone = np.flatnonzero(~stays[:n_real] & np.isin(points.labels, full)).tolist()
    return _without(cloud, gone, kept, cleaner, seed)


def _without(
    cloud: Cloud, gone: Sequence[int], kept: Mapping[str, tuple[ImageFile, ...]], cleaner: str, seed: int
) -> Choice:
    """Return the choice without these points; of a class that would vanish, the smallest key stays."""
    paths = {cloud.images[index].path for index in gone}
    remaining, remarks = dict(kept), []
    for name, images in kept.items():
        own = tuple(image for image in images if image.path not in paths)
        if images and not own:
            own = (min(images, key=lambda image: selection_key(seed, image.path)),)
            paths.discard(own[0].path)
        if n_gone := len(images) - len(own):
            remarks.append(f"class {name!r}: --clean {cleaner} leaves {n_gone} images out")
        remaining[name] = own
    reason = LeftOut(f"--clean {cleaner}")
    return Choice(remaining, LeftOut("cannot be used"), dict.fromkeys(sorted(paths), reason), tuple(remarks))
