"""Timing whole commands in turn, so that a ratio is of two runs that followed each other."""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

ROUNDS = 5
_PEERS = Path(__file__).parent / ".peers"
_ROOM = 2**31
"""Bytes that the largest output may take, with what is beside it."""
_LOOK_EVERY = 0.1
"""Seconds between two looks at the memory of a run."""

Entry = Callable[[Path, Path], list[str]]
"""From source and output to the command."""
Entries = Mapping[str, Entry]
"""By name; the first is what the others are compared with."""


class Run(NamedTuple):
    """What one run took: seconds by the clock, seconds of all its processes."""

    wall: float
    cpu: float


def folder_in_memory() -> str | None:
    """Return a folder in memory where there is room: pauses of a disk, and of names it has just freed, are noise."""
    folder = "/dev/shm"
    has_room = os.access(folder, os.W_OK) and shutil.disk_usage(folder).free >= _ROOM
    return folder if has_room else None


def peer_python(name: str) -> Path | None:
    """Return the interpreter of a peer's environment; None, and say so, where it is not installed."""
    python = _PEERS / name / "bin" / "python"
    if python.exists():
        return python
    print(f"{name}: is not installed (make bench-setup)")
    return None


def run_once(command: list[str]) -> Run:
    """Run a command to its end. Ends the benchmark where it fails."""
    with tempfile.TemporaryFile() as said:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{said.read().decode()}")
    return Run(wall, usage.ru_utime + usage.ru_stime)


def most_memory(command: list[str]) -> float:
    """Run a command and return the most MiB that it and its processes held, what they share counted once (PSS)."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    most = 0.0
    while process.poll() is None:
        most = max(most, sum(_proportional_set(pid) for pid in _family(process.pid)))
        time.sleep(_LOOK_EVERY)
    return most


def _family(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:
            continue
        for child in children:
            yield from _family(int(child))


def _proportional_set(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def time_in_turn(entries: Entries, source: Path, output: Path, n_files: int) -> None:
    """Time the entries, count what each wrote, and print medians and the medians of paired ratios to the first."""
    seconds: dict[str, list[float]] = {name: [] for name in entries}
    for round_number in range(ROUNDS + 1):
        for name, command in entries.items():
            run = run_once(command(source, output))
            if round_number:  # the first round warms the caches
                seconds[name].append(run.wall)
            n_written = sum(1 for _ in output.rglob("*.jpg"))
            if n_written != n_files:
                sys.exit(f"{name} wrote {n_written} files instead of {n_files}")
            shutil.rmtree(output)
    first = next(iter(entries))
    print(f"{n_files} files, {os.cpu_count()} cores, {ROUNDS} rounds")
    for name, times in seconds.items():
        ratio = statistics.median(other / ours for other, ours in zip(times, seconds[first], strict=True))
        print(f"{name:14} median {statistics.median(times):6.2f} s, ratio to {first} {ratio:5.2f}")
