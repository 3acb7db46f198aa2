"""Predictions as `score` is asked for them: read, put back to natural priors, decided by tuned thresholds."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rebalance.cli import options
from rebalance.cli.report import tell
from rebalance.dataset import to_bytes
from rebalance.errors import UsageError, did_you_mean, listed

if TYPE_CHECKING:
    from rebalance.scoring.decisions import Settings
    from rebalance.scoring.predictions import Predictions
    from rebalance.scoring.thresholds import Tuned

Given = Mapping[str, Any]
Runs = Sequence["Predictions"]


@dataclass(frozen=True, slots=True)
class Decided:
    """The predictions that are scored, and what was done to those that were read."""

    runs: Runs
    """Aligned."""
    as_read: Runs
    ratios: Mapping[str, float] = field(default_factory=dict)
    """Of each class, by which probabilities were put back to natural priors."""
    tuned: "Tuned | None" = None


def read_all(paths: Sequence[str], given: Given) -> list["Predictions"]:
    """Read runs of predictions on the same images. Raises SourceTreeError, UsageError."""
    from rebalance.scoring.predictions import aligned  # noqa: PLC0415  with what it imports, nothing for --help

    groups = {"group": given["groups"]} if given["groups"] is not None else {}
    first = _read(paths[0], given, groups)
    runs = [first, *(_read(path, given, {}) for path in paths[1:])]
    without = [run.told for run in runs if run.probabilities is None]
    if 0 < len(without) < len(runs):
        tell(given, [f"note: {without[0]}: has no probabilities, so that those of the other files are not measured"])
    return aligned(runs)


def _read(path: str, given: Given, more: Mapping[str, str]) -> "Predictions":
    from rebalance.storage.predictions import read_predictions  # noqa: PLC0415  the same

    return read_predictions(path, {**columns_asked(given), **more}, lambda remark: tell(given, [remark]))


def columns_asked(given: Given) -> dict[str, str]:
    """Return what a file calls roles and the probabilities of classes. Raises UsageError."""
    from rebalance.storage.predictions import ROLES  # noqa: PLC0415  the same

    columns: dict[str, str] = {}
    for text in _parts(given["columns"]):
        role, separator, name = text.partition("=")
        if role not in ROLES:
            role, separator, name = text.rpartition("=")
        if not separator or not name or not role:
            raise UsageError(f"--columns {text!r} is not ROLE=NAME with path, y_true, y_pred or a class")
        if role == "group":
            raise UsageError(f"--columns {text!r}: say --groups {name}")
        if columns.setdefault(role, name) != name:
            raise UsageError(f"--columns names two columns for {role}: {columns[role]!r} and {name!r}")
    for role, name in columns.items():
        if other := next((other for other in columns if other != role and columns[other] == name), None):
            raise UsageError(f"--columns: column {name!r} cannot be both {role} and {other}")
    return columns


def _parts(texts: Sequence[str]) -> Iterator[str]:
    """Yield what stands between commas, where each part is ROLE=NAME; else the whole."""
    for text in texts:
        parts = text.split(",")
        yield from parts if all("=" in part for part in parts) else [text]


def settings_asked(given: Given, names: Sequence[str]) -> "Settings":
    """Return what the formulas of the measures leave open. Raises UsageError."""
    from rebalance.scoring.decisions import Settings  # noqa: PLC0415  the same

    if not given["class_weights"]:
        return Settings(given["f_beta"])
    weights = _class_weights(given["class_weights"])
    if unknown := [name for name in weights if name not in names]:
        raise UsageError(f"--class-weights: there is no class {unknown[0]!r}{did_you_mean(unknown[0], names)}")
    if missing := [name for name in names if name not in weights]:
        raise UsageError(f"--class-weights: class {missing[0]!r} has none; give each of {listed(map(repr, names))}")
    return Settings(given["f_beta"], class_weights=tuple(weights[name] for name in names))


def _class_weights(texts: Sequence[str]) -> dict[str, float]:
    if len(texts) == 1 and texts[0].startswith("@"):
        return _weights_of_file(texts[0][1:])
    weights: dict[str, float] = {}
    for text in texts:
        name, separator, number = text.rpartition("=")
        weight = _weight(number)
        if not separator or not name or weight is None:
            raise UsageError(f"--class-weights {text!r} is not NAME=W with a number above 0, or @FILE.json alone")
        if weights.setdefault(name, weight) != weight:
            raise UsageError(f"--class-weights gives class {name!r} two weights")
    return weights


def _weight(number: Any) -> float | None:
    """Return a finite number above 0, or None of what is none."""
    try:
        weight = float(number)
    except (TypeError, ValueError, OverflowError):
        return None
    return weight if 0 < weight < float("inf") else None


def _weights_of_file(path: str) -> dict[str, float]:
    """Return the weights of classes in a JSON object, or as `inspect --export keras` writes them."""
    try:
        document = json.loads(options.read_text(path), object_pairs_hook=_without_repetition)
        if "rebalance_weights" in document:
            indices, of_index = document["class_indices"], document["class_weight"]
            document = {name: of_index[str(index)] for name, index in indices.items()}
        weights = {name: None if isinstance(n, bool | str) else _weight(n) for name, n in document.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UsageError(
            f"--class-weights @{path}: is neither a JSON object of class names and weights nor what inspect "
            "--export keras writes"
        ) from None
    found = {name: weight for name, weight in weights.items() if weight is not None}
    if wrong := sorted(weights.keys() - found.keys()):
        raise UsageError(f"{path}: {document[wrong[0]]!r} of {wrong[0]!r} is not a number above 0")
    return found


def _without_repetition(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object. Raises ValueError where a key is there twice."""
    if len(found := dict(pairs)) < len(pairs):
        raise ValueError
    return found


