"""The plans of images with several labels: how often each is copied, or whether it stays."""

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rebalance.dataset import ClassFolder, Dataset, ImageFile
from rebalance.drawing import draw_unit
from rebalance.errors import TargetError
from rebalance.labels import LabelForm, Labels, labels_of
from rebalance.plan import ClassTarget, Drop, Labeling, LabelTarget, Operation, Plan, Unusable
from rebalance.planning.augment import AugmentOptions, made_of, request_of_augment, share_out
from rebalance.planning.checks import check_names
from rebalance.planning.label_targets import certificate, label_targets, pose
from rebalance.planning.leaving import drop, images_left, keep_all
from rebalance.planning.methods import LABEL_METHODS
from rebalance.planning.repeats import Counts, solve
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

    def request(self) -> dict[str, object]:
        """Return everything of this that decides what is made."""
        own = {"threshold": self.threshold} if self.method == "repeat-factor" else {}
        return {"labels": {**self.described, "method": self.method, **own}}


@dataclass(frozen=True, slots=True)
class _Counted:
    """The images in use by their label sets, and those of them that nothing can be made of."""

    folder: ClassFolder
    """The one that holds all images."""
    labels: Labels
    of_set: tuple[list[ImageFile], ...]
    unusable: Mapping[str, Unusable]

    @property
    def counts(self) -> dict[str, int]:
        """Images of each label that occurs."""
        return {name: n for name, n in zip(self.labels.names, self.labels.positives, strict=True) if n}

    @property
    def n_sources(self) -> Counts:
        """Images of each set that others can be made from."""
        return np.array([sum(image.path not in self.unusable for image in images) for images in self.of_set], np.intp)

    def drop_others(self, used: Iterable[ImageFile], reason: str) -> Iterator[Drop]:
        """Yield the operations of the images that are not used: left out for their own fault, else for a reason."""
        paths = {image.path for image in used}
        return (drop(image, reason, self.unusable) for image in self.folder.images if image.path not in paths)


def _counted(dataset: Dataset, labels: Labels, unusable: Mapping[str, Unusable]) -> _Counted:
    """Return what is in use of a dataset. Raises TargetError where no image has a label."""
    folder = dataset.classes[0] if dataset.classes else ClassFolder("", ())
    used = images_left(folder, unusable)
    if not any(labels.of(image.path) for image in used):
        raise TargetError("no image has a label: there is nothing to balance")
    left = labels_of(labels.names, {image.path: labels.of(image.path) for image in used})
    of_set: tuple[list[ImageFile], ...] = tuple([] for _ in left.sets)
    for image in used:
        of_set[left.set_of[image.path]].append(image)
    return _Counted(folder, left, of_set, unusable)


class _Repeats(NamedTuple):
    """Copies that are spread over some images each, and what they make of the labels."""

    groups: Sequence[tuple[Sequence[ImageFile], int]]
    targets: tuple[LabelTarget, ...]
    remark: str


def plan_labeled_augment(
    dataset: Dataset, options: AugmentOptions, asked: LabelOptions, unusable: Mapping[str, Unusable]
) -> Plan:
    """Return the plan in which labels come as near to their targets as copies of images can bring them.

    Within a label set copies are spread evenly. Raises TargetError where there is nothing to copy.
    """
    counted = _counted(dataset, asked.labels, unusable)
    found = _solved(counted, options) if asked.method == "lp" else _repeated(counted, options.seed, asked.threshold)
    folder, used = counted.folder, [image for images in counted.of_set for image in images]
    shares = [share_out(folder.name, own, len(own) + n, options, unusable) for own, n in found.groups]

    def operations(_directory: str) -> Iterator[Operation]:
        yield from made_of(folder, shares, options, unusable).by_output()
        yield from counted.drop_others(used, "")

    check_names(folder, operations, is_renaming=options.made_format is not None)
    n_target = len(used) + sum(n for _, n in found.groups)
    return Plan(
        command="augment",
        request={**request_of_augment(options), **asked.request()},
        targets=(ClassTarget(folder.name, len(used), n_target),),
        class_counts=dataset.class_counts,
        most_copies={folder.name: max(share.most_copies for share in shares)},
        n_generated={folder.name: sum(share.n_copies for share in shares)},
        operations=operations,
        by_source=lambda _directory: made_of(folder, shares, options, unusable).by_source(),
        recipe=options.recipe_of,
        remarks=(found.remark,),
        labeling=Labeling(asked.labels, found.targets, asked.form),
    )


