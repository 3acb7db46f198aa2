"""Copies of the images of a class, spread evenly over its groups, and within a group over its images."""

import itertools
import math
from array import array
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from rebalance.dataset import ImageFile
from rebalance.drawing import draw_key
from rebalance.plan import Augment, Duplicate
from rebalance.planning.groups import ImageGroup, groups_of, has_groups
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
    place: Place, image: ImageFile, copies: bytes, seed: int, output_format: str | None
) -> Iterator[Augment | Duplicate]:
    """Yield the operations that make the copies of an image; `output_format` None: not encoded anew."""
    for number, is_drawn in enumerate(copies, start=1):
        kind = Augment if is_drawn else Duplicate
        yield kind(image, generated_path(place, kind.kind, seed, number, output_format), number)


def copies_of_each(
    sources: Sequence[ImageFile], n_copies: int, seed: int, *, each_once: bool, drawn_share: Fraction
) -> Sequence[bytes]:
    """Return the copies of each source that `spread_copies` yields: a byte for each number, 1 where values are drawn.

    Without all copies in memory, but where both kinds occur: that takes a byte for each.
    """
    if drawn_share in (0, 1):
        counts = count_copies(sources, n_copies, seed, each_once=each_once)
        alike = {count: bytes([int(drawn_share)]) * count for count in set(counts)}
        return [alike[count] for count in counts]
    index_of = {image.path: index for index, image in enumerate(sources)}
    drawn = [bytearray() for _ in sources]
    for copy in spread_copies(sources, n_copies, seed, each_once=each_once, drawn_share=drawn_share):
        drawn[index_of[copy.source.path]].append(copy.kind is Augment)
    return [bytes(of_one) for of_one in drawn]


def count_copies(sources: Sequence[ImageFile], n_copies: int, seed: int, *, each_once: bool) -> "array[int]":
    """Return how many of the copies that `spread_copies` yields are of each source."""
    n_first = len(sources) if each_once else 0
    if n_copies <= n_first:
        return array("L", (int(index < n_copies) for index in range(len(sources))))
    if not has_groups(sources):
        n_turns, n_extra = divmod(n_copies - n_first, len(sources))
        counts = array("L", [each_once + n_turns]) * len(sources)
        for index in _with_smallest_keys(sources, n_extra, each_once + n_turns + 1, seed):
            counts[index] += 1
        return counts
    return _count_in_groups(sources, n_copies - n_first, seed, 1 + each_once)


def _count_in_groups(sources: Sequence[ImageFile], n_copies: int, seed: int, first: int) -> "array[int]":
    """Return the same where images have groups, of copies whose numbers begin with `first`."""
    counts = array("L", [first - 1]) * len(sources)
    index_of = {image.path: index for index, image in enumerate(sources)}
    groups = groups_of(sources)
    n_turns, n_extra = divmod(n_copies, len(groups))
    extra = {group.images[0].path for group in _turn(groups, first + n_turns, seed)[:n_extra]} if n_extra else ()
    for group in groups:
        n_each, n_more = divmod(n_turns + (group.images[0].path in extra), len(group.images))
        for image in group.images:
            counts[index_of[image.path]] += n_each
        for place in _with_smallest_keys(group.images, n_more, first + n_each, seed):
            counts[index_of[group.images[place].path]] += 1
    return counts


def _with_smallest_keys(images: Sequence[ImageFile], n_images: int, copy_number: int, seed: int) -> Sequence[int]:
    """Return the indices of so many images, by the keys of their copies of this number."""
    if not n_images:
        return ()
    return sorted(range(len(images)), key=lambda index: draw_key(seed, images[index].path, copy_number))[:n_images]


def most_copies(sources: Sequence[ImageFile], n_copies: int, seed: int, *, each_once: bool) -> int:
    """Return how many of the copies are of the most used source."""
    return max(count_copies(sources, n_copies, seed, each_once=each_once), default=0)


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
