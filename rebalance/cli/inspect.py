"""`rebalance inspect`: what a tree holds, how lopsided it is, what is odd about it."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import click

from rebalance.cli import options
from rebalance.cli.embeddings import look
from rebalance.cli.inspected import find_missing, print_remarks, shown
from rebalance.cli.label_report import inspect_labels
from rebalance.cli.labels import check_labeling, labeling
from rebalance.cli.leakage import find_leakage
from rebalance.cli.neighbors import neighbor_columns, neighbors_found, print_neighbors
from rebalance.cli.option_types import POSITIVE, Path
from rebalance.cli.page import check_page_asked, page_option
from rebalance.cli.progress import progress_bar
from rebalance.cli.remarks import dataset_remarks, told_leak, told_leaks, told_unread
from rebalance.cli.report import displayed, emit, print_csv, print_json, print_table, say, tell
from rebalance.cli.sources import open_source
from rebalance.cli.weighting import (
    check_exports,
    check_weighting,
    described_weights,
    export_weights,
    weight_columns,
    weight_remarks,
    weighting,
)
from rebalance.dataset import Dataset, Leak
from rebalance.planning.advice import advise
from rebalance.planning.groups import groups_of, has_groups
from rebalance.storage.held_back import find_held_back
from rebalance.storage.tables import is_table


@click.command(short_help="Counts, imbalance ratio, suggested weights, what is odd.")
@click.argument("source", type=Path())
@options.sampling_strategy
@weighting
@labeling
@click.option("--check", is_flag=True, help="Decode every image; list bad ones and exact duplicates.")
@click.option("--neighbors", is_flag=True, help="Look at the pictures: which classes, images and copies look odd.")
@options.looking
@click.option("--fail-imbalance", type=POSITIVE, metavar="R", help="Exit 1 where largest / smallest passes R.")
@click.option(
    "--fail-min-count", type=click.IntRange(min=0), metavar="N", help="Exit 1 where a class has fewer than N."
)
@options.split
@options.leakage
@options.reading
@options.max_pixels
@options.workers
@page_option
@options.report_format
@options.quiet
def inspect(source: str, **given: Any) -> int:
    """Show what SOURCE holds; no image is decoded unless --check or --neighbors asks for it.

    Of a SOURCE with splits, --split train shows that part, the others beside it, and what stands in two of them.

    \b
    rebalance inspect data/train
    rebalance inspect data/train --check --fail-imbalance 20 --fail-min-count 10
    rebalance inspect data --split train --leakage fail
    rebalance inspect data/train --neighbors
    rebalance inspect data/train --weights effective --export keras weights.json
    rebalance inspect data/images --labels data/labels.csv --column path=image
    """
    if given["labels"] is not None:
        return inspect_labels(source, given)
    check_labeling(given)
    check_weighting(given)
    is_counting = _is_counting(source, given)
    opened = open_source(source, given, is_counting=is_counting)
    check_exports(opened.dataset, given)
    check_page_asked(given["report"], [opened.dataset.root])
    seen = look(opened.dataset, {**given, "bad_images": "skip"}, is_looking=_is_looking(given), purpose=_PURPOSE)
    found = neighbors_found(opened.dataset, seen, given) if given["neighbors"] else {}
    unusable = [{"path": path, "reason": image.reason} for path, image in sorted(seen.unusable.items())]
    leakage = None if is_counting else find_leakage(opened, given)
    report = _report(opened.dataset, given)
    if leakage:
        report |= {"leakage": [leak._asdict() for leak in leakage.leaks], "not_compared": list(leakage.unread)}
    if given["check"]:
        report |= _checked(opened.dataset, given)
    report |= found | _all_bad(report, {"bad_images": unusable} if _is_looking(given) else {})
    _print(report, given)
    _write_page(report, opened.dataset, given)
    tell(given, chain(dataset_remarks(opened.dataset), weight_remarks(opened.dataset.class_counts, given)))
    if not (code := _exit_code(opened.dataset, report, given)):
        export_weights(opened.dataset, seen, given)
    return code


_PURPOSE = "goes with --neighbors and --sample-weights density"


def _is_looking(given: dict[str, Any]) -> bool:
    """Return whether the pictures are to be looked at."""
    return bool(given["neighbors"] or given["sample_weights"])


def _is_counting(source: str, given: dict[str, Any]) -> bool:
    """Return whether nothing is asked of the images but how many there are."""
    is_reading = any((given["check"], _is_looking(given), given["split"], given["group_by"], given["report"]))
    return not (is_reading or is_table(source) or find_held_back(source))


def _report(dataset: Dataset, given: dict[str, Any]) -> dict[str, Any]:
    counts = dataset.class_counts
    n_images = sum(counts.values())
    weights = weight_columns(counts, given)
    missing = find_missing(counts, given)
    carried = {(folder.name, folder.split): len(folder.images) for folder in dataset.carried}
    splits = list(dict.fromkeys(str(folder.split) for folder in dataset.carried))
    n_groups = {folder.name: len(groups_of(folder.images)) for folder in dataset.classes if has_groups(folder.images)}
    return {
        "schema": 1,
        "source": dataset.root,
        "n_images": n_images,
        "n_classes": len(counts),
        "imbalance_ratio": dataset.imbalance_ratio,
        "classes": [
            {
                "name": name,
                "index": index,
                "count": counts[name],
                "share": counts[name] / n_images if n_images else 0.0,
                **{key: values.get(name) for key, (_, values) in weights.items()},
                "missing": missing.get(name),
                **({"n_groups": n_groups.get(name, counts[name])} if n_groups else {}),
                **({"carried": {split: carried.get((name, split), 0) for split in splits}} if splits else {}),
            }
            for name, index in dataset.class_indices.items()
        ],
        "class_indices": dataset.class_indices,
        "weighting": described_weights(given),
        "advice": [advice._asdict() for advice in advise(dataset)],
        **({"split": dataset.split, "carried": _n_carried(dataset, splits)} if splits else {}),
        "ignored": [remark._asdict() for remark in dataset.ignored],
        "problems": [remark._asdict() for remark in dataset.problems],
    }


def _n_carried(dataset: Dataset, splits: Sequence[str]) -> dict[str, int]:
    return {split: sum(len(folder.images) for folder in dataset.carried if folder.split == split) for split in splits}


def _checked(dataset: Dataset, given: dict[str, Any]) -> dict[str, Any]:
    """Decode every image and return what is bad and what stands there twice."""
    from rebalance.survey import check_images, find_duplicates  # noqa: PLC0415  the same

    class_of = {image.path: folder.name for folder in dataset.folders for image in folder.images}
    checked = []
    with progress_bar("check", is_quiet=given["quiet"]) as progress:
        for image in check_images(dataset.root, dataset.images(), options.n_workers(given), given["max_pixels"]):
            checked.append(image)
            progress(len(checked), len(class_of), class_of[image.path])
    bad = sorted((image.path, image.reason) for image in checked if image.reason is not None)
    return {
        "bad_images": [{"path": path, "reason": reason} for path, reason in bad],
        "duplicates": [
            {"paths": group.paths, "across_classes": group.is_across_classes}
            for group in find_duplicates(checked, class_of)
        ],
    }


def _all_bad(*reports: Mapping[str, Any]) -> dict[str, Any]:
    """Return the bad images of several reports, each once, where any looked for them."""
    lists = [report["bad_images"] for report in reports if "bad_images" in report]
    rows = {row["path"]: row for rows in lists for row in rows}
    return {"bad_images": [rows[path] for path in sorted(rows)]} if lists else {}


def _print(report: dict[str, Any], given: dict[str, Any]) -> None:
    if given["format"] == "json":
        print_json(report)
        return
    weights = {key: title for key, (title, _) in weight_columns({}, given).items()}
    keys = ["name", "index", "count", "share", *weights, "missing"]
    keys += ["n_groups"] if any("n_groups" in entry for entry in report["classes"]) else []
    splits = list(report.get("carried", ()))
    rows = [
        [*(entry[key] for key in keys), *(entry["carried"][name] for name in splits)] for entry in report["classes"]
    ]
    if given["format"] == "csv":
        more, cells = neighbor_columns(report)
        print_csv((*keys, *splits, *more), ([*row, *own] for row, own in zip(rows, cells, strict=True)))
        return
    titles = {"name": "class", "n_groups": "groups", **weights}
    header = (*(titles.get(key, key) for key in keys), *map(displayed, splits))
    print_table(header, map(_shown, rows), [entry["count"] for entry in report["classes"]])
    ratio = report["imbalance_ratio"]
    told = f"{ratio:.2f}" if ratio else "undefined"
    where = f" in {displayed(report['split'])}" if splits else ""
    emit(
        f"{report['n_classes']} classes, {report['n_images']} images{where}, "
        f"imbalance ratio (largest / smallest) {told}"
    )
    for name, n_images in report.get("carried", {}).items():
        emit(f"beside it: {n_images} images in {displayed(name)}")
    _print_remarks(report)
    for advice in report["advice"]:
        emit(displayed(f"advice: {advice['advice']}: {advice['reason']}"))


def _write_page(report: dict[str, Any], dataset: Dataset, given: dict[str, Any]) -> None:
    """Write the page that is asked for."""
    if given["report"] is None:
        return
    from rebalance.page.files import write_source_page  # noqa: PLC0415  the same

    weights = {key: title for key, (title, _) in weight_columns({}, given).items()}
    write_source_page(given["report"], report, dataset, {"share": "share", **weights, "missing": "missing"})


def _shown(row: Sequence[Any]) -> list[object]:
    """Return a class as a table shows it: its share, the weights, and what is missing."""
    name, index, count, share, *others = row
    return [name, index, count, f"{share:.1%}", *map(shown, others)]


def _print_remarks(report: dict[str, Any]) -> None:
    print_remarks(report)
    for group in report.get("duplicates", ()):
        where = "across classes" if group["across_classes"] else "within a class"
        emit(f"duplicate {where}: {', '.join(displayed(path) for path in group['paths'])}")
    for leak in report.get("leakage", ()):
        emit(f"leakage: {displayed(told_leak(Leak(**leak)))}")
    for told in _leakage_told(report):
        emit(displayed(told))
    if "duplicates" in report:
        emit(f"{len(report['bad_images'])} bad images, {len(report['duplicates'])} groups of exact duplicates")
    if "neighbors" in report:
        print_neighbors(report)


def _leakage_told(report: dict[str, Any]) -> list[str]:
    """Return what there is to say of leakage in all."""
    told = (told_leaks(len(report.get("leakage", ()))), told_unread(report.get("not_compared", ())))
    return [text for text in told if text]


def _exit_code(dataset: Dataset, report: dict[str, Any], given: dict[str, Any]) -> int:
    """Return 3 where the tree has problems, 1 where a threshold is passed, 4 for bad images."""
    failures = []
    ratio, limit = dataset.imbalance_ratio, given["fail_imbalance"]
    if limit is not None and (ratio is None or ratio > limit):
        failures.append(
            f"imbalance ratio {'undefined' if ratio is None else f'{ratio:.2f}'} passes --fail-imbalance {limit:g}"
        )
    for name, count in dataset.class_counts.items():
        if given["fail_min_count"] is not None and count < given["fail_min_count"]:
            failures.append(f"class {name!r} has {count} images, fewer than --fail-min-count {given['fail_min_count']}")
    if given["leakage"] == "fail":
        failures += _leakage_told(report)
    for failure in failures:
        say(failure)
    if dataset.problems:
        return 3
    return 1 if failures else 4 if report.get("bad_images") else 0
