"""What it costs to start two workers as threads, forks, by a fork server or anew: runs of 200 and of 4,000 outputs.

    python benchmarks/starting.py

Threads are there to compare: a decoder that crashes would take the whole run with it. So is the fork server, whose
workers are no children of the run: nothing of the system ends them with it, and here they are not tied to it.
"""

import sys
import tempfile
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

from rounds import folder_in_memory, time_in_turn
from speed import N_SOURCES, augment, write_photographs

from rebalance import backends
from rebalance.cli.main import main as rebalance

METHODS = ("fork", "threads", "forkserver", "spawn")
N_OUTPUTS = (200, 4000)


def threads(n_workers: int) -> Executor:
    """Return workers that are threads of this process."""
    return ThreadPoolExecutor(n_workers)


def begin(_parent: int) -> None:
    """Begin as a worker that nothing is tied to."""


def run_with(method: str) -> None:
    """Run the command line with another way to start workers."""
    if method == "threads":
        assert backends.run_batches.__kwdefaults__ is not None
        backends.run_batches.__kwdefaults__["make_executor"] = threads
    else:
        backends.start_method = lambda: method
    if method == "forkserver":
        backends._start_worker = begin  # noqa: SLF001  which ends a worker whose parent is another
    rebalance()


def run_of(method: str, n_outputs: int, source: Path, output: Path) -> list[str]:
    """Return the command of a whole run."""
    return [sys.executable, __file__, method, *augment(source, output, n_outputs), "--max-copies", "1000"]


def main() -> None:
    """Time the methods in turn beside forks."""
    with tempfile.TemporaryDirectory(dir=folder_in_memory()) as name:
        source = Path(name) / "source"
        write_photographs(source)
        for n_outputs in N_OUTPUTS:
            entries = {method: partial(run_of, method, n_outputs) for method in METHODS}
            time_in_turn(entries, source, Path(name) / "output", N_SOURCES + n_outputs)


if __name__ == "__main__":
    if sys.argv[1:]:
        run_with(sys.argv.pop(1))
    else:
        main()
