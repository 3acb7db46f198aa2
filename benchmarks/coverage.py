"""How often the 95 % intervals of `score --compare` hold the true difference, where that is known.

Models are simulated: a run calls an image rightly where skill of the way + ease of the class + luck of the run + luck
of the run with this image > difficulty of the image. What is compared is balanced accuracy, whose true difference
follows from the normal distribution. Seeded: the same numbers at every run.
"""

import sys
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from rebalance.scoring.decisions import Settings
from rebalance.scoring.measuring import Judging
from rebalance.scoring.predictions import Predictions
from rebalance.scoring.resampling import Resampling
from rebalance.scoring.scores import compare

SIZES = np.array([300, 60, 20])
SKILLS = (0.6, 0.9)
OF_CLASS = np.array([0.6, 0.0, -0.5])
SPREAD_RUN, SPREAD_IMAGE, SPREAD_BOTH = 0.15, 1.0, 0.6
PHI = NormalDist().cdf
NAMES = ("a", "b", "c")


def normal(seed: tuple[int, ...], *shape: int) -> NDArray[np.float64]:
    """Return normal numbers of a stream of their own."""
    words = np.random.PCG64(np.random.SeedSequence(seed)).random_raw(2 * int(np.prod(shape)))
    first, second = (words / 2.0**64).reshape(2, -1)
    return np.asarray(np.sqrt(-2 * np.log1p(-first)) * np.cos(2 * np.pi * second)).reshape(shape)


def way(
    seed: int, side: int, n_runs: int, truth: NDArray[np.intp], difficulty: NDArray[np.float64]
) -> tuple[list[Predictions], float]:
    """Return the runs of a way, and the balanced accuracy that these very runs have in the long run."""
    luck = SPREAD_RUN * normal((seed, side, 1), n_runs)
    both = SPREAD_BOTH * normal((seed, side, 2), n_runs, len(truth))
    is_right = SKILLS[side] + OF_CLASS[truth] + luck[:, None] + both > difficulty
    called = np.where(is_right, truth, (truth + 1) % 3)
    paths = tuple(map(str, range(len(truth))))
    spread = sqrt(SPREAD_IMAGE**2 + SPREAD_BOTH**2)
    expected = [[PHI((SKILLS[side] + of_class + one) / spread) for of_class in OF_CLASS] for one in luck]
    return [Predictions(f"{side}", NAMES, paths, truth, row) for row in called], float(np.mean(expected))


def true_difference() -> float:
    """Return the difference between the ways, over all runs and images."""
    spread = sqrt(SPREAD_RUN**2 + SPREAD_IMAGE**2 + SPREAD_BOTH**2)
    first, second = (np.mean([PHI((skill + of_class) / spread) for of_class in OF_CLASS]) for skill in SKILLS)
    return float(second - first)


def coverage(n_runs: int, n_repetitions: int, n_resamples: int) -> tuple[float, float, float]:
    """Return how often the interval holds the difference of the ways, and of these very models, and its mean width."""
    truth, ways, models, widths = np.repeat(np.arange(3), SIZES), 0, 0, []
    for seed in range(n_repetitions):
        difficulty = SPREAD_IMAGE * normal((seed, 9), len(truth))
        (first, expected_first), (second, expected_second) = (
            way(seed, side, n_runs, truth, difficulty) for side in (0, 1)
        )
        differences = compare(
            first, second, Judging(Settings(), Resampling(n_resamples, seed), lambda _done, _all: None)
        )
        found = next(one.difference for one in differences if one.measure == "balanced_accuracy")
        ways += found.low <= true_difference() <= found.high
        models += found.low <= expected_second - expected_first <= found.high
        widths.append(found.high - found.low)
    return ways / n_repetitions, models / n_repetitions, float(np.mean(widths))


def main(n_repetitions: int = 200) -> None:
    """Print the coverage for several numbers of runs a side."""
    print(f"true difference {true_difference():+.4f}; {n_repetitions} repetitions; nominal 95 %\n")
    print("| runs a side | holds the difference of the ways | of these models | mean width |\n|---:|---:|---:|---:|")
    for n_runs in (1, 2, 3, 5, 10):
        ways, models, width = coverage(n_runs, n_repetitions, 1000)
        print(f"| {n_runs} | {ways:.1%} | {models:.1%} | {width:.3f} |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
