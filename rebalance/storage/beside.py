"""Where what a run needs lies beside its OUTPUT, under hidden names."""

import os
from hashlib import sha256

from rebalance.planning.naming import NAME_MAX


def staging_path(output: bytes) -> bytes:
    """Return where the staging of an OUTPUT lies."""
    return _beside(output, b".rebalance")


def lock_path(output: bytes) -> bytes:
    """Return where the lock of an OUTPUT lies."""
    return _beside(output, b".rebalance.lock")


def numbers_path(output: bytes) -> bytes:
    """Return where what is computed for an OUTPUT that is a file of vectors is kept."""
    return _beside(output, b".rebalance.numbers")


def making_path(output: bytes) -> bytes:
    """Return where an OUTPUT that is a file is made; who makes it holds its lock."""
    return _beside(output, b".rebalance.tmp")


def _beside(output: bytes, ending: bytes) -> bytes:
    """Return a hidden name beside OUTPUT, cut to fit."""
    parent, name = os.path.split(os.path.abspath(output))
    hidden = b"." + name + ending
    if len(hidden) > NAME_MAX:
        hidden = b"." + name[:200] + sha256(name).hexdigest()[:16].encode() + ending
    return os.path.join(parent, hidden)
