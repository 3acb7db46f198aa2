"""Copies of the images of a class, spread evenly over its groups, and within a group over its images."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from rebalance.dataset import ImageFile
from rebalance.drawing import draw_key
from rebalance.plan import Augment, Duplicate
from rebalance.planning.groups import ImageGroup, groups_of
from rebalance.planning.naming import Place, generated_path


def copy_operations(
    sources: Sequence[ImageFile],
    n_copies: int,
    seed: int,
    *,
    drawn_share: Fraction,
    place_of: Callable[[str], Place],
    output_format: str | None,
) -> Iterator[Augment | Duplicate]:
    """Yield `n_copies` copies, evenly over the groups (an image of none is one by itself), then over their images.

    Extra copies go to the groups, and within a group to the images, with the smallest keys of that turn. For
    `drawn_share` of them values are drawn, the others are duplicates. More copies only add to fewer. Where both
    kinds occur, another image in the class moves some copies from one kind to the other: no rule that looks at one copy
    alone hits a share exactly.
    """
    is_mixed = 0 < drawn_share < 1
    for index, (image, copy_number) in enumerate(_in_turn(groups_of(sources), n_copies, seed, is_mixed=is_mixed)):
        is_drawn = _n_drawn(index + 1, drawn_share) > _n_drawn(index, drawn_share)
        make = Augment if is_drawn else Duplicate
        path = generated_path(place_of(image.path), make.kind, seed, copy_number, output_format)
        yield make(image, path, copy_number)


def most_copies(sources: Sequence[ImageFile], n_copies: int, seed: int) -> int:
    """Return how many of the copies are of the most used source."""
    if not n_copies:
        return 0
    groups = groups_of(sources)
    n_turns, n_extra = divmod(n_copies, len(groups))
    most = max(math.ceil(n_turns / len(group.images)) for group in groups)
    extra = _turn(groups, n_turns + 1, seed)[:n_extra] if n_extra else ()
    return max([most, *(math.ceil((n_turns + 1) / len(group.images)) for group in extra)])


def _in_turn(
    groups: Sequence[ImageGroup], n_copies: int, seed: int, *, is_mixed: bool
) -> Iterator[tuple[ImageFile, int]]:
    """Yield sources and copy numbers: one of each group, then another of each, by keys where the order matters."""
    members = {group.name: _members(group, seed) for group in groups if len(group.images) > 1}
    for turn in itertools.count(1):
        if n_copies <= 0:
            return
        ordered = _turn(groups, turn, seed) if is_mixed or n_copies < len(groups) else groups
        for group in ordered[:n_copies]:
            yield next(members[group.name]) if group.name in members else (group.images[0], turn)
        n_copies -= len(groups)


def _turn(groups: Sequence[ImageGroup], turn: int, seed: int) -> list[ImageGroup]:
    """Return groups in the order in which this turn's copies go to them."""
    return sorted(groups, key=lambda group: draw_key(seed, group.name, turn))


def _members(group: ImageGroup, seed: int) -> Iterator[tuple[ImageFile, int]]:
    """Yield the images of a group and the numbers of their copies, without an end."""
    for copy_number in itertools.count(1):
        for image in sorted(group.images, key=lambda image: draw_key(seed, image.path, copy_number)):
            yield image, copy_number


def _n_drawn(n_files: int, share: Fraction) -> int:
    """Return how many of the first files of a class are drawn: the share of them, rounded."""
    return n_files if share == 1 else 0 if share == 0 else math.floor(n_files * share + Fraction(1, 2))
