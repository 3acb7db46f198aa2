"""Files beside OUTPUT that options name, checked before anything is read for them."""

import os
from collections.abc import Iterable, Sequence

from rebalance.dataset import to_bytes
from rebalance.errors import UsageError
from rebalance.storage.output import check_side_file

_PNG = b"\x89PNG\r\n"
"""How such a file starts."""


def check_distinct(paths: Iterable[str]) -> None:
    """Raise UsageError where two of them are one file, under whatever names."""
    seen: dict[bytes, str] = {}
    for path in paths:
        if other := seen.get(real := os.path.realpath(to_bytes(path))):
            same = "is given twice" if other == path else f"is {other}, which is given too"
            raise UsageError(f"{path}: {same}; each is to be a file of its own")
        seen[real] = path


def check_picture(option: str, path: str, trees: Sequence[str]) -> None:
    """Raise UsageError, OutputRefusedError where a picture cannot be written to a path, which lies in no tree."""
    if not path.lower().endswith(".png"):
        raise UsageError(f"{option} {path!r} does not end with .png")
    check_side_file(path, trees, _PNG, "PNG")
