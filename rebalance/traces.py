"""Looking at many files in workers for the traces of what was done to them, or leaving such traces."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from rebalance.dataset import ImageFile, for_any_process
from rebalance.errors import BadImageError
from rebalance.images.container import Container, read_container
from rebalance.images.statistics import Values, measure
from rebalance.storage.transfer import read_file, read_source
from rebalance.survey import surveyed
from rebalance.twins import Original, Treatment, Twin


class Look(NamedTuple):
    """A file to measure, and what is to be done to it before."""

    root: bytes
    path: str
    treatment: Treatment | None = None
    is_source: bool = False
    """Whether the treatment is to make of it first what an original of OUTPUT is."""
    is_drawn: bool = False
    """Whether a draw of it by the treatment, and a twin, are measured too."""

    @property
    def key(self) -> tuple[bytes, str, bool]:
        """What tells it from other looks of an audit."""
        return self.root, self.path, self.is_drawn


class Measured(NamedTuple):
    """The statistics of a file, or why there are none."""

    look: Look
    container: Container | None = None
    values: Values | None = None
    """Shape (n_sizes, n_statistics)."""
    drawn: Values | None = None
    """The same of a draw, where that was asked for."""
    twin: Values | None = None
    """The same of a draw that nobody sees."""
    reason: str | None = None


class Twinned(NamedTuple):
    """An image as an original would be and with the traces of generated files, or why that cannot be."""

    path: str
    pair: tuple[Twin, Twin] | None
    reason: str | None = None


def measure_files(
    looks: Iterable[Look], sizes: Sequence[int | None], n_workers: int, max_pixels: int
) -> Iterator[Measured]:
    """Measure every file at each size; yield what there is to say as it comes, in any order."""
    return surveyed(partial(_measure, sizes, max_pixels), looks, n_workers, describe=lambda look: repr(look.path))


def make_twins(root: str, images: Iterable[ImageFile], treatment: Treatment, n_workers: int) -> Iterator[Twinned]:
    """Make the twins of every image; yield them as they come, in any order."""
    make = partial(_make_twins, for_any_process(root), treatment)
    return surveyed(make, images, n_workers, describe=lambda image: repr(image.path))


def _measure(sizes: Sequence[int | None], max_pixels: int, look: Look) -> Measured:
    try:
        data = read_file(look.root, look.path)
        container = read_container(data, max_pixels)
        original = Original(look.path, data, look.treatment) if look.treatment else None
        own = original.untouched().data if original and look.is_source else data
        values = measure(own, sizes, max_pixels=max_pixels)
        if original is None or not look.is_drawn:
            return Measured(look, container, values)
        try:
            pair = original.redrawn(), original.drawn()
        except BadImageError:  # an original of which nothing is made
            return Measured(look, container, values)
        of_draw, of_twin = (measure(one.data, sizes, max_pixels=max_pixels) for one in pair)
        return Measured(look, container, values, of_draw, of_twin)
    except BadImageError as error:
        return Measured(look, reason=str(error))
    except OSError as error:
        return Measured(look, reason=error.strerror or str(error))


def _make_twins(root: bytes, treatment: Treatment, image: ImageFile) -> Twinned:
    try:
        data = read_source(root, image).data
        original = Original(image.path, data, treatment)
        pair = original.untouched(), original.drawn()
    except BadImageError as error:
        return Twinned(image.path, None, str(error))
    return Twinned(image.path, pair)