def decide(runs: Runs, settings: "Settings", given: Given) -> Decided:
    """Return the predictions after what is asked to be done to them. Raises UsageError, SourceTreeError."""
    decided = Decided(runs, runs)
    if given["prior_correct"] is not None:
        decided = _put_back(decided, given["prior_correct"])
    if given["tune_on"] is not None:
        decided = _tune(decided, settings, given)
    return decided


def _put_back(decided: Decided, tree: str) -> Decided:
    """Put probabilities back to the shares that classes had before a tree was made; the likeliest class is called."""
    from rebalance.scoring.priors import prior_ratios  # noqa: PLC0415  the same
    from rebalance.storage.manifest import read_manifest  # noqa: PLC0415  the same

    names = decided.runs[0].names
    _check_probabilities(decided.runs, "--prior-correct")
    manifest = read_manifest(to_bytes(tree))
    entries = list(zip(manifest.class_names, manifest.head["classes"], strict=True))
    before, after = ({name: entry[key] for name, entry in entries} for key in ("n_before", "n_after"))
    ratios = prior_ratios(names, before, after, tree)
    runs = [_corrected(run, ratios.tolist()) for run in decided.runs]
    return replace(decided, runs=runs, ratios=dict(zip(names, ratios.tolist(), strict=True)))


def _corrected(run: "Predictions", ratios: Sequence[float]) -> "Predictions":
    import numpy as np  # noqa: PLC0415  the same

    from rebalance.scoring.priors import corrected  # noqa: PLC0415  the same

    assert run.probabilities is not None
    probabilities = corrected(run.probabilities, np.array(ratios))
    return replace(run, probabilities=probabilities, called=probabilities.argmax(axis=1))


def _check_probabilities(runs: Runs, option: str) -> None:
    for run in runs:
        if run.probabilities is None:
            raise UsageError(f"{option} takes probabilities, and {run.told} has y_pred alone")


def _tune(decided: Decided, settings: "Settings", given: Given) -> Decided:
    """Pick thresholds on validation data, and decide by them."""
    from rebalance.scoring.predictions import aligned  # noqa: PLC0415  the same
    from rebalance.scoring.thresholds import decide, tune  # noqa: PLC0415  the same

    (run,) = decided.runs
    validation = _read(given["tune_on"], given, {})
    _check_probabilities([run, validation], "--tune-on")
    if unknown := sorted(set(validation.names) - set(run.names)):
        raise UsageError(f"{given['tune_on']}: has a class {unknown[0]!r}, which {run.told} does not have")
    (validation,) = aligned([validation.renamed(run.names)])
    if decided.ratios:
        validation = _corrected(validation, list(decided.ratios.values()))
    tell(given, _doubts(run, validation))
    tuned = tune(validation, given["tune_for"], settings, given["seed"])
    assert run.probabilities is not None
    called = decide(run.probabilities, tuned.thresholds)
    return replace(decided, runs=[run.decided(called)], tuned=tuned)


def _doubts(run: "Predictions", validation: "Predictions") -> Iterator[str]:
    """Yield what speaks against thresholds picked on these validation data."""
    from rebalance.scoring.thresholds import FEW  # noqa: PLC0415  the same

    if shared := set(run.paths) & set(validation.paths):
        yield (
            f"warning: {validation.told}: {len(shared)} paths stand in {run.told} too, {min(shared)!r} first: if they "
            "are the same images, what follows flatters"
        )
    counts = [int((validation.truth == label).sum()) for label in range(len(validation.names))]
    there = [count for count in counts if count]
    if missing := [name for name, count in zip(validation.names, counts, strict=True) if not count]:
        yield f"warning: {validation.told}: has no image of {listed(map(repr, missing), 3)}: its threshold is a guess"
    if few := [name for name, count in zip(validation.names, counts, strict=True) if 0 < count < FEW]:
        yield (
            f"warning: {validation.told}: has fewer than {FEW} images of {listed(map(repr, few), 3)}: thresholds may "
            "follow chance"
        )
    tested = [int((run.truth == label).sum()) for label in range(len(run.names))]
    if len(there) > 1 and max(there) == min(there) and max(tested) != min(tested):
        yield f"warning: {validation.told}: has as many images of each class, and thresholds are for data like that"
