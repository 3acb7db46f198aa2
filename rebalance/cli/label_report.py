"""`inspect --labels`: what a set of images holds by its labels, and their weights in files."""

from collections.abc import Iterator, Mapping
from typing import Any

from rebalance.cli.inspected import find_missing, print_remarks, shown
from rebalance.cli.labels import check_labeling, open_labeled
from rebalance.cli.page import check_page_asked
from rebalance.cli.report import displayed, emit, print_csv, print_json, print_table, say, tell
from rebalance.cli.side_files import check_distinct
from rebalance.errors import listed
from rebalance.planning.multilabel import LabelWeight, always_together, label_weights, measure_labels
from rebalance.storage.label_exports import export_start, render_export
from rebalance.storage.labels import Labeled
from rebalance.storage.output import check_side_file
from rebalance.storage.single import replace_file

Given = Mapping[str, Any]
_WEIGHTS = ("weight_positive", "weight_negative", "pos_weight")
_TITLES = {
    "name": "label", "index": "index", "positives": "positives", "negatives": "negatives", "irlbl": "IRLbl",
    "weight_positive": "w(y=1)", "weight_negative": "w(y=0)", "pos_weight": "pos_weight", "missing": "missing",
}  # fmt: skip
"""Of a table of labels, by their keys in a report."""
_OF_CLASSES = (
    "neighbors", "weights", "mu", "beta", "normalize", "max_weight", "sample_weights", "check",
)  # fmt: skip
"""Options of `inspect` alone that say nothing of images with several labels."""


def inspect_labels(source: str, given: Given) -> int:
    """Print what SOURCE holds by its labels, and write their weights; return the exit code."""
    check_labeling(given, *_OF_CLASSES)
    labeled = open_labeled(source, given)
    check_distinct(path for _, path in given["export"])
    for form, path in given["export"]:
        check_side_file(path, [labeled.dataset.root], export_start(form, path), f"--export {form}")
    check_page_asked(given["report"], [labeled.dataset.root])
    report = label_report(labeled, given)
    print_labels(report, given["format"])
    _write_page(report, labeled, given)
    tell(given, _remarks(labeled, report))
    failures = list(_failures(report, given))
    for failure in failures:
        say(failure)
    if labeled.dataset.problems or failures:
        return 3 if labeled.dataset.problems else 1
    contents = {path: render_export(form, path, labeled.labels) for form, path in given["export"]}
    for path, content in contents.items():
        replace_file(path, content)
    return 0


def _write_page(report: Mapping[str, Any], labeled: Labeled, given: Given) -> None:
    """Write the page that is asked for."""
    if given["report"] is None:
        return
    from rebalance.page.files import write_labels_page  # noqa: PLC0415  with what it imports, nothing for --help

    titles = {key: title for key, title in _TITLES.items() if key not in ("name", "index", "positives")}
    write_labels_page(given["report"], report, labeled.labels, labeled.dataset, titles)


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
    return dict(zip(_WEIGHTS, weight or (None, None, None), strict=True))


def print_labels(report: Mapping[str, Any], report_format: str) -> None:
    """Print what a report says of labels."""
    if report_format == "json":
        print_json(report)
        return
    keys = tuple(_TITLES)
    if report_format == "csv":
        print_csv(keys, ([row[key] for key in keys] for row in report["labels"]))
        return
    occurring = [row for row in report["labels"] if row["positives"]]
    counts = [row["positives"] for row in occurring]
    print_table(tuple(_TITLES.values()), ([shown(row[key]) for key in keys] for row in occurring), counts)
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
