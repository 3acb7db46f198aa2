"""The commands that write, each in a form that is quick."""

from pathlib import Path

TREES = ("augment", "undersample", "smote")
COMMANDS = (*TREES, "embed")


def output_of(command: str, folder: Path, name: str = "out") -> Path:
    """Return where a command is to write: a tree, or the one file of `embed`."""
    return folder / (f"{name}.npz" if command == "embed" else name)


def asked(command: str, source: Path, output: Path, *more: object) -> list[object]:
    """Return the arguments of a command."""
    looking = ("--embedder", "pixels") if command in ("smote", "embed") else ()
    return [command, source, "-o", output, "-j", "1", *looking, *more]
