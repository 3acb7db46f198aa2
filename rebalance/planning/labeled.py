"""The plans of images with several labels: how often each is copied or whether it stays, and why a label misses."""

import math
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import NamedTuple

import numpy as np

from rebalance.dataset import ClassFolder, Dataset, ImageFile, to_bytes
from rebalance.drawing import draw_unit
from rebalance.errors import TargetError, listed
from rebalance.labels import LabelForm, Labels, labels_of
from rebalance.plan import ClassTarget, Labeling, LabelTarget, Made, Operation, Plan, Unusable
from rebalance.planning.augment import AugmentOptions, originals_of, request_of_augment
from rebalance.planning.checks import check_names
from rebalance.planning.copies import Copy, most_copies, named, spread_copies
from rebalance.planning.leaving import drop, images_left, keep_all
from rebalance.planning.methods import LABEL_METHODS
from rebalance.planning.multilabel import never_without
from rebalance.planning.naming import Place
from rebalance.planning.repeats import Problem, Solution, solve
from rebalance.planning.selection import SMALLEST_KEYS, select_images
from rebalance.planning.targets import over_sampling_targets, under_sampling_targets
from rebalance.planning.undersample import UndersampleOptions, request_of_undersample


@dataclass(frozen=True, slots=True)
class LabelOptions:
    """The labels of a dataset, and how they are balanced."""

    labels: Labels
    form: LabelForm
    described: Mapping[str, object]
    """What a request records of where they were read."""
    method: str = LABEL_METHODS[0]
    threshold: float | None = None
    """Of repeat-factor: the share of images from which a label is not repeated; None: the median share."""


class _Counted(NamedTuple):
    """The images in use by their label sets, and what of them may be copied."""

    used: Sequence[ImageFile]
    labels: Labels
    of_set: tuple[list[ImageFile], ...]
    """The images of each set that others can be made from."""

    @property
    def counts(self) -> dict[str, int]:
        """Images of each label that occurs."""
        return {name: n for name, n in zip(self.labels.names, self.labels.positives, strict=True) if n}


def _counted(dataset: Dataset, labels: Labels, unusable: Mapping[str, Unusable]) -> tuple[ClassFolder, _Counted]:
    """Return the one folder of a dataset, and what is in use of it. Raises TargetError where no image has a label."""
    folder = dataset.classes[0] if dataset.classes else ClassFolder("", ())
    used = images_left(folder, unusable)
    if not any(labels.of(image.path) for image in used):
        raise TargetError("no image has a label: there is nothing to balance")
    left = labels_of(labels.names, {image.path: labels.of(image.path) for image in used})
    of_set: tuple[list[ImageFile], ...] = tuple([] for _ in left.sets)
    for image in used:
        if image.path not in unusable:
            of_set[left.set_of[image.path]].append(image)
    return folder, _Counted(used, left, of_set)


def plan_labeled_augment(
    dataset: Dataset, options: AugmentOptions, asked: LabelOptions, unusable: Mapping[str, Unusable]
) -> Plan:
    """Return the plan in which labels come as near to their targets as copies of images can bring them.

    Within a label set copies are spread evenly. Raises TargetError where there is nothing to copy.
    """
    folder, counted = _counted(dataset, asked.labels, unusable)
    if asked.method == "lp":
        groups, labels, remarks = _solved(counted, options)
    else:
        groups, labels, remarks = _repeated(counted, options.seed, asked.threshold)
    is_transforming, recipe = options.is_transforming, options.recipe_of(folder.name)
    drawn_share = (1 - options.identity_share if is_transforming else Fraction(1)) if recipe else Fraction(0)
    place_of = partial(Place.in_folder, folder)
    made_format = options.rendering.output_format if recipe else options.made_format

    def copies() -> Iterator[Copy]:
        for sources, n_copies in groups:
            n_all = n_copies + len(sources) * is_transforming
            yield from spread_copies(sources, n_all, options.seed, each_once=is_transforming, drawn_share=drawn_share)

    def operations(_directory: str) -> Iterator[Operation]:
        made: list[Made] = list(originals_of(counted.used, place_of, options, unusable))
        made += named(copies(), folder, options.seed, made_format)
        yield from sorted(made, key=lambda operation: to_bytes(operation.output))
        kept = {image.path for image in counted.used}
        yield from (drop(image, "", unusable) for image in folder.images if image.path not in kept)

    check_names(folder, operations, is_renaming=options.made_format is not None)
    n_copies = sum(n for _, n in groups)
    n_generated = n_copies + sum(len(sources) for sources, _ in groups) * is_transforming
    most = max(
        (
            most_copies(sources, n + len(sources) * is_transforming, options.seed, each_once=is_transforming)
            for sources, n in groups
        ),
        default=0,
    )
    return Plan(
        command="augment",
        request={**request_of_augment(options), **_described(asked)},
        targets=(ClassTarget(folder.name, len(counted.used), len(counted.used) + n_copies),),
        class_counts=dataset.class_counts,
        most_copies={folder.name: most},
        n_generated={folder.name: n_generated},
        operations=operations,
        recipe=options.recipe_of,
        remarks=remarks,
        labeling=Labeling(asked.labels, labels, asked.form),
    )


