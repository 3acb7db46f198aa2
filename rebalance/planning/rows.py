"""A balanced set as vectors: a row for each image and each synthetic sample, with pictures beside them or without."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import numpy as np

from rebalance.plan import Drop, Interpolate, Operation, Plan, Repeat, Row
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
                yield Row(operation.source, getattr(operation, "copy_number", None))

    only_rows = replace(plan, request={**plan.request, "write": "vectors"}, operations=operations)
    return replace(only_rows, rows=_rows_of(only_rows, vectors))


def with_rows(plan: Plan, vectors: Vectors) -> Plan:
    """Return the plan of vectors beside images."""
    return replace(plan, request={**plan.request, "write": "both"}, rows=_rows_of(plan, vectors))


class _rows_of:  # noqa: N801  a function that is asked again and again
    """From the directory of a target to the vectors of its files or lines, in their order, a block at a time."""

    def __init__(self, plan: Plan, vectors: Vectors) -> None:
        self._plan = plan
        self._vectors = vectors
        self._place_of = {path: place for place, path in enumerate(vectors.paths)}

    def __call__(self, directory: str) -> Iterator[Rows]:
        operations = (made for made in self._plan.operations(directory) if not isinstance(made, Drop | Repeat))
        while block := list(islice(operations, BLOCK)):
            others = [getattr(made, "neighbor", None) or made.source for made in block]
            yield aims(
                self._vectors.rows,
                Synthetic(
                    np.array([self._place_of[made.source.path] for made in block], np.intp),
                    np.array([self._place_of[other.path] for other in others], np.intp),
                    np.array([getattr(made, "step", None) or 0.0 for made in block]),
                ),
            )
