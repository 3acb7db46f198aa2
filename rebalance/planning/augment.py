"""The plan of `augment`: every class brought to its target by copies that are spread evenly over its images."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

from rebalance.dataset import Dataset, ImageFile, to_bytes
from rebalance.errors import TargetError
from rebalance.plan import (
    SOURCE_LIKE,
    ClassTarget,
    Keep,
    Made,
    Operation,
    Plan,
    Recipe,
    Rendering,
    Unusable,
)
from rebalance.planning.checks import check_copies, check_names
from rebalance.planning.choice import Choice
from rebalance.planning.choosing import choose
from rebalance.planning.copies import most_copies, named, spread_copies
from rebalance.planning.groups import has_groups
from rebalance.planning.leaving import drop_others, images_left
from rebalance.planning.naming import Place, original_path
from rebalance.planning.selection import SMALLEST_KEYS, Selection
from rebalance.planning.targets import SamplingStrategy, over_sampling_targets

if TYPE_CHECKING:
    from rebalance.vectors import Vectors

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
    class_recipes: Mapping[str, Recipe] = field(default_factory=dict)
    """Of the classes that have one of their own."""
    identity_share: Fraction = Fraction(0)
    """Share of every class for which nothing is drawn where originals are transformed."""
    rendering: Rendering = SOURCE_LIKE
    cap: int | None = None
    selection: Selection = SMALLEST_KEYS
    """Which images the cap keeps."""
    vectors: "Vectors | None" = None
    """Of the images that are balanced, where the method of the cap looks at them."""
    max_copies: int = MAX_COPIES
    others: Mapping[str, object] = field(default_factory=dict)
    """Options that decide which files are made and are no business of the plan, for the request alone."""

    def recipe_of(self, class_name: str) -> Recipe:
        """Return the recipe of a class."""
        return self.class_recipes.get(class_name, self.recipe)

    @property
    def is_transforming(self) -> bool:
        """Return whether originals are replaced by draws."""
        return self.rendering.originals == "transform"

    @property
    def made_format(self) -> str | None:
        """Return the format that originals are encoded in; None where they stay as they are."""
        return None if self.rendering.originals == "keep" else self.rendering.output_format


def plan_augment(dataset: Dataset, options: AugmentOptions, unusable: Mapping[str, Unusable]) -> Plan:
    """Return the plan; `unusable` names images that are known to be no sources.

    Raises TargetError where the target cannot be reached: no source, or more copies of one than are allowed.
    """
    n_capped = {name: min(count, options.cap or count) for name, count in dataset.class_counts.items()}
    n_targets = over_sampling_targets(options.strategy, n_capped)
    left = {folder.name: images_left(folder, unusable) for folder in dataset.classes}
    choice = choose(left, {**n_capped}, options.selection, options.vectors, seed=options.seed)
    shares = {name: _share_out(name, used, n_targets[name], options, unusable) for name, used in choice.kept.items()}
    sources = {name: (share.n_sources, share.most_copies) for name, share in shares.items()}
    less = "-s sqrt, -s 0.1, --cap N"
    check_copies(
        sources, options.max_copies, less=less, grouped={name for name, share in shares.items() if share.is_grouped}
    )
    operations = _operations(dataset, shares, choice, options, unusable)
    for folder in dataset.classes:
        check_names(folder, operations, is_renaming=options.made_format is not None)
    return Plan(
        command="augment",
        request=request_of_augment(options),
        targets=tuple(ClassTarget(name, len(shares[name].used), n_targets[name], dataset.split) for name in n_targets),
        class_counts=dataset.class_counts,
        most_copies={name: share.most_copies for name, share in shares.items()},
        n_generated={name: share.n_copies for name, share in shares.items()},
        operations=operations,
        recipe=options.recipe_of,
        remarks=choice.remarks,
    )


@dataclass(frozen=True, slots=True)
class _Share:
    """How one class reaches its target: images in use, how many are copied from, and copies to make."""

    used: tuple[ImageFile, ...]
    n_sources: int
    n_copies: int
    most_copies: int

    @property
    def is_grouped(self) -> bool:
        return has_groups(self.used)


def _share_out(
    name: str, used: tuple[ImageFile, ...], n_target: int, options: AugmentOptions, unusable: Mapping[str, Unusable]
) -> _Share:
    sources = [image for image in used if image.path not in unusable]
    n_originals = len(used) - len(sources) if options.is_transforming else len(used)
    n_copies = n_target - n_originals
    if n_copies > 0 and not sources:
        raise TargetError(f"class {name!r} has no image left that another can be made from: mend or add some")
    return _Share(
        used, len(sources), n_copies, most_copies(sources, n_copies, options.seed, each_once=options.is_transforming)
    )


def _operations(
    dataset: Dataset,
    shares: Mapping[str, _Share],
    choice: Choice,
    options: AugmentOptions,
    unusable: Mapping[str, Unusable],
) -> Callable[[str], Iterator[Operation]]:
    folders = {folder.directory: folder for folder in dataset.classes}

    def operations(directory: str) -> Iterator[Operation]:
        folder = folders[directory]
        share, place_of = shares[folder.name], partial(Place.in_folder, folder)
        sources = [image for image in share.used if image.path not in unusable]
        made: list[Made] = list(originals_of(share.used, place_of, options, unusable))
        made_format = options.rendering.output_format if options.recipe_of(folder.name) else options.made_format
        copies = spread_copies(
            sources,
            share.n_copies,
            options.seed,
            each_once=options.is_transforming,
            drawn_share=_drawn_share(folder.name, options),
        )
        made += named(copies, folder, options.seed, made_format)
        yield from sorted(made, key=_output_bytes)
        yield from drop_others(folder, choice, f"--cap {options.cap}", unusable)

    return operations


def originals_of(
    used: Sequence[ImageFile],
    place_of: Callable[[ImageFile], Place],
    options: AugmentOptions,
    unusable: Mapping[str, Unusable],
) -> Iterator[Keep]:
    """Yield the originals that stand in OUTPUT; those that nothing can be made of stay as they are."""
    for image in used:
        if image.path in unusable:
            yield Keep(image, original_path(place_of(image), None))
        elif not options.is_transforming:
            yield Keep(image, original_path(place_of(image), options.made_format))


def _drawn_share(class_name: str, options: AugmentOptions) -> Fraction:
    """Return the share of copies for which values are drawn."""
    if not options.recipe_of(class_name):
        return Fraction(0)
    return 1 - options.identity_share if options.is_transforming else Fraction(1)


def _output_bytes(operation: Made) -> bytes:
    return to_bytes(operation.output)


def request_of_augment(options: AugmentOptions) -> dict[str, object]:
    """Return everything that decides what is made."""
    cap = {"n": options.cap, **options.selection.described()} if options.cap else None
    share = {"identity_share": str(options.identity_share)} if options.is_transforming else {}
    return {
        "sampling_strategy": options.strategy.described(),
        "seed": options.seed,
        "cap": cap,
        "recipe": options.recipe,
        "class_recipes": options.class_recipes,
        **share,
        "rendering": options.rendering._asdict(),
        **options.others,
    }
