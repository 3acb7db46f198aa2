"""Copies of the images of a class, spread evenly over them."""

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

from rebalance.dataset import ImageFile
from rebalance.drawing import draw_key
from rebalance.plan import Augment, Duplicate
from rebalance.planning.naming import generated_path


def copy_operations(
    sources: Sequence[ImageFile], n_copies: int, seed: int, *, drawn_share: Fraction, output_format: str | None
) -> Iterator[Augment | Duplicate]:
    """Yield `n_copies` copies, evenly: the extra ones go to the sources with the smallest keys of that copy number.

    For `drawn_share` of them values are drawn, the others are duplicates. More copies only add to fewer. Where both
    kinds occur, another image in the class moves some copies from one kind to the other: no rule that looks at one copy
    alone hits a share exactly.
    """
    is_mixed = 0 < drawn_share < 1
    for index, (image, copy_number) in enumerate(_in_turn(sources, n_copies, seed, is_mixed=is_mixed)):
        is_drawn = _n_drawn(index + 1, drawn_share) > _n_drawn(index, drawn_share)
        make = Augment if is_drawn else Duplicate
        yield make(image, generated_path(image.path, make.kind, seed, copy_number, output_format), copy_number)


def _in_turn(
    sources: Sequence[ImageFile], n_copies: int, seed: int, *, is_mixed: bool
) -> Iterator[tuple[ImageFile, int]]:
    """Yield sources and copy numbers: all first copies, then all second ones, by their keys where the order matters."""
    copy_number = 0
    while n_copies > 0:
        copy_number += 1
        turn = sources
        if is_mixed or n_copies < len(sources):
            turn = sorted(sources, key=lambda image: draw_key(seed, image.path, copy_number))
        yield from ((image, copy_number) for image in turn[:n_copies])
        n_copies -= len(sources)


def _n_drawn(n_files: int, share: Fraction) -> int:
    """Return how many of the first files of a class are drawn: the share of them, rounded."""
    return n_files if share == 1 else 0 if share == 0 else math.floor(n_files * share + Fraction(1, 2))
