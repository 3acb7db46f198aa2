"""`inspect --neighbors`: what the pictures nearest to each picture say of its class, as a report and as text."""

from collections.abc import Mapping
from typing import Any

from rebalance.cli.embeddings import Look
from rebalance.cli.report import displayed, emit, print_table
from rebalance.dataset import Dataset

Given = Mapping[str, Any]
_N_SUSPECTS = 20
"""Suspicious images that text names of each class."""
_N_GROUPS = 20
"""Groups of near-duplicates, likewise."""
_N_CONFUSIONS = 3
"""Classes it is confused with, likewise."""


def neighbors_found(dataset: Dataset, seen: Look, given: Given) -> dict[str, Any]:
    """Return what a report says of neighbors. Raises TargetError where there are too few images."""
    assert seen.vectors is not None
    from rebalance.planning.neighborhood import (  # noqa: PLC0415  with what it imports, nothing for --help
        N_NEIGHBORS,
        find_near_duplicates,
        find_neighborhood,
    )

    similarity = seen.vectors.near_duplicate_from(given["similarity"])
    found = find_neighborhood(dataset.classes, seen.vectors)
    return {
        "neighbors": {
            "embedder": seen.vectors.embedder.get("name"),
            "n_neighbors": N_NEIGHBORS,
            "leave_one_out_balanced_accuracy": found.accuracy,
            "with_labels_shuffled": dict(zip(("mean", "least", "most"), found.shuffled, strict=True)),
            "classes": [
                {
                    **row._asdict(),
                    "confused_with": [other._asdict() for other in row.confused_with],
                    "suspects": [suspect._asdict() for suspect in row.suspects],
                }
                for row in found.classes
            ],
        },
        "near_duplicates": {
            "similarity": similarity,
            "groups": [group._asdict() for group in find_near_duplicates(dataset, seen.vectors, similarity)],
        },
    }


def neighbor_columns(report: Mapping[str, Any]) -> tuple[list[str], list[list[Any]]]:
    """Return what a CSV has of neighbors: the names of the columns, and their cells, class by class."""
    if "neighbors" not in report:
        return [], [[] for _ in report["classes"]]
    rows = report["neighbors"]["classes"]
    kinds = list(rows[0]["shares"])
    return [*kinds, *(f"{kind}_expected" for kind in kinds), "n_suspicious"], [
        [*row["shares"].values(), *row["expected"].values(), row["n_suspicious"]] for row in rows
    ]


def print_neighbors(report: Mapping[str, Any]) -> None:
    """Print what a report says of neighbors, as text."""
    found, n_neighbors = report["neighbors"], report["neighbors"]["n_neighbors"]
    shuffled = found["with_labels_shuffled"]
    told = "vectors from a file" if found["embedder"] is None else f"vectors of {found['embedder']}"
    emit(
        f"{displayed(told)}: the {n_neighbors} nearest neighbors vote for an image's own class with balanced accuracy "
        f"{found['leave_one_out_balanced_accuracy']:.3f} (leave one out); with labels shuffled "
        f"{shuffled['mean']:.3f} ({shuffled['least']:.3f} to {shuffled['most']:.3f})"
    )
    if found["leave_one_out_balanced_accuracy"] <= shuffled["most"]:
        emit("these vectors tell the classes apart no better than chance does: read nothing into what follows")
    emit("of each class, beside what chance would give:")
    kinds = list(found["classes"][0]["shares"])
    print_table(("class", *kinds, "confused with"), (_cells(row) for row in found["classes"]))
    for row in found["classes"]:
        _print_suspects(row, n_neighbors)
    _print_groups(report["near_duplicates"])


def _cells(row: Mapping[str, Any]) -> list[str]:
    """Return what a table shows of a class."""
    shares = [f"{share:.0%} ({row['expected'][kind]:.0%})" for kind, share in row["shares"].items()]
    others = [f"{other['class_name']} {_shares(other)}" for other in row["confused_with"][:_N_CONFUSIONS]]
    return [row["name"], *shares, ", ".join(others) or "-"]


def _shares(other: Mapping[str, Any]) -> str:
    return f"{other['share']:.0%} ({other['expected']:.0%})"


def _print_suspects(row: Mapping[str, Any], n_neighbors: int) -> None:
    if row["n_suspicious"]:
        named = f", the {_N_SUSPECTS} most suspicious" if len(row["suspects"]) > _N_SUSPECTS else ""
        emit(
            f"{displayed(row['name'])}: {row['n_suspicious']} of {row['n_images']} have more neighbors of another "
            f"class{named}:"
        )
    for suspect in row["suspects"][:_N_SUSPECTS]:
        path, other = displayed(repr(suspect["path"])), displayed(repr(suspect["nearest"]))
        emit(
            f"    {path}: {suspect['n_same']} of {n_neighbors} of its class; looks like "
            f"{displayed(suspect['looks_like'])}: {other} ({suspect['similarity']:.2f})"
        )


def _print_groups(found: Mapping[str, Any]) -> None:
    groups = found["groups"]
    for group in sorted(groups, key=lambda group: (not group["is_across_splits"], not group["is_across_classes"]))[
        :_N_GROUPS
    ]:
        where = [
            *(["splits"] if group["is_across_splits"] else []), *(["classes"] if group["is_across_classes"] else [])
        ]  # fmt: skip
        place = f"across {' and '.join(where)}" if where else "within a class"
        emit(f"nearly the same {place}: {', '.join(displayed(repr(path)) for path in group['paths'])}")
    n_across = sum(group["is_across_classes"] for group in groups)
    n_images = sum(len(group["paths"]) for group in groups)
    more = "; --format json has all" if len(groups) > _N_GROUPS else ""
    emit(
        f"{len(groups)} groups of near-duplicates (cosine {found['similarity']:g} and more) with {n_images} images, "
        f"{n_across} across classes{more}"
    )
