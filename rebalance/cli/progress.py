"""A line of progress on stderr, where that is a terminal."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Protocol

from rebalance.cli.report import displayed
from rebalance.cli.signals import check_signals
from rebalance.cli.terminal import columns_of, cut, is_terminal

_LINE = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}, {rate_noinv_fmt}, {remaining} left{postfix}"
_LONGEST_NAME = 20
"""Columns of a class: beside it, a line of 80 has room for a bar."""
_ROWS = 24
"""Any number will do for one line; asked for it, some terminals say 0, and tqdm then shows nothing."""


class Progress(Protocol):
    """Called with the number done, the number of all, and the class at work, where there is one."""

    def __call__(self, n_done: int, n_all: int, class_name: str = "", /) -> None:
        """Take note."""


@contextlib.contextmanager
def progress_bar(what: str, *, is_quiet: bool, unit: str = "images") -> Iterator[Progress]:
    """Yield what to call as work gets done; it is also where a signal ends the run that could not be passed on."""
    with _bar(what, unit, is_quiet=is_quiet) as show:

        def progress(n_done: int, n_all: int, class_name: str = "", /) -> None:
            check_signals()
            show(n_done, n_all, class_name)

        yield progress


@contextlib.contextmanager
def _bar(what: str, unit: str, *, is_quiet: bool) -> Iterator[Progress]:
    if is_quiet or not is_terminal(sys.stderr):
        yield lambda _n_done, _n_all, _class_name="", /: None
        return
    from tqdm import tqdm  # noqa: PLC0415  a tenth of a second that only a terminal needs

    tqdm.monitor_interval = 0  # a thread that would see to it that the bar moves; workers are forks of what has none
    columns = columns_of(sys.stderr) - 1
    with tqdm(
        desc=what, unit=f" {unit}", bar_format=_LINE, leave=False, file=sys.stderr, ncols=columns, nrows=_ROWS
    ) as bar:

        def show(n_done: int, n_all: int, class_name: str = "", /) -> None:
            bar.ncols = columns_of(sys.stderr) - 1
            bar.set_postfix_str(cut(displayed(class_name), _LONGEST_NAME, sys.stderr), refresh=False)
            if bar.total != n_all:
                bar.total = n_all
                bar.refresh()
            bar.update(n_done - bar.n)

        yield show
