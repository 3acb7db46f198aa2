"""From a plan on paper to OUTPUT: what every command that writes a balanced tree does."""

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any

import click

from rebalance.cli import options
from rebalance.cli.asked import check_list_options
from rebalance.cli.closing import closing_remarks
from rebalance.cli.embeddings import Look, look
from rebalance.cli.leakage import check_leakage
from rebalance.cli.page import check_page_asked, write_page_asked
from rebalance.cli.progress import progress_bar
from rebalance.cli.remarks import dataset_remarks, group_remarks, plan_remarks
from rebalance.cli.report import StdoutError, print_plan, print_summary, say, tell
from rebalance.cli.sharding import check_shard, tell_share
from rebalance.cli.signals import ignore_signals
from rebalance.cli.sources import Source, files_read, hold_out_asked, open_source
from rebalance.dataset import Dataset, is_address, to_bytes
from rebalance.errors import OutputRefusedError, UsageError
from rebalance.plan import Plan, Unusable
from rebalance.planning.carrying import with_carried
from rebalance.planning.listing import as_list
from rebalance.run import Listener, Outcome, Planner, RunOptions
from rebalance.storage.lists import LIST_NAME, check_listable
from rebalance.storage.manifest import request_of
from rebalance.storage.output import check_output, located
from rebalance.storage.scan import raise_problems
from rebalance.storage.stage import remove_leftovers

Given = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Balancing:
    """What tells one such command from another."""

    is_looking: bool
    """Whether the plan takes vectors of the images."""
    planner: Callable[[Dataset, Look], Planner]
    """From a dataset, what is known of its pictures and what a request records of both."""
    remarks: Callable[[Plan, Dataset], Iterable[str]]
    """What there is to say of the settings, the first line included."""
    opened: Source | None = None
    """SOURCE, where it has been read."""
    check: Callable[[Dataset], None] = lambda _dataset: None
    """Raises what can be raised before any picture is looked at."""
    visible: Callable[[Look], Any] = lambda _seen: None
    """How synthetic samples are made visible, where there are such."""
    written: Callable[[Plan, Look], Plan] = lambda plan, _seen: plan
    """The plan of what is written instead of a tree of images, or beside it."""
    afterwards: Callable[[Plan, Dataset, Look], None] = lambda _plan, _dataset, _seen: None
    """What else is done once OUTPUT stands, which cannot make it fall any more."""


def balance(source: str | None, output: str | None, given: Given, balancing: Balancing) -> int:
    """Plan, say what there is to say, and make OUTPUT hold what is planned; return the exit code."""
    if source is None or (output is None and not given["dry_run"]):
        raise UsageError(f"{'SOURCE is' if source is None else '-o OUTPUT is'} missing; see --help")
    started = time.monotonic()
    output = output and located(output)
    opened = _open(source, output, given, balancing)
    dataset = opened.dataset
    is_there = output is not None and check_output(dataset, output, files_read(source, given))
    seen = look(dataset, given, is_looking=balancing.is_looking)
    visible = balancing.visible(seen)
    described = {**opened.described, **seen.described}
    planned = balancing.planner(dataset, replace(seen, described=described))
    plan_all = partial(_plan, planned, dataset, given["write"])
    planner = _planning_once(lambda unusable: balancing.written(plan_all(unusable), seen))
    plan = planner(seen.unusable)
    remarks = balancing.remarks(plan, dataset), dataset_remarks(dataset), plan_remarks(plan), group_remarks(plan)
    tell(given, chain.from_iterable(remarks))
    if given["dry_run"] or output is None:
        print_plan(plan, given["format"])
        return 0
    if is_there and _is_up_to_date(output, plan, dataset, given):
        remove_leftovers(to_bytes(output))
        outcome = _tell_standing(planner, output, given)
    else:
        outcome = _execute(planner, opened, output, _run_options(seen, visible, given), given)
        if given["shard"] is not None:
            tell_share(outcome, given["shard"], given)
            return 0
        _tell(outcome, output, given, time.monotonic() - started)
    balancing.afterwards(outcome.plan, dataset, seen)
    write_page_asked(given["report"], output, dataset.root)
    return 0


