"""Embedding a dataset: described in workers, placed in one space, written to one file."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rebalance.dataset import Dataset, ImageFile, to_bytes
from rebalance.embedders import AskedEmbedder, open_embedder
from rebalance.errors import OutputRefusedError, TargetError, VectorsError
from rebalance.freshness import changed_since
from rebalance.images.codec import library_versions
from rebalance.images.embedding import Embedder, lengths_of, place_all
from rebalance.plan import Unusable
from rebalance.storage.beside import lock_path, numbers_path
from rebalance.storage.embeddings import read_vectors
from rebalance.storage.lock import exclusive_lock
from rebalance.storage.manifest import digest
from rebalance.storage.npz import write_npz
from rebalance.storage.numbers import NumbersJournal, remove_numbers
from rebalance.storage.output import check_output_file
from rebalance.storage.single import remove_unfinished
from rebalance.survey import Described, describe_images
from rebalance.vectors import Rows, Vectors

Progress = Callable[[int, int], None]
Bad = Mapping[str, Unusable]


class Embedding(NamedTuple):
    """How images are embedded."""

    embedder: AskedEmbedder
    n_workers: int
    max_pixels: int


@dataclass(frozen=True, slots=True)
class Embedded:
    """The vectors of a dataset, in its order, and the images that have none."""

    vectors: Vectors
    bad: Bad
    """By path; none of them is kept."""
    n_reused: int = 0
    """Images that an earlier run had described."""
    is_up_to_date: bool = False


def embed(dataset: Dataset, asked: Embedding, progress: Progress, journal: NumbersJournal | None = None) -> Embedded:
    """Embed every image, those that are carried over included: they share one space.

    Raises TargetError where no image decodes, UsageError where a model does not run, and VectorsError where it gives no
    numbers for an image.
    """
    embedder = open_embedder(asked.embedder)
    images = {image.path: image for image in dataset.images()}
    if not images:
        raise TargetError(
            f"{dataset.root}: has no image, so there is nothing to look at: --exclude may leave too much out"
        )
    table = _Table(images)
    for described in _found_again(images, journal) if journal else ():
        table.put(described)
    n_reused = table.n_put
    wanted = [image for path, image in images.items() if path not in table.sums]
    for described in describe_images(dataset.root, wanted, asked.embedder, asked.n_workers, asked.max_pixels):
        if described.numbers is not None:
            _check_numbers(described.numbers, described.path, embedder)
            if journal:
                journal.append(described.path, images[described.path].stamp, str(described.sha256), described.numbers)
        table.put(described)
        progress(table.n_put, len(images))
    if table.rows is None:
        path, image = min(table.bad.items())
        raise TargetError(
            f"no image of the source decodes, so nothing can be told of what is alike: {path!r}: {image.reason}"
        )
    good = [path for path in images if path not in table.bad]
    numbers = table.rows if len(good) == len(images) else table.rows[[table.place_of[path] for path in good]]
    rows, space = place_all(numbers, embedder)
    vectors = Vectors(
        paths=tuple(good),
        rows=rows,
        embedder=space,
        sizes=tuple(images[path].stamp.size for path in good),
        sums=tuple(str(table.sums[path]) for path in good),
        lengths=lengths_of(numbers, embedder),
    )
    return Embedded(vectors, {path: table.bad[path] for path in images if path in table.bad}, n_reused)


class _Table:
    """What is said of images so far, the numbers in one array."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.place_of = {path: place for place, path in enumerate(paths)}
        self.rows: Rows | None = None
        self.sums: dict[str, str | None] = {}
        self.bad: dict[str, Unusable] = {}

    @property
    def n_put(self) -> int:
        return len(self.sums)

    def put(self, described: Described) -> None:
        self.sums[described.path] = described.sha256
        if described.numbers is None:
            self.bad |= _bad([described])
            return
        if self.rows is None:
            self.rows = np.empty((len(self.place_of), len(described.numbers)), np.float32)
        self.rows[self.place_of[described.path]] = described.numbers


def find_bad(root: str, images: Sequence[ImageFile], asked: Embedding) -> dict[str, Unusable]:
    """Return which of some images cannot be embedded, and why."""
    found = describe_images(root, images, asked.embedder, asked.n_workers, asked.max_pixels) if images else ()
    return dict(sorted(_bad(found).items()))


