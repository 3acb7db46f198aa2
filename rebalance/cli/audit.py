"""`rebalance audit`: whether a tree gives its classes away by what was done to some of its files."""

from typing import TYPE_CHECKING, Any

import click

from rebalance.cli import options
from rebalance.cli.asked import is_on_command_line
from rebalance.cli.audit_report import audit_report, print_audit
from rebalance.cli.option_types import Between, Path
from rebalance.cli.progress import progress_bar
from rebalance.cli.report import displayed, emit, print_json, say, tell
from rebalance.errors import UsageError
from rebalance.storage.output import check_new_tree, located
from rebalance.storage.scan import raise_problems, scan

if TYPE_CHECKING:
    from rebalance.twins import Treatment

_OF_AN_AUDIT = ("source", "sample", "at", "fail_leak", "format")
"""Options that say nothing of twins."""
_MOST_NAMED = 20
"""Files that could not be looked at, on stderr."""


def _write_twins(output: str | None, folder: str | None, given: dict[str, Any]) -> int:
    """Write two trees of the images of VAL for a model to be tried on, by what was done to OUTPUT."""
    from rebalance.twin_trees import write_twins  # noqa: PLC0415  with what it imports, nothing for --help

    if folder is None:
        raise UsageError("--twins takes -o DIR, the folder to make")
    for name in _OF_AN_AUDIT:
        if is_on_command_line(name):
            raise UsageError(
                f"--{name.replace('_', '-')} is for an audit, and --twins makes none: leave one of them out"
            )
    folder = located(folder)
    treatment = _treatment(output)
    rendering = treatment.rendering._replace(max_pixels=given["max_pixels"])
    treatment = treatment._replace(rendering=rendering, seed=given["seed"])
    dataset = scan(given["twins"])
    raise_problems(dataset)
    check_new_tree(dataset, folder)
    with progress_bar("twins", is_quiet=given["quiet"]) as progress:
        left_out = write_twins(dataset, treatment, folder, options.n_workers(given), progress)
    for path, reason in sorted(left_out.items()):
        say(f"left out: {path!r}: {reason}")
    n_images = sum(1 for _ in dataset.images()) - len(left_out)
    emit(displayed(f"{folder}: {n_images} images twice, untouched and drawn"))
    tell(given, ["let a model predict both: where it calls the second a small class more often, it has learned traces"])
    return 0


def _treatment(output: str | None) -> "Treatment":
    """Return what the generated files of a tree have gone through; without a tree, of one by the usual settings."""
    from rebalance.audit import treatment_by  # noqa: PLC0415  the same
    from rebalance.twins import USUAL  # noqa: PLC0415  the same

    return USUAL if output is None else treatment_by(output)


@click.command(short_help="Does the tree give the class away by what was done to it?")
@click.argument("output", type=Path(), required=False)
@click.option("--source", type=Path(), metavar="SOURCE", help="The tree that OUTPUT was made from, to compare with.")
@click.option(
    "--sample",
    type=click.IntRange(min=10),
    default=400,
    show_default=True,
    metavar="N",
    help="Look at N files of each class at most.",
)
@click.option(
    "--at",
    type=click.IntRange(8, 4096),
    default=224,
    show_default=True,
    metavar="PIXELS",
    help="Look at pictures as they are, and at this size, to which training brings them.",
)
@click.option(
    "--fail-leak",
    type=Between(0, 1),
    metavar="X",
    help="Exit 1 where a leak beyond chance passes X, from 0 to 1.",
)
@click.option(
    "--twins",
    type=Path(),
    metavar="VAL",
    help="Write each image of VAL twice instead, untouched and with the traces of OUTPUT's generated files, to -o DIR.",
)
@click.option("-o", "--output", "folder", type=Path(), metavar="DIR", help="Of --twins; it must not exist.")
@options.seed
@options.max_pixels
@options.workers
@click.option(
    "--format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Form of what is printed on stdout.",
)
@options.quiet
def audit(output: str | None, folder: str | None, **given: Any) -> int:
    """Measure what of OUTPUT tells the class and is not in the picture; nothing is written.

    Headers: do format, size, JPEG tables ... predict the class, better than in SOURCE? Tell: how well are generated
    files told from originals by traces alone? Leak: what does a model that has learned these traces make of originals?

    \b
    rebalance audit data/balanced --source data/train
    rebalance audit data/balanced --source data/train --fail-leak 0.1
    rebalance audit data/balanced --twins data/val -o data/twins
    """
    if given["twins"] is not None:
        return _write_twins(output, folder, given)
    if output is None or folder is not None:
        raise UsageError("OUTPUT is missing; see --help" if output is None else "-o DIR goes with --twins VAL")
    from rebalance.audit import AuditOptions  # noqa: PLC0415  with what it imports, nothing for --help
    from rebalance.audit import audit as find_leaks  # noqa: PLC0415  the same

    asked = AuditOptions(given["sample"], given["at"], given["seed"], options.n_workers(given), given["max_pixels"])
    with progress_bar("audit", is_quiet=given["quiet"], unit="files") as progress:
        found = find_leaks(output, given["source"], asked, progress)
    report = audit_report(output, found)
    if given["format"] == "json":
        print_json(report)
    else:
        print_audit(report)
    if not given["quiet"]:
        for path, reason in sorted(found.unread.items())[:_MOST_NAMED]:
            say(f"not looked at: {path!r}: {reason}")
        if len(found.unread) > _MOST_NAMED:
            say(f"not looked at: {len(found.unread) - _MOST_NAMED} files more, which --format json names")
    limit = given["fail_leak"]
    passing = {} if limit is None else {name: leak for name, leak in found.found.items() if leak > limit}
    for name, leak in passing.items():
        say(f"{name}: {leak:.3f} passes --fail-leak {limit:g}")
    return 1 if passing else 0
