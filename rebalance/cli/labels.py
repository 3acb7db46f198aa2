"""`--labels`: images with several labels each, as they are asked for."""

from collections.abc import Mapping
from typing import Any

import click

from rebalance.cli import options
from rebalance.cli.asked import is_on_command_line
from rebalance.cli.option_types import POSITIVE, Names, Path
from rebalance.cli.remarks import told_unread
from rebalance.cli.report import tell
from rebalance.cli.sources import columns_asked
from rebalance.cli.together import together
from rebalance.errors import UsageError
from rebalance.planning.methods import LABEL_METHODS
from rebalance.storage.labels import Labeled, find_form, merge_folders, read_labels
from rebalance.storage.scan import scan
from rebalance.storage.tables import is_table, read_table

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


_OF_CLASSES = (
    "window", "order", "embedder", "model_setting", "embeddings", "embedding_paths", "similarity", "split", "holdout",
    "leakage", "write", "group_by", "images",
)  # fmt: skip
"""Options of several commands that say nothing of images with several labels."""


def check_labeling(given: Given, *extra: str) -> None:
    """Raise UsageError for options that have no effect, with --labels or without.

    `extra` are options of a command that say nothing of images with several labels, beside those of all commands.
    """
    if given["labels"] is None:
        for name, option in _OF_LABELS.items():
            if name in given and is_on_command_line(name):
                raise UsageError(f"{option} goes with --labels")
        return
    for name in (*extra, *_OF_CLASSES):
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
    if given["labels"] == FOLDERS:
        from rebalance.leakage import same_contents  # noqa: PLC0415  with what it imports, nothing for --help

        dataset = scan(source, **settings)
        contents = same_contents(dataset.root, dataset.images(), options.n_workers(given))
        if contents.unread:
            tell(given, [f"warning: {told_unread(contents.unread)}: each stands for itself"])
        return merge_folders(dataset, contents.sums)
    table = read_table(given["labels"], columns_asked(given, given["labels"]), required=("path",))
    form = find_form(table, given["label_columns"], given["label_delimiter"], lambda remark: tell(given, [remark]))
    return read_labels(table, form, source, **settings)
