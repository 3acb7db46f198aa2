"""`rebalance smote`: synthetic samples of the small classes, between images that look alike, made visible."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from rebalance.cli import options
from rebalance.cli.asked import check_list_options, is_on_command_line, smote_options
from rebalance.cli.balancing import Balancing, balance
from rebalance.cli.config import render_settings
from rebalance.cli.embeddings import Look, visible_asked
from rebalance.cli.remarks import rendering_remarks, setting_remarks, told_settings
from rebalance.cli.report import emit, say, tell
from rebalance.cli.side_files import check_picture
from rebalance.dataset import Dataset
from rebalance.errors import RebalanceError, TargetError, UsageError
from rebalance.plan import INDEX_NAME, Plan
from rebalance.run import Planner

if TYPE_CHECKING:
    from rebalance.embedders import ModelFile
    from rebalance.planning.smote import SmoteOptions

Given = Mapping[str, Any]
_PRODUCTS_A_SECOND = 2e10
"""Of a search for neighbors, on an ordinary processor of today."""
_LONG = 60
"""Seconds of a search that are announced."""


@click.command(short_help="Synthetic samples between images that look alike (SMOTE), written back as a tree.")
@options.source
@options.output
@options.sampling_strategy
@options.synthesizing
@options.looking_smote
@options.max_copies
@options.transforms
@options.rendering
@options.splitting
@options.reading
@options.running
@options.configuring
def smote(source: str | None, output: str | None, **given: Any) -> int:
    """Write a balanced copy of SOURCE to OUTPUT: its images, and synthetic ones of the small classes.

    A synthetic sample lies between two images of a class that look alike. It is shown by a copy of either that comes
    nearest to it (--render nearest), or by one blended into the other, of which nobody has shown that it helps a
    network (Zhang et al. 2018 found no gain from mixing within a class).

    \b
    rebalance smote data/train -o data/balanced
    rebalance smote data/train -o data/balanced -s 0.5 --method borderline-1 --embeddings vectors.npz
    """
    if given["print_config"]:
        emit(render_settings("smote", given, given["configuration"].class_settings))
        tell(given, given["configuration"].remarks)
        return 0
    if given["write"] != "images" and given["bad_images"] == "carry":
        raise UsageError("--bad-images carry keeps images that have no vector: take fail or skip for --write vectors")
    _check_effects(given)
    given["decoder"] = _decoder_asked(given)
    return balance(
        source,
        output,
        given,
        Balancing(
            is_looking=True,
            planner=lambda dataset, seen: _planner(dataset, smote_options(given, dataset, seen), given),
            remarks=lambda plan, dataset: _remarks(plan, dataset, given),
            check=lambda dataset: _check(dataset, given, output),
            visible=lambda seen: None if given["write"] == "vectors" else visible_asked(seen, given),
            written=lambda plan, seen: _written(plan, seen, given["write"]),
            afterwards=lambda plan, dataset, seen: _show(plan, dataset, seen, given, output),
        ),
    )


def _check_effects(given: Given) -> None:
    """Raise UsageError for options on the command line that would do nothing."""
    if given["write"] == "vectors":
        check_list_options(given, "--write vectors", ("render", "candidates"))
    useless = {
        "candidates": given["render"] != "nearest" and "goes with --render nearest",
        "m_neighbors": not given["method"].startswith("borderline") and "goes with --method borderline-1 and -2",
        "singletons": (given["write"], given["singletons"]) == ("vectors", "augment") and "augment draws no vectors",
    }
    for name, reason in useless.items():
        if reason and is_on_command_line(name):
            raise UsageError(f"--{name.replace('_', '-')} {reason}")


def _decoder_asked(given: Given) -> "ModelFile | None":
    """Return the decoder that is asked for, if any. Raises UsageError where it is none."""
    from rebalance.embedders import find_decoder  # noqa: PLC0415  as below

    model = given["render"].partition(":")[2]
    return find_decoder(model) if model else None


def _written(plan: Plan, seen: Look, write: str) -> Plan:
    from rebalance.planning.rows import as_rows, with_rows  # noqa: PLC0415  as below

    if seen.vectors is None or write == "images":
        return plan
    return as_rows(plan, seen.vectors) if write == "vectors" else with_rows(plan, seen.vectors)


def _show(plan: Plan, dataset: Dataset, seen: Look, given: Given, output: str | None) -> None:
    """Write the sheet that is asked for. OUTPUT stands whatever becomes of it."""
    from rebalance.sheet import write_sheet  # noqa: PLC0415  as below

    if given["sheet"] is None or seen.vectors is None or output is None:
        return
    try:
        n_left_out = write_sheet(given["sheet"], plan, dataset, seen.vectors, output)
    except (OSError, MemoryError, RebalanceError) as error:
        say(f"warning: {given['sheet']}: the sheet is not written: {error}; {output} stands")
        return
    if n_left_out:
        tell(given, [f"note: {given['sheet']}: {n_left_out} classes are not on the sheet, for want of room"])


def _check(dataset: Dataset, given: Given, output: str | None) -> None:
    """Raise what is wrong with the options before any picture is looked at."""
    if given["write"] != "images" and INDEX_NAME in {folder.directory.split("/")[0] for folder in dataset.folders}:
        raise TargetError(f"{INDEX_NAME!r} is a class or split, and --write {given['write']} makes a file of that name")
    if given["sheet"] is not None:
        _check_sheet(given["sheet"], dataset, output, is_dry_run=given["dry_run"])
    from rebalance.planning.smote import check_numbers  # noqa: PLC0415  with what it imports, nothing for --help

    check_numbers(dataset, smote_options(given, dataset, Look()))


def _check_sheet(path: str, dataset: Dataset, output: str | None, *, is_dry_run: bool) -> None:
    if is_dry_run:
        raise UsageError("--sheet shows what was made, and --dry-run makes nothing: leave one of them out")
    check_picture("--sheet", path, [dataset.root, *([output] if output else [])])


def _planner(dataset: Dataset, asked: "SmoteOptions", given: Given) -> Planner:
    from rebalance.planning.smote import plan_smote, search_size  # noqa: PLC0415  as above

    seconds = search_size(dataset, asked) / _PRODUCTS_A_SECOND
    if seconds > _LONG:
        minutes = f"{seconds / 60:.0f} minutes"
        tell(given, [f"note: to find the neighbors takes about {minutes}; -s for less, or --method smote"])
    return partial(plan_smote, dataset, asked)


def _remarks(plan: Plan, dataset: Dataset, given: Given) -> Iterator[str]:
    smote, showing = plan.request["smote"], plan.request["showing"]
    if plan.request.get("write") == "vectors":
        yield f"seed {plan.request['seed']}, {smote['method']}; written as vectors"
        return
    shown = {"nearest": f"the nearest of {showing['n_candidates']} copies", "blend": "a blend", "decoder": "a decoder"}
    neighbors = f"{smote['k_neighbors']} neighbors"
    if smote["method"].startswith("borderline"):
        neighbors += f", {smote['m_neighbors']} to be in danger"
    yield f"{smote['method']}, {neighbors}; shown by {shown[showing['render']]}"
    yield told_settings(plan)
    yield from given["configuration"].remarks
    yield from setting_remarks(given, plan)
    yield from rendering_remarks(given, plan, dataset)
