"""Which images of a large class are kept: the smallest keys, or consecutive stretches."""

from collections.abc import Sequence
from dataclasses import dataclass

from rebalance.dataset import ImageFile, to_bytes
from rebalance.drawing import draw_key

METHODS = ("random", "window")
ORDERS = ("key", "name")


@dataclass(frozen=True, slots=True)
class Selection:
    """How images are chosen: the smallest keys, or the `window`-th (from 0) stretch in an order."""

    method: str = "random"
    window: int = 0
    order: str = "key"

    def described(self) -> dict[str, object]:
        """Return what a request records of it."""
        return {"method": self.method} | (
            {"window": self.window, "order": self.order} if self.method == "window" else {}
        )

    def told(self) -> str:
        """Return it as the end of a reason."""
        return f"window {self.window} by {self.order}" if self.method == "window" else self.method


SMALLEST_KEYS = Selection()


def selection_key(seed: int, image: ImageFile) -> bytes:
    """Return the key that decides whether an image is kept, from seed and path alone."""
    return draw_key(seed, image.path, 0)


def select_images(
    images: Sequence[ImageFile], n_kept: int, selection: Selection, *, seed: int
) -> tuple[ImageFile, ...]:
    """Return `n_kept` of the images, in the order of their paths.

    `random` keeps the smallest keys, so that 500 is a subset of 600; `window` keeps a stretch of `n_kept` in the order
    of the keys or names, and begins again where the images are used up.
    """
    if n_kept >= len(images):
        return tuple(images)
    is_by_name = selection.method == "window" and selection.order == "name"
    ordered = images if is_by_name else sorted(images, key=lambda image: selection_key(seed, image))
    start = selection.window * n_kept if selection.method == "window" else 0
    kept = [ordered[(start + offset) % len(ordered)] for offset in range(n_kept)]
    return tuple(sorted(kept, key=lambda image: to_bytes(image.path)))
