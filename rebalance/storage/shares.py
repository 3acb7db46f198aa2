"""A staging that several processes fill at once, each its share: what is whose."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from rebalance.dataset import to_text
from rebalance.errors import LockedError, OutputRefusedError
from rebalance.shards import Shard
from rebalance.storage.beside import staging_path
from rebalance.storage.journal import Journal
from rebalance.storage.publish import rename_to_new
from rebalance.storage.staging import STATE, Staging, check_ours


@contextlib.contextmanager
def claim_share(output: bytes, shard: Shard, request: str) -> Iterator[Staging]:
    """Yield the staging of an OUTPUT to a shard: its own journal and temporary folder, and the tree of all.

    Call with the lock shared. Nothing of others is deleted. Raises OutputRefusedError where the staging is of another
    request or no shards', LockedError where the same shard runs already.
    """
    folder = staging_path(output)
    tree = os.path.join(folder, b"tree")
    os.makedirs(tree, exist_ok=True)
    check_ours(folder)
    own = b"%d-of-%d" % shard
    inode = os.stat(tree).st_ino
    state = _stated(folder, own, {"rebalance": "staging", "tree": inode, "request": request})
    way_out = "run the command without --shard, which takes it over"
    if state.get("tree") != inode or "request" not in state:
        raise OutputRefusedError(f"{to_text(folder)}: is not of shards: {way_out}")
    if state["request"] != request:
        raise OutputRefusedError(f"{to_text(folder)}: is of shards with other options, or of another SOURCE: {way_out}")
    os.makedirs(os.path.join(folder, b"tmp", own), exist_ok=True)
    staging = Staging(folder, Journal(os.path.join(folder, b"journal-%b.jsonl" % own)), own)
    with contextlib.closing(staging.journal):
        if not staging.journal.lock():
            raise LockedError(f"{shard.told()} is running already: wait for it, or end it")
        staging.clear_temporary()
        yield staging


def _stated(folder: bytes, own: bytes, state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Say what a staging is, whole or not at all, where no other shard or run has; return what stands there."""
    path = os.path.join(folder, STATE)
    if not os.path.lexists(path):
        temporary = os.path.join(folder, b"tmp", own, STATE)
        os.makedirs(os.path.dirname(temporary), exist_ok=True)
        with open(temporary, "w", encoding="ascii") as file:
            json.dump(state, file)
        with contextlib.suppress(OutputRefusedError):
            rename_to_new(temporary, path)
    with contextlib.suppress(OSError, ValueError), open(path, encoding="ascii") as file:
        found = json.load(file)
        return found if isinstance(found, dict) else {}
    return {}