def _open(source: str, output: str | None, given: Given, balancing: Balancing) -> Source:
    """Return what is balanced, once all is checked that can be before any picture is looked at."""
    if given["write"] == "list":
        check_list_options(given)
    check_shard(given, is_looking=balancing.is_looking)
    opened = balancing.opened or open_source(source, given)
    raise_problems(opened.dataset)
    check_leakage(opened, given, output)
    opened = hold_out_asked(opened, given)
    if given["write"] == "list":
        check_listable(opened.dataset)
    balancing.check(opened.dataset)
    trees = [opened.dataset.root, *([output] if output else [])]
    check_page_asked(given["report"], trees, is_dry_run=given["dry_run"])
    return opened


def _run_options(seen: Look, visible: Any, given: Given) -> RunOptions:
    return RunOptions(
        n_workers=options.n_workers(given),
        link=given["link"],
        is_overwriting=given["overwrite"],
        unusable=seen.unusable,
        visible=visible,
        shard=given["shard"],
    )


def _plan(planner: Planner, dataset: Dataset, write: str, unusable: Mapping[str, Unusable]) -> Plan:
    """Plan what is balanced, and beside it what is carried over."""
    plan = with_carried(planner(unusable), dataset, unusable)
    return as_list(plan) if write == "list" else plan


def _planning_once(planner: Planner) -> Planner:
    """Return a planner that gives its last plan again where it knows no more: to look at pictures takes long."""
    last: list[tuple[dict[str, Unusable], Plan]] = []

    def plan(unusable: Mapping[str, Unusable]) -> Plan:
        if not last or last[0][0] != unusable:
            last[:] = [(dict(unusable), planner(unusable))]
        return last[0][1]

    return plan


def _is_up_to_date(output: str, plan: Plan, dataset: Dataset, given: Given) -> bool:
    from rebalance.freshness import find_difference  # noqa: PLC0415  with what it imports, nothing for --help

    difference = find_difference(to_bytes(output), request_of(plan, dataset), dataset, options.n_workers(given))
    if difference is None:
        tell(given, [f"{output}: up to date, nothing to do"])
        return True
    if not given["overwrite"]:
        way_out = "choose another, or delete it first" if is_address(output) else "--overwrite replaces it"
        raise OutputRefusedError(f"{output}: is there and not what this run makes: {difference}; {way_out}")
    return False


def _execute(planner: Planner, source: Source, output: str, run_options: RunOptions, given: Given) -> Outcome:
    """Make OUTPUT, or the share that is asked for."""
    from rebalance.execute import execute, execute_share  # noqa: PLC0415  the same

    with progress_bar(str(click.get_current_context().info_name), is_quiet=given["quiet"]) as progress:
        listener = Listener(
            progress=progress,
            warn=(lambda _remark: None) if given["quiet"] else say,
            list_bad=lambda path, reason: say(f"bad image: {path!r}: {reason}"),
            publishing=ignore_signals,
        )
        made = execute if run_options.shard is None else execute_share
        return made(planner, source.dataset, source.reread, output, run_options, listener)


def _tell_standing(planner: Planner, output: str, given: Given) -> Outcome:
    """Report on the OUTPUT that stands as on one just made: by the images that turned out unusable then."""
    from rebalance.freshness import unusable_images  # noqa: PLC0415  the same

    unusable = unusable_images(to_bytes(output))
    plan = planner(unusable)
    outcome = Outcome(plan, plan.n_outputs, unusable)
    _tell(outcome, output, given, None)
    return outcome


def _tell(outcome: Outcome, output: str, given: Given, seconds: float | None) -> None:
    """Report on an OUTPUT that was made in so many seconds; None: it stood already."""
    plan = outcome.plan
    with contextlib.suppress(StdoutError):  # OUTPUT stands, whoever still listens
        more = {"output": output, "is_up_to_date": seconds is None, "n_reused": outcome.n_reused}
        print_summary(plan, given["format"], more)
    if given["quiet"]:
        return
    for path, image in sorted(outcome.unusable.items()):
        say(f"{'kept, but no source' if image.is_kept else 'left out'}: {path!r}: {image.reason}")
    for note, (count, first) in sorted(outcome.notes.items()):
        say(f"note: {count} {'file' if count == 1 else 'files'}: {note}: {first!r} first")
    for remark in closing_remarks(outcome, output, seconds):
        say(remark)
    if plan.is_list:
        if "vectors" not in plan.request:
            way_out = "`rebalance inspect --check` finds those that do not decode"
            say(f"{output}/{LIST_NAME}: no image was opened; {way_out}")
    elif any(plan.most_copies.values()):
        balanced = output if plan.targets[0].split is None else f"{output}/{plan.targets[0].split}"
        say(f"{balanced} holds copies: train on it as it is, and do not split it again")
