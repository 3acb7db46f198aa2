"""A balanced set as a list of sources, each with how often it counts, for those who want no second tree."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from rebalance.dataset import ImageFile, to_bytes
from rebalance.plan import Drop, Operation, Plan, Repeat


def as_list(plan: Plan) -> Plan:
    """Return the plan of a list of what another plan would make."""

    def operations(directory: str) -> Iterator[Operation]:
        repetitions: Counter[ImageFile] = Counter()
        dropped = []
        for operation in plan.operations(directory):
            if isinstance(operation, Drop):
                dropped.append(operation)
            else:
                repetitions[operation.source] += 1
        for image in sorted(repetitions, key=lambda image: to_bytes(image.path)):
            yield Repeat(image, repetitions[image])
        yield from dropped

    return replace(plan, request={**plan.request, "write": "list"}, operations=operations, by_source=None)
