"""What `score` prints of one way: the measures with their intervals, and what was done to the predictions."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from rebalance.cli.report import displayed, emit, print_csv, print_json, print_table
from rebalance.cli.score_differences import as_row, judged, number, print_differences
from rebalance.cli.scored import Decided, Runs
from rebalance.scoring.titles import title_of

if TYPE_CHECKING:
    from rebalance.scoring.measuring import Judging
    from rebalance.scoring.resampling import Estimate
    from rebalance.scoring.scores import ClassScore, Difference, Score

_SHOWN = ("precision", "recall", "specificity", "f1", "average_precision")
"""Of each class, in the first table."""
_AGAINST_THE_REST = (
    "geometric_mean", "index_balanced_accuracy", "optimized_precision", "adjusted_geometric_mean"
)  # fmt: skip


class Scored(NamedTuple):
    """Predictions and what they are worth."""

    decided: Decided
    score: "Score"
    changes: "Sequence[Difference]"
    """From the predictions that were read."""
    judging: "Judging"


def scored_of(decided: Decided, judging: "Judging") -> Scored:
    """Measure predictions, and what was gained by what was done to them."""
    from rebalance.scoring.scores import compare, score  # noqa: PLC0415  with what it imports, nothing for --help

    found = score(decided.runs, judging)
    is_changed = decided.runs is not decided.as_read
    return Scored(decided, found, list(compare(decided.as_read, decided.runs, judging)) if is_changed else [], judging)


def score_remarks(scored: Scored) -> Iterator[str]:
    """Yield what of the predictions is odd."""
    for one in scored.score.classes:
        if not one.support:
            yield f"note: class {one.name!r} stands in no y_true: its recall is undefined and in no mean"
        elif not one.n_called:
            yield f"note: class {one.name!r} is never predicted: its precision is undefined"
    if few := [one for one in scored.score.classes if one.support and one.is_too_few]:
        drawn = "images" if scored.decided.runs[0].groups is None else "groups"
        yield (
            f"note: {len(few)} of {len(scored.score.classes)} classes have fewer than 10 {drawn}, {few[0].name!r} "
            "first: means over the classes are known less well than their intervals say"
        )


def print_score(scored: Scored, report_format: str) -> None:
    """Print what predictions are worth."""
    if report_format == "json":
        print_json(_report(scored))
    elif report_format == "csv":
        print_csv(("class", "measure", "value", "low", "high"), _rows(scored))
    else:
        _print_text(scored)


def _report(scored: Scored) -> dict[str, Any]:
    score, decided = scored.score, scored.decided
    return {
        "schema": 1,
        "predictions": [run.told for run in decided.as_read],
        "n_images": len(decided.runs[0].paths),
        **judged(scored.judging, decided.runs),
        "overall": {name: _as_json(estimate) for name, estimate in score.overall.items()},
        "classes": [
            {
                "name": one.name,
                "support": one.support,
                "n_predicted": one.n_called,
                "too_few": one.is_too_few,
                **{name: _as_json(estimate) for name, estimate in one.measures.items()},
            }
            for one in score.classes
        ],
        "confusion": score.confusion.tolist(),
        **({"prior_ratios": dict(decided.ratios)} if decided.ratios else {}),
        **_thresholds(decided),
        **({"changes": [as_row(one) for one in scored.changes]} if scored.changes else {}),
    }


def _thresholds(decided: Decided) -> dict[str, Any]:
    if decided.tuned is None:
        return {}
    tuned = decided.tuned
    thresholds = dict(zip(decided.runs[0].names, tuned.thresholds.tolist(), strict=True))
    told = {"before": number(tuned.before), "held_out": number(tuned.held_out)}
    return {"thresholds": thresholds, "power_of_shares": tuned.power, "on_validation": told}


def _as_json(estimate: "Estimate") -> dict[str, float | None]:
    return {name: number(value) for name, value in estimate._asdict().items()}


def _rows(scored: Scored) -> Iterator[list[Any]]:
    """Yield a line for each number of a CSV."""
    score, decided = scored.score, scored.decided
    for name, estimate in score.overall.items():
        yield [None, name, *_as_json(estimate).values()]
    for one in score.classes:
        yield [one.name, "support", one.support, None, None]
        for name, estimate in one.measures.items():
            yield [one.name, name, *_as_json(estimate).values()]
    for name, ratio in decided.ratios.items():
        yield [name, "prior_ratio", ratio, None, None]
    if decided.tuned is not None:
        for name, threshold in zip(decided.runs[0].names, decided.tuned.thresholds.tolist(), strict=True):
            yield [name, "threshold", threshold, None, None]
    for change in scored.changes:
        yield [change.class_name, f"change_of_{change.measure}", *_as_json(change.difference).values()]


def _print_text(scored: Scored) -> None:
    score, decided, beta = scored.score, scored.decided, scored.judging.settings.f_beta
    shown = [name for name in _SHOWN if name in score.classes[0].measures]
    print_table(
        ("class", "images", *(title_of(name, beta) for name in shown), ""),
        (
            [one.name, one.support, *(_cell(one, name) for name in shown), _told_few(one.is_too_few)]
            for one in score.classes
        ),
    )
    emit("")
    print_table(
        ("class against the rest", *(title_of(name, beta) for name in _AGAINST_THE_REST)),
        ([one.name, *(_cell(one, name) for name in _AGAINST_THE_REST)] for one in score.classes),
    )
    emit("")
    print_table(
        ("all classes", "value", "95 % interval"),
        ([title_of(name, beta), *_told_apart(estimate)] for name, estimate in score.overall.items()),
    )
    emit(_told_judging(scored.judging, decided.runs, len(score.classes)))
    _print_changes(scored)


def _print_changes(scored: Scored) -> None:
    """Print what was done to the predictions, and what it changed."""
    decided = scored.decided
    if decided.ratios:
        told = ", ".join(f"{name} x {ratio:.3g}" for name, ratio in decided.ratios.items())
        emit(displayed(f"put back to natural priors, before all is scaled to 1: {told}"))
    if decided.tuned is not None:
        thresholds = zip(decided.runs[0].names, decided.tuned.thresholds.tolist(), strict=True)
        told = ", ".join(f"{name} {threshold:.3g}" for name, threshold in thresholds)
        how = (
            "class by class"
            if decided.tuned.power is None
            else f"as class shares to the power {decided.tuned.power:.2f}"
        )
        emit(displayed(f"called is what has the largest probability / threshold, {how}: {told}"))
        before, after = (f"{value:.3f}" if math.isfinite(value) else "-" for value in decided.tuned[2:4])
        emit(f"on held-out fifths of the validation data: {before} -> {after}")
    if scored.changes:
        print_differences(scored.changes, ("as read", "now"), scored.judging)


_WITH_INTERVAL = ("precision", "recall", "f1", "average_precision")
"""Of those of a class; --format json and csv have the others'."""


def _cell(one: "ClassScore", name: str) -> str:
    value, interval = _told_apart(one.measures[name])
    return f"{value} ({interval})" if interval and name in _WITH_INTERVAL else value


def _told_apart(estimate: "Estimate") -> tuple[str, str]:
    if not math.isfinite(estimate.value):
        return "-", ""
    return f"{estimate.value:.3f}", f"{estimate.low:.3f} to {estimate.high:.3f}"


def _told_few(is_too_few: bool) -> str:  # noqa: FBT001  reads as it is called
    return "too few to tell" if is_too_few else ""


def _told_judging(judging: "Judging", runs: Runs, n_classes: int) -> str:
    """Return where the numbers come from, in a line."""
    drawn = "images within their class" if runs[0].groups is None else "groups within their class"
    several = f", means of {len(runs)} runs" if len(runs) > 1 else ""
    is_wilson = len(runs) == 1 and runs[0].groups is None
    return (
        f"{len(runs[0].paths)} images of {n_classes} classes{several}; intervals by {judging.resampling.n_resamples} "
        f"resamples of {drawn}{' and of runs' if len(runs) > 1 else ''}{', of shares by Wilson' if is_wilson else ''}"
    )
