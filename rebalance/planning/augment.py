"""The plan of `augment`: every class brought to its target by copies that are spread evenly over its images."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rebalance.dataset import ClassFolder, Dataset, ImageFile, to_bytes
from rebalance.drawing import draw_key
from rebalance.errors import TargetError
from rebalance.plan import Augment, ClassTarget, Drop, Duplicate, Keep, Made, Operation, Plan, Recipe, Unusable
from rebalance.planning.naming import generated_path, looks_generated
from rebalance.planning.selection import select_images
from rebalance.planning.targets import SamplingStrategy, over_sampling_targets

MAX_COPIES = 100
"""Copies of one source above which a plan is refused unless `--max-copies` allows them."""
MANY_COPIES = 20
"""Copies of one source above which a plan warns."""


@dataclass(frozen=True, slots=True)
class AugmentOptions:
    """Everything that decides what `augment` makes of a dataset."""

    strategy: SamplingStrategy
    seed: int
    recipe: Recipe
    cap: int | None = None
    cap_method: str = "random"
    window: int = 0
    max_copies: int = MAX_COPIES
    others: Mapping[str, object] = field(default_factory=dict)
    """Options that decide how files are made, for the request alone."""


def plan_augment(dataset: Dataset, options: AugmentOptions, unusable: Mapping[str, Unusable]) -> Plan:
    """Return the plan; `unusable` names images that are known to be no sources.

    Raises TargetError where the target cannot be reached: no source, or more copies of one than are allowed.
    """
    n_capped = {name: min(count, options.cap or count) for name, count in dataset.class_counts.items()}
    n_targets = over_sampling_targets(options.strategy, n_capped)
    shares = {
        folder.name: _share_out(folder, n_capped[folder.name], n_targets[folder.name], options, unusable)
        for folder in dataset.classes
    }
    _check_copies(shares, options.max_copies)
    operations = _operations(dataset, shares, options, unusable)
    for folder in dataset.classes:
        if any(looks_generated(image.path) for image in folder.images):
            deque(operations(folder.name), maxlen=0)  # raises where a name is taken
    return Plan(
        command="augment",
        request=_request(options),
        targets=tuple(ClassTarget(name, shares[name].n_kept, n_targets[name]) for name in n_targets),
        class_counts=dataset.class_counts,
        most_copies={name: share.most_copies for name, share in shares.items()},
        operations=operations,
        recipe=lambda _class_name: options.recipe,
    )


@dataclass(frozen=True, slots=True)
class _Share:
    """How one class reaches its target: images kept, images copied from, and copies to make."""

    n_kept: int
    n_sources: int
    n_copies: int

    @property
    def most_copies(self) -> int:
        return -(-self.n_copies // self.n_sources) if self.n_copies else 0


def _share_out(
    folder: ClassFolder, n_capped: int, n_target: int, options: AugmentOptions, unusable: Mapping[str, Unusable]
) -> _Share:
    kept = _kept(folder, n_capped, options, unusable)
    n_sources = sum(image.path not in unusable for image in kept)
    if n_target > len(kept) and not n_sources:
        raise TargetError(f"class {folder.name!r} has no image left that another can be made from: mend or add some")
    return _Share(len(kept), n_sources, n_target - len(kept))


def _kept(
    folder: ClassFolder, n_capped: int, options: AugmentOptions, unusable: Mapping[str, Unusable]
) -> tuple[ImageFile, ...]:
    """Return the originals that stand in OUTPUT."""
    images = folder.images
    if unusable:
        images = tuple(image for image in images if image.path not in unusable or unusable[image.path].is_kept)
    return select_images(images, n_capped, seed=options.seed, method=options.cap_method, window=options.window)


def _check_copies(shares: Mapping[str, _Share], max_copies: int) -> None:
    name, share = max(shares.items(), key=lambda item: item[1].most_copies)
    if share.most_copies > max_copies:
        raise TargetError(
            f"class {name!r} would need {share.most_copies} copies of each of its {share.n_sources} usable images "
            f"({max_copies} are allowed), and copies are no information: ask for less (-s sqrt, -s 0.1, --cap N), "
            f"weight the loss instead (rebalance inspect), or allow it with --max-copies {share.most_copies}"
        )


def _operations(
    dataset: Dataset, shares: Mapping[str, _Share], options: AugmentOptions, unusable: Mapping[str, Unusable]
) -> Callable[[str], Iterator[Operation]]:
    folders = {folder.name: folder for folder in dataset.classes}

    def operations(class_name: str) -> Iterator[Operation]:
        folder, share = folders[class_name], shares[class_name]
        kept = _kept(folder, share.n_kept, options, unusable)
        sources = [image for image in kept if image.path not in unusable]
        made: list[Made] = [Keep(image, image.path) for image in kept]
        made += copy_operations(sources, share.n_copies, options.seed, is_copied=not options.recipe)
        taken = {image.path for image in folder.images}
        for operation in made[len(kept) :]:
            _check_name(operation, taken)
        yield from sorted(made, key=_output_bytes)
        remaining = {image.path for image in kept}
        for image in folder.images:
            if image.path in unusable and image.path not in remaining:
                yield Drop(image, unusable[image.path].reason, is_bad=True, sha256=unusable[image.path].sha256)
            elif image.path not in remaining:
                yield Drop(image, _reason(options))

    return operations


def _output_bytes(operation: Made) -> bytes:
    return to_bytes(operation.output)


def _reason(options: AugmentOptions) -> str:
    window = f", window {options.window}" if options.cap_method == "window" else ""
    return f"left out by --cap {options.cap} ({options.cap_method}{window})"


def copy_operations(
    sources: Sequence[ImageFile], n_copies: int, seed: int, *, is_copied: bool
) -> Iterator[Augment | Duplicate]:
    """Yield `n_copies` copies, evenly: the extra ones go to the sources with the smallest keys of that copy number.

    More copies only add to fewer. With `is_copied` they are byte for byte.
    """
    if not n_copies:
        return
    n_each, n_extra = divmod(n_copies, len(sources))
    by_key = sorted(sources, key=lambda image: draw_key(seed, image.path, n_each + 1)) if n_extra else []
    extra = {image.path for image in by_key[:n_extra]}
    make, kind = (Duplicate, "dup") if is_copied else (Augment, "aug")
    for image in sources:
        for copy_number in range(1, n_each + 1 + (image.path in extra)):
            yield make(image, generated_path(image.path, kind, seed, copy_number), copy_number)


def _check_name(operation: Made, taken: set[str]) -> None:
    if operation.output in taken:
        raise TargetError(
            f"{operation.output!r} would be generated and is there already: SOURCE looks like an output of rebalance; "
            "start from its source, or take another --seed"
        )
    taken.add(operation.output)


def _request(options: AugmentOptions) -> dict[str, object]:
    window = {"window": options.window} if options.cap_method == "window" else {}
    cap = {"n": options.cap, "method": options.cap_method, **window} if options.cap else None
    return {
        "sampling_strategy": options.strategy.described(),
        "seed": options.seed,
        "cap": cap,
        "recipe": options.recipe,
        **options.others,
    }
