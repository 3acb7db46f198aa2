"""The commands that write, each in a form that is quick, and an edit of a picture."""

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


def brightened(path: Path) -> None:
    """Change a pixel of a bitmap where it lies."""
    with path.open("r+b") as file:
        file.seek(200)
        level = file.read(1)[0]
        file.seek(200)
        file.write(bytes([level ^ 1]))
