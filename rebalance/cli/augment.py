"""`rebalance augment`: new images of the small classes until the target is hit."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from rebalance.cli import options
from rebalance.cli.asked import augment_options, selection_asked
from rebalance.cli.balancing import Balancing, balance
from rebalance.cli.config import render_settings
from rebalance.cli.embeddings import Look
from rebalance.cli.label_balancing import balance_labeled
from rebalance.cli.labels import check_labeling, labeling, repeating
from rebalance.cli.remarks import rendering_remarks, setting_remarks, told_settings
from rebalance.cli.report import emit, tell
from rebalance.dataset import Dataset
from rebalance.plan import Plan
from rebalance.planning.augment import plan_augment
from rebalance.run import Planner

if TYPE_CHECKING:
    from rebalance.planning.labeled import LabelOptions

Given = Mapping[str, Any]


@click.command(short_help="New images of the small classes until the target is hit.")
@options.source
@options.output
@options.sampling_strategy
@options.capping
@options.max_copies
@options.transforms
@options.rendering
@options.arranging
@options.reading
@options.running
@options.configuring
@labeling
@repeating
def augment(source: str | None, output: str | None, **given: Any) -> int:
    """Write a balanced copy of SOURCE to OUTPUT: its images, and new ones of the small classes.

    \b
    rebalance augment data/train -o data/balanced
    rebalance augment data/train -o data/balanced -s 0.5 --cap 1000 --rotation-range 15
    """
    if given["print_config"]:
        emit(render_settings("augment", given, given["configuration"].class_settings))
        tell(given, given["configuration"].remarks)
        return 0
    check_labeling(given, "cap", "cap_method")
    remarks = partial(_remarks, given=given)
    if given["labels"] is not None and source is not None:
        return balance_labeled(source, output, given, partial(_plan_labeled, given=given), remarks)
    return balance(
        source,
        output,
        given,
        Balancing(
            is_looking=selection_asked(given, "cap_method").is_looking,
            planner=lambda dataset, seen: partial(plan_augment, dataset, augment_options(given, dataset, seen)),
            remarks=remarks,
        ),
    )


def _plan_labeled(dataset: Dataset, seen: Look, asked: "LabelOptions", given: Given) -> Planner:
    from rebalance.planning.labeled import plan_labeled_augment  # noqa: PLC0415  NumPy, nothing for --help

    return partial(plan_labeled_augment, dataset, augment_options(given, dataset, seen), asked)


def _remarks(plan: Plan, dataset: Dataset, given: Given) -> Iterator[str]:
    if plan.is_list:
        yield f"seed {given['seed']}; nothing is drawn for a list: augment its repetitions while training"
        return
    yield told_settings(plan)
    yield from given["configuration"].remarks
    yield from setting_remarks(given, plan)
    yield from rendering_remarks(given, plan, dataset)
