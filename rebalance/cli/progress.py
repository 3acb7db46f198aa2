"""A progress bar on stderr, where that is a terminal."""

import contextlib
import sys
from collections.abc import Callable, Iterator

from rebalance.cli.signals import check_signals

Progress = Callable[[int, int], None]
"""Called with the number done and the number of all."""


@contextlib.contextmanager
def progress_bar(what: str, *, is_quiet: bool, unit: str = "files") -> Iterator[Progress]:
    """Yield what to call as work gets done; it is also where a signal ends the run that could not be passed on."""
    with _bar(what, unit, is_quiet=is_quiet) as show:

        def progress(n_done: int, n_all: int) -> None:
            check_signals()
            show(n_done, n_all)

        yield progress


@contextlib.contextmanager
def _bar(what: str, unit: str, *, is_quiet: bool) -> Iterator[Progress]:
    if is_quiet or sys.stderr is None or not sys.stderr.isatty():
        yield lambda _n_done, _n_all: None
        return
    from tqdm import tqdm  # noqa: PLC0415  a tenth of a second that only a terminal needs

    tqdm.monitor_interval = 0  # a thread that would see to it that the bar moves; workers are forks of what has none
    with tqdm(desc=what, unit=f" {unit}", dynamic_ncols=True, leave=False, file=sys.stderr) as bar:

        def show(n_done: int, n_all: int) -> None:
            if bar.total != n_all:
                bar.total = n_all
                bar.refresh()
            bar.update(n_done - bar.n)

        yield show