Groups = list[tuple[list[ImageFile], int]]
"""Sources that copies are spread over, and how many copies."""


def _solved(counted: _Counted, options: AugmentOptions) -> tuple[Groups, tuple[LabelTarget, ...], tuple[str, ...]]:
    """Return the copies of each label set that bring labels nearest to their targets."""
    targets = over_sampling_targets(options.strategy, counted.counts)
    n_sources = np.array([len(sources) for sources in counted.of_set], np.intp)
    problem, places = _problem(counted.labels, targets, n_sources * options.max_copies, n_sources, is_keeping=False)
    solution = solve(problem, is_keeping=False)
    labels = _label_targets(counted.labels, problem, solution, places)
    remark = _certificate(problem, solution, np.zeros(len(problem.sets), np.intp))
    return list(zip(counted.of_set, solution.taken.tolist(), strict=True)), labels, (remark,)


def _problem(
    labels: Labels, targets: Mapping[str, int], most: np.ndarray, per_image: np.ndarray, *, is_keeping: bool
) -> tuple[Problem, dict[int, int]]:
    """Return the problem over the labels that occur, and the place of each of them in it."""
    occurring = [place for place, name in enumerate(labels.names) if name in targets]
    place_of = {place: index for index, place in enumerate(occurring)}
    sets = tuple(tuple(place_of[label] for label in label_set) for label_set in labels.sets)
    wanted = np.array([targets[labels.names[place]] for place in occurring], np.intp)
    has = np.array([labels.positives[place] for place in occurring], np.intp)
    base = np.zeros(len(occurring), np.intp) if is_keeping else has
    return Problem(sets, len(occurring), base, wanted, most, per_image), place_of


def _certificate(problem: Problem, solution: Solution, before: np.ndarray) -> str:
    """Return how near the labels come, and that nothing comes nearer, in a line."""
    return (
        f"labels are off their targets by {solution.deviation:.4g} targets in all, {problem.deviation(before):.4g} "
        f"before; no choice comes below {solution.bound:.4g} (linear programming)"
    )


def _label_targets(
    labels: Labels, problem: Problem, solution: Solution, place_of: Mapping[int, int]
) -> tuple[LabelTarget, ...]:
    """Return what becomes of each label, with the reason where that is not its target."""
    reasons = _Reasons(labels, problem, solution, place_of)
    found = []
    for label, (name, positive) in enumerate(zip(labels.names, labels.positives, strict=True)):
        if label not in place_of:
            found.append(LabelTarget(name, 0, 0, 0, "it never occurs"))
            continue
        place = place_of[label]
        target, after = int(problem.targets[place]), int(reasons.achieved[place])
        found.append(LabelTarget(name, positive, target, after, "" if after == target else reasons.of(label)))
    return tuple(found)


class _Reasons:
    """Why labels miss their targets."""

    def __init__(self, labels: Labels, problem: Problem, solution: Solution, place_of: Mapping[int, int]) -> None:
        self.problem, self.solution, self.place_of = problem, solution, place_of
        self.achieved = problem.achieved(solution.taken)
        self.gaps = (problem.targets - self.achieved).tolist()
        self.never_without = never_without(labels)
        self.names = {place: labels.names[label] for label, place in place_of.items()}
        self.where: list[list[int]] = [[] for _ in self.gaps]
        for index, label_set in enumerate(problem.sets):
            for place in label_set:
                self.where[place].append(index)

    def of(self, label: int) -> str:
        """Return the reason of one label."""
        place = self.place_of[label]
        is_short = self.gaps[place] > 0
        where = self.where[place]
        if is_short and all(self.solution.taken[index] == self.problem.most[index] for index in where):
            n_images = int(self.problem.per_image[where].sum())
            return f"its {n_images} images are used as often as may be (--max-copies)"
        others = [self.place_of[other] for other in self.never_without[label]]
        if hindering := [other for other in others if (self.gaps[other] <= 0 if is_short else self.gaps[other] >= 0)]:
            told = "would have still more" if is_short else "would have still less"
            return f"it never occurs without {self._named(hindering)}, which {told}"
        if near := self._neighbors(where, is_short=is_short):
            told = "of which there is too much" if is_short else "of which there is too little"
            return f"its images also have {self._named(near)}, {told}"
        return "counts are whole"

    def _named(self, places: Sequence[int]) -> str:
        return listed((repr(self.names[place]) for place in places), 3)

    def _neighbors(self, where: Sequence[int], *, is_short: bool) -> list[int]:
        """Return the labels on the same images that miss their targets the other way, the most frequent first."""
        counts = Counter(
            place
            for index in where
            for place in self.problem.sets[index]
            if (self.gaps[place] < 0 if is_short else self.gaps[place] > 0)
        )
        return sorted(counts, key=lambda place: (-counts[place], place))


