"""Copies of the images of a class, spread evenly over its groups, and within a group over its images."""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from rebalance.dataset import ClassFolder, ImageFile
from rebalance.drawing import draw_key
from rebalance.plan import Augment, Duplicate
from rebalance.planning.groups import ImageGroup, groups_of
from rebalance.planning.naming import Place, generated_path


class Copy(NamedTuple):
    """One more file of a source: the kind of its operation, and its number among those of the source."""

    kind: type[Augment | Duplicate]
    source: ImageFile
    copy_number: int


def spread_copies(
    sources: Sequence[ImageFile], n_copies: int, seed: int, *, each_once: bool, drawn_share: Fraction
) -> Iterator[Copy]:
    """Yield `n_copies` copies, evenly over the groups (an image of none is one by itself), then over their images.

    With `each_once` every source has one before any has more for its group. Extra copies go to the groups, and within a
    group to the images, with the smallest keys of that turn. For `drawn_share` of them values are drawn, the others are
    duplicates. More copies only add to fewer. Where both kinds occur, another image in the class moves some copies from
    one kind to the other: no rule that looks at one copy alone hits a share exactly.
    """
    is_mixed = 0 < drawn_share < 1
    copies = _in_turn(sources, n_copies, seed, each_once=each_once, is_mixed=is_mixed)
    for index, (image, copy_number) in enumerate(copies):
        is_drawn = _n_drawn(index + 1, drawn_share) > _n_drawn(index, drawn_share)
        yield Copy(Augment if is_drawn else Duplicate, image, copy_number)


def named(
    copies: Iterable[Copy], folder: ClassFolder, seed: int, output_format: str | None
) -> Iterator[Augment | Duplicate]:
    """Yield the operations that make copies of images of a class; `output_format` None: not encoded anew."""
    for kind, image, number in copies:
        path = generated_path(Place.in_folder(folder, image), kind.kind, seed, number, output_format)
        yield kind(image, path, number)


def most_copies(sources: Sequence[ImageFile], n_copies: int, seed: int, *, each_once: bool) -> int:
    """Return how many of the copies are of the most used source."""
    n_first = len(sources) if each_once else 0
    if n_copies <= n_first:
        return 1 if n_copies else 0
    groups = groups_of(sources)
    n_turns, n_extra = divmod(n_copies - n_first, len(groups))
    most = max(math.ceil(n_turns / len(group.images)) for group in groups)
    extra = _turn(groups, each_once + n_turns + 1, seed)[:n_extra] if n_extra else ()
    return each_once + max([most, *(math.ceil((n_turns + 1) / len(group.images)) for group in extra)])


def _in_turn(
    sources: Sequence[ImageFile], n_copies: int, seed: int, *, each_once: bool, is_mixed: bool
) -> Iterator[tuple[ImageFile, int]]:
    """Yield sources and copy numbers: one of each group, then another of each, by keys where the order matters."""
    first = 1
    if each_once:
        ordered = sorted(sources, key=lambda image: draw_key(seed, image.path, 1)) if is_mixed else sources
        yield from ((image, 1) for image in ordered[:n_copies])
        n_copies -= len(sources)
        first = 2
    groups = groups_of(sources)
    members = {group.images[0].path: _members(group, seed, first) for group in groups if len(group.images) > 1}
    for turn in itertools.count(first):
        if n_copies <= 0:
            return
        in_turn = _turn(groups, turn, seed) if is_mixed or n_copies < len(groups) else groups
        for group in in_turn[:n_copies]:
            image = group.images[0]
            yield next(members[image.path]) if image.path in members else (image, turn)
        n_copies -= len(groups)


def _turn(groups: Sequence[ImageGroup], turn: int, seed: int) -> list[ImageGroup]:
    """Return groups in the order in which this turn's copies go to them."""
    return sorted(groups, key=lambda group: draw_key(seed, group.name, turn))


def _members(group: ImageGroup, seed: int, first: int) -> Iterator[tuple[ImageFile, int]]:
    """Yield the images of a group and the numbers of their copies, from `first` on and without an end."""
    for copy_number in itertools.count(first):
        for image in sorted(group.images, key=lambda image: draw_key(seed, image.path, copy_number)):
            yield image, copy_number


def _n_drawn(n_files: int, share: Fraction) -> int:
    """Return how many of the first files of a class are drawn: the share of them, rounded."""
    return n_files if share == 1 else 0 if share == 0 else math.floor(n_files * share + Fraction(1, 2))
