"""Which images of a large class are kept: by keys, by stretches, or by what the pictures show."""

from collections.abc import Sequence
from dataclasses import dataclass

from rebalance.dataset import ImageFile, to_bytes
from rebalance.drawing import draw_key
from rebalance.errors import UsageError, did_you_mean
from rebalance.planning.groups import ImageGroup, groups_of, has_groups, whole_groups
from rebalance.planning.methods import COUNTED, METHODS

ORDERS = ("key", "name")


@dataclass(frozen=True, slots=True)
class Selection:
    """How images are chosen: some are removed by methods that clean, then one more keeps a number."""

    method: str | None = "random"
    """What brings a class to a number; None where what the cleaning leaves is kept."""
    window: int = 0
    """The stretch that `window` keeps, from 0."""
    order: str = "key"
    cleaning: tuple[str, ...] = ()
    similarity: float | None = None
    """Cosine from which `diverse` takes two images for nearly the same; None: as is usual for their vectors."""

    @property
    def methods(self) -> tuple[str, ...]:
        """Return the methods in their order."""
        return (*self.cleaning, self.method) if self.method else self.cleaning

    @property
    def is_looking(self) -> bool:
        """Return whether it takes vectors."""
        return any(METHODS[method].is_looking for method in self.methods)

    def described(self) -> dict[str, object]:
        """Return what a request records of it."""
        return (
            {"method": ",".join(self.methods)}
            | ({"window": self.window, "order": self.order} if self.method == "window" else {})
            | ({"similarity": self.similarity} if self.similarity is not None else {})
        )

    def told(self) -> str:
        """Return it as the end of a reason."""
        last = [f"window {self.window} by {self.order}" if self.method == "window" else self.method]
        return ", then ".join((*self.cleaning, *filter(None, last)))


SMALLEST_KEYS = Selection()


def parse_methods(text: str) -> Selection:
    """Return the selection of methods joined by commas, of which only the last keeps a number. Raises UsageError."""
    methods = [name.strip() for name in text.split(",")]
    for name in methods:
        if name not in METHODS:
            raise UsageError(f"{name!r} is none of the methods {', '.join(METHODS)}{did_you_mean(name, METHODS)}")
    for name in methods[:-1]:
        if METHODS[name].is_counted:
            raise UsageError(f"{text!r}: {name} keeps a number, so nothing can follow it")
    is_counted = methods[-1] in COUNTED
    return Selection(methods[-1] if is_counted else None, cleaning=tuple(methods[:-1] if is_counted else methods))


def selection_key(seed: int, path: str) -> bytes:
    """Return the key that decides whether what has this path, or this name of a group, is kept."""
    return draw_key(seed, path, 0)


def select_images(
    images: Sequence[ImageFile], n_kept: int, selection: Selection, *, seed: int
) -> tuple[ImageFile, ...]:
    """Return `n_kept` of the images, in the order of their paths.

    `random` keeps the smallest keys, so that 500 is a subset of 600; `window` keeps a stretch of `n_kept` in the order
    of the keys or names, and begins again where the images are used up.
    Where images have groups, `random` keeps whole ones in the order of the groups' keys as long as whole ones can still
    make up the rest (500 is no subset of 600 then); what they cannot is taken from one group more. In the order of the
    keys, a group lies together, so that a stretch cuts one at either end.
    """
    if n_kept >= len(images):
        return tuple(images)
    if selection.method == "window":
        kept = _stretch(images if selection.order == "name" else _by_key(images, seed), n_kept, selection.window)
    elif has_groups(images):
        kept = _whole_groups_first(_groups_by_key(images, seed), n_kept)
    else:
        kept = _by_key(images, seed)[:n_kept]
    return tuple(sorted(kept, key=lambda image: to_bytes(image.path)))


def _by_key(images: Sequence[ImageFile], seed: int) -> list[ImageFile]:
    """Return images by their keys, those of a group together."""
    if not has_groups(images):
        return sorted(images, key=lambda image: selection_key(seed, image.path))
    return [image for group in _groups_by_key(images, seed) for image in group.images]


def _groups_by_key(images: Sequence[ImageFile], seed: int) -> list[ImageGroup]:
    """Return the groups by the keys of their names, the images of each by their own."""
    groups = sorted(groups_of(images), key=lambda group: selection_key(seed, group.name))
    return [
        ImageGroup(group.name, tuple(sorted(group.images, key=lambda image: selection_key(seed, image.path))))
        for group in groups
    ]


def _stretch(ordered: Sequence[ImageFile], n_kept: int, window: int) -> list[ImageFile]:
    start = window * n_kept
    return [ordered[(start + offset) % len(ordered)] for offset in range(n_kept)]


def _whole_groups_first(groups: Sequence[ImageGroup], n_kept: int) -> list[ImageFile]:
    is_whole = whole_groups([len(group.images) for group in groups], n_kept)
    kept = [image for group, whole in zip(groups, is_whole, strict=True) if whole for image in group.images]
    n_missing = n_kept - len(kept)
    if n_missing:
        cut = next(group for group, whole in zip(groups, is_whole, strict=True) if not whole)
        kept += cut.images[:n_missing]
    return kept
