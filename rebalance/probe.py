"""Trying on vectors whether balancing would help, before anything is written."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from rebalance.dataset import Dataset, ImageFile
from rebalance.embedders import AskedEmbedder, embedder_at_hand, open_embedder
from rebalance.lots import lots
from rebalance.plan import Recipe, Rendering
from rebalance.planning.estimates import Labels, families_of
from rebalance.planning.likeness import same_pictures
from rebalance.planning.probing import Probe, probe_ways
from rebalance.planning.selection import selection_key
from rebalance.planning.ways import Material
from rebalance.survey import Copies, describe_copies
from rebalance.vectors import Rows, Vectors

_MOST_COPIES = 2000
"""Augmented copies of all images that are embedded: what a minute is enough for."""
_COPIES_OF_ONE = 4
"""Of one image, beyond which more of them say little more."""


Progress = Callable[[int, int], None]


class ProbeOptions(NamedTuple):
    """How the ways are tried."""

    seed: int
    recipes: Callable[[str], Recipe]
    """By class, of augmented copies."""
    rendering: Rendering
    n_workers: int
    is_shuffled: bool = False
    """Whether labels are dealt out by lot first: what chance gives."""


class Probed(NamedTuple):
    """What was tried on what."""

    probe: Probe
    n_images: int
    n_copies: int
    """Augmented copies that were embedded."""


def probe(
    dataset: Dataset,
    vectors: Vectors,
    embedder: AskedEmbedder | None,
    options: ProbeOptions,
    progress: Progress = lambda _n_done, _n_all: None,
) -> Probed:
    """Try every way of balancing on the vectors of a dataset.

    `embedder` made the vectors; where it is None and nothing at hand can have, there are no augmented copies. Raises
    TargetError where there is nothing to compare.
    """
    place_of = {path: place for place, path in enumerate(vectors.paths)}
    labeled = [
        (label, image)
        for label, folder in enumerate(dataset.classes)
        for image in folder.images
        if image.path in place_of
    ]
    images = [image for _, image in labeled]
    places = np.array([place_of[image.path] for image in images], np.intp)
    labels = np.array([label for label, _ in labeled], np.intp)
    if options.is_shuffled:
        labels = _shuffled(labels, options.seed)
    rows = vectors.rows[places]
    firsts = same_pictures(rows, [vectors.sums[place] for place in places] if vectors.sums else ())
    families = [image.group or images[first].path for image, first in zip(images, firsts.tolist(), strict=True)]
    names = [folder.name for folder in dataset.classes]
    copies: dict[str, Rows] = {}
    if made_by := embedder or embedder_at_hand(vectors.embedder):
        wanted = _wanted(images, labels, names, options)
        copies = _embedded(dataset, vectors, made_by, wanted, options, progress)
    of_each = [copies.get(image.path, rows[:0]) for image in images]
    material = Material(
        names,
        [image.path for image in images],
        rows,
        families_of(list(zip(families, labels.tolist(), strict=True))),
        copies=np.concatenate(of_each),
        sources=np.repeat(np.arange(len(images)), [len(own) for own in of_each]),
        seed=options.seed,
    )
    return Probed(probe_ways(material), len(images), len(material.copies))


def _shuffled(labels: Labels, seed: int) -> Labels:
    """Return labels dealt out by lot."""
    dealt: Labels = labels[np.argsort(lots((seed,), len(labels)), kind="stable")]
    return dealt


def _wanted(images: Sequence[ImageFile], labels: Labels, names: Sequence[str], options: ProbeOptions) -> list[Copies]:
    """Return the copies to embed: of each class as many as it lacks, of each image a few, evenly, up to a number."""
    counts = np.bincount(labels, minlength=len(names))
    n_wanted = np.minimum(counts.max(initial=0) - counts, _COPIES_OF_ONE * counts)
    if n_wanted.sum() > _MOST_COPIES:
        n_wanted = n_wanted * _MOST_COPIES // n_wanted.sum()
    wanted = []
    for label, n_copies in enumerate(n_wanted.tolist()):
        own = [images[place] for place in np.flatnonzero(labels == label).tolist()]
        own.sort(key=lambda image: selection_key(options.seed, image.path))
        for rank, image in enumerate(own):
            numbers = tuple(range(1, (n_copies - rank + len(own) - 1) // len(own) + 1))
            if numbers:
                wanted.append(Copies(image, numbers, options.recipes(names[label])))
    return wanted


def _embedded(
    dataset: Dataset, vectors: Vectors, made_by: AskedEmbedder, wanted: Sequence[Copies], options: ProbeOptions,
    progress: Progress,
) -> dict[str, Rows]:  # fmt: skip
    """Return the vectors of the copies of each image, by its path."""
    drawing, embedder = (options.seed, options.rendering), open_embedder(made_by)
    found = {}
    described = describe_copies(dataset.root, wanted, made_by, drawing, options.n_workers)
    for n_done, (path, rows) in enumerate(described, start=1):
        progress(n_done, len(wanted))
        if rows:
            found[path] = embedder.place_further(np.stack(rows), vectors.embedder)
    return found
