import fcntl
import os
import pty
import struct
import sys
import termios
from pathlib import Path

import pytest


def seen_on_a_terminal(*arguments: str) -> str:
    """Run the program on a terminal of 100 columns and return all that it shows."""
    process, terminal = pty.fork()
    if process == 0:
        os.execv(sys.executable, [sys.executable, "-m", "rebalance", *arguments])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    shown = b""
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.waitpid(process, 0)
    os.close(terminal)
    return shown.decode()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_terminal_is_shown_progress_unless_it_asks_for_quiet(source: Path, tmp_path: Path) -> None:
    shown = seen_on_a_terminal("augment", str(source), "-o", str(tmp_path / "out"))
    assert "augment:" in shown
    assert "/21 [" in shown
    assert "augment:" not in seen_on_a_terminal("augment", str(source), "-o", str(tmp_path / "quiet"), "--quiet")
