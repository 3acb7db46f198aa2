"""The page of a tree that was inspected, from what the report says of it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rebalance.dataset import ClassFolder, Dataset
from rebalance.errors import listed
from rebalance.labels import Labels
from rebalance.page.content import Album, Page, Picture, Row, Section, Strip
from rebalance.page.tally import N_SHOWN, Fewest

Report = Mapping[str, Any]
_N_NAMED = 5
_MOST_LINES = 50


def page_of_source(report: Report, dataset: Dataset, titles: Mapping[str, str], name: str) -> Page:
    """Return what `inspect` found in a tree of this name; `titles` are those of the keys of a class that are shown."""
    suspects = {row["name"]: row["suspects"] for row in report.get("neighbors", {"classes": ()})["classes"]}
    ratio = report["imbalance_ratio"]
    told_ratio = "a class has no image" if ratio is None else f"the imbalance ratio (largest / smallest) is {ratio:.2f}"
    return Page(
        title=f"inspect: {name}",
        lead=f"{report['n_images']:,} images of {report['n_classes']:,} classes; {told_ratio}.",
        warnings=tuple(_warnings(report)),
        what="class",
        columns=tuple(titles.values()),
        rows=tuple(
            Row(
                entry["name"],
                entry["count"],
                None,
                tuple(_cell(key, entry[key]) for key in titles),
            )
            for entry in report["classes"]
        ),
        albums=tuple(
            Album(folder.name, tuple(_strips(folder, suspects.get(folder.name, ())))) for folder in dataset.classes
        ),
        sections=tuple(section for section in _sections(report) if section.lines),
        command="",
        facts=(("strategy of what is missing", "up to the largest class, or as --sampling-strategy says"),),
    )


def page_of_labels(report: Report, labels: Labels, dataset: Dataset, titles: Mapping[str, str], name: str) -> Page:
    """Return what `inspect` found of the labels of a tree's images; `titles` are those of the keys of a label."""
    lead = f"{report['n_images']:,} images with {report['n_labels']:,} labels, {report['cardinality']:.3g} an image"
    never = [repr(label) for label in report["never"]]
    return Page(
        title=f"inspect: {name}",
        lead=f"{lead}; {report['n_without_label']:,} images have none.",
        warnings=(*([f"Labels that never occur: {listed(never, _N_NAMED)}"] if never else []), *_of_problems(report)),
        what="label",
        columns=tuple(titles.values()),
        rows=tuple(
            Row(row["name"], row["positives"], None, tuple(_cell(key, row[key]) for key in titles))
            for row in report["labels"]
        ),
        albums=tuple(_labeled_albums(labels, dataset)),
        sections=tuple(section for section in _of_files(report) if section.lines),
        command="",
        facts=(("mean IRLbl", _cell("", report["mean_ir"])), ("SCUMBLE", _cell("", report["scumble"]))),
    )


def _labeled_albums(labels: Labels, dataset: Dataset) -> Iterator[Album]:
    found = [Fewest() for _ in labels.names]
    for image in dataset.images():
        own = labels.of(image.path)
        told = ", ".join(labels.names[label] for label in own)
        for label in own:
            found[label].add(0, image.path, Picture("source", image.path, told=(told,)))
    for name, images in zip(labels.names, found, strict=True):
        yield Album(name, tuple(_strip("images", images)))


def _strip(title: str, images: Fewest) -> Iterator[Strip]:
    if first := images.first():
        yield Strip(title, tuple(one.picture for one in first))


def _cell(key: str, value: Any) -> str:
    if value is None:
        return "-"
    if key == "share":
        return f"{value:.1%}"
    return f"{value:.5g}" if isinstance(value, float) else f"{value:,}"


def _strips(folder: ClassFolder, suspects: Sequence[Mapping[str, Any]]) -> Iterator[Strip]:
    images = Fewest()
    for image in folder.images:
        images.add(0, image.path, Picture("source", image.path))
    yield from _strip("images", images)
    if suspects:
        yield Strip(
            "suspicious: most of their neighbors are of another class", tuple(map(_suspect, suspects[:N_SHOWN]))
        )


def _suspect(suspect: Mapping[str, Any]) -> Picture:
    told = f"looks like {suspect['looks_like']} ({suspect['similarity']:.2f})"
    return Picture("source", suspect["path"], (f"as {suspect['nearest']}",), (told,))


def _warnings(report: Report) -> Iterator[str]:
    yield from _of_problems(report)
    if single := [repr(entry["name"]) for entry in report["classes"] if entry["count"] == 1]:
        yield f"{len(single)} classes of a single image: {listed(single, _N_NAMED)}"
    if bad := report.get("bad_images"):
        yield f"{len(bad)} images cannot be used, {bad[0]['path']!r} first"
    if leakage := report.get("leakage"):
        yield f"{len(leakage)} images or groups stand in two splits"
    if confused := list(_confused(report)):
        yield f"Classes that are taken for one another: {listed(confused, _N_NAMED)}"


def _of_problems(report: Report) -> Iterator[str]:
    if problems := report["problems"]:
        yield f"Nothing can be made of this tree yet: {len(problems)} problems, {problems[0]['path']!r} first"


def _confused(report: Report) -> Iterator[str]:
    """Yield classes whose images have more neighbors of another class than chance gives."""
    for row in report.get("neighbors", {"classes": ()})["classes"]:
        for other in row["confused_with"][:1]:
            if other["share"] > other["expected"]:
                yield (
                    f"{row['name']!r} with {other['class_name']!r} ({other['share']:.0%} of its neighbors, "
                    f"{other['expected']:.0%} by chance)"
                )


def _sections(report: Report) -> Iterator[Section]:
    yield Section("Advice", tuple(f"{one['advice']}: {one['reason']}" for one in report["advice"]))
    yield from _of_files(report)
    groups = [", ".join(group["paths"]) for group in report.get("duplicates", ())]
    near = [", ".join(group["paths"]) for group in report.get("near_duplicates", {"groups": ()})["groups"]]
    yield Section("The same bytes", _some(groups))
    yield Section("Nearly the same picture", _some(near))


def _of_files(report: Report) -> Iterator[Section]:
    for title, key in (("Problems", "problems"), ("Images that cannot be used", "bad_images"), ("Ignored", "ignored")):
        yield Section(title, _some([f"{one['path']}: {one['reason']}" for one in report.get(key, ())]))


def _some(lines: list[str]) -> tuple[str, ...]:
    more = [f"and {len(lines) - _MOST_LINES:,} more; --format json has all"] if len(lines) > _MOST_LINES else []
    return (*lines[:_MOST_LINES], *more)
