"""`rebalance score`: how good predictions are, by measures that a majority class cannot flatter."""

import os
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import click

from rebalance.cli import options
from rebalance.cli.asked import is_on_command_line
from rebalance.cli.option_types import POSITIVE, Names, Path
from rebalance.cli.progress import progress_bar
from rebalance.cli.report import say
from rebalance.cli.score_report import (
    Scored,
    compared,
    print_comparison,
    print_score,
    score_remarks,
    scored_of,
)
from rebalance.cli.scored import check_distinct, decide, read_all, settings_asked
from rebalance.dataset import to_bytes
from rebalance.errors import OutputRefusedError, UsageError
from rebalance.scoring.titles import TUNABLE
from rebalance.storage.output import PNG, check_side_file
from rebalance.storage.single import whole_file

Given = Mapping[str, Any]


class _ManyAfterCompare(click.Command):
    """A command of which `--compare` takes all that follows it, up to the next option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take each for a value of its own."""
        return super().parse_args(ctx, list(_spread(args)))


def _spread(arguments: Sequence[str]) -> Iterator[str]:
    """Yield arguments with `--compare` before each of its values."""
    is_compared = is_first = False
    for position, argument in enumerate(arguments):
        if argument == "--":
            yield from arguments[position:]
            return
        if argument.startswith("-") and argument != "-":
            is_compared = is_first = argument == "--compare"
        elif is_compared and not is_first:
            yield "--compare"
        else:
            is_first = False
        yield argument


@click.command(cls=_ManyAfterCompare, short_help="How good predictions are, by measures made for imbalance.")
@click.argument("predictions", type=Path(), nargs=-1, required=True)
@click.option(
    "--compare", type=Path(), multiple=True, metavar="B1.csv B2.csv ...",
    help="Predictions of another way, a file a training run: is it better than PREDICTIONS?",
)  # fmt: skip
@click.option(
    "--columns", "--column", "columns", type=Names(), multiple=True, metavar="ROLE=NAME",
    help="What a file calls path, y_true, y_pred, or the probability of a class (CLASS=NAME); may be repeated, or "
    "joined by commas.",
)  # fmt: skip
@click.option("--groups", type=Names(), metavar="COLUMN", help="Images of one group are drawn together.")
@click.option(
    "--class-weights", type=Names(), multiple=True, metavar="NAME=W|@FILE.json",
    help="Of the mean class-weighted accuracy: each class once, or what inspect --export wrote.",
)  # fmt: skip
@click.option("--f-beta", type=POSITIVE, default=2, show_default=True, help="How much more recall weighs in F-beta.")
@click.option(
    "--prior-correct", type=Path(), metavar="TREE",
    help="The model was trained on this output of rebalance: put probabilities back to the shares before it.",
)  # fmt: skip
@click.option("--tune-on", type=Path(), metavar="VAL.csv", help="Pick thresholds on natural validation data first.")
@click.option(
    "--tune-for", type=click.Choice(TUNABLE), default=TUNABLE[0], show_default=True, metavar="MEASURE",
    help=f"What thresholds are to make largest: {', '.join(TUNABLE)}.",
)  # fmt: skip
@click.option(
    "--resamples", type=click.IntRange(100, 1_000_000), default=1000, show_default=True, metavar="N",
    help="Of the bootstrap that gives 95 % intervals.",
)  # fmt: skip
@options.seed
@click.option("--plot", type=Path(), metavar="FILE.png", help="Precision-recall curves and the confusion matrix.")
@click.option("-o", "--output", type=Path(), metavar="FILE.csv", help="Write the predictions that were scored.")
@click.option("--overwrite", is_flag=True, help="Replace predictions that stand at -o FILE.csv.")
@options.report_format
@options.quiet
def score(predictions: tuple[str, ...], **given: Any) -> int:
    """Measure PREDICTIONS, a CSV with columns path, y_true, and y_pred or one probability a class.

    Several files are training runs of one way: their mean is measured. Intervals are 95 %, from resamples of images
    within their class, and of runs.

    \b
    rebalance score test.csv
    rebalance score plain-1.csv plain-2.csv plain-3.csv --compare balanced-1.csv balanced-2.csv balanced-3.csv
    rebalance score test.csv --tune-on val.csv --plot test.png
    rebalance score test.csv --prior-correct data/balanced
    """
    _check(predictions, given)
    runs = read_all([*predictions, *given["compare"]], given)
    settings = settings_asked(given, runs[0].names)
    from rebalance.scoring.measuring import Judging  # noqa: PLC0415  with what it imports, nothing for --help
    from rebalance.scoring.resampling import Resampling  # noqa: PLC0415  the same

    resampling = Resampling(given["resamples"], given["seed"])
    with progress_bar("score", is_quiet=given["quiet"], unit="resamples") as progress:
        judging = Judging(settings, resampling, progress)
        if given["compare"]:
            print_comparison(compared(runs[: len(predictions)], runs[len(predictions) :], judging), given["format"])
            return 0
        decided = decide(runs, settings, given)
        scored = scored_of(decided, judging)
    print_score(scored, given["format"])
    if not given["quiet"]:
        for remark in score_remarks(scored):
            say(remark)
    _write(scored, given)
    return 0


