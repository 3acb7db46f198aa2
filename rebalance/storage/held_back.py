"""The validation and test folders beside a source."""

import os

from rebalance.dataset import is_address, to_bytes, to_text
from rebalance.storage.bucket import Bucket
from rebalance.storage.scan import HELD_BACK


def find_held_back(source: str, output: str | None = None) -> list[str]:
    """Return the validation and test folders that lie beside a source, or beside the link to it, and are not OUTPUT.

    Each as a path from the source: `../val`, or an absolute one. Where it cannot be seen what lies beside the source,
    the folder around it stands for that.
    """
    if is_address(source):
        return _held_back_in_bucket(source, output)
    root = os.path.realpath(to_bytes(source))
    link = os.path.abspath(to_bytes(source))
    seen = {root, os.path.realpath(to_bytes(output or source))}
    found = []
    for parent, shown in ((os.path.dirname(root), b".."), (os.path.dirname(link), os.path.dirname(link))):
        for name in _names_in(parent) or [b"."]:
            path = os.path.realpath(os.path.join(parent, name))
            if to_text(name).lower() in (".", *HELD_BACK) and os.path.isdir(path) and path not in seen:
                seen.add(path)
                found.append(to_text(os.path.join(shown, name)))
    return found


def _held_back_in_bucket(source: str, output: str | None) -> list[str]:
    """Return the same of what begins as the address of a source does, but for its last name."""
    above, _, own = source.rstrip("/").rpartition("/")
    if above.endswith("/"):  # a source that is a whole bucket
        return []
    try:
        names = sorted(to_text(entry.name) for entry in Bucket(above).entries() if entry.is_dir())
    except OSError:
        return []
    others = {own, output.rstrip("/").removeprefix(f"{above}/") if output else own}
    return [f"../{name}" for name in names if name.lower() in HELD_BACK and name not in others]


def _names_in(folder: bytes) -> list[bytes]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
