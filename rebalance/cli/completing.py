"""What a shell is told while someone types a command: names of configurations, strategies and classes."""

import os
import re
from typing import TYPE_CHECKING, Any

import click

from rebalance.cli.config import BUNDLED
from rebalance.dataset import to_bytes, to_text
from rebalance.planning.targets import LEGAL

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

ASKED = "_REBALANCE_COMPLETE"
"""The variable by which the script of a shell asks, as click has it."""
_STRATEGIES = re.findall(r"[a-z][a-z ]+(?=[,;])", LEGAL.partition("; a decimal")[0] + ";")
_TYPED_AS_IT_IS = re.compile(r"[\w.+-]+", re.ASCII)
"""A name that no shell takes for anything else."""

_NO_SPACE_AFTER_NAME = ("    return 0\n", "    [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace\n    return 0\n")
"""`-s NAME=` goes on with a number."""


def answer(program: click.Group, instruction: str) -> int:
    """Print what a shell asks for and return the exit code."""
    from click.shell_completion import shell_complete  # noqa: PLC0415  nothing for --help

    return shell_complete(program, {}, "rebalance", ASKED, instruction)


def script(program: click.Command, shell: str) -> str:
    """Return what makes a shell ask."""
    from click.shell_completion import get_completion_class  # noqa: PLC0415  as above

    asking = get_completion_class(shell)
    assert asking is not None
    source = asking(program, {}, "rebalance", ASKED).source()
    return source.replace(*_NO_SPACE_AFTER_NAME) if shell == "bash" else source


def bundled(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the bundled configurations that begin so."""
    return [name for name in BUNDLED if name.startswith(incomplete)]


def configurations(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> "list[CompletionItem[Any] | str]":
    """Return the bundled configurations that begin so; where none does, a file."""
    return [*bundled(context, parameter, incomplete)] or [*click.File().shell_complete(context, parameter, incomplete)]


def strategies(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the words for a number of files that begin so, and `NAME=` for each class of SOURCE."""
    words = [word.replace(" ", "-") for word in _STRATEGIES]
    return [word for word in (*words, *(f"{name}=" for name in _class_names(context))) if word.startswith(incomplete)]


def _class_names(context: click.Context) -> list[str]:
    """Return the classes of the SOURCE that has been typed, those that can be typed as they are."""
    source = context.params.get("source") or next(iter(context.args), None)  # args: where an option lacks its value
    if not source:
        return []
    try:
        with os.scandir(to_bytes(os.path.join(source, context.params.get("split") or ""))) as entries:
            names = [to_text(entry.name) for entry in entries if entry.is_dir()]
    except (OSError, ValueError):
        return []
    return sorted(name for name in names if _TYPED_AS_IT_IS.fullmatch(name) and not name.startswith("."))
