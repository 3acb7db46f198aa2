"""The plan of `undersample`: fewer images of the large classes, none of them changed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from rebalance.dataset import Dataset
from rebalance.plan import SOURCE_LIKE, ClassTarget, Operation, Plan, Unusable
from rebalance.planning.leaving import drop, images_left, keep_all
from rebalance.planning.selection import SMALLEST_KEYS, Selection, select_images
from rebalance.planning.targets import SamplingStrategy, under_sampling_targets


@dataclass(frozen=True, slots=True)
class UndersampleOptions:
    """Everything that decides what `undersample` makes of a dataset."""

    strategy: SamplingStrategy
    seed: int
    selection: Selection = SMALLEST_KEYS
    others: Mapping[str, object] = field(default_factory=dict)
    """Options that decide which files are made and are no business of the plan, for the request alone."""


def plan_undersample(dataset: Dataset, options: UndersampleOptions, unusable: Mapping[str, Unusable]) -> Plan:
    """Return the plan; the targets are those of the dataset without the images that are unusable and not kept.

    Raises TargetError where a class would vanish or an exact count is above what there is.
    """
    left = {folder.name: images_left(folder, unusable) for folder in dataset.classes}
    n_targets = under_sampling_targets(options.strategy, {name: len(images) for name, images in left.items()})
    folders = {folder.directory: folder for folder in dataset.classes}
    kept = {
        name: select_images(images, n_targets[name], options.selection, seed=options.seed)
        for name, images in left.items()
    }
    reason = f"left out by undersample ({options.selection.told()})"

    def operations(directory: str) -> Iterator[Operation]:
        folder = folders[directory]
        yield from keep_all(kept[folder.name], folder)
        remaining = {image.path for image in kept[folder.name]}
        for image in folder.images:
            if image.path not in remaining:
                yield drop(image, reason, unusable)

    return Plan(
        command="undersample",
        request=_request(options),
        targets=tuple(ClassTarget(name, n_target, n_target, dataset.split) for name, n_target in n_targets.items()),
        class_counts=dataset.class_counts,
        most_copies=dict.fromkeys(n_targets, 0),
        n_generated=dict.fromkeys(n_targets, 0),
        operations=operations,
        recipe=lambda _class_name: {},
    )


def _request(options: UndersampleOptions) -> dict[str, object]:
    return {
        "sampling_strategy": options.strategy.described(),
        "seed": options.seed,
        "selection": options.selection.described(),
        "rendering": SOURCE_LIKE._asdict(),
        **options.others,
    }
