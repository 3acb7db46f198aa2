"""The plan of `undersample`: fewer images of the large classes, none of them changed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rebalance.dataset import Dataset
from rebalance.plan import SOURCE_LIKE, ClassTarget, Operation, Plan, Unusable
from rebalance.planning.choosing import choose
from rebalance.planning.leaving import drop_others, images_left, keep_all
from rebalance.planning.selection import SMALLEST_KEYS, Selection
from rebalance.planning.targets import SamplingStrategy, classes_to_clean, under_sampling_targets

if TYPE_CHECKING:
    from rebalance.vectors import Vectors


@dataclass(frozen=True, slots=True)
class UndersampleOptions:
    """Everything that decides what `undersample` makes of a dataset."""

    strategy: SamplingStrategy
    seed: int
    selection: Selection = SMALLEST_KEYS
    vectors: "Vectors | None" = None
    """Of the images that are balanced, where a method looks at them."""
    others: Mapping[str, object] = field(default_factory=dict)
    """Options that decide which files are made and are no business of the plan, for the request alone."""


def plan_undersample(dataset: Dataset, options: UndersampleOptions, unusable: Mapping[str, Unusable]) -> Plan:
    """Return the plan; the targets are those of the dataset without the images that are unusable and not kept.

    Raises TargetError where a class would vanish or an exact count is above what there is.
    """
    left = {folder.name: images_left(folder, unusable) for folder in dataset.classes}
    n_kept = _numbers_to_keep(options, {name: len(images) for name, images in left.items()})
    choice = choose(left, n_kept, options.selection, options.vectors, seed=options.seed)
    folders = {folder.directory: folder for folder in dataset.classes}

    def operations(directory: str) -> Iterator[Operation]:
        folder = folders[directory]
        yield from keep_all(choice.kept[folder.name], folder).by_output()
        yield from drop_others(folder, choice, "undersample", unusable)

    n_targets = {name: len(images) for name, images in choice.kept.items()}
    return Plan(
        command="undersample",
        request=request_of_undersample(options),
        targets=tuple(ClassTarget(name, n_target, n_target, dataset.split) for name, n_target in n_targets.items()),
        class_counts=dataset.class_counts,
        most_copies=dict.fromkeys(n_targets, 0),
        n_generated=dict.fromkeys(n_targets, 0),
        operations=operations,
        by_source=lambda directory: keep_all(choice.kept[folders[directory].name], folders[directory]).by_source(),
        recipe=lambda _class_name: {},
        remarks=choice.remarks,
    )


def check_numbers(options: UndersampleOptions, dataset: Dataset) -> None:
    """Raise what planning would raise of the numbers that are asked for, before any picture is looked at."""
    _numbers_to_keep(options, dataset.class_counts)


def _numbers_to_keep(options: UndersampleOptions, counts: Mapping[str, int]) -> dict[str, int | None]:
    """Return how many images of each class are to be kept; None: what cleaning leaves of it.

    Raises TargetError where that cannot be, and UsageError where a method that only cleans is given a number.
    """
    if options.selection.method is not None:
        return {**under_sampling_targets(options.strategy, counts)}
    cleaned = classes_to_clean(options.strategy, counts, ",".join(options.selection.methods))
    return {name: None if name in cleaned else count for name, count in counts.items()}


def request_of_undersample(options: UndersampleOptions) -> dict[str, object]:
    """Return everything that decides what is kept."""
    return {
        "sampling_strategy": options.strategy.described(),
        "seed": options.seed,
        "selection": options.selection.described(),
        "rendering": SOURCE_LIKE._asdict(),
        **options.others,
    }
