"""What planning and journalling cost the parent, in time and memory: ten outputs a source, ten lopsided classes.

    python benchmarks/ten_million.py [--all]

100,000 sources and 1,000,000 outputs, with `--all` ten times as many: empty files with names of some 30 bytes. No
picture is opened; what workers would hand back is made up. Each step is a process of its own: seconds, microseconds of
processor an output, and how large the process was before and at most.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from hashlib import blake2b, sha256
from itertools import islice
from pathlib import Path

from rebalance.batches import run_batches
from rebalance.dataset import Dataset
from rebalance.finished import Finished, Written
from rebalance.perform import Task
from rebalance.plan import Augment, Made, Plan
from rebalance.planning.augment import AugmentOptions, plan_augment
from rebalance.planning.targets import parse_strategy
from rebalance.reuse import EarlierWork
from rebalance.run import RunOptions
from rebalance.storage.journal import Journal
from rebalance.storage.lines import row_of
from rebalance.storage.scan import scan
from rebalance.storage.staging import Staging
from rebalance.tasks import Tasks

N_SOURCES = 100_000
N_CLASSES = 10
EACH = 10
"""Outputs a source."""
_RECIPE = {"rotation_range": 7.0, "fill_mode": "reflect", "interpolation": "bicubic"}
_VALUES = {
    "rotation": -4.217113, "width_shift": -0.041377, "height_shift": 0.021846, "zoom_x": 1.041927, "zoom_y": 0.952231,
    "horizontal_flip": True, "brightness": 1.087213, "contrast": 0.941772,
}  # fmt: skip
_BOOT = "4b3b6d5e-1f0a-4c57-9c5e-0d6f5b1f2a11"


def class_counts(n_sources: int) -> list[int]:
    """Return counts that fall like 1 / rank and add up."""
    weights = [1 / (rank + 1) for rank in range(N_CLASSES)]
    counts = [int(n_sources * weight / sum(weights)) for weight in weights]
    counts[0] += n_sources - sum(counts)
    return counts


def write_source(root: Path, n_sources: int) -> None:
    """Write the tree of empty files."""
    for rank, count in enumerate(class_counts(n_sources)):
        folder = root / f"class{rank:04d}"
        folder.mkdir(parents=True)
        for number in range(count):
            name = f"{blake2b(b'%d' % number, digest_size=10).hexdigest()}_{number:07d}.jpg"
            os.close(os.open(folder / name, os.O_CREAT | os.O_WRONLY))


def plan_of(dataset: Dataset) -> Plan:
    """Return the plan that brings every class to the size of all sources by as many outputs as there are classes."""
    n_sources = sum(dataset.class_counts.values())
    strategy = parse_strategy((str(n_sources * EACH // N_CLASSES),), lambda _path: "")
    options = AugmentOptions(strategy, 0, _RECIPE, others={"check": "header", "bad_images": "fail"})
    return plan_augment(dataset, options, {})


def finished(made: Made, class_name: str, n_bytes: int = 0) -> Finished:
    """Return what a worker would hand back."""
    name = sha256(made.output.encode()).hexdigest()
    is_drawn = isinstance(made, Augment)
    written = Written(
        made.output, class_name, made.kind, made.source.path, name, name, n_bytes, 224, 224, "RGB", "JPEG",
        made.copy_number if isinstance(made, Augment) else None,
        values=_VALUES if is_drawn else None, source_bytes=41_212 if is_drawn else None,
    )  # fmt: skip
    return Finished(written, name[:32], made.source.stamp)


class Bench:
    """A tree of sources, and a journal beside it."""

    def __init__(self, folder: Path) -> None:
        """Take the folder of both."""
        self.folder = folder
        self.journal = os.fsencode(folder / "staging" / "journal.jsonl")

    def dataset(self) -> Dataset:
        """Scan the tree."""
        return scan(str(self.folder / "source"))

    def tasks(self, plan: Plan, journal: Journal) -> Iterable[list[Task]]:
        """Return the batches that are left to do."""
        staging = Staging(os.fsencode(self.folder / "staging"), journal, b"own")
        earlier = EarlierWork(staging, None, _BOOT)
        versions = {"pillow": "12.3", "libjpeg": "3.1"}
        return Tasks(plan, {}, RunOptions(1), versions, earlier, lambda _made, _name: None).batches()

    def scan(self) -> None:
        """Read the names and stamps of the sources."""
        self.dataset()

    def plan(self) -> Callable[[], None]:
        """Decide how many copies each class has, and of each source."""
        dataset = self.dataset()
        return lambda: plan_of(dataset) and None

    def operations(self) -> Callable[[], None]:
        """Name every output, in the order of the manifest."""
        plan = plan_of(self.dataset())

        def run() -> None:
            assert sum(1 for target in plan.targets for _ in plan.made(target)) == plan.n_outputs

        return run

    def batches(self) -> Callable[[], None]:
        """Make every task."""
        plan = plan_of(self.dataset())

        def run() -> None:
            batches = self.tasks(plan, Journal(self.journal + b".empty"))
            assert sum(len(task.wanted) for batch in batches for task in batch) == plan.n_outputs

        return run

    def append(self) -> Callable[[], None]:
        """Make every task, and append a row for each output."""
        plan, journal = plan_of(self.dataset()), Journal(self.journal)

        def run() -> None:
            for batch in self.tasks(plan, journal):
                for task in batch:
                    for made, _candidate in task.wanted:
                        journal.append(finished(made, task.class_name), _BOOT)

        return run

    def handover(self) -> Callable[[], None]:
        """Do the same with batches that go to a worker and come back; only this process is counted."""
        plan, journal = plan_of(self.dataset()), Journal(self.journal + b".handed")

        def run() -> None:
            for results in run_batches(answer, self.tasks(plan, journal), 1, describe=repr):
                for result in results:
                    journal.append(result, _BOOT)

        return run

    def reopen(self) -> Callable[[], None]:
        """Read the journal as a run does that goes on."""
        plan = plan_of(self.dataset())

        def run() -> None:
            journal = Journal(self.journal)
            assert all(
                journal.may_have(made.output) for target in plan.targets for made in islice(plan.made(target), 9)
            )

        return run

    def seal(self) -> Callable[[], None]:
        """Find every row in the order of the manifest, and make its line."""
        plan, journal = plan_of(self.dataset()), Journal(self.journal)

        def run() -> None:
            for target in plan.targets:
                for made in plan.made(target):
                    found = journal.find(made.output)
                    assert found is not None
                    json.dumps(row_of(replace(found[0].written, split=None)), ensure_ascii=False)

        return run


def answer(tasks: Sequence[Task]) -> list[Finished]:
    """Return at once what a worker would hand back."""
    return [finished(made, task.class_name) for task in tasks for made, _candidate in task.wanted]


STEPS = ("plan", "operations", "batches", "append", "handover", "reopen", "seal")


def run_step(folder: Path, step: str) -> None:
    """Run one step in this process and print seconds by the clock and of the processor, and MiB before and at most."""
    run = getattr(Bench(folder), step)()
    before, began, began_cpu = _peak(), time.perf_counter(), time.process_time()
    run()
    print(time.perf_counter() - began, time.process_time() - began_cpu, before, _peak())


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def dry_run(folder: Path, n_outputs: int) -> tuple[float, float, float]:
    """Return seconds by the clock and of the processor, and MiB, of the command that lists every output."""
    command = [sys.executable, "-m", "rebalance", "augment", str(folder / "source"), "-n", "--format", "json", "-q"]
    began = time.perf_counter()
    process = subprocess.Popen(
        [*command, "-s", str(n_outputs // N_CLASSES)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"the dry run ended with {process.returncode}")
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--step", nargs=2, metavar=("FOLDER", "NAME"))
    asked = parser.parse_args()
    if asked.step:
        run_step(Path(asked.step[0]), asked.step[1])
        return
    n_sources = N_SOURCES * (10 if asked.all else 1)
    n_outputs = n_sources * EACH
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_source(folder / "source", n_sources)
        (folder / "staging").mkdir()
        began = time.perf_counter()
        Bench(folder).scan()
        print(f"{n_sources} sources, scanned in {time.perf_counter() - began:.1f} s\n")
        print("| step | seconds | CPU µs an output | MiB before | MiB at most |\n|---|---|---|---|---|")
        for step in STEPS:
            command = [sys.executable, __file__, "--step", name, step]
            ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            seconds, cpu, before, peak = map(float, ran.stdout.split())
            told = f"{seconds:.1f} | {cpu / n_outputs * 1e6:.1f} | {before:.0f} | {peak:.0f}"
            print(f"| {step} | {told} |", flush=True)
        seconds, cpu, peak = dry_run(folder, n_outputs)
        print(f"| dry run | {seconds:.1f} | {cpu / n_outputs * 1e6:.1f} | | {peak:.0f} |")
        size = os.path.getsize(Bench(folder).journal)
        print(f"\njournal: {size / n_outputs:.0f} bytes an output")


if __name__ == "__main__":
    main()
