"""Weights as files that frameworks load: a JSON document each, or a CSV of all images."""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rebalance.dataset import Dataset
from rebalance.errors import TargetError
from rebalance.labels import Labels
from rebalance.planning.advice import LOADERS, suffix_of
from rebalance.planning.multilabel import LabelWeight, label_weights
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


LABEL_COLUMNS = ("label", "positives", "negatives", "weight_positive", "weight_negative", "pos_weight")
_ARRAY = b"\x93NUMPY"


def label_export_start(form: str, path: str) -> bytes:
    """Return how a file of label weights begins."""
    return _ARRAY if _is_array(form, path) else b"label," if form == "csv" else STARTS[form]


def _is_array(form: str, path: str) -> bool:
    return form == "keras" and path.lower().endswith(".npy")


def render_label_export(form: str, path: str, labels: Labels) -> bytes:
    """Return the weights of labels as one of FORMS; for Keras float32 of shape (n_labels, 2), as .npy where so called.

    Column 0 is for y = 0, column 1 for y = 1. Raises TargetError, naming it, for a label without a weight.
    """
    weights = _weights_of_all(labels)
    if _is_array(form, path):
        return _npy([[weight.negative, weight.positive] for weight in weights])
    if form == "csv":
        of_labels = zip(labels.names, labels.positives, weights, strict=True)
        return render_table(
            LABEL_COLUMNS,
            ([name, positive, labels.n_images - positive, *weight] for name, positive, weight in of_labels),
        )
    contents: dict[str, dict[str, Any]] = {
        "keras": {"label_weights": [[weight.negative, weight.positive] for weight in weights]},
        "torch": {"pos_weight": [weight.pos_weight for weight in weights]},
        "sklearn": {"class_weight": [{"0": weight.negative, "1": weight.positive} for weight in weights]},
    }
    content = {"rebalance_weights": 1, "labels": [encode_name(name) for name in labels.names], **contents[form]}
    return json.dumps(content, indent=1).encode() + b"\n"


def _weights_of_all(labels: Labels) -> list[LabelWeight]:
    found = []
    for name, positive, weight in zip(labels.names, labels.positives, label_weights(labels), strict=True):
        if weight is None:
            where = "every image" if positive else "no image"
            raise TargetError(f"label {name!r} is on {where}, and so has no weight: leave it out (--label-columns)")
        found.append(weight)
    return found


def _npy(rows: Sequence[Sequence[float]]) -> bytes:
    import numpy as np  # noqa: PLC0415  nothing for --help

    file = io.BytesIO()
    np.save(file, np.array(rows, np.float32))
    return file.getvalue()


def unread_images(form: str, dataset: Dataset) -> int:
    """Return how many images a file of this form leaves out, since the loader of a tree passes over them."""
    if form not in LOADERS or dataset.is_listed:
        return 0
    return sum(
        suffix_of(image.path) not in LOADERS[form].suffixes for folder in dataset.classes for image in folder.images
    )


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
