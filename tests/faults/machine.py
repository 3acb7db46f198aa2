"""What a layer of the bench needs of the machine, and one line on what is missing."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest


def new_room(elsewhere: Path | None = None) -> Path:
    """Make an empty folder, on memory where there is such a disk."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="bench-", dir=memory if memory.is_dir() else elsewhere))


def need(is_there: object, what: str) -> None:
    """Skip a test for what is missing here; fail where the bench is required to run."""
    if is_there:
        return
    message = f"this machine lacks {what}"
    if os.environ.get("REBALANCE_BENCH") == "require":
        pytest.fail(message)
    pytest.skip(message)


def need_programs(*names: str) -> None:
    missing = [name for name in names if not shutil.which(name)]
    need(not missing, f"{', '.join(missing)} (make bench-faults installs what Debian has)")


def need_root() -> None:
    need(os.geteuid() == 0, "root, who may mount file systems")
