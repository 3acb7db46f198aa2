"""What `inspect` says of classes and of labels alike."""

from collections.abc import Mapping
from typing import Any

from rebalance.cli.options import read_text
from rebalance.cli.report import displayed, emit, tell
from rebalance.errors import TargetError
from rebalance.planning.targets import over_sampling_targets, parse_strategy

_REMARKS = {"ignored": "ignored", "problems": "problem", "bad_images": "bad image"}
"""Key of a report -> what a line of it is called."""


def find_missing(counts: Mapping[str, int], given: Mapping[str, Any]) -> dict[str, int]:
    """Return the files each lacks to its target; empty where there is none to reach."""
    strategy = parse_strategy(given["sampling_strategy"], read_text)
    try:
        targets = over_sampling_targets(strategy, counts)
    except TargetError as error:
        tell(given, [f"note: {error}"])
        return {}
    return {name: targets[name] - count for name, count in counts.items()}


def shown(cell: object) -> object:
    """Return a cell as a table shows it."""
    return "-" if cell is None else f"{cell:.5g}" if isinstance(cell, float) else cell


def print_remarks(report: Mapping[str, Any]) -> None:
    """Print what is ignored, a problem or bad, and why."""
    for key, title in _REMARKS.items():
        for remark in report.get(key, ()):
            emit(displayed(f"{title}: {remark['path']}: {remark['reason']}"))
