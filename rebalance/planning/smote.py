"""The plan of `smote`: every class brought to its target by synthetic samples between images of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from rebalance.dataset import ClassFolder, Dataset, ImageFile
from rebalance.errors import TargetError
from rebalance.plan import (
    SOURCE_LIKE,
    ClassTarget,
    Interpolate,
    Keep,
    Made,
    Operation,
    Plan,
    Recipe,
    Rendering,
    Unusable,
)
from rebalance.planning.augment import MAX_COPIES
from rebalance.planning.checks import check_copies, check_names
from rebalance.planning.choice import Choice
from rebalance.planning.cloud import Cloud, cleaned, cloud_of
from rebalance.planning.copies import named
from rebalance.planning.leaving import drop_others, images_left
from rebalance.planning.made import MadeOfClass
from rebalance.planning.naming import Place, generated_path, original_path
from rebalance.planning.rows import placed
from rebalance.planning.synthesis import NOTHING, Asked, Synthetic, aims, synthesize
from rebalance.planning.targets import SamplingStrategy, over_sampling_targets
from rebalance.vectors import Vectors

_LESS = "-s sqrt, -s 0.1"


class Showing(NamedTuple):
    """How a synthetic sample is made visible."""

    render: str = "nearest"
    n_candidates: int = 8
    decoder: Mapping[str, object] | None = None
    """What names the model of `decoder` and the lengths of the vectors it gets, ready for JSON."""
    space: str | None = None
    """Digest of the space in which `nearest` places copies."""


@dataclass(frozen=True, slots=True)
class SmoteOptions:
    """Everything that decides what `smote` makes of a dataset."""

    strategy: SamplingStrategy
    asked: Asked
    vectors: Vectors | None
    """None before any picture is looked at."""
    singletons: str = "augment"
    clean: str | None = None
    showing: Showing = field(default_factory=Showing)
    recipe: Recipe = field(default_factory=dict)
    class_recipes: Mapping[str, Recipe] = field(default_factory=dict)
    rendering: Rendering = SOURCE_LIKE
    max_copies: int = MAX_COPIES
    others: Mapping[str, object] = field(default_factory=dict)
    """Options that decide which files are made and are no business of the plan, for the request alone."""

    @property
    def seed(self) -> int:
        """Return the seed of everything that is drawn."""
        return self.asked.seed

    @property
    def made_format(self) -> str | None:
        """Return the format that originals are encoded in; None where they stay as they are."""
        return None if self.rendering.originals == "keep" else self.rendering.output_format

    def recipe_of(self, class_name: str) -> Recipe:
        """Return the recipe of a class."""
        return self.class_recipes.get(class_name, self.recipe)


def plan_smote(dataset: Dataset, options: SmoteOptions, unusable: Mapping[str, Unusable]) -> Plan:
    """Return the plan; `unusable` names images that are known to be no sources, and have no vector.

    Raises TargetError where the target cannot be reached, or a sample would lie between images of two classes.
    """
    n_targets = over_sampling_targets(options.strategy, dataset.class_counts)
    left = {folder.name: images_left(folder, unusable) for folder in dataset.classes}
    sources = {name: tuple(image for image in images if image.path not in unusable) for name, images in left.items()}
    n_missing = {name: n_targets[name] - len(left[name]) for name in left}
    _check_sources(sources, n_missing, options)
    assert options.vectors is not None
    cloud = cloud_of(sources, options.vectors)
    wanted = {label: n_missing[name] for label, name in enumerate(sources) if len(sources[name]) > 1}
    samples, remarks = synthesize(cloud.points, wanted, options.asked)
    _check_one_class(cloud, samples, options)
    full = [label for label, name in enumerate(sources) if n_missing[name] <= 0]
    choice = cleaned(cloud, samples, left, full, options.clean, options.seed)
    by_class = {name: samples.get(label, NOTHING) for label, name in enumerate(sources)}
    folders = {folder.directory: folder for folder in dataset.classes}
    made = _Made(folders, options, cloud, choice, by_class, sources, n_missing, unusable)
    most = {name: (len(sources[name]), made.most_copies(name)) for name in sources}
    check_copies(most, options.max_copies, less=_LESS, grouped=most)
    for folder in dataset.classes:
        check_names(folder, made.operations, is_renaming=options.made_format is not None)
    kept = choice.kept
    return Plan(
        command="smote",
        request=_request(options),
        targets=tuple(
            ClassTarget(name, len(kept[name]), len(kept[name]) + max(0, n_missing[name]), dataset.split)
            for name in n_targets
        ),
        class_counts=dataset.class_counts,
        most_copies={name: n_most for name, (_, n_most) in most.items()},
        n_generated={name: max(0, n_missing[name]) for name in n_targets},
        operations=made.operations,
        by_source=made.by_source,
        recipe=options.recipe_of,
        remarks=(*remarks, *choice.remarks),
        aimed=made.aimed,
    )


def check_numbers(dataset: Dataset, options: SmoteOptions) -> None:
    """Raise what planning would raise of the numbers that are asked for, before any picture is looked at."""
    n_targets = over_sampling_targets(options.strategy, dataset.class_counts)
    n_missing = {name: n_targets[name] - count for name, count in dataset.class_counts.items()}
    _check_sources({folder.name: folder.images for folder in dataset.classes}, n_missing, options)


def search_size(dataset: Dataset, options: SmoteOptions) -> float:
    """Return how many products of numbers it takes to find the neighbors."""
    if options.vectors is None:
        return 0.0
    counts = dataset.class_counts
    n_targets = over_sampling_targets(options.strategy, counts)
    n_own = sum(count**2 for name, count in counts.items() if n_targets[name] > count)
    n_all = sum(count for name, count in counts.items() if n_targets[name] > count) * sum(counts.values())
    n_pairs = n_own + (0 if options.asked.method == "smote" else n_all)
    return float(n_pairs * options.vectors.rows.shape[1])


def _check_sources(
    sources: Mapping[str, Sequence[ImageFile]], n_missing: Mapping[str, int], options: SmoteOptions
) -> None:
    """Raise TargetError where a class has too few images to make others from."""
    for name, images in sources.items():
        if n_missing[name] > 0 and not images:
            raise TargetError(f"class {name!r} has no image left that another can be made from: mend or add some")
        if n_missing[name] > 0 and len(images) == 1 and options.singletons == "error":
            raise TargetError(f"class {name!r} has 1 image; SMOTE needs 2: --singletons augment")
    counts = {name: (len(images), max(0, n_missing[name])) for name, images in sources.items()}
    most = {name: (n, -(-missing // max(n, 1))) for name, (n, missing) in counts.items()}
    check_copies(most, options.max_copies, less=_LESS)


def _check_one_class(cloud: Cloud, samples: Mapping[int, Synthetic], options: SmoteOptions) -> None:
    """Raise TargetError where a picture would be made of images of two classes."""
    if options.showing.render == "none":
        return
    points = cloud.points
    for label, own in samples.items():
        for place in np.flatnonzero(points.labels[own.neighbors] != label)[:1].tolist():
            base, other = points.paths[own.bases[place]], points.paths[own.neighbors[place]]
            raise TargetError(
                f"{base!r} of class {points.names[label]!r} would be mixed with {other!r} of class "
                f"{points.names[points.labels[own.neighbors[place]]]!r} (--method {options.asked.method}): "
                "no picture shows that; take --write vectors, or another method"
            )


@dataclass(frozen=True, slots=True)
class _Made:
    """What is made of each class."""

    folders: Mapping[str, ClassFolder]
    options: SmoteOptions
    cloud: Cloud
    choice: Choice
    samples: Mapping[str, Synthetic]
    sources: Mapping[str, Sequence[ImageFile]]
    n_missing: Mapping[str, int]
    unusable: Mapping[str, Unusable]

    def most_copies(self, name: str) -> int:
        """Return how many files are made of the most used base."""
        own = self.samples[name]
        return int(np.bincount(own.bases).max()) if len(own.bases) else max(0, self.n_missing[name])

    def operations(self, directory: str) -> Iterator[Operation]:
        """Yield what stands in OUTPUT, then what is left out."""
        folder = self.folders[directory]
        yield from self.of_class(folder).by_output()
        yield from drop_others(folder, self.choice, "smote", self.unusable)

    def by_source(self, directory: str) -> Iterator[Made]:
        """Yield what stands in OUTPUT, source by source."""
        return self.of_class(self.folders[directory]).by_source()

    def of_class(self, folder: ClassFolder) -> MadeOfClass:
        """Return what is made of a class."""
        kept = {image.path for image in self.choice.kept[folder.name]}
        more = self._copies(folder) if len(self.sources[folder.name]) == 1 else self._samples(folder)

        def made(index: int) -> Iterator[Made]:
            image = folder.images[index]
            if image.path in kept:
                made_format = None if image.path in self.unusable else self.options.made_format
                yield Keep(image, original_path(Place.in_folder(folder, image), made_format))
            if image.path not in self.unusable:
                yield from more(image)

        return MadeOfClass(folder, folder.images, made)

    def _samples(self, folder: ClassFolder) -> Callable[[ImageFile], Iterator[Made]]:
        """Return what gives the samples of a base, which are numbered as they were drawn."""
        own, images = self.samples[folder.name], self.cloud.images
        order = np.argsort(own.bases, kind="stable")
        bases = own.bases[order]

        def samples(image: ImageFile) -> Iterator[Interpolate]:
            base = self.cloud.place_of.get(image.path, -1)
            start, end = np.searchsorted(bases, [base, base + 1])
            place, output_format = Place.in_folder(folder, image), self.options.rendering.output_format
            for number, sample in enumerate(order[start:end].tolist(), start=1):
                path = generated_path(place, Interpolate.kind, self.options.seed, number, output_format)
                yield Interpolate(image, path, number, images[own.neighbors[sample]], float(own.steps[sample]))

        return samples

    def _copies(self, folder: ClassFolder) -> Callable[[ImageFile], Iterator[Made]]:
        """Return what gives the copies of the only image of a class."""
        is_drawn = self.options.singletons == "augment" and bool(self.options.recipe_of(folder.name))
        made_format = self.options.rendering.output_format if is_drawn else self.options.made_format
        copies = bytes([is_drawn]) * max(0, self.n_missing[folder.name])
        return lambda image: named(Place.in_folder(folder, image), image, copies, self.options.seed, made_format)

    def aimed(self, operation: Made) -> Made:
        """Return a sample with where it lies, where that decides what it shows."""
        if not isinstance(operation, Interpolate) or self.options.showing.render == "blend":
            return operation
        lengths = self.cloud.lengths if self.options.showing.render == "decoder" else None
        lies = aims(self.cloud.points.rows, placed([operation], self.cloud.place_of), lengths)
        return replace(operation, aim=lies[0].astype("<f4").tobytes())


def _request(options: SmoteOptions) -> dict[str, object]:
    return {
        "sampling_strategy": options.strategy.described(),
        "seed": options.seed,
        "smote": {
            "method": options.asked.method,
            "k_neighbors": options.asked.k_neighbors,
            **({"m_neighbors": options.asked.m_neighbors} if options.asked.m_neighbors else {}),
            "singletons": options.singletons,
            "clean": options.clean,
        },
        "showing": {key: value for key, value in options.showing._asdict().items() if value is not None},
        "recipe": options.recipe,
        "class_recipes": options.class_recipes,
        "rendering": options.rendering._asdict(),
        **options.others,
    }
