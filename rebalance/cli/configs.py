"""`rebalance configs`: the bundled configurations, and each as a file to start from."""

import click

from rebalance.cli.completing import bundled
from rebalance.cli.config import BUNDLED, read_bundled
from rebalance.cli.report import emit, print_json
from rebalance.errors import UsageError, did_you_mean


@click.command(short_help="List the bundled configurations, or print one as a file.")
@click.argument("name", required=False, shell_complete=bundled)
@click.option(
    "--format", "report_format", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="Form of what is printed on stdout; json holds the files, too.",
)  # fmt: skip
def configs(name: str | None, report_format: str) -> None:
    """List the configurations that --config knows by name; with NAME, print that file, to be edited and used.

    \b
    rebalance configs
    rebalance configs digits > mine.toml
    """
    if name is not None and name not in BUNDLED:
        raise UsageError(f"{name!r} is none of: {', '.join(BUNDLED)}{did_you_mean(name, BUNDLED)}")
    names = BUNDLED if name is None else (name,)
    if report_format == "json":
        entries = [{"name": each, "summary": _summary(each), "text": read_bundled(each)} for each in names]
        print_json({"schema": 1, "configurations": entries})
    elif name is not None:
        emit(read_bundled(name).removesuffix("\n"))
    else:
        width = max(map(len, names))
        for each in names:
            emit(f"{each:{width}}  {_summary(each)}")


def _summary(name: str) -> str:
    """Return what the first line of a configuration says behind its name."""
    first_line = read_bundled(name).split("\n", 1)[0]
    return first_line.removeprefix(f"# {name}: ")
