"""`rebalance undersample`: fewer images of the large classes."""

from functools import partial
from typing import Any

import click

from rebalance.cli import options
from rebalance.cli.asked import selection_asked, undersample_options
from rebalance.cli.balancing import Balancing, balance
from rebalance.cli.embeddings import Look
from rebalance.cli.labels import check_labeling, label_options, labeled_source, labeling, open_labeled
from rebalance.planning.undersample import check_numbers, plan_undersample


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
    check_labeling(given, _OF_CLASSES)
    if given["labels"] is not None and source is not None:
        return _undersample_labeled(source, output, given)
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


_OF_CLASSES = (
    "method", "window", "order", "embedder", "model_setting", "embeddings", "embedding_paths", "similarity", "split",
    "holdout", "leakage", "write", "group_by", "images",
)  # fmt: skip
"""Options that say nothing of images with several labels."""


def _undersample_labeled(source: str, output: str | None, given: dict[str, Any]) -> int:
    """Write some images with several labels, for labels to come near to their targets."""
    from rebalance.planning.labeled import plan_labeled_undersample  # noqa: PLC0415  NumPy, nothing for --help

    labeled = open_labeled(source, given)
    asked = label_options(labeled, given)
    return balance(
        source,
        output,
        given,
        Balancing(
            is_looking=False,
            opened=labeled_source(labeled, source, given),
            planner=lambda dataset, seen: partial(
                plan_labeled_undersample, dataset, undersample_options(given, seen), asked
            ),
            remarks=lambda _plan, _dataset: [f"seed {given['seed']}, the smallest keys of each label set"],
        ),
    )
