"""Which images belong together, as `--group-by` says it."""

import re
import warnings
from posixpath import normpath

from rebalance.dataset import Dataset
from rebalance.errors import SourceTreeError, UsageError
from rebalance.planning.groups import Grouping
from rebalance.storage.tables import Columns, Table, read_table, used_columns


def read_grouping(group_by: str, columns: Columns, dataset: Dataset) -> tuple[Grouping, dict[str, object]]:
    """Return the groups of a table, and what a request records of it. Raises SourceTreeError where it does not fit."""
    roles = {role: name for role, name in columns.items() if role in ("path", "group")}
    table = read_table(group_by, roles, required=("path", "group"))
    return Grouping(names=_names_of(table, dataset)), {"sha256": table.sha256, "columns": used_columns(roles, table)}


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


def compile_grouping(text: str, dataset: Dataset) -> tuple[Grouping, dict[str, object]]:
    """Return the groups of a pattern, and what a request records of it.

    Raises UsageError where it is none, or finds nothing anywhere.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what later Pythons may read otherwise
            pattern = re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(f"--group-by {text!r} is neither a .csv nor a regular expression: {error}") from None
    grouping = Grouping(pattern)
    folders = dataset.folders
    if not any(grouping.group_of(image.path, folder.prefix) for folder in folders for image in folder.images):
        paths = (image.path.removeprefix(folder.prefix) for folder in folders for image in folder.images)
        raise UsageError(f"--group-by {text!r} finds no group in any path, such as {next(paths, '')!r}")
    return grouping, {"pattern": text}
