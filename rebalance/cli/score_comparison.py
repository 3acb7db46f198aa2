"""`score --compare`: what is better about one way of making models than about another."""

from typing import TYPE_CHECKING, Any, NamedTuple

from rebalance.cli.report import emit, print_csv, print_json
from rebalance.cli.score_differences import as_row, judged, print_differences, told_difference
from rebalance.cli.scored import Runs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rebalance.scoring.measuring import Judging
    from rebalance.scoring.scores import Difference

_MODELS = "one run a side: the intervals are for these two models, not for the two ways of making them"


class Compared(NamedTuple):
    """Two ways and what differs."""

    first: Runs
    second: Runs
    differences: "Sequence[Difference]"
    judging: "Judging"


def compared(first: Runs, second: Runs, judging: "Judging") -> Compared:
    """Compare two ways."""
    from rebalance.scoring.scores import compare  # noqa: PLC0415  with what it imports, nothing for --help

    return Compared(first, second, list(compare(first, second, judging)), judging)


def print_comparison(found: Compared, report_format: str) -> None:
    """Print what is better about the second way."""
    if report_format == "json":
        print_json(
            {
                "schema": 1,
                "first": [run.told for run in found.first],
                "second": [run.told for run in found.second],
                "n_images": len(found.first[0].paths),
                "intervals_are_for": "models" if _is_of_models(found) else "ways",
                **judged(found.judging, found.first),
                "differences": [as_row(one) for one in found.differences],
            }
        )
        return
    if report_format == "csv":
        rows: list[Mapping[str, Any]] = [as_row(one) for one in found.differences]
        print_csv(tuple(rows[0]), [tuple(row.values()) for row in rows])
        return
    print_differences(found.differences, ("first", "second"), found.judging)
    drawn = "images" if found.first[0].groups is None else "groups"
    emit(
        f"{len(found.first[0].paths)} images; runs: {len(found.first)} against {len(found.second)}; intervals by "
        f"{found.judging.resampling.n_resamples} resamples of {drawn} and runs, the same images on both sides"
    )
    answer = next(one for one in found.differences if one.measure == "balanced_accuracy")
    difference, interval = told_difference(answer.difference)
    emit(f"did it help? balanced accuracy {difference} ({interval}): {answer.verdict}")
    if _is_of_models(found):
        emit(_MODELS)


def _is_of_models(found: Compared) -> bool:
    """Return whether nothing is known of how runs of the same way differ."""
    return len(found.first) == 1 or len(found.second) == 1