def embed_to_file(
    dataset: Dataset,
    asked: Embedding,
    output: str,
    progress: Progress,
    *,
    is_overwriting: bool,
    check: Callable[[Bad], None],
) -> Embedded:
    """Embed every image to an .npz, whole or not at all; what is finished is kept beside it until it stands.

    `check` raises where the images without a vector end the run. Raises OutputRefusedError where there is another file.
    """
    path = to_bytes(output)
    with exclusive_lock(lock_path(path)):
        is_there = check_output_file(dataset, output)
        if is_there:
            standing, bad, difference = _standing(output, dataset, asked)
            if standing is not None and difference is None:
                remove_numbers(numbers_path(path))
                remove_unfinished(path)
                check(bad)
                return Embedded(standing, bad, is_up_to_date=True)
            if not is_overwriting or standing is None:
                way_out = "move it away" if standing is None else "--overwrite replaces it"
                raise OutputRefusedError(f"{output}: is there and not what this run makes: {difference}; {way_out}")
        journal = NumbersJournal(numbers_path(path), _journal_key(asked))
        with contextlib.closing(journal):
            embedded = embed(dataset, asked, progress, journal)
            check(embedded.bad)
            write_npz(output, embedded.vectors, is_replacing=is_there, is_locked=True)
            remove_numbers(numbers_path(path))
    return embedded


def _bad(described: Iterable[Described]) -> dict[str, Unusable]:
    """Return the images of which there is nothing to say."""
    return {
        one.path: Unusable(one.reason or "", is_kept=False, sha256=one.sha256)
        for one in described
        if one.numbers is None
    }


def _journal_key(asked: Embedding) -> str:
    """Return the digest of all that decides what is said of an image."""
    embedder = open_embedder(asked.embedder)
    return digest([embedder.identity, embedder.versions, asked.max_pixels, library_versions("pillow")])


def _check_numbers(numbers: Rows, path: str, embedder: Embedder) -> None:
    """Raise VectorsError where a model gives what has no direction."""
    is_finite = bool(np.isfinite(numbers).all())
    if is_finite and (embedder.has_zeros or numbers.any()):
        return
    what = "only zeros" if is_finite else "numbers that are not finite"
    raise VectorsError(f"{path!r}: the model gives {what}: look at its settings, or --exclude the image")


def _found_again(images: Mapping[str, ImageFile], journal: NumbersJournal) -> Iterator[Described]:
    for path, image in images.items():
        if (row := journal.find(path, image.stamp)) is not None:
            yield Described(path, row[0], row[1], None)


def _standing(output: str, dataset: Dataset, asked: Embedding) -> tuple[Vectors | None, Bad, str | None]:
    """Return what stands at OUTPUT, where that is a file of ours, and what of it differs from what would be made.

    And the images that have no vector and cannot have one.
    """
    try:
        vectors = read_vectors(output)
    except VectorsError as error:
        return None, {}, str(error)
    if not vectors.embedder or not vectors.sums or not vectors.sizes:
        return None, {}, "it is not a file of rebalance embed"
    for key, value in open_embedder(asked.embedder).identity.items():
        if vectors.embedder.get(key) != value:
            made_by = vectors.embedder.get("name")
            more = f" of another {key}" if key != "name" else ""
            return vectors, {}, f"it was made by the embedder {made_by}{more}"
    known = set(vectors.paths)
    bad = find_bad(dataset.root, [image for image in dataset.images() if image.path not in known], asked)
    return vectors, bad, _difference(vectors, dataset, bad, os.stat(to_bytes(output)).st_mtime_ns)


def _difference(vectors: Vectors, dataset: Dataset, bad: Bad, written_ns: int) -> str | None:
    """Return the first image that the vectors, written at that time, do not know as it is; None where all are known."""
    known = dict(zip(vectors.paths, zip(vectors.sizes, vectors.sums, strict=True), strict=True))
    for image in dataset.images():
        if image.path not in bad and known.get(image.path, (-1,))[0] != image.stamp.size:
            what = "was changed" if image.path in known else "has no vector"
            return f"{image.path!r} {what}"
    sums = dict(zip(vectors.paths, vectors.sums, strict=True))
    for path in changed_since(dataset, sums, written_ns, n_workers=0)[:1]:
        return f"{path!r} was changed"
    gone = known.keys() - {image.path for image in dataset.images()}
    return f"{min(gone)!r} is gone" if gone else None
