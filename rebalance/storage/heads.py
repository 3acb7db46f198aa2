"""The head of a manifest: what names the run, and the classes before and after."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rebalance import __version__
from rebalance.plan import LabelTarget, Plan
from rebalance.storage.manifest import SCHEMA, digest
from rebalance.storage.names import encode_key, encode_name


def head_of(plan: Plan, request: Mapping[str, Any], *, engine: str, versions: Mapping[str, str]) -> dict[str, Any]:
    """Return the head without what only the lines tell."""
    counts = [(target.class_name, plan.class_counts[target.class_name], target.n_target) for target in plan.targets]
    carried = {(str(target.split), target.class_name): target.n_target for target in plan.carried}
    return {
        "rebalance": __version__,
        "schema": SCHEMA,
        "engine": engine,
        "versions": versions,
        "seed": request["seed"],
        "request": request,
        "request_sha256": digest(request),
        **class_entries(counts),
        **({"split": encode_name(split)} if (split := plan.targets[0].split) is not None else {}),
        **({"carried": carried_entries(carried)} if carried else {}),
    }


def label_entries(labels: Sequence[LabelTarget]) -> list[dict[str, Any]]:
    """Return what a head says of labels, where an image has several."""
    return [
        {
            "name": encode_name(label.name),
            "n_before": label.n_before,
            "n_target": label.n_target,
            "n_after": label.n_after,
            "reason": label.reason,
        }
        for label in labels
    ]


def carried_entries(n_files: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    """Return what a head says of the splits that went over as they were, from the files of each split and class."""
    entries: dict[str, dict[str, int]] = {}
    for split, class_name in sorted(n_files):
        entries.setdefault(encode_key(split), {})[encode_key(class_name)] = n_files[split, class_name]
    return entries


def class_entries(counts: Sequence[tuple[str, int, int]]) -> dict[str, Any]:
    """Return what a head says of the classes, from name, files before and files after of each, in index order.

    `log_ratio` is ln(share after / share before): what a model trained on the tree needs to be put back to the natural
    mixture.
    """
    n_before, n_after = sum(before for _, before, _ in counts), sum(after for _, _, after in counts)
    return {
        "class_indices": {encode_key(name): index for index, (name, _, _) in enumerate(counts)},
        "classes": [
            {
                "name": encode_name(name),
                "index": index,
                "n_before": before,
                "n_after": after,
                "share_before": round(before / n_before, 9),
                "share_after": round(after / n_after, 9),
                "log_ratio": round(math.log(after * n_before / (n_after * before)), 9),
            }
            for index, (name, before, after) in enumerate(counts)
        ],
    }
