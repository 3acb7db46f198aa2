"""Weights as files that frameworks load: a JSON document each, or a CSV of all images."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rebalance.dataset import Dataset
from rebalance.errors import TargetError
from rebalance.planning.advice import LOADERS, suffix_of, unread_by
from rebalance.planning.weights import LOGIT, Weights
from rebalance.storage.lists import check_listable
from rebalance.storage.names import encode_key, encode_name
from rebalance.storage.tables import render_table

FORMS = ("keras", "torch", "sklearn", "csv")
OF_IMAGES = ("sklearn", "csv")
"""Forms that hold nothing of a class."""
_COLUMNS = ("path", "label", "class_index", "sample_weight")
STARTS = {form: ",".join(_COLUMNS).encode() if form == "csv" else b'{\n "rebalance_weights"' for form in FORMS}
"""How a file of a form begins."""


@dataclass(frozen=True, slots=True)
class Weighting:
    """What every class and every image of a dataset weighs."""

    scheme: str
    described: Mapping[str, Any]
    """The settings that went into it."""
    of_classes: Weights
    """Or what is added to their logits."""
    of_images: Mapping[str, float] | None = None
    """Path -> the factor within its class; None where all images of a class weigh the same."""
    most: float | None = None
    """What no image weighs more than."""

    @property
    def is_logit(self) -> bool:
        """Whether it is no weight."""
        return self.scheme == LOGIT

    def of_image(self, path: str, class_name: str) -> float:
        """Return what an image weighs."""
        factor = 1.0 if self.of_images is None else self.of_images[path]
        weight = self.of_classes[class_name] * factor
        return weight if self.most is None else min(weight, self.most)


def render_export(form: str, dataset: Dataset, weighting: Weighting) -> bytes:
    """Return the file of one of FORMS. Raises TargetError where a class has no weight, or a CSV cannot hold a name.

    Images are in the order in which loaders list them: classes by name, and the files of each by name. Class weights
    and sample weights of the same use are never in one file.
    """
    if without := [name for name in dataset.class_counts if name not in weighting.of_classes]:
        raise TargetError(f"class {without[0]!r} has no image, and so no weight: remove its folder, or --exclude it")
    if form == "csv":
        return _csv(dataset, weighting)
    content = {
        "rebalance_weights": 1,
        "scheme": weighting.scheme,
        **weighting.described,
        "class_indices": {encode_key(name): index for name, index in dataset.class_indices.items()},
        **_CONTENTS[form](dataset, weighting),
    }
    return json.dumps(content, indent=1).encode() + b"\n"


def unread_images(form: str, dataset: Dataset) -> int:
    """Return how many images a file of this form leaves out, since the loader of a tree passes over them."""
    if form not in LOADERS or dataset.is_listed:
        return 0
    return sum(left.total() for left in unread_by(dataset, LOADERS[form]).values())


def _listed(values: Weights, dataset: Dataset) -> list[float]:
    return [values[folder.name] for folder in dataset.classes]


def _keras(dataset: Dataset, weighting: Weighting) -> dict[str, Any]:
    if weighting.is_logit:
        return {"logit_adjustment": _listed(weighting.of_classes, dataset)}
    if weighting.of_images is not None:
        return _samples("keras", dataset, weighting)
    return {"class_weight": dict(enumerate(_listed(weighting.of_classes, dataset)))}


def _torch(dataset: Dataset, weighting: Weighting) -> dict[str, Any]:
    if weighting.is_logit:
        return {"logit_adjustment": _listed(weighting.of_classes, dataset)}
    weight = {} if weighting.of_images is not None else {"weight": _listed(weighting.of_classes, dataset)}
    return {**weight, **_samples("torch", dataset, weighting)}


def _sklearn(dataset: Dataset, weighting: Weighting) -> dict[str, Any]:
    return _samples("sklearn", dataset, weighting)


_CONTENTS = {"keras": _keras, "torch": _torch, "sklearn": _sklearn}


def _samples(form: str, dataset: Dataset, weighting: Weighting) -> dict[str, Any]:
    rows = list(_rows(form, dataset, weighting))
    return {
        "paths": [encode_name(path) for path, *_ in rows],
        "y": [index for _, _, index, _ in rows],
        "sample_weight": [weight for *_, weight in rows],
    }


def _rows(form: str, dataset: Dataset, weighting: Weighting) -> Iterator[tuple[str, str, int, float]]:
    """Yield path, class, its index and the weight of each image that the loader of this form reads."""
    suffixes = LOADERS[form].suffixes if form in LOADERS and not dataset.is_listed else None
    for index, folder in enumerate(dataset.classes):
        for image in folder.images:
            if suffixes is None or suffix_of(image.path) in suffixes:
                yield image.path, folder.name, index, weighting.of_image(image.path, folder.name)


def _csv(dataset: Dataset, weighting: Weighting) -> bytes:
    check_listable(dataset)
    return render_table(_COLUMNS, _rows("csv", dataset, weighting))
