"""`rebalance undersample`: fewer images of the large classes."""

from functools import partial
from typing import Any

import click

from rebalance.cli import options
from rebalance.cli.asked import selection_asked, undersample_options
from rebalance.cli.balancing import Balancing, balance
from rebalance.cli.embeddings import Look
from rebalance.planning.undersample import check_numbers, plan_undersample


@click.command(short_help="Fewer images of the large classes until the target is hit.")
@options.source
@options.output
@options.sampling_strategy
@options.choosing
@options.arranging
@options.reading
@options.running
def undersample(source: str | None, output: str | None, **given: Any) -> int:
    """Write a balanced copy of SOURCE to OUTPUT: some images of the large classes, all of the smallest, none changed.

    \b
    rebalance undersample data/train -o data/balanced
    rebalance undersample data/train -o data/epoch3 -s 500 --method window --window 3
    """
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
