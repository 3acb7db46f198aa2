"""What stands in two splits: the same bytes, or images of one group."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations
from posixpath import normpath
from typing import NamedTuple

from rebalance.dataset import Dataset, ImageFile, Leak, to_bytes
from rebalance.planning.groups import Grouping
from rebalance.storage.scan import find_images
from rebalance.survey import Hashed, hash_ends, hash_files

_FEW = 256
_LITTLE = 2**26
"""Files and bytes up to which starting workers takes longer than reading."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What images hold that have the bytes of another: sha256 by path; and what could not be read."""

    sums: Mapping[str, str]
    unread: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Leakage:
    """Everything that stands in two splits."""

    leaks: tuple[Leak, ...]
    unread: tuple[str, ...]
    """What could not be compared."""


def find_leaks(dataset: Dataset, beside: Sequence[str], grouping: Grouping | None, n_workers: int) -> Leakage:
    """Return what stands in two splits of a dataset, or in one and in a folder that lies beside the source.

    What is balanced comes first. One leak for each image and other split that its bytes stand in, one for each group
    and pair of splits. `beside` are the paths of such folders from the source, and begin the paths of their images.
    """
    unread: list[str] = []
    splits = [*_splits_of(dataset), *(_split_beside(dataset.root, name, grouping, unread) for name in beside)]
    contents = same_contents(dataset.root, _of_one_size(splits), n_workers)
    leaks: list[Leak] = []
    for split, other in combinations(splits, 2):
        leaks += _shared_contents(split, other, contents.sums)
        leaks += _shared_groups(split, other)
    return Leakage(tuple(leaks), (*unread, *contents.unread))


class _Split(NamedTuple):
    name: str
    images: tuple[ImageFile, ...]


def _splits_of(dataset: Dataset) -> list[_Split]:
    """Return what is balanced, and the splits that are carried over."""
    images: dict[str, list[ImageFile]] = {}
    for folder in dataset.folders:
        images.setdefault(str(folder.split), []).extend(folder.images)
    return [_Split(name, tuple(of_split)) for name, of_split in images.items()]


def _split_beside(root: str, name: str, grouping: Grouping | None, unread: list[str]) -> _Split:
    """Return the images of a folder beside the source; add what cannot be looked at to `unread`."""
    prefix = f"{name}/"
    images = []
    for found in find_images(to_bytes(os.path.join(root, name))):
        if isinstance(found, str):
            unread.append(normpath(prefix + found))
            continue
        path = prefix + found.path
        images.append(replace(found, path=path, group=grouping.group_of(path, prefix) if grouping else None))
    return _Split(name, tuple(images))


def _of_one_size(splits: Sequence[_Split]) -> Iterator[ImageFile]:
    """Yield the images whose size occurs in two splits."""
    n_splits = Counter(chain.from_iterable({image.stamp.size for image in split.images} for split in splits))
    return (image for split in splits for image in split.images if n_splits[image.stamp.size] > 1)


def _shared_contents(split: _Split, other: _Split, sums: Mapping[str, str]) -> Iterator[Leak]:
    there: dict[str, str] = {}
    for image in other.images:
        if image.path in sums:
            there.setdefault(sums[image.path], image.path)
    for image in split.images:
        if image.path in sums and sums[image.path] in there:
            yield Leak("content", image.path, there[sums[image.path]], other.name)


def _shared_groups(split: _Split, other: _Split) -> Iterator[Leak]:
    here, there = _first_of_groups(split.images), _first_of_groups(other.images)
    for group in here:
        if group in there:
            yield Leak("group", here[group], there[group], other.name, group)


def _first_of_groups(images: Iterable[ImageFile]) -> dict[str, str]:
    first: dict[str, str] = {}
    for image in images:
        if image.group is not None:
            first.setdefault(image.group, image.path)
    return first


def same_contents(root: str, images: Iterable[ImageFile], n_workers: int) -> Contents:
    """Return the sha256 of every image that has the bytes of another.

    Only images of one size are opened, only their ends are read first, and only what ends alike is read in full.
    """
    by_size: dict[int, list[str]] = {}
    for image in images:
        by_size.setdefault(image.stamp.size, []).append(image.path)
    sizes = {path: size for size, paths in by_size.items() if size and len(paths) > 1 for path in paths}
    unread: set[str] = set()
    ends = _alike(_looked_at(hash_ends, root, list(sizes), 4096 * len(sizes), n_workers), sizes, unread)
    n_bytes = sum(sizes[path] for path in ends)
    sums = _alike(_looked_at(hash_files, root, list(ends), n_bytes, n_workers), sizes, unread)
    return Contents(sums, tuple(sorted(unread)))


def _looked_at(
    look: Callable[[bytes, Iterable[str], int], Iterator[Hashed]],
    root: str,
    paths: Sequence[str],
    n_bytes: int,
    n_workers: int,
) -> Iterator[Hashed]:
    """Hash files: in workers, where they are many or large."""
    is_little = len(paths) <= _FEW and n_bytes <= _LITTLE
    return look(to_bytes(root), paths, 0 if is_little else n_workers)


def _alike(hashed: Iterable[Hashed], sizes: Mapping[str, int], unread: set[str]) -> dict[str, str]:
    """Return the sums of what has size and sum of another; add what could not be read to `unread`."""
    paths: dict[tuple[int, str], list[str]] = {}
    for file in hashed:
        if file.sha256 is None:
            unread.add(file.path)
        else:
            paths.setdefault((sizes[file.path], file.sha256), []).append(file.path)
    return {path: sha256 for (_, sha256), same in paths.items() if len(same) > 1 for path in same}
