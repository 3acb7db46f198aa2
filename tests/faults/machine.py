"""What a layer of the bench needs of the machine, and one line on what is missing."""

import os
import shutil

import pytest


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