def _solved(counted: _Counted, options: AugmentOptions) -> _Repeats:
    """Return the copies of each label set that bring labels nearest to their targets."""
    targets = over_sampling_targets(options.strategy, counted.counts)
    n_sources = counted.n_sources
    posed = pose(counted.labels, targets, n_sources * options.max_copies, n_sources, is_keeping=False)
    solution = solve(posed.problem, is_keeping=False)
    groups = list(zip(counted.of_set, solution.taken.tolist(), strict=True))
    remark = certificate(posed.problem, solution, np.zeros(len(groups), np.intp))
    return _Repeats(groups, label_targets(posed, solution), remark)


def _repeated(counted: _Counted, seed: int, threshold: float | None) -> _Repeats:
    """Return the copies of each image by repeat factor sampling (Gupta, Dollar and Girshick 2019).

    r(image) = max(1, sqrt(t / f)) of the rarest of its labels, f the share of images that have it; the fraction of r is
    settled by the image's own key.
    """
    labels = counted.labels
    shares = [positive / labels.n_images for positive in labels.positives]
    limit = statistics.median([share for share in shares if share]) if threshold is None else threshold
    factors = [max(1.0, math.sqrt(limit / share)) if share else 1.0 for share in shares]
    groups = []
    after = list(labels.positives)
    for label_set, images in zip(labels.sets, counted.of_set, strict=True):
        factor = max((factors[label] for label in label_set), default=1.0)
        for image in images:
            n_copies = 0 if image.path in counted.unusable else _n_repeats(factor, seed, image)
            groups.append(([image], n_copies))
            for label in label_set:
                after[label] += n_copies
    targets = tuple(
        LabelTarget(name, before, None, now, "" if before else "it never occurs")
        for name, before, now in zip(labels.names, labels.positives, after, strict=True)
    )
    return _Repeats(groups, targets, f"repeat factor: labels on fewer than {limit:.4g} of the images are repeated")


def _n_repeats(factor: float, seed: int, image: ImageFile) -> int:
    """Return how many copies a repeat factor makes of an image."""
    whole = math.floor(factor)
    return whole - 1 + (draw_unit("repeat_factor", seed, image.path, 1) < factor - whole)


def plan_labeled_undersample(
    dataset: Dataset, options: UndersampleOptions, asked: LabelOptions, unusable: Mapping[str, Unusable]
) -> Plan:
    """Return the plan in which labels come as near to their targets as leaving images out can bring them.

    Of the choices that come as near, one that keeps most images; of a label set, the smallest keys. No label vanishes.
    """
    counted = _counted(dataset, asked.labels, unusable)
    n_images = np.array(counted.labels.n_with, np.intp)
    targets = under_sampling_targets(options.strategy, counted.counts)
    posed = pose(counted.labels, targets, n_images, n_images, is_keeping=True)
    solution = solve(posed.problem, is_keeping=True)
    kept = [
        image
        for images, n_kept in zip(counted.of_set, solution.taken.tolist(), strict=True)
        for image in select_images(images, n_kept, SMALLEST_KEYS, seed=options.seed)
    ]
    folder = counted.folder

    def operations(_directory: str) -> Iterator[Operation]:
        yield from keep_all(kept, folder).by_output()
        yield from counted.drop_others(kept, "left out by undersample (labels)")

    return Plan(
        command="undersample",
        request={**request_of_undersample(options), **asked.request()},
        targets=(ClassTarget(folder.name, len(kept), len(kept)),),
        class_counts=dataset.class_counts,
        most_copies={folder.name: 0},
        n_generated={folder.name: 0},
        operations=operations,
        by_source=lambda _directory: keep_all(kept, folder).by_source(),
        recipe=lambda _class_name: {},
        remarks=(certificate(posed.problem, solution, n_images),),
        labeling=Labeling(asked.labels, label_targets(posed, solution), asked.form),
    )
