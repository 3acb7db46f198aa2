"""`rebalance verify`: whether a tree still holds what its manifest says."""

from typing import Any

import click

from rebalance.cli import options
from rebalance.cli.option_types import Path
from rebalance.cli.progress import progress_bar
from rebalance.cli.report import displayed, emit, print_csv, print_json, tell


@click.command(short_help="Does the tree still hold what its manifest says?")
@click.argument("output", type=Path())
@click.option("--source", type=Path(), metavar="SOURCE", help="Also compare SOURCE with what OUTPUT was made from.")
@click.option("--quick", is_flag=True, help="Compare names and sizes alone.")
@options.workers
@options.report_format
@options.quiet
def verify(output: str, **given: Any) -> int:
    """Count and hash OUTPUT again and name every file that is missing, foreign or changed; exit 1 where there is one.

    \b
    rebalance verify data/balanced
    rebalance verify data/balanced --source data/train
    """
    from rebalance.verify import verify as find_all  # noqa: PLC0415  the same

    with progress_bar("verify", is_quiet=given["quiet"], unit="files") as progress:
        findings = list(
            find_all(
                output,
                source=given["source"],
                is_quick=given["quick"],
                n_workers=options.n_workers(given),
                progress=progress,
            )
        )
    rows = [(finding.kind, finding.path, finding.reason) for finding in findings]
    if given["format"] == "json":
        named = [{"kind": kind, "path": path, "reason": reason} for kind, path, reason in rows]
        print_json({"schema": 1, "is_verified": not rows, "findings": named})
    elif given["format"] == "csv":
        print_csv(("kind", "path", "reason"), rows)
    else:
        for kind, path, reason in rows:
            emit(f"{kind}: {displayed(path)}: {reason}")
    tell(given, [f"{output}: {f'{len(rows)} findings' if rows else 'verified'}"])
    return 1 if rows else 0
