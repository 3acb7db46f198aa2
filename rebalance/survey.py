"""Looking at many files in workers: do the images decode, what do the bytes hash to, what do they show."""

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import NamedTuple, TypeVar

from rebalance.backends import run_batches
from rebalance.dataset import ImageFile, to_bytes
from rebalance.embedders import AskedEmbedder, open_embedder
from rebalance.errors import BadImageError, StorageError, WorkerError
from rebalance.images.codec import check_pixels
from rebalance.images.container import Container, read_container
from rebalance.images.embedding import embed_image
from rebalance.images.statistics import Values, measure
from rebalance.storage.transfer import read_end, read_file, read_source
from rebalance.twins import Treatment, Twin, drawn, untouched
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


class Look(NamedTuple):
    """A file to measure, and what is to be done to it before."""

    root: bytes
    path: str
    as_original: Treatment | None = None
    """Makes of it what an original of OUTPUT is."""
    as_generated: Treatment | None = None
    """Leaves the traces of generated files: it is measured without and with them."""

    @property
    def key(self) -> tuple[bytes, str, bool]:
        """What tells it from other looks of an audit."""
        return self.root, self.path, self.as_generated is not None


class Measured(NamedTuple):
    """The statistics of a file, or why there are none."""

    look: Look
    container: Container | None = None
    values: Values | None = None
    """Shape (n_sizes, n_statistics)."""
    drawn: Values | None = None
    """The same with the traces of generated files, where that was asked for."""
    reason: str | None = None


class Twinned(NamedTuple):
    """An image as an original would be and with the traces of generated files, or why that cannot be."""

    path: str
    pair: tuple[Twin, Twin] | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Images with the same bytes."""

    sha256: str
    paths: tuple[str, ...]
    is_across_classes: bool


def check_images(root: str, images: Iterable[ImageFile], n_workers: int, max_pixels: int) -> Iterator[Checked]:
    """Decode every image; yield the verdicts as they come."""
    return _survey(
        partial(_check, to_bytes(root), max_pixels), images, n_workers, describe=lambda image: repr(image.path)
    )


def describe_images(
    root: str, images: Iterable[ImageFile], asked: AskedEmbedder, n_workers: int, max_pixels: int
) -> Iterator[Described]:
    """Decode every image and describe it; yield what there is to say as it comes, in any order."""
    describe = partial(_describe, to_bytes(root), asked, max_pixels)
    return _survey(describe, images, n_workers, describe=lambda image: repr(image.path))


def hash_files(root: bytes, paths: Iterable[str], n_workers: int) -> Iterator[Hashed]:
    """Hash every file; yield the results as they come."""
    return _survey(partial(_hash, root), paths, n_workers, describe=repr)


def hash_ends(root: bytes, paths: Iterable[str], n_workers: int) -> Iterator[Hashed]:
    """Hash the last 4 KiB of every file, by which nearly all that differ are told apart."""
    return _survey(partial(_hash_end, root), paths, n_workers, describe=repr)


def measure_files(
    looks: Iterable[Look], sizes: Sequence[int | None], n_workers: int, max_pixels: int
) -> Iterator[Measured]:
    """Measure every file at each size; yield what there is to say as it comes, in any order."""
    return _survey(partial(_measure, sizes, max_pixels), looks, n_workers, describe=lambda look: repr(look.path))


def make_twins(root: str, images: Iterable[ImageFile], treatment: Treatment, n_workers: int) -> Iterator[Twinned]:
    """Make the twins of every image; yield them as they come, in any order."""
    make = partial(_make_twins, to_bytes(root), treatment)
    return _survey(make, images, n_workers, describe=lambda image: repr(image.path))


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


def _survey(
    look: Callable[[Item], Result], items: Iterable[Item], n_workers: int, *, describe: Callable[[Item], str]
) -> Iterator[Result]:
    """Yield what there is to say of each item; without workers it is looked at right here."""
    if not n_workers:
        return map(look, items)
    remaining = iter(items)
    batches = iter(lambda: list(islice(remaining, _BATCH)), [])
    return chain.from_iterable(run_batches(partial(_look_at_all, look), batches, n_workers, describe=describe))


def _look_at_all(look: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    return [look(item) for item in items]


def _check(root: bytes, max_pixels: int, image: ImageFile) -> Checked:
    try:
        source = read_source(root, image)
    except (BadImageError, StorageError) as error:
        return Checked(image.path, None, str(error))
    try:
        with _memory_for(image):
            check_pixels(source.data, max_pixels)
    except BadImageError as error:
        return Checked(image.path, source.sha256, str(error))
    return Checked(image.path, source.sha256, None)


def _describe(root: bytes, asked: AskedEmbedder, max_pixels: int, image: ImageFile) -> Described:
    sha256 = None
    try:
        source = read_source(root, image)
        sha256 = source.sha256
        with _memory_for(image):
            return Described(image.path, sha256, embed_image(source.data, open_embedder(asked), max_pixels), None)
    except BadImageError as error:
        return Described(image.path, sha256, None, str(error))


def _measure(sizes: Sequence[int | None], max_pixels: int, look: Look) -> Measured:
    try:
        data = read_file(look.root, look.path)
        with _memory_for(look):
            container = read_container(data, max_pixels)
            own = untouched(look.path, data, look.as_original).data if look.as_original else data
            values = measure(own, sizes, max_pixels=max_pixels)
            if look.as_generated is None:
                return Measured(look, container, values)
            try:
                twin = drawn(look.path, data, look.as_generated).data
            except BadImageError:  # an original of which nothing is made
                return Measured(look, container, values)
            return Measured(look, container, values, measure(twin, sizes, max_pixels=max_pixels))
    except BadImageError as error:
        return Measured(look, reason=str(error))
    except OSError as error:
        return Measured(look, reason=error.strerror or str(error))


def _make_twins(root: bytes, treatment: Treatment, image: ImageFile) -> Twinned:
    try:
        data = read_source(root, image).data
        with _memory_for(image):
            pair = untouched(image.path, data, treatment), drawn(image.path, data, treatment)
    except BadImageError as error:
        return Twinned(image.path, None, str(error))
    return Twinned(image.path, pair)


@contextlib.contextmanager
def _memory_for(image: ImageFile | Look) -> Iterator[None]:
    try:
        yield
    except MemoryError:
        raise WorkerError(f"{image.path!r}: not enough memory; run again with fewer --workers") from None


def _hash(root: bytes, path: str) -> Hashed:
    return _hashed(root, path, read_file)


def _hash_end(root: bytes, path: str) -> Hashed:
    return _hashed(root, path, read_end)


def _hashed(root: bytes, path: str, read: Callable[[bytes, str], bytes]) -> Hashed:
    try:
        return Hashed(path, hashlib.sha256(read(root, path)).hexdigest(), None)
    except OSError as error:
        return Hashed(path, None, error.strerror or str(error))
