"""What differs between two sides of predictions, as JSON and as a table, and how the intervals came about."""

import math
from typing import TYPE_CHECKING, Any

from rebalance.cli.report import print_table
from rebalance.cli.scored import Runs
from rebalance.scoring.titles import title_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rebalance.scoring.measuring import Judging
    from rebalance.scoring.resampling import Estimate
    from rebalance.scoring.scores import Difference


def judged(judging: "Judging", runs: Runs) -> dict[str, Any]:
    """Return how the intervals came about."""
    settings, resampling = judging.settings, judging.resampling
    weights = settings.class_weights
    return {
        "intervals": {
            "level": 0.95,
            "resamples": resampling.n_resamples,
            "seed": resampling.seed,
            "drawn": "images" if runs[0].groups is None else "groups",
        },
        "f_beta": settings.f_beta,
        "alpha": settings.alpha,
        "correction": settings.correction,
        **({"class_weights": dict(zip(runs[0].names, weights, strict=True))} if weights is not None else {}),
    }


def number(value: float) -> float | None:
    """Return a number as JSON has it."""
    return value if math.isfinite(value) else None


def as_row(one: "Difference") -> dict[str, Any]:
    """Return a difference as JSON and CSV have it."""
    return {
        "measure": one.measure,
        "class": one.class_name,
        "first": number(one.first),
        "second": number(one.second),
        "difference": number(one.difference.value),
        "low": number(one.difference.low),
        "high": number(one.difference.high),
        "verdict": one.verdict,
    }


def print_differences(differences: "Sequence[Difference]", sides: tuple[str, str], judging: "Judging") -> None:
    """Print differences as a table."""
    rows = (
        [
            title_of(one.measure, judging.settings.f_beta) + (f" of {one.class_name}" if one.class_name else ""),
            f"{one.first:.3f}",
            f"{one.second:.3f}",
            *told_difference(one.difference),
            one.verdict,
        ]
        for one in differences
    )
    print_table(("measure", *sides, "difference", "95 % interval", ""), rows)


def told_difference(difference: "Estimate") -> tuple[str, str]:
    """Return a difference, and its interval, with their signs."""
    value, low, high = (f"{number:+.3f}".replace("-0.000", "+0.000") for number in difference)
    return value, f"{low} to {high}"
