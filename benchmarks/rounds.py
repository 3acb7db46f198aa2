"""Timing whole commands in turn, so that a ratio is of two runs that followed each other."""

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

ROUNDS = 5

Entries = Mapping[str, Callable[[Path, Path], list[str]]]
"""Name -> from source and output to the command; the first is what the others are compared with."""


def time_in_turn(entries: Entries, source: Path, output: Path, n_files: int) -> None:
    """Time the entries, count what each wrote, and print medians and the medians of paired ratios to the first."""
    seconds: dict[str, list[float]] = {name: [] for name in entries}
    for round_number in range(ROUNDS + 1):
        for name, command in entries.items():
            began = time.perf_counter()
            subprocess.run(command(source, output), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if round_number:  # the first round warms the caches
                seconds[name].append(time.perf_counter() - began)
            n_written = sum(1 for _ in output.rglob("*.jpg"))
            if n_written != n_files:
                sys.exit(f"{name} wrote {n_written} files instead of {n_files}")
            shutil.rmtree(output)
    first = next(iter(entries))
    print(f"{n_files} files, {os.cpu_count()} cores, {ROUNDS} rounds")
    for name, times in seconds.items():
        ratio = statistics.median(other / ours for other, ours in zip(times, seconds[first], strict=True))
        print(f"{name:14} median {statistics.median(times):6.2f} s, ratio to {first} {ratio:5.2f}")
