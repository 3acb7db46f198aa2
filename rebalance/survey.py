"""Looking at many files in workers: do the images decode, what do the bytes hash to, what do they show."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import NamedTuple, TypeVar

from rebalance.backends import begin_item
from rebalance.batches import run_batches
from rebalance.dataset import ImageFile, for_any_process
from rebalance.embedders import AskedEmbedder, open_embedder
from rebalance.errors import BadImageError, StorageError
from rebalance.images.codec import check_pixels
from rebalance.images.embedding import embed_image
from rebalance.images.picture import load_source
from rebalance.images.pipeline import Making, draw_copy
from rebalance.images.synthetic import shown_of
from rebalance.plan import Recipe, Rendering
from rebalance.recipes import draw_attempt
from rebalance.storage.transfer import read_end, read_file, read_source
from rebalance.vectors import Rows

Item = TypeVar("Item")
Result = TypeVar("Result")

_BATCH = 32


class Checked(NamedTuple):
    """An image that was decoded, or why it could not be."""

    path: str
    sha256: str | None
    reason: str | None


class Hashed(NamedTuple):
    """A file's sha256, or why it could not be read."""

    path: str
    sha256: str | None
    reason: str | None


class Described(NamedTuple):
    """What an image shows, in the numbers of an embedder, or why that cannot be said."""

    path: str
    sha256: str | None
    numbers: Rows | None
    reason: str | None


class Copies(NamedTuple):
    """Copies to make of an image, by their numbers, and the recipe of its class."""

    image: ImageFile
    numbers: tuple[int, ...]
    recipe: Recipe


class DescribedCopies(NamedTuple):
    """What some copies of an image show, a row of numbers each; none where nothing is made of it."""

    path: str
    numbers: list[Rows]


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Images with the same bytes."""

    sha256: str
    paths: tuple[str, ...]
    is_across_classes: bool


def check_images(root: str, images: Iterable[ImageFile], n_workers: int, max_pixels: int) -> Iterator[Checked]:
    """Decode every image; yield the verdicts as they come."""
    return surveyed(
        partial(_check, for_any_process(root), max_pixels),
        images,
        n_workers,
        describe=lambda image: repr(image.path),
        told=lambda image, reason: Checked(image.path, None, reason),
    )


def describe_images(
    root: str, images: Iterable[ImageFile], asked: AskedEmbedder, n_workers: int, max_pixels: int
) -> Iterator[Described]:
    """Decode every image and describe it; yield what there is to say as it comes, in any order."""
    describe = partial(_describe, for_any_process(root), asked, max_pixels)
    return surveyed(describe, images, n_workers, describe=lambda image: repr(image.path))


def describe_copies(
    root: str, wanted: Iterable[Copies], asked: AskedEmbedder, drawing: tuple[int, Rendering], n_workers: int
) -> Iterator[DescribedCopies]:
    """Draw copies of images by a seed and a rendering and describe them; yield what there is to say, in any order."""
    describe = partial(_describe_copies, for_any_process(root), asked, drawing)
    return surveyed(describe, wanted, n_workers, describe=lambda copies: repr(copies.image.path))


def hash_files(root: bytes, paths: Iterable[str], n_workers: int) -> Iterator[Hashed]:
    """Hash every file; yield the results as they come."""
    return surveyed(partial(_hash, for_any_process(root)), paths, n_workers, describe=repr)


def hash_ends(root: bytes, paths: Iterable[str], n_workers: int) -> Iterator[Hashed]:
    """Hash the last 4 KiB of every file, by which nearly all that differ are told apart."""
    return surveyed(partial(_hash_end, for_any_process(root)), paths, n_workers, describe=repr)


def find_duplicates(checked: Iterable[Checked], class_of: Mapping[str, str]) -> list[DuplicateGroup]:
    """Return the groups of images that share their bytes, in the order of their paths; `class_of` is by path."""
    paths: dict[str, list[str]] = {}
    for image in checked:
        if image.sha256 is not None:
            paths.setdefault(image.sha256, []).append(image.path)
    groups = [
        DuplicateGroup(sha256, tuple(sorted(same)), len({class_of[path] for path in same}) > 1)
        for sha256, same in paths.items()
        if len(same) > 1
    ]
    return sorted(groups, key=lambda group: group.paths)


def surveyed(
    look: Callable[[Item], Result],
    items: Iterable[Item],
    n_workers: int,
    *,
    describe: Callable[[Item], str],
    told: Callable[[Item, str], Result] | None = None,
) -> Iterator[Result]:
    """Yield what there is to say of each item, as it comes; without workers it is looked at right here.

    Of an item that ends its worker `told` says something, or WorkerError does once all others are looked at.
    """
    if not n_workers:
        return map(look, items)
    remaining = iter(items)
    batches = iter(lambda: list(islice(remaining, _BATCH)), [])
    return chain.from_iterable(
        run_batches(partial(_look_at_all, look), batches, n_workers, describe=describe, told=told)
    )


def _look_at_all(look: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    return [_looked_at(look, item) for item in items]


def _looked_at(look: Callable[[Item], Result], item: Item) -> Result:
    begin_item()
    return look(item)


def _check(root: bytes, max_pixels: int, image: ImageFile) -> Checked:
    try:
        source = read_source(root, image)
    except (BadImageError, StorageError) as error:
        return Checked(image.path, None, str(error))
    try:
        check_pixels(source.data, max_pixels)
    except BadImageError as error:
        return Checked(image.path, source.sha256, str(error))
    return Checked(image.path, source.sha256, None)


def _describe(root: bytes, asked: AskedEmbedder, max_pixels: int, image: ImageFile) -> Described:
    sha256 = None
    try:
        source = read_source(root, image)
        sha256 = source.sha256
        return Described(image.path, sha256, embed_image(source.data, open_embedder(asked), max_pixels), None)
    except BadImageError as error:
        return Described(image.path, sha256, None, str(error))


def _describe_copies(
    root: bytes, asked: AskedEmbedder, drawing: tuple[int, Rendering], copies: Copies
) -> DescribedCopies:
    seed, rendering = drawing
    path = copies.image.path
    try:
        data = read_source(root, copies.image).data
        picture = load_source(data, rendering, copies.recipe)
        making = Making(copies.recipe, rendering)
        drawn = (
            draw_copy(picture, making, partial(draw_attempt, copies.recipe, seed, path, number))
            for number in copies.numbers
        )
        embedder = open_embedder(asked)
        rows = [embedder.describe(shown_of(made.pixels, picture, rendering)) for made in drawn]
    except BadImageError:  # an original of which nothing is made
        return DescribedCopies(path, [])
    return DescribedCopies(path, rows)


def _hash(root: bytes, path: str) -> Hashed:
    return _hashed(root, path, read_file)


def _hash_end(root: bytes, path: str) -> Hashed:
    return _hashed(root, path, read_end)


def _hashed(root: bytes, path: str, read: Callable[[bytes, str], bytes]) -> Hashed:
    try:
        return Hashed(path, hashlib.sha256(read(root, path)).hexdigest(), None)
    except OSError as error:
        return Hashed(path, None, error.strerror or str(error))
