"""SOURCE as it is asked for: a tree or a list, one split of it, in groups, with a part held back."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from posixpath import normpath
from typing import TYPE_CHECKING, Any

from rebalance.cli.report import say
from rebalance.dataset import Dataset
from rebalance.errors import CheckFailedError, SourceTreeError, UsageError
from rebalance.planning.groups import Grouping, with_groups
from rebalance.storage.lists import read_list
from rebalance.storage.scan import find_held_back, scan
from rebalance.storage.tables import ROLES, Table, is_table, read_table

if TYPE_CHECKING:
    from rebalance.leakage import Leakage

Given = Mapping[str, Any]
_SHOWN = 20
"""Leaks that are listed before a command goes on."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a command begins with."""

    dataset: Dataset
    reread: Callable[[], Dataset]
    """Reads it once more, as it is then."""
    described: Mapping[str, object]
    """What a request records of how it is read."""
    grouping: Grouping | None = None


def open_source(source: str, given: Given, *, split: str | None) -> Source:
    """Return what SOURCE holds, in its groups. Raises SplitsError where it has splits and none is asked for."""
    settings = {"split": split, "exclude": given["exclude"], "follow_symlinks": given["symlinks"] == "follow"}
    described: dict[str, object] = {} if split is None else {"split": split}
    columns = _columns(given, source)
    if is_table(source):
        root = given["images"] or os.path.dirname(source) or "."
        table = _read_labels(source, columns, given)
        dataset = read_list(table, root, **settings)
        described["labels"] = {"sha256": table.sha256, "columns": _used(columns, table)}
        opened = Source(dataset, lambda: read_list(_read_labels(source, columns, given), root, **settings), described)
    else:
        if given["images"] is not None:
            raise UsageError("--images goes with a list of images: a SOURCE that ends with .csv or .tsv")
        opened = Source(scan(source, **settings), partial(scan, source, **settings), described)
    return opened if given["group_by"] is None else _grouped(opened, given["group_by"], columns)


def hold_out_asked(source: Source, given: Given) -> Source:
    """Return the source with a part of every class held back, where that is asked for."""
    share = given["holdout"]
    if share is None:
        return source
    if source.dataset.split is not None:
        raise UsageError("--holdout makes splits and --split takes those of SOURCE: leave one of them out")
    from rebalance.leakage import same_contents  # noqa: PLC0415  with what it imports, nothing for --help
    from rebalance.planning.holdout import hold_out  # noqa: PLC0415  the same

    contents = same_contents(source.dataset.root, source.dataset.images(), _n_workers(given))
    if contents.unread:
        raise SourceTreeError(
            f"{contents.unread[0]!r} cannot be read, and --holdout has to know what stands there twice: mend it, or "
            "--exclude it"
        )
    dataset = hold_out(source.dataset, share, contents.sums, seed=given["seed"])
    described = {**source.described, "holdout": f"{share.numerator}/{share.denominator}"}
    return replace(source, dataset=dataset, described=described)


def find_leakage(source: Source, given: Given) -> "Leakage | None":
    """Return what stands in two splits, of SOURCE or beside it; None where there is nothing to compare with."""
    if not (source.dataset.carried or find_held_back(source.dataset.root)):
        return None
    from rebalance.leakage import find_leaks  # noqa: PLC0415  with what it imports, nothing for --help

    return find_leaks(source.dataset, source.grouping, _n_workers(given))


def check_leakage(source: Source, given: Given) -> None:
    """Say what leaks, all of it where that ends the run. Raises CheckFailedError under `--leakage fail`."""
    leakage = find_leakage(source, given)
    is_refused = given["leakage"] == "fail"
    if leakage is None or (given["quiet"] and not is_refused):
        return
    for leak in leakage.leaks if is_refused else leakage.leaks[:_SHOWN]:
        say(f"{'leakage' if is_refused else 'warning: leakage'}: {leak.told()}")
    n_more = len(leakage.leaks) - _SHOWN
    if n_more > 0 and not is_refused:
        say(f"warning: leakage: {n_more} more, listed by `rebalance inspect`")
    say_unread(leakage)
    if leakage.leaks and is_refused:
        ways_out = "leave them out of one with --exclude, or take --leakage warn"
        raise CheckFailedError(f"{leakage_told(len(leakage.leaks))}: {ways_out}")


