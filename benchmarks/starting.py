"""What it costs to start two workers as threads, forks, by a fork server or anew: runs of 200 and of 4,000 outputs.

    python benchmarks/starting.py

Threads are there to compare: a decoder that crashes would take the whole run with it. So is the fork server, whose
workers are no children of the run: nothing of the system ends them with it, and here they are not tied to it.
"""

import shutil
import statistics
import sys
import tempfile
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

from rounds import folder_in_memory, run_once
from speed import CLASSES, N_SOURCES, write_photographs

from rebalance import backends
from rebalance.cli.main import main as rebalance

METHODS = ("fork", "threads", "forkserver", "spawn")
N_OUTPUTS = (200, 4000)
ROUNDS = 5


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


def main() -> None:
    """Time the methods in turn and print medians of the ratios to forks."""
    with tempfile.TemporaryDirectory(dir=folder_in_memory()) as name:
        source, output = Path(name) / "source", Path(name) / "output"
        write_photographs(source)
        for n_outputs in N_OUTPUTS:
            seconds: dict[str, list[float]] = {method: [] for method in METHODS}
            for _ in range(ROUNDS):
                for method in METHODS:
                    each = str((N_SOURCES + n_outputs) // len(CLASSES))
                    command = [sys.executable, __file__, method, "augment", str(source), "-o", str(output), "-s", each]
                    seconds[method].append(run_once([*command, "-q", "--max-copies", "1000"]).wall)
                    shutil.rmtree(output)
            for method, own in seconds.items():
                ratio = statistics.median(one / fork for one, fork in zip(own, seconds["fork"], strict=True))
                print(
                    f"{n_outputs} outputs, {method}: {statistics.median(own):.2f} s, {ratio:.2f} times forks",
                    flush=True,
                )


if __name__ == "__main__":
    if sys.argv[1:]:
        run_with(sys.argv.pop(1))
    else:
        main()
