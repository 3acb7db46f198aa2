"""The splits that are not balanced: validation and test go over as they are, beside whatever becomes of train."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from rebalance.dataset import ClassFolder, Dataset
from rebalance.errors import TargetError
from rebalance.plan import ClassTarget, Made, Operation, Plan, Unusable
from rebalance.planning.leaving import drop, images_left, keep_all


def with_carried(plan: Plan, dataset: Dataset, unusable: Mapping[str, Unusable]) -> Plan:
    """Return a plan that also carries the other splits of the dataset over, all but what cannot be used.

    Raises TargetError where a class of one of them would vanish.
    """
    folders = {folder.directory: folder for folder in dataset.carried if folder.images}
    left = {directory: images_left(folder, unusable) for directory, folder in folders.items()}
    for directory, images in left.items():
        if not images:
            raise TargetError(f"{directory!r} has no image left that can be used: mend or add some")

    def operations(directory: str) -> Iterator[Operation]:
        if directory not in folders:
            yield from plan.operations(directory)
            return
        yield from keep_all(left[directory], folders[directory]).by_output()
        yield from _drop_unusable(folders[directory], unusable)

    def by_source(directory: str) -> Iterator[Made]:
        if directory not in folders:
            return plan.made_by_source(directory)
        return keep_all(left[directory], folders[directory]).by_source()

    carried = (
        ClassTarget(folder.name, len(left[directory]), len(left[directory]), folder.split)
        for directory, folder in folders.items()
    )
    return replace(plan, operations=operations, by_source=by_source, carried=tuple(carried))


def _drop_unusable(folder: ClassFolder, unusable: Mapping[str, Unusable]) -> Iterator[Operation]:
    for image in folder.images:
        if image.path in unusable and not unusable[image.path].is_kept:
            yield drop(image, "cannot be used", unusable)
