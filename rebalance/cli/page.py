"""`rebalance report`, and `--report` of the commands that do something: a page to look at."""

from collections.abc import Mapping
from typing import Any

import click

from rebalance.cli.option_types import Path
from rebalance.cli.report import displayed, emit, say
from rebalance.errors import RebalanceError, UsageError

Given = Mapping[str, Any]

page_option = click.option(
    "--report", type=Path(), metavar="FILE.html", help="Then also a page to look at: counts, pictures, why."
)


@click.command(short_help="A page of what was made: counts before and after, pictures, why.")
@click.argument("output", type=Path())
@click.option("-o", "--output", "page", type=Path(), required=True, metavar="FILE.html", help="The page to write.")
@click.option("--source", type=Path(), metavar="SOURCE", help="Also show pictures of it that were left out.")
def report(output: str, page: str, source: str | None) -> int:
    """Write a page of OUTPUT, a tree that rebalance made, from its manifest and its pictures.

    One file for any browser, without network: what was done, counts before and after, pictures of each class with what
    was drawn for them, what was left out and why, and the command that makes it again.

    \b
    rebalance report data/balanced -o balanced.html
    rebalance report data/balanced --source data/train -o balanced.html
    """
    check_page_asked(page, [output, *([source] if source else [])])
    from rebalance.page.files import write_output_page  # noqa: PLC0415  with what it imports, nothing for --help

    gallery = write_output_page(page, output, source)
    if gallery.unread:
        first = gallery.unread[0]
        where = f"{first.path!r} of {first.tree.upper()} first"
        say(f"note: {len(gallery.unread)} pictures are not there to be shown, {where}")
    emit(displayed(page))
    return 0


def check_page_asked(path: str | None, trees: list[str], *, is_dry_run: bool = False) -> None:
    """Raise UsageError, OutputRefusedError where the page that is asked for cannot be written beside these trees."""
    if path is None:
        return
    if is_dry_run:
        raise UsageError("--report shows what was made, and --dry-run makes nothing: leave one of them out")
    if not path.lower().endswith((".html", ".htm")):
        raise UsageError(f"{path!r} does not end with .html: a report is a page")
    from rebalance.page.files import check_page  # noqa: PLC0415  with what it imports, nothing for --help

    check_page(path, trees)


def write_page_asked(path: str | None, output: str, source: str) -> None:
    """Write the page that is asked for of an OUTPUT, which stands whatever becomes of it."""
    if path is None:
        return
    from rebalance.page.files import write_output_page  # noqa: PLC0415  the same

    try:
        write_output_page(path, output, source)
    except (OSError, MemoryError, RebalanceError) as error:
        say(f"warning: {path}: the page is not written: {error}; {output} stands")