def _check(predictions: Sequence[str], given: Given) -> None:
    """Raise UsageError for options that do not go together, OutputRefusedError for files that cannot be written."""
    alone = [name for name in ("tune_on", "plot", "output") if given[name] is not None]
    of_one_way = [*alone, *(["prior_correct"] if given["prior_correct"] is not None else [])]
    if given["compare"] and of_one_way:
        option = of_one_way[0].replace("_", "-")
        raise UsageError(f"--{option} is of one way, and --compare is of two: score each with -o, then compare those")
    if alone and len(predictions) > 1:
        raise UsageError(f"--{alone[0].replace('_', '-')} takes one PREDICTIONS; there are {len(predictions)}")
    if is_on_command_line("tune_for") and given["tune_on"] is None:
        raise UsageError("--tune-for goes with --tune-on VAL.csv")
    if given["tune_for"] == "mean_class_weighted_accuracy" and not given["class_weights"]:
        raise UsageError("--tune-for mean_class_weighted_accuracy goes with --class-weights")
    _check_files(predictions, given)


def _check_files(predictions: Sequence[str], given: Given) -> None:
    """Raise UsageError, OutputRefusedError where the files that are asked for cannot be written."""
    if given["plot"] is not None:
        if not given["plot"].lower().endswith(".png"):
            raise UsageError(f"--plot {given['plot']!r} does not end with .png")
        _find_matplotlib()
        check_side_file(given["plot"], [], PNG, "PNG")
    if given["output"] is not None:
        check_distinct([*predictions, *filter(None, [given["tune_on"]]), given["output"]])
        check_side_file(given["output"], [], b"path,y_true,y_pred", "CSV of predictions")
        if os.path.lexists(to_bytes(given["output"])) and not given["overwrite"]:
            raise OutputRefusedError(f"{given['output']}: is there already: choose another name, or --overwrite")
    elif given["overwrite"]:
        raise UsageError("--overwrite goes with -o FILE.csv")


def _find_matplotlib() -> None:
    """Raise UsageError where it is not installed."""
    if find_spec("matplotlib") is None:
        raise UsageError("--plot needs matplotlib: pip install 'rebalance-images[plot]'")


def _write(scored: Scored, given: Given) -> None:
    """Write the files that are asked for."""
    from rebalance.storage.predictions import render_predictions  # noqa: PLC0415  with what it imports

    if given["output"] is not None:
        with whole_file(to_bytes(given["output"]), is_replacing=True) as file:
            file.write(render_predictions(scored.decided.runs[0]))
    if given["plot"] is not None:
        from rebalance.plot import render_plot  # noqa: PLC0415  matplotlib takes a second

        with whole_file(to_bytes(given["plot"]), is_replacing=True) as file:
            file.write(render_plot(scored.decided.runs[0], scored.score))
