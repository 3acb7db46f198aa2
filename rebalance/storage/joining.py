"""Vectors and the images of a source, joined by path."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from rebalance.dataset import Dataset, ImageFile, to_bytes, to_text
from rebalance.errors import VectorsError, listed
from rebalance.planning.naming import folded_name
from rebalance.vectors import RowSource, Vectors, picked

_MAX_NAMED = 20


def joined(
    vectors: Vectors, dataset: Dataset, where: str, *, needing: Callable[[list[ImageFile]], list[ImageFile]] = list
) -> tuple[Vectors, tuple[str, ...]]:
    """Return the vectors of a dataset's images, in their order, and the paths that have none of its images.

    They are joined by path alone; `where` is the file that is named in errors; `needing` says which images without a
    vector need one. Raises VectorsError where such an image has none, or any has changed since.
    """
    images = tuple(dataset.images())
    rows = _rows_by_name(vectors.paths, {image.path for image in images}, dataset.root, where)
    used = set(rows.values())
    extra = tuple(path for row, path in enumerate(vectors.paths) if row not in used)
    missing = [image for image in images if image.path not in rows]
    _check_missing([image.path for image in needing(missing)], extra, len(images), (where, dataset.root))
    images = tuple(image for image in images if image.path in rows)
    order = [rows[image.path] for image in images]
    if vectors.sizes:
        _check_sizes(images, [vectors.sizes[row] for row in order], where)
    kept = Vectors(
        paths=tuple(image.path for image in images),
        rows=vectors.rows
        if order == list(range(len(vectors.paths)))
        else picked(vectors.rows, np.array(order, np.intp)),
        embedder=vectors.embedder,
        sizes=tuple(vectors.sizes[row] for row in order) if vectors.sizes else (),
        sums=tuple(vectors.sums[row] for row in order) if vectors.sums else (),
        lengths=None if vectors.lengths is None else vectors.lengths[order],
    )
    return kept, extra


def _in_order(rows: RowSource, order: Sequence[int]) -> RowSource:
    return rows if order == list(range(len(rows))) else picked(rows, np.array(order, np.intp))


def _rows_by_name(paths: Sequence[str], known: set[str], root: str, where: str) -> dict[str, int]:
    """Return the rows of the images, under the first reading of all paths that finds any. Raises VectorsError."""
    for reading in _READINGS:
        rows: dict[str, int] = {}
        for row, name in enumerate(reading(paths, root)):
            if name in known and rows.setdefault(name, row) != row:
                raise VectorsError(f"{where}: has two rows for {name!r}: {paths[rows[name]]!r} and {paths[row]!r}")
        if rows:
            return rows
    theirs, ours = listed(map(repr, paths[:1])), listed(map(repr, sorted(known)[:1]))
    raise VectorsError(
        f"{where}: none of its paths is that of an image of {root}: it has {theirs or 'none'}, and SOURCE "
        f"{ours or 'none'}: give paths relative to SOURCE"
    )


def _as_they_stand(paths: Sequence[str], _: str) -> Iterator[str]:
    return (path.removeprefix("./") for path in paths)


def _below_root(paths: Sequence[str], root: str) -> Iterator[str]:
    """Yield what follows the root in absolute paths and those relative to the working directory, else nothing."""
    top = os.path.join(os.path.abspath(to_bytes(root)), b"")
    for path in paths:
        full = os.path.abspath(to_bytes(path))
        yield to_text(full.removeprefix(top)) if full.startswith(top) else ""


def _below_real_root(paths: Sequence[str], root: str) -> Iterator[str]:
    """Do the same where symbolic links lead to the root, or to the folders of the paths."""
    top = os.path.join(os.path.realpath(to_bytes(root)), b"")
    real: dict[bytes, bytes] = {}
    for path in paths:
        folder, name = os.path.split(to_bytes(path))
        if folder not in real:
            real[folder] = os.path.realpath(folder)
        full = os.path.join(real[folder], name)
        yield to_text(full.removeprefix(top)) if full.startswith(top) else ""


def _without_common_folders(paths: Sequence[str], _: str) -> Iterator[str]:
    """Yield paths without the leading folders that all have: those of another machine."""
    shared = os.path.commonprefix(paths)  # noqa: RUF071 (what follows its last slash is left)
    n_dropped = shared.rfind("/") + 1
    return (path[n_dropped:] for path in paths)


_Reading = Callable[[Sequence[str], str], Iterator[str]]
_READINGS: tuple[_Reading, ...] = (_as_they_stand, _below_root, _below_real_root, _without_common_folders)
"""What paths may be meant to say, the likeliest first; one holds for a whole file."""


def _check_missing(missing: Sequence[str], extra: Sequence[str], n_images: int, places: tuple[str, str]) -> None:
    if not missing:
        return
    where, root = places
    named = missing[: _MAX_NAMED + 1]
    alike = _look_alikes(named, extra)
    texts = [repr(path) + (f" (the file has {alike[path]!r})" if path in alike else "") for path in named]
    raise VectorsError(
        f"{where}: has no vector for {len(missing)} of the {n_images} images of {root}: {listed(texts)}; "
        "embed it again, or --exclude them"
    )


def _look_alikes(missing: Iterable[str], extra: Iterable[str]) -> dict[str, str]:
    """Return which path of the file differs from each that is missing by case or Unicode form alone."""
    wanted = {folded_name(path): path for path in missing}
    return {wanted[folded]: path for path in extra if (folded := folded_name(path)) in wanted}


def _check_sizes(images: Sequence[ImageFile], sizes: Sequence[int], where: str) -> None:
    changed = [image.path for image, size in zip(images, sizes, strict=True) if image.stamp.size != size]
    if changed:
        raise VectorsError(
            f"{where}: {len(changed)} of the {len(images)} images were changed since they were embedded: "
            f"{listed(map(repr, changed))}; embed them again"
        )
