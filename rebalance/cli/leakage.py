"""What stands in two splits: found, told, and refused where that is asked for."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rebalance.cli import options
from rebalance.cli.remarks import told_leak, told_leaks, told_unread
from rebalance.cli.report import say
from rebalance.cli.sources import Source
from rebalance.errors import CheckFailedError
from rebalance.storage.held_back import find_held_back

if TYPE_CHECKING:
    from rebalance.leakage import Leakage

Given = Mapping[str, Any]
_SHOWN = 20
"""Leaks that are listed before a command goes on."""


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
