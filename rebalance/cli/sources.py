"""SOURCE as it is asked for: a tree or a list, one split of it, in groups, with a part held back."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from rebalance.cli import options
from rebalance.cli.grouping import compile_grouping, read_grouping
from rebalance.dataset import Dataset, Remark
from rebalance.errors import UsageError
from rebalance.planning.groups import Grouping, with_groups
from rebalance.storage.lists import read_list
from rebalance.storage.manifest import digest
from rebalance.storage.scan import scan
from rebalance.storage.tables import ROLES, Columns, Table, is_table, read_table, used_columns

Given = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """What a command begins with."""

    dataset: Dataset
    reread: Callable[[], Dataset]
    """Reads it once more, as it is then."""
    described: Mapping[str, object]
    """What a request records of how it is read."""
    grouping: Grouping | None = None
    """Of images that lie beside it."""


def open_source(source: str, given: Given, *, is_counting: bool = False) -> Source:
    """Return what SOURCE holds, in its groups; of images that are only counted, the names."""
    split = given["split"]
    described: dict[str, object] = {} if split is None else {"split": split}
    columns = columns_asked(given, source)
    scanned = partial(_scan, is_counting=is_counting)
    reread = partial(_read_list if is_table(source) else scanned, source, columns, given)
    dataset, table = reread()
    if table is not None:
        described["labels"] = {"sha256": table.sha256, "columns": used_columns(columns, table)}
    opened = Source(dataset, lambda: reread()[0], described)
    return opened if given["group_by"] is None else _grouped(opened, table, given["group_by"], columns)


def _scan(source: str, _columns: Columns, given: Given, *, is_counting: bool) -> tuple[Dataset, None]:
    if given["images"] is not None:
        raise UsageError("--images goes with a list of images: a SOURCE that ends with .csv or .tsv")
    return scan(source, is_counting=is_counting, **_settings(given)), None


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
    tables = [path for path in (source, given["group_by"], given.get("labels")) if path is not None and is_table(path)]
    return tables + [given[name] for name in ("embeddings", "embedding_paths") if given.get(name) is not None]


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


def columns_asked(given: Given, source: str) -> Columns:
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


def _grouped(source: Source, table: Table | None, group_by: str, columns: Columns) -> Source:
    """Return the source with the groups that are asked for."""
    dataset = source.dataset
    if is_table(group_by):
        grouping, described = read_grouping(group_by, columns, dataset)
    else:
        grouping, described = compile_grouping(group_by, dataset)
    dataset = with_groups(dataset, grouping)
    if table is not None and "group" in table.places:
        remark = Remark(table.path, f"its column {table.header[table.places['group']]!r} is not read: --group-by is")
        dataset = replace(dataset, ignored=(*dataset.ignored, remark))
    return replace(
        source, dataset=dataset, grouping=grouping.beside(), described={**source.described, "group_by": described}
    )