def _repeated(
    counted: _Counted, seed: int, threshold: float | None
) -> tuple[Groups, tuple[LabelTarget, ...], tuple[str, ...]]:
    """Return the copies of each image by repeat factor sampling (Gupta, Dollar and Girshick 2019).

    r(image) = max(1, sqrt(t / f)) of the rarest of its labels, f the share of images that have it; the fraction of r is
    settled by the image's own key.
    """
    labels, n_images = counted.labels, len(counted.used)
    shares = [positive / n_images for positive in labels.positives]
    limit = statistics.median([share for share in shares if share]) if threshold is None else threshold
    factors = [max(1.0, math.sqrt(limit / share)) if share else 1.0 for share in shares]
    of_sets = [max((factors[label] for label in label_set), default=1.0) for label_set in labels.sets]
    groups: Groups = []
    after = list(labels.positives)
    for label_set, sources, factor in zip(labels.sets, counted.of_set, of_sets, strict=True):
        for image in sources:
            whole = math.floor(factor)
            n_copies = whole - 1 + (draw_unit("repeat_factor", seed, image.path, 1) < factor - whole)
            groups.append(([image], n_copies))
            for label in label_set:
                after[label] += n_copies
    targets = tuple(
        LabelTarget(name, before, None, now, "" if before else "it never occurs")
        for name, before, now in zip(labels.names, labels.positives, after, strict=True)
    )
    return groups, targets, (f"repeat factor: labels on fewer than {limit:.4g} of the images are repeated",)


def plan_labeled_undersample(
    dataset: Dataset, options: UndersampleOptions, asked: LabelOptions, unusable: Mapping[str, Unusable]
) -> Plan:
    """Return the plan in which labels come as near to their targets as leaving images out can bring them.

    Of the choices that come as near, one that keeps most images; of a label set, the smallest keys. No label vanishes.
    """
    folder, counted = _counted(dataset, asked.labels, unusable)
    every: tuple[list[ImageFile], ...] = tuple([] for _ in counted.labels.sets)
    for image in counted.used:
        every[counted.labels.set_of[image.path]].append(image)
    n_images = np.array([len(images) for images in every], np.intp)
    targets = under_sampling_targets(options.strategy, counted.counts)
    problem, places = _problem(counted.labels, targets, n_images, n_images, is_keeping=True)
    solution = solve(problem, is_keeping=True)
    kept = [
        image
        for images, n_kept in zip(every, solution.taken.tolist(), strict=True)
        for image in select_images(images, n_kept, SMALLEST_KEYS, seed=options.seed)
    ]
    is_kept = {image.path for image in kept}

    def operations(_directory: str) -> Iterator[Operation]:
        yield from keep_all(kept, folder)
        reason = "left out by undersample (labels)"
        yield from (drop(image, reason, unusable) for image in folder.images if image.path not in is_kept)

    return Plan(
        command="undersample",
        request={**request_of_undersample(options), **_described(asked)},
        targets=(ClassTarget(folder.name, len(kept), len(kept)),),
        class_counts=dataset.class_counts,
        most_copies={folder.name: 0},
        n_generated={folder.name: 0},
        operations=operations,
        recipe=lambda _class_name: {},
        remarks=(_certificate(problem, solution, n_images),),
        labeling=Labeling(asked.labels, _label_targets(counted.labels, problem, solution, places), asked.form),
    )


def _described(asked: LabelOptions) -> dict[str, object]:
    own = {"threshold": asked.threshold} if asked.method == "repeat-factor" else {}
    return {"labels": {**asked.described, "method": asked.method, **own}}
