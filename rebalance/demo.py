"""A lopsided tree of real pictures that needs no download: the handwritten digits that come with scikit-learn."""

from collections.abc import Iterator

from rebalance.dataset import to_bytes
from rebalance.images.encoding import image_from_gray
from rebalance.storage.single import write_new_tree

_SIDE = 8
_SCALE = 8
_COUNTS = (178, 140, 110, 86, 68, 53, 42, 30, 19, 10)
"""Images of each digit: falling, as in life."""


def write_demo(folder: str) -> dict[str, int]:
    """Write `digit-0` to `digit-9` as PNG of 64x64 and return the counts. Raises OutputRefusedError where it exists."""
    write_new_tree(to_bytes(folder), _digits())
    return {f"digit-{digit}": count for digit, count in enumerate(_COUNTS)}


def _digits() -> Iterator[tuple[str, bytes]]:
    """Yield path and file of each picture (Alpaydin and Kaynak 1998: 8x8 pixels of 17 gray levels)."""
    from sklearn.datasets import load_digits  # noqa: PLC0415  takes seconds, and nothing else needs it

    digits = load_digits()
    n_written = dict.fromkeys(range(len(_COUNTS)), 0)
    for levels, digit in zip(digits.data, digits.target.tolist(), strict=True):
        if n_written[digit] < _COUNTS[digit]:
            gray = bytes(round(level * 255 / 16) for level in levels.tolist())
            yield f"digit-{digit}/{n_written[digit]:03d}.png", image_from_gray(gray, _SIDE, _SIDE, _SCALE)
            n_written[digit] += 1
