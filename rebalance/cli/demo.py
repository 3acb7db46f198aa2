"""`rebalance demo`: a lopsided tree to try the other commands on."""

import click

from rebalance.cli.option_types import Path
from rebalance.cli.report import print_table


@click.command(short_help="Write a small lopsided tree to try the other commands on.")
@click.argument("folder", type=Path())
def demo(folder: str) -> None:
    """Write FOLDER with handwritten digits as PNG, ten classes of 178 down to 10; nothing is downloaded.

    \b
    rebalance demo lopsided
    """
    from rebalance.demo import write_demo  # noqa: PLC0415  scikit-learn takes seconds

    print_table(("class", "count"), write_demo(folder).items())
