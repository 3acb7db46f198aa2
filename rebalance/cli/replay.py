"""`rebalance replay`: one file of a tree, made again from its line in the manifest."""

import click

from rebalance.cli.option_types import Path


@click.command(short_help="Make one file of a tree again from its manifest line.")
@click.argument("output", type=Path())
@click.argument("file", type=Path())
@click.option("--source", type=Path(), required=True, metavar="SOURCE", help="The tree OUTPUT was made from.")
@click.option("-o", "destination", type=Path(), required=True, metavar="FILE", help="Where to write it.")
def replay(output: str, file: str, source: str, destination: str) -> None:
    """Make FILE of OUTPUT again, as its line in the manifest says, and check that it comes out the same.

    \b
    rebalance replay data/balanced FILE --source data/train -o again.jpg
    rebalance replay data/balanced Lynx/4f1c_aug2-7d03a1b6c2e4.jpg --source data/train -o again.jpg
    """
    from rebalance.replay import replay as make_again  # noqa: PLC0415  with what it imports, nothing for --help

    make_again(output, file, source=source, destination=destination)
