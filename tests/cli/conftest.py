"""What the tests of the commands have in common."""

import fcntl
import os
import pty
import shutil
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import MakeTree


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Where a balanced tree is to be."""
    return tmp_path / "balanced"


@pytest.fixture
def large(make_tree: MakeTree) -> Path:
    """Twenty, five and ten pictures."""
    return make_tree({"cat": 20, "dog": 5, "owl": 10})


@pytest.fixture
def photos(clothing: Path, tmp_path: Path) -> Path:
    tree = tmp_path / "photos"
    for name, count in {"Hat": 14, "Skirt": 11, "Top": 6}.items():
        (tree / name).mkdir(parents=True)
        for path in sorted((clothing / name).iterdir())[:count]:
            shutil.copy(path, tree / name)
    return tree


def seen_on_a_terminal(*arguments: object, columns: int = 100, rows: int = 30, **environment: str) -> str:
    """Run the program on a terminal that can show colors and return all that it shows."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    settings = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR", "LINES")}
    command = [sys.executable, "-m", "rebalance", *map(str, arguments)]
    settings |= {"TERM": "xterm", "PYTHONIOENCODING": "utf-8", **environment}
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=settings, close_fds=True):
        os.close(its)
        shown = b"".join(_read_all(ours))
    os.close(ours)
    return shown.decode()


def _read_all(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # the other end is closed
            return
        if not piece:
            return
        yield piece
