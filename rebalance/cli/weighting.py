"""`inspect --weights` and `--export`: weights as they are asked for, shown in columns and written to files."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from rebalance.cli.asked import is_on_command_line
from rebalance.cli.option_types import POSITIVE, Path, Unit
from rebalance.cli.report import say
from rebalance.cli.side_files import check_distinct
from rebalance.cli.together import together
from rebalance.dataset import Dataset
from rebalance.errors import UsageError
from rebalance.planning.weights import (
    LOGIT,
    NORMALIZATIONS,
    SCHEMES,
    STEEP,
    Weights,
    WeightSettings,
    class_weights,
    effective_numbers,
    logit_adjustments,
    steepness,
)
from rebalance.storage.exports import FORMS, OF_IMAGES, STARTS, Weighting, render_export, unread_images
from rebalance.storage.output import check_side_file
from rebalance.storage.single import replace_file

if TYPE_CHECKING:
    from rebalance.cli.embeddings import Look

Given = Mapping[str, Any]
_SHOWN_ELSE = ("balanced", "log")
"""Schemes that are shown where none is asked for; the first is exported."""

weighting = together(
    click.option(
        "--weights", type=click.Choice(["auto", *SCHEMES, LOGIT, "all"]), metavar="SCHEME",
        help=f"Class weights to show: {', '.join(SCHEMES)}, {LOGIT} (what logit adjustment adds), or all; auto is "
        "another name of balanced.  [default: balanced and log]",
    ),
    click.option("--mu", type=POSITIVE, default=0.15, show_default=True, help="Of --weights log: max(1, ln(mu N/n))."),
    click.option(
        "--beta", type=Unit(), default=0.999, show_default=True,
        help="Of --weights effective: E = (1 - beta^n)/(1 - beta).",
    ),
    click.option(
        "--normalize", type=click.Choice(NORMALIZATIONS),
        help="Let the mean weight over samples or classes, or the weight of the largest class, be 1.  [default: as "
        "each scheme's authors do]",
    ),
    click.option("--max-weight", type=POSITIVE, metavar="W", help="Larger weights become W, once normalized."),
    click.option(
        "--export", type=(click.Choice(FORMS), Path()), multiple=True, metavar=f"{'|'.join(FORMS)} FILE",
        help="Write the weights for a framework; may be repeated.",
    ),
    click.option(
        "--sample-weights", type=click.Choice(["density"]),
        help="Of --export: within its class, an image in a crowded neighborhood weighs less.",
    ),
)  # fmt: skip


def check_weighting(given: Given) -> None:
    """Raise UsageError for options that have no effect, or contradict each other."""
    schemes = schemes_asked(given)
    if is_on_command_line("mu") and "log" not in schemes:
        raise UsageError("--mu is of --weights log: leave one of them out")
    if is_on_command_line("beta") and "effective" not in schemes:
        raise UsageError("--beta is of --weights effective: ask for these, or for all")
    for option in ("normalize", "max_weight"):
        if given[option] is not None and schemes == [LOGIT]:
            raise UsageError(f"--{option.replace('_', '-')} is for weights, and logit is added: leave one of them out")
    _check_export(given)


def _check_export(given: Given) -> None:
    if given["sample_weights"] and not given["export"]:
        raise UsageError("--sample-weights go into a file: give --export FORM FILE")
    if given["export"] and given["weights"] == "all":
        raise UsageError("--export takes one kind of weights, and --weights all shows every one: name one")
    if given["weights"] == LOGIT and given["sample_weights"]:
        raise UsageError("--weights logit is added to logits, not to images: leave out --sample-weights")
    for form, _ in given["export"]:
        if form in OF_IMAGES and given["weights"] == LOGIT:
            raise UsageError(f"--weights logit is of classes, and --export {form} is of images: take keras or torch")
    check_distinct(path for _, path in given["export"])


def schemes_asked(given: Given) -> list[str]:
    """Return the schemes that are to be shown."""
    match given["weights"]:
        case None:
            return list(_SHOWN_ELSE)
        case "all":
            return [*SCHEMES, LOGIT]
        case "auto":
            return ["balanced"]
        case scheme:
            return [scheme]


def _settings(given: Given) -> WeightSettings:
    return WeightSettings(given["mu"], given["beta"], given["normalize"], given["max_weight"])


def _values(scheme: str, counts: Mapping[str, int], settings: WeightSettings) -> Weights:
    return logit_adjustments(counts) if scheme == LOGIT else class_weights(counts, scheme, settings)


def weight_columns(counts: Mapping[str, int], given: Given) -> dict[str, tuple[str, Weights]]:
    """Return what a report has of weights: key -> title of the column, and a number for each class with images."""
    columns: dict[str, tuple[str, Weights]] = {}
    for scheme in schemes_asked(given):
        if scheme == "effective":
            columns["effective_number"] = ("E", effective_numbers(counts, given["beta"]))
        key = "logit_adjustment" if scheme == LOGIT else f"weight_{scheme.replace('-', '_')}"
        title = "ln(n/N)" if scheme == LOGIT else SCHEMES[scheme].title
        columns[key] = (title, _values(scheme, counts, _settings(given)))
    return columns


def described_weights(given: Given) -> dict[str, Any]:
    """Return the settings that the weights asked for depend on."""
    schemes, settings = schemes_asked(given), _settings(given)
    described = {
        "mu": settings.mu if "log" in schemes else None,
        "beta": settings.beta if "effective" in schemes else None,
        "normalize": settings.normalize,
        "max_weight": settings.max_weight,
    }
    return {key: value for key, value in described.items() if value is not None}


def weight_remarks(counts: Mapping[str, int], given: Given) -> Iterator[str]:
    """Yield what is to be known of the weights that are shown before a loss is multiplied by them."""
    for scheme in schemes_asked(given):
        if scheme == LOGIT:
            continue
        weights = class_weights(counts, scheme, _settings(given))
        if cut := [name for name, weight in weights.items() if weight == given["max_weight"]]:
            most = given["max_weight"]
            yield f"note: weights {scheme}: {len(cut)} classes are cut to --max-weight {most:g}: {cut[0]!r} first"
        if (steep := steepness(weights)) > STEEP:
            largest, smallest = max(weights, key=weights.__getitem__), min(weights, key=weights.__getitem__)
            yield (
                f"warning: weights {scheme}: an image of {largest!r} weighs {steep:.0f} times one of {smallest!r}: a "
                "single mislabeled one then rules the loss; see --max-weight, or --weights log"
            )


def check_exports(dataset: Dataset, given: Given) -> None:
    """Raise OutputRefusedError where a file would lie in SOURCE, or replace what is none of its form."""
    for form, path in given["export"]:
        check_side_file(path, [dataset.root], STARTS[form], f"--export {form}")


def export_weights(dataset: Dataset, seen: "Look", given: Given) -> None:
    """Write the files that are asked for. Raises TargetError where a class has no weight."""
    if not given["export"]:
        return
    scheme = schemes_asked(given)[0]
    exported = Weighting(
        scheme,
        described_weights({**given, "weights": scheme}) | _described_density(seen, given),
        _values(scheme, dataset.class_counts, _settings(given)),
        _density(dataset, seen) if given["sample_weights"] else None,
        given["max_weight"],
    )
    contents = {path: render_export(form, dataset, exported) for form, path in given["export"]}
    for form, path in given["export"]:
        replace_file(path, contents[path])
        if not given["quiet"]:
            say(f"{path}: {scheme} for {form}: {_USES[form]}")
            if n_unread := unread_images(form, dataset):
                say(f"note: {path}: {n_unread} images that no loader of {form} reads are not in it")


_USES = {
    "keras": "class_weight of fit, or sample_weight, never both: Keras 3 raises",
    "torch": "weight of a loss, or sample_weight of a WeightedRandomSampler, never both: they would multiply",
    "sklearn": "sample_weight of fit, and no class_weight beside it: they would multiply",
    "csv": "a sample_weight an image, and no class weights beside it: they would multiply",
}


def _described_density(seen: "Look", given: Given) -> dict[str, Any]:
    if not given["sample_weights"] or seen.vectors is None:
        return {}
    return {"sample_weights": given["sample_weights"], "embedder": seen.vectors.embedder.get("name")}


def _density(dataset: Dataset, seen: "Look") -> dict[str, float]:
    """Return the factor of each image within its class."""
    import numpy as np  # noqa: PLC0415  with what it imports, nothing for --help

    from rebalance.planning.crowding import density_weights  # noqa: PLC0415  the same
    from rebalance.vectors import picked  # noqa: PLC0415  the same

    assert seen.vectors is not None
    place_of = {path: place for place, path in enumerate(seen.vectors.paths)}
    images = [(image.path, label) for label, folder in enumerate(dataset.classes) for image in folder.images]
    places = np.array([place_of[path] for path, _ in images], np.intp)
    labels = np.array([label for _, label in images], np.intp)
    weights = density_weights(picked(seen.vectors.rows, places), labels).tolist()
    return {path: weight for (path, _), weight in zip(images, weights, strict=True)}
