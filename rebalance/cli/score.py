"""`rebalance score`: how good predictions are, by measures that a majority class cannot flatter."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import click

from rebalance.cli import options
from rebalance.cli.asked import is_on_command_line
from rebalance.cli.option_types import Between, Names, Path
from rebalance.cli.progress import progress_bar
from rebalance.cli.report import tell
from rebalance.cli.score_comparison import compared, print_comparison
from rebalance.cli.score_report import Scored, print_score, score_remarks, scored_of
from rebalance.cli.scored import decide, read_all, settings_asked
from rebalance.cli.side_files import check_distinct, check_picture
from rebalance.dataset import to_bytes
from rebalance.errors import OutputRefusedError, UsageError
from rebalance.scoring.titles import TUNABLE
from rebalance.storage.output import check_side_file
from rebalance.storage.single import replace_file

Given = Mapping[str, Any]


class _FilesAfterCompare(click.Command):
    """A command of which every file after `--compare` is of it, whatever options stand between them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take each for a value of its own."""
        if ctx.resilient_parsing:  # to complete it
            return super().parse_args(ctx, args)
        taking = {name for option in self.params for name in option.opts if not getattr(option, "is_flag", True)}
        return super().parse_args(ctx, _arranged(args, taking))


def _arranged(arguments: Sequence[str], taking: Collection[str]) -> list[str]:
    """Return options, each file after `--compare` with that before it, and the other files.

    `taking` are the options that take a value.
    """
    options: list[str] = []
    first: list[str] = []
    second: list[str] = []
    files, rest = first, iter(arguments)
    for argument in rest:
        if argument == "--":
            files += rest
        elif argument == "-" or not argument.startswith("-"):
            files.append(argument)
        elif argument.partition("=")[0] == "--compare":
            files = second
            files += [argument.partition("=")[2]] if "=" in argument else []
        elif _is_before_value(argument, taking):
            options += [argument, _next(rest, argument)]
        else:
            options.append(argument)
    if files is second and not second:
        raise click.BadOptionUsage("compare", "--compare names no file: give those of the other way after it")
    if second and not first:
        raise click.BadOptionUsage(
            "compare", "--compare takes all files after it: give those of the first way before it"
        )
    return [*options, *(part for path in second for part in ("--compare", path)), "--", *first]


def _next(rest: Iterator[str], option: str) -> str:
    value = next(rest, None)
    if value is None:
        raise click.BadOptionUsage(option, f"Option '{option}' requires an argument.")
    return value


def _is_before_value(argument: str, taking: Collection[str]) -> bool:
    """Return whether the next argument is the value of this option: `--name`, `-n`, or the last of several letters."""
    if argument.startswith("--"):
        return argument in taking
    letters = [f"-{letter}" for letter in argument[1:]]
    return letters[-1] in taking and not any(letter in taking for letter in letters[:-1])


@click.command(cls=_FilesAfterCompare, short_help="How good predictions are, by measures made for imbalance.")
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
@click.option(
    "--f-beta",
    type=Between(0.001, 1000),
    metavar="BETA",
    default=2,
    show_default=True,
    help="How much more recall weighs in F-beta.",
)
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
    "--resamples", type=click.IntRange(100, 10_000), default=1000, show_default=True, metavar="N",
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
    from rebalance.scoring.measuring import Judging  # noqa: PLC0415  with what it imports, nothing for --help
    from rebalance.scoring.resampling import Resampling  # noqa: PLC0415  the same
    from rebalance.storage.predictions import check_renderable  # noqa: PLC0415  the same

    runs = read_all([*predictions, *given["compare"]], given)
    if given["output"] is not None:
        check_renderable(runs[0])
    settings = settings_asked(given, runs[0].names)
    resampling = Resampling(given["resamples"], given["seed"])
    with progress_bar("score", is_quiet=given["quiet"], unit="resamples") as progress:
        judging = Judging(settings, resampling, progress)
        if given["compare"]:
            print_comparison(compared(runs[: len(predictions)], runs[len(predictions) :], judging), given["format"])
            return 0
        decided = decide(runs, settings, given)
        scored = scored_of(decided, judging)
    print_score(scored, given["format"])
    tell(given, score_remarks(scored))
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
    files = (*predictions, *given["compare"], given["tune_on"], given["plot"], given["output"])
    check_distinct(filter(None, files))
    if given["plot"] is not None:
        check_picture("--plot", given["plot"], [])
        _find_matplotlib()
    if given["output"] is not None:
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
        replace_file(given["output"], render_predictions(scored.decided.runs[0]))
    if given["plot"] is not None:
        from rebalance.plot import render_plot  # noqa: PLC0415  matplotlib takes a second

        replace_file(given["plot"], render_plot(scored.decided.runs[0], scored.score))
