"""SOURCE as it is asked for: a tree or a list, one split of it, in groups, with a part held back."""

import os
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from posixpath import normpath
from typing import TYPE_CHECKING, Any

from rebalance.cli import options
from rebalance.cli.remarks import told_leak, told_leaks, told_unread
from rebalance.cli.report import say
from rebalance.dataset import Dataset, Remark
from rebalance.errors import CheckFailedError, SourceTreeError, UsageError
from rebalance.planning.groups import Grouping, with_groups
from rebalance.storage.lists import read_list
from rebalance.storage.manifest import digest
from rebalance.storage.scan import find_held_back, scan
from rebalance.storage.tables import ROLES, Columns, Table, is_table, read_table

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


def open_source(source: str, given: Given) -> Source:
    """Return what SOURCE holds, in its groups."""
    split = given["split"]
    described: dict[str, object] = {} if split is None else {"split": split}
    columns = _columns(given, source)
    reread = partial(_read_list if is_table(source) else _scan, source, columns, given)
    dataset, table = reread()
    if table is not None:
        described["labels"] = {"sha256": table.sha256, "columns": _used(columns, table)}
    opened = Source(dataset, lambda: reread()[0], described)
    return opened if given["group_by"] is None else _grouped(opened, table, given["group_by"], columns)


def _scan(source: str, _columns: Columns, given: Given) -> tuple[Dataset, None]:
    if given["images"] is not None:
        raise UsageError("--images goes with a list of images: a SOURCE that ends with .csv or .tsv")
    return scan(source, **_settings(given)), None


def _read_list(source: str, columns: Columns, given: Given) -> tuple[Dataset, Table]:
    is_grouped_elsewhere = is_table(given["group_by"] or "")
    own = {role: name for role, name in columns.items() if not (role == "group" and is_grouped_elsewhere)}
    table = read_table(source, own, required=("path", "label"))
    return read_list(table, given["images"] or os.path.dirname(source) or ".", **_settings(given)), table


def _settings(given: Given) -> dict[str, Any]:
    """Return what is asked of a tree and of a list alike."""
    return {
        "split": given["split"],
        "exclude": given["exclude"],
        "follow_symlinks": given["symlinks"] == "follow",
    }


def files_read(source: str, given: Given) -> list[str]:
    """Return the files, images aside, that say what SOURCE is."""
    return [path for path in (source, given["group_by"]) if path is not None and is_table(path)]


def hold_out_asked(source: Source, given: Given) -> Source:
    """Return the source with a part of every class held back, where that is asked for."""
    share = given["holdout"]
    if share is None:
        return source
    if source.dataset.split is not None:
        raise UsageError("--holdout makes splits and --split takes those of SOURCE: leave one of them out")
    from rebalance.leakage import same_contents  # noqa: PLC0415  with what it imports, nothing for --help
    from rebalance.planning.holdout import hold_out  # noqa: PLC0415  the same

    contents = same_contents(source.dataset.root, source.dataset.images(), options.n_workers(given))
    dataset = hold_out(source.dataset, share, contents.sums, seed=given["seed"])
    held = digest([image.path for folder in dataset.carried for image in folder.images])
    described = {"holdout": {"share": f"{share.numerator}/{share.denominator}", "sha256": held}}
    return replace(source, dataset=dataset, described={**source.described, **described})


def find_leakage(source: Source, given: Given, output: str | None = None) -> "Leakage | None":
    """Return what stands in two splits, of SOURCE or beside it; None where there is nothing to compare with.

    An OUTPUT that lies beside SOURCE is none of its splits.
    """
    beside = find_held_back(source.dataset.root, output)
    if not (source.dataset.carried or beside):
        return None
    from rebalance.leakage import find_leaks  # noqa: PLC0415  with what it imports, nothing for --help

    return find_leaks(source.dataset, beside, source.grouping, options.n_workers(given))