def leakage_told(n_leaks: int) -> str:
    """Return what there is of leakage, in a few words."""
    return (
        "1 image or group stands in two splits" if n_leaks == 1 else f"{n_leaks} images or groups stand in two splits"
    )


def say_unread(leakage: "Leakage") -> None:
    """Say which files could not be compared."""
    if leakage.unread:
        say(f"note: {len(leakage.unread)} files cannot be read and were not compared: {leakage.unread[0]!r} first")


def _n_workers(given: Given) -> int:
    from rebalance.backends import usable_cores  # noqa: PLC0415  with what it imports, nothing for --help

    return int(given["workers"] or usable_cores())


def _columns(given: Given, source: str) -> dict[str, str]:
    """Return which column has which role, where it is not called so."""
    columns: dict[str, str] = {}
    for text in given["column"]:
        role, separator, name = text.partition("=")
        if not separator or not name or role not in ROLES:
            raise UsageError(f"--column {text!r} is not ROLE=NAME with one of: {', '.join(ROLES)}")
        if columns.setdefault(role, name) != name:
            raise UsageError(f"--column names two columns for {role}: {columns[role]!r} and {name!r}")
    if columns and not is_table(source) and not is_table(given["group_by"] or ""):
        raise UsageError("--column goes with a list: a SOURCE or a --group-by that ends with .csv or .tsv")
    return columns


def _used(columns: Mapping[str, str], table: Table) -> dict[str, str]:
    return {role: name for role, name in columns.items() if name in table.header}


def _read_labels(source: str, columns: Mapping[str, str], given: Given) -> Table:
    is_grouped_elsewhere = is_table(given["group_by"] or "")
    own = {role: name for role, name in columns.items() if not (role == "group" and is_grouped_elsewhere)}
    return read_table(source, own, required=("path", "label"))


def _grouped(source: Source, group_by: str, columns: Mapping[str, str]) -> Source:
    """Return the source with the groups that are asked for."""
    if is_table(group_by):
        roles = {role: name for role, name in columns.items() if role in ("path", "group")}
        table = read_table(group_by, roles, required=("path", "group"))
        grouping = Grouping(names=_names_of(table, source.dataset))
        described: dict[str, object] = {"sha256": table.sha256, "columns": _used(roles, table)}
    else:
        grouping, described = Grouping(_pattern(group_by, source.dataset)), {"pattern": group_by}
    dataset = with_groups(source.dataset, grouping)
    return replace(source, dataset=dataset, grouping=grouping, described={**source.described, "group_by": described})


def _names_of(table: Table, dataset: Dataset) -> dict[str, str]:
    """Return the group of each path. Raises SourceTreeError where an image has none, or two."""
    names: dict[str, str] = {}
    for line, cells in table.rows:
        path = normpath(cells["path"])
        if names.setdefault(path, cells["group"]) != cells["group"]:
            raise SourceTreeError(f"{table.path}: line {line}: {path!r} has two groups")
    missing = [image.path for image in dataset.images() if image.path not in names]
    if missing:
        example = f"; its first row is for {next(iter(names))!r}" if names else ""
        raise SourceTreeError(
            f"{table.path}: has no row for {len(missing)} images of SOURCE, {missing[0]!r} first{example}"
        )
    return names


def _pattern(text: str, dataset: Dataset) -> re.Pattern[str]:
    """Return a compiled pattern. Raises UsageError where it is none, or finds nothing anywhere."""
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise UsageError(f"--group-by {text!r} is neither a .csv nor a regular expression: {error}") from None
    grouping = Grouping(pattern)
    folders = (*dataset.classes, *dataset.carried)
    if not any(grouping.group_of(image.path, folder.split) for folder in folders for image in folder.images):
        first = next(dataset.images(), None)
        example = f", such as {first.path!r}" if first else ""
        raise UsageError(f"--group-by {text!r} finds no group in any path{example}")
    return pattern
