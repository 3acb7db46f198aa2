"""`augment --labels` and `undersample --labels`: what both do with images that have several labels."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rebalance.cli.asked import is_on_command_line
from rebalance.cli.balancing import Balancing, balance
from rebalance.cli.embeddings import Look
from rebalance.cli.labels import open_labeled
from rebalance.cli.sources import Source
from rebalance.dataset import Dataset
from rebalance.errors import UsageError
from rebalance.plan import Plan
from rebalance.planning.methods import LABEL_METHODS
from rebalance.run import Planner
from rebalance.storage.labels import Labeled
from rebalance.storage.lists import check_listable

if TYPE_CHECKING:
    from rebalance.planning.labeled import LabelOptions

Given = Mapping[str, Any]


def balance_labeled(
    source: str,
    output: str | None,
    given: Given,
    planner: Callable[[Dataset, Look, "LabelOptions"], Planner],
    remarks: Callable[[Plan, Dataset], Iterable[str]],
) -> int:
    """Make OUTPUT hold what brings labels near to their targets; return the exit code."""
    labeled = open_labeled(source, given)
    asked = _label_options(labeled, given)
    balancing = Balancing(
        is_looking=False,
        planner=lambda dataset, seen: planner(dataset, seen, asked),
        remarks=remarks,
        opened=_labeled_source(labeled, source, given),
    )
    return balance(source, output, given, balancing)


def _labeled_source(labeled: Labeled, source: str, given: Given) -> Source:
    """Return images with several labels as what a command begins with."""
    check_listable(labeled.dataset)
    return Source(labeled.dataset, lambda: open_labeled(source, {**given, "quiet": True}).dataset, {})


def _label_options(labeled: Labeled, given: Given) -> "LabelOptions":
    """Return how labels are to be balanced. Raises UsageError where options do not go together."""
    from rebalance.planning.labeled import LabelOptions  # noqa: PLC0415  NumPy, nothing for --help

    method = given.get("label_method", LABEL_METHODS[0])
    if given.get("oversample_thr") is not None and method != "repeat-factor":
        raise UsageError("--oversample-thr is of --method repeat-factor: leave one of them out")
    if method == "repeat-factor" and is_on_command_line("sampling_strategy"):
        raise UsageError("--method repeat-factor has no targets: leave out --sampling-strategy, or take lp")
    return LabelOptions(labeled.labels, labeled.form, labeled.described, method, given.get("oversample_thr"))
