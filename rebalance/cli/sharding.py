"""`--shard`: a job of an array does its share of the files on a shared folder, and publishes nothing."""

import os
import re
from collections.abc import Mapping
from typing import Any

import click

from rebalance.cli.report import displayed, emit, print_csv, print_json, say
from rebalance.errors import UsageError
from rebalance.run import Outcome
from rebalance.shards import Shard

Given = Mapping[str, Any]
_MOST = 100_000


class _Shards(click.ParamType[Shard]):
    """One of several shares: I/N, or what the scheduler of a job says."""

    name = "shard"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Shard:
        """Return the share."""
        text = str(value)
        if match := re.fullmatch(r"auto(?:/(\d{1,6}))?", text):
            return _of_job(int(match[1]) if match[1] else None)
        match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
        if not match or not 1 <= int(match[1]) <= int(match[2]) <= _MOST:
            self.fail(f"{text!r} is neither I/N with I from 1 to N, nor auto or auto/N", param, ctx)
        return Shard(int(match[1]), int(match[2]))


def _of_job(n_shards: int | None) -> Shard:
    """Return the share of this job of an array: of Slurm, AWS Batch or Kubernetes. Raises UsageError outside of one."""
    for index, first, count, step in (
        ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_STEP"),
        ("AWS_BATCH_JOB_ARRAY_INDEX", None, "AWS_BATCH_JOB_ARRAY_SIZE", None),
        ("JOB_COMPLETION_INDEX", None, None, None),
    ):
        if index in os.environ:
            place = (_number(index) - (_number(first) if first else 0)) // (_number(step) if step else 1)
            return _checked(index, place + 1, n_shards, _number(count) if count and count in os.environ else None)
    raise UsageError("--shard auto: this is no job of an array of Slurm, AWS Batch or Kubernetes: say I/N")


def _checked(index: str, number: int, asked: int | None, told: int | None) -> Shard:
    n_shards = asked or told
    if n_shards is None:
        raise UsageError(f"--shard auto: {index} says which, and nothing of how many: say auto/N")
    if not 1 <= number <= n_shards <= _MOST:
        raise UsageError(f"--shard auto: {index} is that of shard {number}, and there are {n_shards}: say auto/N")
    return Shard(number, n_shards)


def _number(name: str) -> int:
    text = os.environ.get(name, "0" if name.endswith("MIN") else "1")
    if not re.fullmatch(r"\d{1,9}", text) or (name.endswith("STEP") and not int(text)):
        raise UsageError(f"--shard auto: {name} is {text!r}, which is no such number: say I/N")
    return int(text)


shard_option = click.option(
    "--shard", type=_Shards(), metavar="I/N|auto",
    help="Make share I of N beside OUTPUT and publish nothing; the same command without it then makes OUTPUT.",
)  # fmt: skip


def check_shard(given: Given, *, is_looking: bool) -> None:
    """Raise UsageError for options that have no meaning for a share."""
    if given["shard"] is None:
        return
    for name in ("dry_run", "report", "sheet"):
        if given.get(name):
            option = name.replace("_", "-")
            raise UsageError(f"--{option} is of the whole, and --shard makes a share of it: leave one of them out")
    if given["write"] in ("list", "vectors"):
        raise UsageError(f"--write {given['write']} makes no images to share: leave out --shard")
    if is_looking and given["embeddings"] is None:
        raise UsageError(
            "--shard with a method that looks at pictures would look at all of them in each: `rebalance embed` once, "
            "and give --embeddings FILE"
        )


def tell_share(outcome: Outcome, shard: Shard, given: Given) -> None:
    """Print what a share has come to."""
    if given["format"] == "json":
        shares = {"shard": shard.number, "n_shards": shard.n_shards}
        print_json({"schema": 1, **shares, "n_staged": outcome.n_staged, "n_reused": outcome.n_reused})
    elif given["format"] == "csv":
        print_csv(("shard", "n_shards", "n_staged", "n_reused"), [(*shard, outcome.n_staged, outcome.n_reused)])
    else:
        reused = f", {outcome.n_reused} of them from before" if outcome.n_reused else ""
        emit(displayed(f"{shard.told()}: {outcome.n_staged} files staged{reused}; nothing published"))
    if given["quiet"]:
        return
    for path, image in sorted(outcome.unusable.items()):
        say(f"left to the run without --shard: {path!r}: {image.reason}")
    say("once all shards are done, the same command without --shard makes OUTPUT")
