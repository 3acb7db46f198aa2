"""The plan of `augment`: every class brought to its target by copies that are spread evenly over its images."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from rebalance.dataset import ClassFolder, Dataset, ImageFile
from rebalance.errors import TargetError
from rebalance.plan import SOURCE_LIKE, ClassTarget, Keep, Made, Operation, Plan, Recipe, Rendering, Unusable
from rebalance.planning.checks import check_copies, check_names
from rebalance.planning.choosing import choose
from rebalance.planning.copies import copies_of_each, most_copies, named
from rebalance.planning.groups import has_groups
from rebalance.planning.leaving import drop_others, images_left
from rebalance.planning.made import MadeOfClass
from rebalance.planning.naming import Place, original_path
from rebalance.planning.selection import SMALLEST_KEYS, Selection
from rebalance.planning.targets import SamplingStrategy, over_sampling_targets

if TYPE_CHECKING:
    from rebalance.vectors import Vectors

MAX_COPIES = 100
"""Copies of one source above which a plan is refused unless `--max-copies` allows them."""
MANY_COPIES = 20
"""Copies of one source above which a plan warns."""
UNEVEN = 0.5
"""How far apart the generated shares of classes may be before someone is warned."""


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

    def drawn_share_of(self, class_name: str) -> Fraction:
        """Return the share of the copies of a class for which values are drawn."""
        if not self.recipe_of(class_name):
            return Fraction(0)
        return 1 - self.identity_share if self.is_transforming else Fraction(1)

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
    shares = {name: share_out(name, used, n_targets[name], options, unusable) for name, used in choice.kept.items()}
    sources = {name: (len(share.sources), share.most_copies) for name, share in shares.items()}
    grouped = {name for name, share in shares.items() if has_groups(share.used)}
    check_copies(sources, options.max_copies, less="-s sqrt, -s 0.1, --cap N", grouped=grouped)
    folders = {folder.directory: folder for folder in dataset.classes}

    def made(directory: str) -> MadeOfClass:
        folder = folders[directory]
        return made_of(folder, [shares[folder.name]], options, unusable)

    def operations(directory: str) -> Iterator[Operation]:
        yield from made(directory).by_output()
        yield from drop_others(folders[directory], choice, f"--cap {options.cap}", unusable)

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
        by_source=lambda directory: made(directory).by_source(),
        recipe=options.recipe_of,
        remarks=choice.remarks,
    )


class Share(NamedTuple):
    """How some images reach a number: those in use, those that are copied from, and copies to make."""

    used: Sequence[ImageFile]
    sources: Sequence[ImageFile]
    n_copies: int
    most_copies: int

    def copies(
        self, class_name: str, options: AugmentOptions, unusable: Mapping[str, Unusable]
    ) -> Iterator[tuple[ImageFile, bytes]]:
        """Yield the images in use and their copies, spread evenly over the sources, as `copies_of_each` has them."""
        each = copies_of_each(
            self.sources,
            self.n_copies,
            options.seed,
            each_once=options.is_transforming,
            drawn_share=options.drawn_share_of(class_name),
        )
        copies = iter(each)
        for image in self.used:
            yield image, b"" if image.path in unusable else next(copies)


def share_out(
    name: str, used: Sequence[ImageFile], n_target: int, options: AugmentOptions, unusable: Mapping[str, Unusable]
) -> Share:
    """Return how images of a class reach a number. Raises TargetError where none is there to make another from."""
    sources = [image for image in used if image.path not in unusable] if unusable else used
    n_originals = len(used) - len(sources) if options.is_transforming else len(used)
    n_copies = n_target - n_originals
    if n_copies > 0 and not sources:
        raise TargetError(f"class {name!r} has no image left that another can be made from: mend or add some")
    most = most_copies(sources, n_copies, options.seed, each_once=options.is_transforming)
    return Share(used, sources, n_copies, most)


def made_of(
    folder: ClassFolder, shares: Iterable[Share], options: AugmentOptions, unusable: Mapping[str, Unusable]
) -> MadeOfClass:
    """Return what puts files of a class into OUTPUT: originals and copies."""
    copied_format = options.rendering.output_format if options.recipe_of(folder.name) else options.made_format
    images: list[ImageFile] = []
    drawn: list[bytes] = []
    for share in shares:
        for image, copies in share.copies(folder.name, options, unusable):
            images.append(image)
            drawn.append(copies)

    def made(index: int) -> Iterator[Made]:
        image, place = images[index], Place.in_folder(folder, images[index])
        if image.path in unusable:
            yield Keep(image, original_path(place, None))  # nothing can be made of it: it stays as it is
        elif not options.is_transforming:
            yield Keep(image, original_path(place, options.made_format))
        yield from named(place, image, drawn[index], options.seed, copied_format)

    return MadeOfClass(folder, images, made)


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
