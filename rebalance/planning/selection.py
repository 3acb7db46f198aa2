"""Which images of a large class are kept: the smallest keys, or consecutive stretches of them."""

from collections.abc import Sequence

from rebalance.dataset import ImageFile, to_bytes
from rebalance.drawing import draw_key

CAP_METHODS = ("random", "window")


def selection_key(seed: int, image: ImageFile) -> bytes:
    """Return the key that decides whether an image is kept, from seed and path alone."""
    return draw_key(seed, image.path, 0)


def select_images(
    images: Sequence[ImageFile], n_kept: int, *, seed: int, method: str = "random", window: int = 0
) -> tuple[ImageFile, ...]:
    """Return `n_kept` of the images, in the order of their paths.

    `random` keeps the smallest keys, so that 500 is a subset of 600; `window` keeps the `window`-th (from 0) stretch of
    `n_kept` in the order of the keys, and begins again where the images are used up.
    """
    if n_kept >= len(images):
        return tuple(images)
    ordered = sorted(images, key=lambda image: selection_key(seed, image))
    start = window * n_kept if method == "window" else 0
    kept = [ordered[(start + offset) % len(ordered)] for offset in range(n_kept)]
    return tuple(sorted(kept, key=lambda image: to_bytes(image.path)))
