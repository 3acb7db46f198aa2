"""A balanced set as vectors: a row for each image and each synthetic sample, with pictures beside them or without."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from rebalance.dataset import ImageFile
from rebalance.plan import Drop, Interpolate, Keep, Made, Operation, Plan, Repeat, Row
from rebalance.planning.synthesis import Synthetic, aims
from rebalance.vectors import BLOCK, Rows, Vectors


def as_rows(plan: Plan, vectors: Vectors) -> Plan:
    """Return the plan of vectors instead of images."""

    def operations(directory: str) -> Iterator[Operation]:
        for operation in plan.operations(directory):
            if isinstance(operation, Drop | Repeat | Row):
                yield operation
            elif isinstance(operation, Interpolate):
                yield Row(operation.source, operation.copy_number, operation.neighbor, operation.step)
            else:
                yield Row(operation.source, None if isinstance(operation, Keep) else operation.copy_number)

    only_rows = replace(plan, request={**plan.request, "write": "vectors"}, operations=operations, by_source=None)
    return replace(only_rows, rows=_rows_of(only_rows, vectors))


def with_rows(plan: Plan, vectors: Vectors) -> Plan:
    """Return the plan of vectors beside images."""
    return replace(plan, request={**plan.request, "write": "both"}, rows=_rows_of(plan, vectors))


def _rows_of(plan: Plan, vectors: Vectors) -> Callable[[str], Iterator[Rows]]:
    """Return what gives the vectors of the files or lines of a directory, in their order, a block at a time."""
    place_of = {path: place for place, path in enumerate(vectors.paths)}

    def rows(directory: str) -> Iterator[Rows]:
        operations = (made for made in plan.operations(directory) if not isinstance(made, Drop | Repeat))
        while block := list(islice(operations, BLOCK)):
            yield aims(vectors.rows, placed(block, place_of))

    return rows


def placed(made: Sequence[Made | Row], place_of: Mapping[str, int]) -> Synthetic:
    """Return files or lines as samples between rows; `place_of` has the row of each path."""
    pairs = [_pair(one) for one in made]
    return Synthetic(
        np.array([place_of[one.source.path] for one in made], np.intp),
        np.array([place_of[neighbor.path] for neighbor, _ in pairs], np.intp),
        np.array([step for _, step in pairs]),
    )


def _pair(made: Made | Row) -> tuple[ImageFile, float]:
    """Return the other image that something lies towards and how far; of what lies at its source, that."""
    if isinstance(made, Interpolate | Row) and made.neighbor is not None and made.step is not None:
        return made.neighbor, made.step
    return made.source, 0.0
