"""Groups of images that belong together: a patient's, a product's, a track's."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import NamedTuple, Self

from rebalance.dataset import ClassFolder, Dataset, ImageFile, NamedImages
from rebalance.plan import Drop, Plan

_LAST = 4096
"""Groups whose sums are looked at before those of all are."""


class ImageGroup(NamedTuple):
    """Images of one class that belong together; an image of no group is one by itself, under its path."""

    name: str
    images: tuple[ImageFile, ...]


class GroupCut(NamedTuple):
    """A group of which a class keeps some images and leaves others out."""

    class_name: str
    group: str
    n_kept: int
    n_images: int


class GroupCount(NamedTuple):
    """What a plan does to the groups of one class."""

    class_name: str
    n_groups: int
    n_whole: int
    cut: tuple[GroupCut, ...]


@dataclass(frozen=True, slots=True)
class Grouping:
    """Which images belong together: by what a pattern finds in their paths, or by name."""

    pattern: re.Pattern[str] | None = None
    """Searched for below the folder of the split; the group is its first group, or all that it matches."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Without a pattern: path -> group, empty for none."""

    def group_of(self, path: str, prefix: str = "") -> str | None:
        """Return the group of an image, or None of one that stands for itself."""
        if self.pattern is None:
            return self.names.get(path) or None
        match = self.pattern.search(path.removeprefix(prefix))
        return (match[1] if self.pattern.groups else match[0]) or None if match else None

    def beside(self) -> Self:
        """Return what is needed of it for images beside the source, whose paths lead out of it."""
        return replace(self, names={path: group for path, group in self.names.items() if path.startswith(("../", "/"))})


def with_groups(dataset: Dataset, grouping: Grouping) -> Dataset:
    """Return a dataset whose images know their groups."""

    def grouped(folder: ClassFolder) -> ClassFolder:
        images = (replace(image, group=grouping.group_of(image.path, folder.prefix)) for image in folder.images)
        return replace(folder, images=tuple(images))

    return replace(
        dataset,
        classes=tuple(grouped(folder) for folder in dataset.classes),
        carried=tuple(grouped(folder) for folder in dataset.carried),
    )


def has_groups(images: Iterable[ImageFile]) -> bool:
    """Return whether any image belongs to a group."""
    return not isinstance(images, NamedImages) and any(image.group is not None for image in images)


def groups_of(images: Sequence[ImageFile]) -> list[ImageGroup]:
    """Return images by group, in the order of the first image of each."""
    groups: dict[tuple[bool, str], list[ImageFile]] = {}
    for image in images:
        key = (False, image.path) if image.group is None else (True, image.group)
        groups.setdefault(key, []).append(image)
    return [ImageGroup(name, tuple(members)) for (_, name), members in groups.items()]


def whole_groups(sizes: Sequence[int], n_kept: int) -> list[bool]:
    """Return which groups, of these sizes in this order, are kept whole: `n_kept` images together, or the most below.

    A group is kept wherever the groups after it can still make up the rest. Nearly always those that fit, one after the
    other, make it up; else, if the last few can be chosen so that they do, no earlier choice is to be changed.
    """
    unit = math.gcd(*sizes) or 1
    units, n_units = [size // unit for size in sizes], n_kept // unit
    is_whole: list[bool] = []
    for n_last in (0, _LAST, len(units)):
        n_first = max(0, len(units) - n_last)
        is_whole = _first_that_fit(units[:n_first], n_units)
        rest = n_units - _sum_of(units, is_whole)
        is_whole += _nearest_below(units[n_first:], rest)
        if _sum_of(units, is_whole) == n_units:
            break
    return is_whole


def _sum_of(sizes: Sequence[int], is_whole: Sequence[bool]) -> int:
    return sum(size for size, whole in zip(sizes, is_whole, strict=False) if whole)


def _nearest_below(sizes: Sequence[int], most: int) -> list[bool]:
    """Return the first choice, in this order, whose sum is the nearest to `most` from below.

    A subset sum by sets of reachable sums, each the bits of an integer. Only every sqrt(n)-th set is remembered and
    those between are made again, so that memory stays at 2 sqrt(n) sets of `most` bits.
    """
    step = math.isqrt(len(sizes)) + 1
    starts = range(0, len(sizes), step)
    after = {len(sizes): 1}
    for start in reversed(starts):
        end = min(start + step, len(sizes))
        *_, after[start] = _reachable(sizes[start:end], after[end], most)
    remaining = after[0].bit_length() - 1
    kept: list[bool] = []
    for start in starts:
        part = sizes[start : start + step]
        sums = list(_reachable(part, after[start + len(part)], most))
        for size, rest in zip(part, reversed(sums[:-1]), strict=True):
            is_kept = size <= remaining and bool(rest >> (remaining - size) & 1)
            remaining -= size * is_kept
            kept.append(is_kept)
    return kept


def _first_that_fit(sizes: Sequence[int], n_kept: int) -> list[bool]:
    """Return which are kept where each is that still fits."""
    kept = []
    for size in sizes:
        kept.append(size <= n_kept)
        n_kept -= size * kept[-1]
    return kept


def _reachable(sizes: Sequence[int], sums: int, most: int) -> Iterator[int]:
    """Yield the sums up to `most` that `sums` and the last 0, 1, 2 ... of the groups reach, as bits."""
    mask = (1 << (most + 1)) - 1
    return accumulate(reversed(sizes), lambda reached, size: reached | (reached << size) & mask, initial=sums)


def count_groups(plan: Plan) -> Iterator[GroupCount]:
    """Yield what a plan does to the groups of each class that is balanced and has some."""
    for target in plan.targets:
        kept: dict[str, set[str]] = {}
        dropped: dict[str, set[str]] = {}
        for operation in plan.operations(target.directory):
            image = operation.source
            if image.group is not None:
                members = dropped if isinstance(operation, Drop) else kept
                members.setdefault(image.group, set()).add(image.path)
        if kept or dropped:
            cut = [
                GroupCut(target.class_name, group, len(kept[group]), len(kept[group]) + len(dropped[group]))
                for group in sorted(kept.keys() & dropped.keys())
            ]
            n_whole = len(kept.keys() - dropped.keys())
            yield GroupCount(target.class_name, len(kept.keys() | dropped.keys()), n_whole, tuple(cut))
