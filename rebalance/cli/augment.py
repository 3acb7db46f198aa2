"""`rebalance augment`: new images of the small classes until the target is hit."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import click

from rebalance.cli import options
from rebalance.cli.asked import augment_options, selection_asked
from rebalance.cli.balancing import Balancing, balance
from rebalance.cli.config import render_settings
from rebalance.cli.labels import check_labeling, label_options, labeled_source, labeling, open_labeled, repeating
from rebalance.cli.remarks import rendering_remarks, setting_remarks, told_settings
from rebalance.cli.report import emit
from rebalance.dataset import Dataset
from rebalance.plan import Plan
from rebalance.planning.augment import plan_augment

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
        return 0
    check_labeling(given, _OF_CLASSES)
    if given["labels"] is not None and source is not None:
        return _augment_labeled(source, output, given)
    return balance(
        source,
        output,
        given,
        Balancing(
            is_looking=selection_asked(given, "cap_method").is_looking,
            planner=lambda dataset, seen: partial(plan_augment, dataset, augment_options(given, dataset, seen)),
            remarks=lambda plan, dataset: _remarks(plan, dataset, given),
        ),
    )


_OF_CLASSES = (
    "cap", "cap_method", "window", "order", "embedder", "model_setting", "embeddings", "embedding_paths", "similarity",
    "split", "holdout", "leakage", "write", "group_by", "images",
)  # fmt: skip
"""Options that say nothing of images with several labels."""


def _augment_labeled(source: str, output: str | None, given: dict[str, Any]) -> int:
    """Write images with several labels and copies of them, for labels to come near to their targets."""
    from rebalance.planning.labeled import plan_labeled_augment  # noqa: PLC0415  NumPy, nothing for --help

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
                plan_labeled_augment, dataset, augment_options(given, dataset, seen), asked
            ),
            remarks=lambda plan, dataset: _remarks(plan, dataset, given),
        ),
    )


def _remarks(plan: Plan, dataset: Dataset, given: Given) -> Iterator[str]:
    if plan.is_list:
        yield f"seed {given['seed']}; nothing is drawn for a list: augment its repetitions while training"
        return
    yield told_settings(plan)
    yield from given["configuration"].remarks
    yield from setting_remarks(given, plan)
    yield from rendering_remarks(given, plan, dataset)
