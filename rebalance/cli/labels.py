"""`--labels`: images with several labels each, as they are asked for, and what `inspect` says of them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from rebalance.cli import options
from rebalance.cli.asked import is_on_command_line
from rebalance.cli.inspected import find_missing, print_remarks, shown
from rebalance.cli.option_types import POSITIVE, Names, Path
from rebalance.cli.remarks import told_unread
from rebalance.cli.report import displayed, emit, print_csv, print_json, print_table, say
from rebalance.cli.side_files import check_distinct
from rebalance.cli.sources import Source, columns_asked
from rebalance.cli.together import together
from rebalance.errors import UsageError, listed
from rebalance.planning.methods import LABEL_METHODS
from rebalance.planning.multilabel import (
    LabelWeight,
    always_together,
    label_weights,
    measure_labels,
)
from rebalance.storage.exports import label_export_start, render_label_export
from rebalance.storage.labels import Labeled, find_form, merge_folders, read_labels
from rebalance.storage.lists import check_listable
from rebalance.storage.output import check_side_file
from rebalance.storage.scan import scan
from rebalance.storage.single import replace_file
from rebalance.storage.tables import is_table, read_table

if TYPE_CHECKING:
    from rebalance.planning.labeled import LabelOptions

Given = Mapping[str, Any]
FOLDERS = "folders"

repeating = together(
    click.option(
        "--method", "label_method", type=click.Choice(LABEL_METHODS), default=LABEL_METHODS[0], show_default=True,
        help="Of --labels: the copies that bring labels nearest to their targets, by linear programming; or repeat "
        "factor sampling (LVIS).",
    ),
    click.option(
        "--oversample-thr", type=POSITIVE, metavar="T",
        help="Of repeat-factor: labels on a smaller share of the images are repeated.  [default: the median share]",
    ),
)  # fmt: skip
labeling = together(
    click.option(
        "--labels", type=Path(), metavar="FILE.csv|folders",
        help="Images have several labels each: columns of 0 and 1 in this file, or one column that lists them; or the "
        "class folders in which an image stands.",
    ),
    click.option(
        "--label-columns", type=Names(), multiple=True, metavar="NAME",
        help="Which columns are labels; may be repeated.  [default: all of 0 and 1]",
    ),
    click.option(
        "--label-delimiter", type=Names(), default="|", show_default=True, metavar="TEXT",
        help="What stands between the labels of a column `label` that lists them.",
    ),
)  # fmt: skip


_OF_LABELS = {
    "label_columns": "--label-columns", "label_delimiter": "--label-delimiter", "label_method": "--method",
    "oversample_thr": "--oversample-thr",
}  # fmt: skip
"""What has no effect without --labels."""


def check_labeling(given: Given, not_with: Sequence[str]) -> None:
    """Raise UsageError for options that have no effect, with --labels or without."""
    if given["labels"] is None:
        for name, option in _OF_LABELS.items():
            if name in given and is_on_command_line(name):
                raise UsageError(f"{option} goes with --labels")
        return
    for name in not_with:
        if is_on_command_line(name):
            raise UsageError(f"--{name.replace('_', '-')} is for images of one class each: leave out that or --labels")
    _check_form(given)


def _check_form(given: Given) -> None:
    if given["labels"] != FOLDERS and not is_table(given["labels"]):
        raise UsageError(f"--labels {given['labels']!r} is neither a .csv or .tsv nor `{FOLDERS}`")
    if given["labels"] == FOLDERS and is_on_command_line("label_columns"):
        raise UsageError("--label-columns goes with --labels FILE.csv: leave out folders with --exclude")
    if not given["label_delimiter"]:
        raise UsageError("--label-delimiter is empty: say what stands between labels")


def open_labeled(source: str, given: Given) -> Labeled:
    """Return the images of SOURCE and their labels."""
    settings = {"exclude": given["exclude"], "follow_symlinks": given["symlinks"] == "follow"}

    def tell(remark: str) -> None:
        if not given["quiet"]:
            say(remark)

    if given["labels"] == FOLDERS:
        from rebalance.leakage import same_contents  # noqa: PLC0415  with what it imports, nothing for --help

        dataset = scan(source, **settings)
        contents = same_contents(dataset.root, dataset.images(), options.n_workers(given))
        if contents.unread:
            tell(f"warning: {told_unread(contents.unread)}: each stands for itself")
        return merge_folders(dataset, contents.sums)
    table = read_table(given["labels"], columns_asked(given, given["labels"]), required=("path",))
    form = find_form(table, given["label_columns"], given["label_delimiter"], tell)
    return read_labels(table, form, source, **settings)


_OF_CLASSES = (
    "neighbors", "weights", "mu", "beta", "normalize", "max_weight", "sample_weights", "embedder", "model_setting",
    "embeddings", "embedding_paths", "similarity", "split", "leakage", "group_by", "images", "check", "report",
)  # fmt: skip
"""Options of `inspect` that say nothing of images with several labels."""


def inspect_labels(source: str, given: Given) -> int:
    """Print what SOURCE holds by its labels, and write their weights; return the exit code."""
    check_labeling(given, _OF_CLASSES)
    labeled = open_labeled(source, given)
    check_distinct(path for _, path in given["export"])
    for form, path in given["export"]:
        check_side_file(path, [labeled.dataset.root], label_export_start(form, path), f"--export {form}")
    report = label_report(labeled, given)
    print_labels(report, given["format"])
    if not given["quiet"]:
        for remark in _remarks(labeled, report):
            say(remark)
    failures = list(_failures(report, given))
    for failure in failures:
        say(failure)
    if labeled.dataset.problems or failures:
        return 3 if labeled.dataset.problems else 1
    contents = {path: render_label_export(form, path, labeled.labels) for form, path in given["export"]}
    for path, content in contents.items():
        replace_file(path, content)
    return 0


def _remarks(labeled: Labeled, report: Mapping[str, Any]) -> Iterator[str]:
    if ignored := labeled.dataset.ignored:
        yield f"note: {len(ignored)} files or rows are left out: {ignored[0].path!r} ({ignored[0].reason}) first"
    if report["never"]:
        yield f"note: {len(report['never'])} labels never occur and are in no measure: {report['never'][0]!r} first"


def _failures(report: Mapping[str, Any], given: Given) -> Iterator[str]:
    for row in report["labels"]:
        limit, ratio = given["fail_imbalance"], row["irlbl"]
        if limit is not None and (ratio is None or ratio > limit):
            told = "undefined" if ratio is None else f"{ratio:.2f}"
            yield f"label {row['name']!r}: IRLbl {told} passes --fail-imbalance {limit:g}"
        if given["fail_min_count"] is not None and row["positives"] < given["fail_min_count"]:
            yield (
                f"label {row['name']!r} is on {row['positives']} images, fewer than --fail-min-count "
                f"{given['fail_min_count']}"
            )


def labeled_source(labeled: Labeled, source: str, given: Given) -> Source:
    """Return images with several labels as what a command begins with."""
    check_listable(labeled.dataset)
    return Source(labeled.dataset, lambda: open_labeled(source, {**given, "quiet": True}).dataset, {})


def label_options(labeled: Labeled, given: Given) -> "LabelOptions":
    """Return how labels are to be balanced. Raises UsageError where options do not go together."""
    from rebalance.planning.labeled import LabelOptions  # noqa: PLC0415  NumPy, nothing for --help

    method = given.get("label_method", LABEL_METHODS[0])
    if given.get("oversample_thr") is not None and method != "repeat-factor":
        raise UsageError("--oversample-thr is of --method repeat-factor: leave one of them out")
    if method == "repeat-factor" and is_on_command_line("sampling_strategy"):
        raise UsageError("--method repeat-factor has no targets: leave out --sampling-strategy, or take lp")
    return LabelOptions(labeled.labels, labeled.form, labeled.described, method, given.get("oversample_thr"))


def label_report(labeled: Labeled, given: Given) -> dict[str, Any]:
    """Return what there is to say of the labels, ready for JSON."""
    labels, measures = labeled.labels, measure_labels(labeled.labels)
    positives = dict(zip(labels.names, labels.positives, strict=True))
    missing = find_missing({name: count for name, count in positives.items() if count}, given)
    weights = label_weights(labels)
    without = sum(n_images for label_set, n_images in zip(labels.sets, labels.n_with, strict=True) if not label_set)
    return {
        "schema": 1,
        "source": labeled.dataset.root,
        "n_images": labels.n_images,
        "n_without_label": without,
        "n_labels": len(labels.names),
        "mean_ir": measures.mean_ir,
        "cvir": measures.cvir,
        "scumble": measures.scumble,
        "cardinality": measures.cardinality,
        "density": measures.density,
        "n_label_sets": measures.n_label_sets,
        "labels": [
            {
                "name": name,
                "index": index,
                "positives": positive,
                "negatives": labels.n_images - positive,
                "irlbl": measures.imbalance_ratios[index],
                **_weight_entries(weights[index]),
                "missing": missing.get(name),
            }
            for index, (name, positive) in enumerate(positives.items())
        ],
        "never": [name for name, positive in positives.items() if not positive],
        "always_together": list(always_together(labels)),
        "ignored": [remark._asdict() for remark in labeled.dataset.ignored],
        "problems": [remark._asdict() for remark in labeled.dataset.problems],
    }


def _weight_entries(weight: LabelWeight | None) -> dict[str, float | None]:
    names = ("weight_positive", "weight_negative", "pos_weight")
    return dict(zip(names, weight or (None, None, None), strict=True))


def print_labels(report: Mapping[str, Any], report_format: str) -> None:
    """Print what a report says of labels."""
    if report_format == "json":
        print_json(report)
        return
    keys = ("name", "index", "positives", "negatives", "irlbl", *_WEIGHTS, "missing")
    if report_format == "csv":
        print_csv(keys, ([row[key] for key in keys] for row in report["labels"]))
        return
    occurring = [row for row in report["labels"] if row["positives"]]
    titles = ("label", "index", "positives", "negatives", "IRLbl", "w(y=1)", "w(y=0)", "pos_weight", "missing")
    counts = [row["positives"] for row in occurring]
    print_table(titles, ([shown(row[key]) for key in keys] for row in occurring), counts)
    emit(
        f"{report['n_labels']} labels, {report['n_images']} images, {report['n_without_label']} without a label, "
        f"{report['n_label_sets']} label sets; {report['cardinality']:.4g} labels an image, "
        f"density {report['density']:.4g}"
    )
    emit(
        f"MeanIR {shown(report['mean_ir'])}, CVIR {shown(report['cvir'])}, SCUMBLE {report['scumble']:.4g}"
        " (0: frequent and rare labels never meet)"
    )
    if report["never"]:
        emit(displayed(f"never: {listed(map(repr, report['never']))}"))
    for names in report["always_together"]:
        emit(displayed(f"always together: {listed(map(repr, names))}"))
    print_remarks(report)


_WEIGHTS = ("weight_positive", "weight_negative", "pos_weight")
