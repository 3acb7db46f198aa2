"""The images among which is chosen by looks, and what has become of each so far."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rebalance.dataset import ImageFile, to_bytes
from rebalance.planning.choice import Choice, Images, LeftOut
from rebalance.planning.likeness import Indices, same_pictures
from rebalance.planning.samplers import Labels, Pictures
from rebalance.planning.selection import selection_key
from rebalance.vectors import Rows, Vectors


@dataclass(slots=True)
class View:
    """The images with a vector, class after class, and what has become of them so far."""

    names: tuple[str, ...]
    images: tuple[ImageFile, ...]
    rows: Rows
    labels: Labels
    order: Indices
    """The rank of each image's key."""
    firsts: Indices
    """Of each image, the first that is the same picture."""
    n_kept: Mapping[int, int | None]
    """Of the classes that are cut: images with a vector to be kept; None: those that are left."""
    unseen: Mapping[str, Sequence[ImageFile]]
    """The images without a vector that are kept."""
    seed: int
    is_left: NDArray[np.bool_]
    """Whether an image is kept, as it stands."""
    is_searched: NDArray[np.bool_]
    """Whether a method sees it: of the same pictures of one class, one."""
    reasons: dict[int, str] = field(default_factory=dict)
    counterparts: dict[int, int] = field(default_factory=dict)
    lost: dict[int, list[int]] = field(default_factory=dict)
    """By class, what was left out: what is to be put back first comes first."""
    remarks: list[str] = field(default_factory=list)

    def members(self, label: int) -> Indices:
        """Return what is left of a class."""
        return np.flatnonzero(self.is_left & (self.labels == label))

    def by_key(self, indices: Iterable[int]) -> list[int]:
        """Return images in the order of their keys."""
        return sorted(indices, key=lambda index: int(self.order[index]))

    def searched(self) -> tuple[Indices, Pictures]:
        """Return the images that a method looks at, and what it sees of them."""
        left = np.flatnonzero(self.is_left & self.is_searched)
        return left, Pictures(self.rows[left], self.labels[left], self.order[left], self.seed)

    def leave_out(self, indices: Sequence[int], reason: str) -> None:
        """Take images away; they would be put back in this order, before all that was taken away earlier."""
        of_class: dict[int, list[int]] = {}
        for index in indices:
            of_class.setdefault(int(self.labels[index]), []).append(index)
        for label, gone in of_class.items():
            self.lost[label] = gone + self.lost.get(label, [])
        self.is_left[indices] = False
        self.reasons |= dict.fromkeys(indices, reason)

    def put_back(self, label: int, n_images: int) -> None:
        """Keep so many of what was left out of a class after all."""
        for index in self.lost[label][:n_images]:
            self.is_left[index] = True
            del self.reasons[index]


def view_of(images: Images, n_kept: Mapping[str, int | None], vectors: Vectors, seed: int) -> View:
    """Return the images before anything is chosen. Those without a vector are kept before all others."""
    place_of = {path: place for place, path in enumerate(vectors.paths)}
    names = tuple(images)
    seen = [(label, image) for label, name in enumerate(names) for image in images[name] if image.path in place_of]
    unseen = {name: [image for image in images[name] if image.path not in place_of] for name in names}
    cut: dict[int, int | None] = {}
    for label, name in enumerate(names):
        wanted = n_kept[name]
        if wanted is None and len(images[name]) > 1:
            cut[label] = None
        elif wanted is not None and wanted < len(images[name]):
            unseen[name] = sorted(unseen[name], key=lambda image: selection_key(seed, image.path))[:wanted]
            cut[label] = wanted - len(unseen[name])
    places = [place_of[image.path] for _, image in seen]
    rows = vectors.rows[np.array(places, np.intp)]
    firsts = same_pictures(rows, [vectors.sums[place] for place in places] if vectors.sums else ())
    keys = [selection_key(seed, image.path) for _, image in seen]
    return View(
        names=names,
        images=tuple(image for _, image in seen),
        rows=rows[firsts],
        labels=np.array([label for label, _ in seen], np.intp),
        order=np.argsort(sorted(range(len(keys)), key=keys.__getitem__)),
        firsts=firsts,
        n_kept=cut,
        unseen=unseen,
        seed=seed,
        is_left=np.ones(len(seen), bool),
        is_searched=np.ones(len(seen), bool),
    )


def choice_of(view: View, otherwise: LeftOut) -> Choice:
    """Return what has come out."""
    kept = {name: list(view.unseen[name]) for name in view.names}
    for index in np.flatnonzero(view.is_left).tolist():
        kept[view.names[view.labels[index]]].append(view.images[index])
    left_out = {}
    for index, reason in view.reasons.items():
        other = view.counterparts.get(index)
        left_out[view.images[index].path] = LeftOut(reason, None if other is None else view.images[other].path)
    return Choice(
        {name: tuple(sorted(images, key=lambda image: to_bytes(image.path))) for name, images in kept.items()},
        otherwise,
        left_out,
        tuple(view.remarks),
    )