def check_leakage(source: Source, given: Given, output: str | None) -> None:
    """Say what leaks, all of it where that ends the run. Raises CheckFailedError under `--leakage fail`."""
    is_refused = given["leakage"] == "fail"
    if given["quiet"] and not is_refused:
        return
    leakage = find_leakage(source, given, output)
    if leakage is None:
        return
    for leak in leakage.leaks if is_refused else leakage.leaks[:_SHOWN]:
        say(f"{'leakage' if is_refused else 'warning: leakage'}: {told_leak(leak)}")
    n_more = len(leakage.leaks) - _SHOWN
    if n_more > 0 and not is_refused:
        say(f"warning: leakage: {n_more} more, listed by `rebalance inspect`")
    if unread := told_unread(leakage.unread):
        say(f"{'leakage' if is_refused else 'warning: leakage'}: {unread}")
    if is_refused and (leakage.leaks or leakage.unread):
        ways_out = "mend that, leave them out of SOURCE with --exclude, or take --leakage warn"
        told = [told_leaks(len(leakage.leaks)), told_unread(leakage.unread)]
        raise CheckFailedError(f"{' and '.join(filter(None, told))}: {ways_out}")


def _columns(given: Given, source: str) -> Columns:
    """Return which column has which role, where it is not called so."""
    columns: dict[str, str] = {}
    for text in given["column"]:
        role, separator, name = text.partition("=")
        if not separator or not name or role not in ROLES:
            raise UsageError(f"--column {text!r} is not ROLE=NAME with one of: {', '.join(ROLES)}")
        if columns.setdefault(role, name) != name:
            raise UsageError(f"--column names two columns for {role}: {columns[role]!r} and {name!r}")
    known = ROLES if is_table(source) else ("path", "group") if is_table(given["group_by"] or "") else ()
    if unknown := [role for role in columns if role not in known]:
        what = "a SOURCE" if known else "a SOURCE or a --group-by"
        raise UsageError(f"--column {unknown[0]}=NAME goes with {what} that ends with .csv or .tsv")
    return columns


def _used(columns: Columns, table: Table) -> dict[str, str]:
    return {role: name for role, name in columns.items() if name in table.header}


def _grouped(source: Source, table: Table | None, group_by: str, columns: Columns) -> Source:
    """Return the source with the groups that are asked for."""
    dataset = source.dataset
    if is_table(group_by):
        roles = {role: name for role, name in columns.items() if role in ("path", "group")}
        groups = read_table(group_by, roles, required=("path", "group"))
        names = _names_of(groups, dataset)
        dataset = with_groups(dataset, Grouping(names=names))
        grouping = Grouping(names={path: group for path, group in names.items() if path.startswith("../")})
        described: dict[str, object] = {"sha256": groups.sha256, "columns": _used(roles, groups)}
    else:
        grouping, described = Grouping(_pattern(group_by, dataset)), {"pattern": group_by}
        dataset = with_groups(dataset, grouping)
    if table is not None and "group" in table.places:
        remark = Remark(table.path, f"its column {table.header[table.places['group']]!r} is not read: --group-by is")
        dataset = replace(dataset, ignored=(*dataset.ignored, remark))
    return replace(source, dataset=dataset, grouping=grouping, described={**source.described, "group_by": described})


def _names_of(table: Table, dataset: Dataset) -> dict[str, str]:
    """Return the group of each path. Raises SourceTreeError where an image has none, or two."""
    names: dict[str, str] = {}
    groups: dict[str, str] = {}
    for line, cells in table.rows():
        path, group = normpath(cells["path"]), groups.setdefault(cells["group"], cells["group"])
        if names.setdefault(path, group) != group:
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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what later Pythons may read otherwise
            pattern = re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(f"--group-by {text!r} is neither a .csv nor a regular expression: {error}") from None
    grouping = Grouping(pattern)
    folders = (*dataset.classes, *dataset.carried)
    if not any(grouping.group_of(image.path, folder.prefix) for folder in folders for image in folder.images):
        paths = (image.path.removeprefix(folder.prefix) for folder in folders for image in folder.images)
        raise UsageError(f"--group-by {text!r} finds no group in any path, such as {next(paths, '')!r}")
    return pattern
