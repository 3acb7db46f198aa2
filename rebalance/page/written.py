"""The page of an OUTPUT, from its manifest alone."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rebalance.errors import ManifestError, listed
from rebalance.page.again import command_again
from rebalance.page.content import Album, Page, Row, Section
from rebalance.page.tally import Tally, Told, tallied
from rebalance.planning.augment import MANY_COPIES, UNEVEN
from rebalance.recipes import told_recipe
from rebalance.storage.manifest import Manifest
from rebalance.storage.names import decode_name

_MOSTLY = 0.95
"""The share of generated files from which a class is little else."""
_N_NAMED = 5


def page_of_output(manifest: Manifest, *, output: str) -> Page:
    """Return what an OUTPUT of this name holds and how it came about. Raises ManifestError where a line is none."""
    reasons: Told = {}
    notes: Told = {}
    tallies = list(tallied(manifest.rows(), reasons, notes))
    balanced = {tally.class_name: tally for tally in tallies if tally.split == manifest.split}
    head = manifest.head
    n_before = {decode_name(entry["name"]): entry["n_before"] for entry in head["classes"]}
    counted = [(name, n_before[name], balanced.get(name, Tally(name, manifest.split))) for name in n_before]
    is_labeled = "label_counts" in head
    return Page(
        title=f"{head['request']['command']}: {output}",
        lead=" ".join(_lead(head, counted, [tally for tally in tallies if tally.split != manifest.split])),
        warnings=tuple(_warnings(counted, head)),
        what="label" if is_labeled else "class",
        columns=("asked", "why not") if is_labeled else ("generated", "copies/image", "left out"),
        rows=tuple(_label_rows(head) if is_labeled else map(_row, counted)),
        albums=tuple(_albums(counted, is_labeled=is_labeled)),
        sections=tuple(_sections(reasons, notes)),
        command=_command(head["request"], max((tally.most_copies for tally in tallies), default=0)),
        facts=tuple(_facts(head)),
    )


def _command(request: Mapping[str, Any], most_copies: int) -> str:
    """Return what makes it again. Raises ManifestError where the request is none that this program writes."""
    if request.get("command") not in ("augment", "undersample", "smote"):
        raise ManifestError(f"its request is of no command of rebalance: {request.get('command')!r}")
    try:
        return command_again(request, most_copies)
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise ManifestError(f"its request is not one that rebalance writes: {error!r}") from None


Counted = tuple[str, int, Tally]
"""A class: its name, how many images it had, and its lines."""


def _share(tally: Tally) -> float:
    return tally.n_made / tally.n_after if tally.n_after else 0.0


def _row(counted: Counted) -> Row:
    name, n_before, tally = counted
    cells = (f"{_share(tally):.0%}", str(tally.most_copies), str(tally.n_left_out))
    return Row(name, n_before, tally.n_after, cells)


def _albums(counted: Sequence[Counted], *, is_labeled: bool) -> Iterator[Album]:
    for name, n_before, tally in counted:
        yield Album("images" if is_labeled else name, tally.strips(), tally.n_after / max(n_before, 1))


def _label_rows(head: Mapping[str, Any]) -> Iterator[Row]:
    for entry in head["label_counts"]:
        asked = "-" if entry["n_target"] is None else str(entry["n_target"])
        yield Row(decode_name(entry["name"]), entry["n_before"], entry["n_after"], (asked, entry["reason"]))


def _lead(head: Mapping[str, Any], counted: Sequence[Counted], carried: Sequence[Tally]) -> Iterator[str]:
    """Yield sentences."""
    n_before, n_after = sum(n for _, n, _ in counted), sum(tally.n_after for _, _, tally in counted)
    n_made, n_left_out = (sum(getattr(tally, key) for _, _, tally in counted) for key in ("n_made", "n_left_out"))
    n_sources = sum(sum(1 for n in tally.copies.values() if n) for _, _, tally in counted)
    classes = f"{len(head['label_counts'])} labels" if "label_counts" in head else f"{len(counted)} classes"
    yield f"Of {n_before:,} images of {classes}, {head['request']['command']} made {n_after:,} {_what(head)}."
    if n_made:
        yield f"{n_made:,} of them are made of {n_sources:,} images; the others are originals."
    if n_left_out:
        yield f"{n_left_out:,} images are left out."
    if "label_counts" not in head and (ratios := _ratios(counted)):
        yield "The imbalance ratio (largest / smallest) was {:.2f} and is {:.2f}.".format(*ratios)
    for split in dict.fromkeys(tally.split for tally in carried):
        n_carried = sum(tally.n_after for tally in carried if tally.split == split)
        yield f"Beside them are {n_carried:,} files in {split} as they were."


def _what(head: Mapping[str, Any]) -> str:
    return {"list": "entries of a list", "vectors": "vectors"}.get(head["request"].get("write", ""), "files")


def _ratios(counted: Sequence[Counted]) -> tuple[float, float] | None:
    """Return the imbalance ratio before and after, where every class has something."""
    before: list[int] = [n for _, n, _ in counted]
    after: list[int] = [tally.n_after for _, _, tally in counted]
    return (max(before) / min(before), max(after) / min(after)) if before and all(before + after) else None


def _warnings(counted: Sequence[Counted], head: Mapping[str, Any]) -> Iterator[str]:
    """Yield what someone should know before training on it."""
    if "label_counts" in head:
        return
    shares = {name: _share(tally) for name, _, tally in counted}
    if mostly := [f"{name!r} ({share:.0%})" for name, share in shares.items() if share >= _MOSTLY]:
        yield f"{_classes(mostly)} little but copies: {listed(mostly, _N_NAMED)}"
    if single := [repr(name) for name, n_before, _ in counted if n_before == 1]:
        yield f"{_classes(single)} made of one image, which a network can learn by heart: {listed(single, _N_NAMED)}"
    if many := [f"{name!r} ({tally.most_copies})" for name, _, tally in counted if tally.most_copies > MANY_COPIES]:
        yield (
            f"{_classes(many)} made with more than {MANY_COPIES} copies of one image, which multiply pictures, not "
            f"information: {listed(many, _N_NAMED)}"
        )
    if shares and max(shares.values()) - min(shares.values()) > UNEVEN:
        yield (
            f"{min(shares.values()):.0%} to {max(shares.values()):.0%} of a class is generated: a network may learn "
            "what generated files look like instead of the class; rebalance audit measures that"
        )
    if any(shares.values()):
        yield "Never split this OUTPUT again for validation: copies of one image would stand on both sides"


def _classes(names: Sequence[str]) -> str:
    return "1 class is" if len(names) == 1 else f"{len(names)} classes are"


def _sections(reasons: Told, notes: Told) -> Iterator[Section]:
    for title, told in (("Left out", reasons), ("Noted of files", notes)):
        if told:
            yield Section(title, tuple(_lines(told)))


def _lines(told: Told) -> Iterator[str]:
    for text, (count, paths) in sorted(told.items(), key=lambda one: -one[1][0]):
        more = f" and {count - len(paths):,} more" if count > len(paths) else ""
        yield f"{count:,}: {text}: {', '.join(paths)}{more}"


def _facts(head: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    request = head["request"]
    yield "seed", str(request["seed"])
    if recipe := request.get("recipe"):
        yield "drawn", told_recipe(recipe)
    for name, own in request.get("class_recipes", {}).items():
        yield f"drawn for {name}", told_recipe(own) if own else "nothing"
    if request["command"] != "undersample":
        yield "originals", request["rendering"]["originals"]
    yield "engine", head["engine"]
    yield (
        "made by",
        ", ".join(
            f"{name} {version}" for name, version in {"rebalance": head["rebalance"], **head["versions"]}.items()
        ),
    )
    yield (
        "images of SOURCE",
        f"{request['dataset']['images']:,}, sha256 of their names and sizes {request['dataset']['sha256']}",
    )
    yield "request", head["request_sha256"]
