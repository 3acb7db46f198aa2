"""`rebalance undersample`: fewer images of the large classes."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from rebalance.cli import options
from rebalance.cli.asked import selection_asked, undersample_options
from rebalance.cli.balancing import Balancing, balance
from rebalance.cli.embeddings import Look
from rebalance.cli.label_balancing import balance_labeled
from rebalance.cli.labels import check_labeling, labeling
from rebalance.dataset import Dataset
from rebalance.planning.undersample import check_numbers, plan_undersample
from rebalance.run import Planner

if TYPE_CHECKING:
    from rebalance.planning.labeled import LabelOptions

Given = Mapping[str, Any]


@click.command(short_help="Fewer images of the large classes until the target is hit.")
@options.source
@options.output
@options.sampling_strategy
@options.choosing
@options.arranging
@options.reading
@options.running
@labeling
def undersample(source: str | None, output: str | None, **given: Any) -> int:
    """Write a balanced copy of SOURCE to OUTPUT: some images of the large classes, all of the smallest, none changed.

    \b
    rebalance undersample data/train -o data/balanced
    rebalance undersample data/train -o data/epoch3 -s 500 --method window --window 3
    """
    check_labeling(given, "method")
    if given["labels"] is not None and source is not None:
        remark = f"seed {given['seed']}, the smallest keys of each label set"
        return balance_labeled(
            source, output, given, partial(_plan_labeled, given=given), lambda _plan, _dataset: [remark]
        )
    selection = selection_asked(given, "method")
    return balance(
        source,
        output,
        given,
        Balancing(
            is_looking=selection.is_looking,
            planner=lambda dataset, seen: partial(plan_undersample, dataset, undersample_options(given, seen)),
            remarks=lambda _plan, _dataset: [f"seed {given['seed']}, method {selection.told()}"],
            check=lambda dataset: check_numbers(undersample_options(given, Look()), dataset),
        ),
    )


def _plan_labeled(dataset: Dataset, seen: Look, asked: "LabelOptions", given: Given) -> Planner:
    from rebalance.planning.labeled import plan_labeled_undersample  # noqa: PLC0415  NumPy, nothing for --help

    return partial(plan_labeled_undersample, dataset, undersample_options(given, seen), asked)
