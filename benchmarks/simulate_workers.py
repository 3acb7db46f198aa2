"""How many workers one parent keeps busy: a simulation of batches that go out, are worked on and come back.

    python benchmarks/simulate_workers.py [--image MS] [--row µS] [--local MS] [--far MS]

A parent hands out batches one after the other, which takes it so long a batch, and takes results back, which takes it
so long a row (`ten_million.py` measures both); three batches a worker are in flight. A worker needs between three
quarters and five quarters of the mean for a batch. With shards, each has a parent and its part of the workers. What is
printed is of the steady state. Nothing is drawn by chance: a run gives the same table everywhere.
"""

import argparse
import heapq
from hashlib import blake2b
from typing import NamedTuple

WORKERS = (1, 10, 100, 1_000, 10_000)
SHARDS = (1, 16, 64)
_IN_FLIGHT = 3
"""As `rebalance.batches` has it."""
_ROUNDS = 12
"""Batches a worker that are looked at."""
_FEWEST = 2_000


class Costs(NamedTuple):
    """What each step takes, in seconds."""

    image: float
    """A worker, an image."""
    batch: float
    """The parent and its scheduler, a batch."""
    row: float
    """The parent, an image: its task, its journal row."""

    def knee(self, n_images: int) -> float:
        """Return the workers that one parent just keeps busy with batches of so many images."""
        return n_images * self.image / (self.batch + n_images * self.row)


def simulate(n_workers: int, n_images: int, costs: Costs) -> float:
    """Return the images a second of one parent with so many workers and batches of so many images."""
    free = [0.0] * n_workers
    done: list[float] = []
    clock, n_batches = 0.0, 0

    def hand_out() -> None:
        nonlocal clock, n_batches
        clock += costs.batch
        n_batches += 1
        ends = max(clock, heapq.heappop(free)) + n_images * costs.image * _pace(n_batches)
        heapq.heappush(free, ends)
        heapq.heappush(done, ends)

    for _ in range(_IN_FLIGHT * n_workers):
        hand_out()
    n_before = max(_FEWEST, _IN_FLIGHT * n_workers)
    n_counted, began = max(_FEWEST, _ROUNDS * n_workers), 0.0
    for number in range(n_before + n_counted):
        clock = max(clock, heapq.heappop(done)) + n_images * costs.row
        began = clock if number == n_before - 1 else began
        hand_out()
    return n_counted * n_images / (clock - costs.batch - began)


def simulate_shards(n_workers: int, n_shards: int, n_images: int, costs: Costs) -> float:
    """Return the same of so many parents, each with its part of the workers."""
    n_each, n_larger = divmod(n_workers, n_shards)
    rate = (n_shards - n_larger) * simulate(n_each, n_images, costs)
    return rate + (n_larger * simulate(n_each + 1, n_images, costs) if n_larger else 0)


def _pace(number: int) -> float:
    """Return what a batch takes of the mean, from 0.75 to 1.25."""
    return 0.75 + int.from_bytes(blake2b(b"%d" % number, digest_size=4).digest()) / 2**33


def main() -> None:
    """Print the knee and a table for each kind of batch."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--image", type=float, default=7.0, help="milliseconds a worker needs for an image")
    parser.add_argument("--row", type=float, default=20.0, help="microseconds the parent needs for a row")
    parser.add_argument("--local", type=float, default=0.3, help="milliseconds for a batch of local processes")
    parser.add_argument("--far", type=float, default=1.5, help="milliseconds for a batch through a scheduler")
    asked = parser.parse_args()
    for what, n_images, batch in (
        ("local", 16, asked.local),
        ("scheduler", 16, asked.far),
        ("scheduler", 96, asked.far),
    ):
        costs = Costs(asked.image / 1e3, batch / 1e3, asked.row / 1e6)
        print(f"\n{what}, batches of {n_images}: W* = {costs.knee(n_images):.0f} workers a parent\n")
        header = "".join(f" {n} parent{'s'[: n - 1]} |" for n in SHARDS)
        print(f"| workers |{header}\n|---|{'---|' * len(SHARDS)}")
        for n_workers in WORKERS:
            cells = []
            for n_shards in SHARDS:
                rate = simulate_shards(n_workers, min(n_shards, n_workers), n_images, costs)
                cells.append(f" {rate:,.0f}/s, {rate * costs.image / n_workers:.0%} |")
            print(f"| {n_workers:,} |{''.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
