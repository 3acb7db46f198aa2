"""Weights of labels as files that frameworks load, where an image has several labels."""

import io
import json
from collections.abc import Sequence
from typing import Any

from rebalance.errors import TargetError
from rebalance.labels import Labels
from rebalance.planning.multilabel import LabelWeight, label_weights
from rebalance.storage.exports import STARTS
from rebalance.storage.names import encode_name
from rebalance.storage.tables import render_table

_COLUMNS = ("label", "positives", "negatives", "weight_positive", "weight_negative", "pos_weight")
_ARRAY = b"\x93NUMPY"


def export_start(form: str, path: str) -> bytes:
    """Return how a file of label weights begins."""
    return _ARRAY if _is_array(form, path) else b"label," if form == "csv" else STARTS[form]


def _is_array(form: str, path: str) -> bool:
    return form == "keras" and path.lower().endswith(".npy")


def render_export(form: str, path: str, labels: Labels) -> bytes:
    """Return the weights of labels as one of FORMS; for Keras float32 of shape (n_labels, 2), as .npy where so called.

    Column 0 is for y = 0, column 1 for y = 1. Raises TargetError, naming it, for a label without a weight.
    """
    weights = _weights_of_all(labels)
    if _is_array(form, path):
        return _npy([[weight.negative, weight.positive] for weight in weights])
    if form == "csv":
        of_labels = zip(labels.names, labels.positives, weights, strict=True)
        return render_table(
            _COLUMNS,
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
