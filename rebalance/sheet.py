"""A sheet of synthetic samples: what each lies between, what shows it, and the real image nearest to where it lies."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from rebalance.dataset import Dataset, to_bytes
from rebalance.drawing import draw_key
from rebalance.images.sheet import Block, Cell, Shape, render_sheet
from rebalance.plan import ClassTarget, Interpolate, Plan, Row
from rebalance.planning.likeness import nearest
from rebalance.planning.rows import placed
from rebalance.planning.synthesis import aims
from rebalance.storage.request import rendering_of
from rebalance.storage.single import replace_file
from rebalance.storage.transfer import read_file
from rebalance.vectors import Vectors, picked

_N_SAMPLES = 12
"""Of a class."""
_N_CLASSES = 40

Sample = Interpolate | Row


def write_sheet(path: str, plan: Plan, dataset: Dataset, vectors: Vectors, output: str) -> int:
    """Write a sheet of samples of every class that has some; return how many classes are not on it, for want of room.

    Raises OSError where a file of OUTPUT or SOURCE cannot be read, or the sheet not be written.
    """
    chosen = {target: samples for target in plan.targets if (samples := _samples_of(plan, target))}
    shown = dict(list(chosen.items())[:_N_CLASSES])
    class_of = {image.path: folder.name for folder in dataset.classes for image in folder.images}
    near = iter(_nearest_real([made for samples in shown.values() for made in samples], vectors, class_of))
    blocks = (
        _block(target, samples, (to_bytes(dataset.root), to_bytes(output)), list(islice(near, len(samples))))
        for target, samples in shown.items()
    )
    shape = Shape(len(shown), n_rows=4, n_columns=max(map(len, shown.values()), default=0))
    replace_file(path, render_sheet(blocks, shape, rendering_of(plan.request).max_pixels))
    return len(chosen) - len(shown)


def _samples_of(plan: Plan, target: ClassTarget) -> list[Sample]:
    """Return some samples of a class, by the smallest keys."""
    made = (made for made in plan.operations(target.directory) if isinstance(made, Interpolate | Row))
    samples: list[Sample] = [made for made in made if made.neighbor is not None]
    seed = plan.request["seed"]
    return sorted(samples, key=lambda made: draw_key(seed, made.source.path, made.copy_number or 0))[:_N_SAMPLES]


def _block(
    target: ClassTarget, samples: Sequence[Sample], trees: tuple[bytes, bytes], near: Sequence["_Real"]
) -> Block:
    """Return the rows of a class; files of SOURCE and OUTPUT are read when they are looked at."""
    source, output = trees
    rows: list[tuple[str, Iterator[Cell]]] = [
        ("base", (Cell(read_file(source, made.source.path)) for made in samples)),
        ("synthetic", (_made(made, output) for made in samples)),
        ("neighbor", (Cell(read_file(source, _neighbor(made))) for made in samples)),
        ("nearest real", (Cell(read_file(source, one.path), f"{one.class_name} {one.cosine:.2f}") for one in near)),
    ]
    return Block(f"{target.class_name}: {target.n_current} images -> {target.n_target}", rows)


def _made(made: Sample, output: bytes) -> Cell:
    data = read_file(output, made.output) if isinstance(made, Interpolate) else None
    return Cell(data, f"step {made.step:.2f}")


def _neighbor(made: Sample) -> str:
    assert made.neighbor is not None
    return made.neighbor.path


class _Real(NamedTuple):
    """The image nearest to where a sample lies, its class, and the cosine between both."""

    path: str
    class_name: str
    cosine: float


def _nearest_real(samples: Sequence[Sample], vectors: Vectors, class_of: Mapping[str, str]) -> list[_Real]:
    if not samples:
        return []
    places = np.array([place for place, path in enumerate(vectors.paths) if path in class_of], np.intp)
    place_of = {vectors.paths[place]: place for place in places.tolist()}
    lies = aims(vectors.rows, placed(samples, place_of)).astype(np.float64)
    lies /= np.maximum(np.linalg.norm(lies, axis=1, keepdims=True), 1e-12)
    found = nearest(picked(vectors.rows, places), lies.astype(np.float32), 1)
    pairs = zip(found.indices[:, 0].tolist(), found.distances[:, 0].tolist(), strict=True)
    paths = ((vectors.paths[places[index]], 1 - distance**2 / 2) for index, distance in pairs)
    return [_Real(path, class_of[path], cosine) for path, cosine in paths]
