"""Where the files of a run gather that will be OUTPUT: beside it on a disk, or below its address in object storage."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any, BinaryIO, Protocol

from rebalance.dataset import Dataset, is_address
from rebalance.errors import StorageError
from rebalance.shards import Shard
from rebalance.storage import staging
from rebalance.storage.beside import lock_path
from rebalance.storage.claim import remove_own
from rebalance.storage.journal import Journal
from rebalance.storage.lines import Line
from rebalance.storage.lock import exclusive_lock, shared_lock
from rebalance.storage.prefix import claim_prefix
from rebalance.storage.shares import claim_share
from rebalance.storage.space import Room
from rebalance.storage.transfer import SourceBytes


class WorkTree(Protocol):
    """What a worker writes files to, each whole or not at all."""

    def put(self, output: str, data: bytes) -> None: ...  # noqa: D102
    def made(self, output: str) -> contextlib.AbstractContextManager[BinaryIO]: ...  # noqa: D102
    def discard(self, output: str) -> None: ...  # noqa: D102
    def carry(self, source: SourceBytes, output: str) -> None: ...  # noqa: D102


class Stage(Protocol):
    """What a run asks of it; `Staging` and `Prefix` say how each is done."""

    @property
    def journal(self) -> Journal: ...  # noqa: D102
    @property
    def tree(self) -> bytes: ...  # noqa: D102
    @property
    def state(self) -> bytes: ...  # noqa: D102
    @property
    def boot(self) -> str: ...  # noqa: D102

    def for_workers(self, link: str) -> WorkTree: ...  # noqa: D102
    def holds(self, output: str, n_bytes: int) -> bool: ...  # noqa: D102
    def room(self) -> Room: ...  # noqa: D102
    def check_length(self, longest: int) -> None: ...  # noqa: D102
    def tells_names_apart(self) -> bool: ...  # noqa: D102
    def takes_any_name(self) -> bool: ...  # noqa: D102
    def takes(self, name: str) -> bool: ...  # noqa: D102
    def clones(self, dataset: Dataset) -> bool: ...  # noqa: D102
    def write(self, name: str, data: bytes) -> dict[str, Any]: ...  # noqa: D102
    def forget(self, output: str) -> None: ...  # noqa: D102
    def settle(self, directory: str, outputs: Callable[[], Iterable[str]]) -> int: ...  # noqa: D102
    def settle_directories(self, directories: Iterable[str]) -> None: ...  # noqa: D102
    def clear_temporary(self) -> None: ...  # noqa: D102
    def gather_shares(self) -> list[Shard]: ...  # noqa: D102
    def finish_share(self, request: str) -> None: ...  # noqa: D102
    def seal(self, head: Mapping[str, Any], lines: Iterable[Line]) -> None: ...  # noqa: D102
    def publish(self, output: bytes, *, is_replacing: bool) -> None: ...  # noqa: D102
    def remove(self) -> None: ...  # noqa: D102
    def remove_if_empty(self) -> None: ...  # noqa: D102


@contextlib.contextmanager
def held(output: bytes) -> Iterator[None]:
    """Hold OUTPUT alone: of those on its disk, or, of an address, of those on this machine. Raises LockedError."""
    with exclusive_lock(_lock_of_address(output) if is_address(output) else lock_path(output)):
        yield


@contextlib.contextmanager
def held_by_shards(output: bytes) -> Iterator[None]:
    """Hold OUTPUT together with other shards; at an address nobody is in the way of others. Raises LockedError."""
    with contextlib.nullcontext() if is_address(output) else shared_lock(lock_path(output)):
        yield


@contextlib.contextmanager
def open_stage(output: bytes, request: Callable[[], str], *, is_overwriting: bool) -> Iterator[Stage]:
    """Yield the stage of an OUTPUT that is held, with what earlier runs have left there.

    Raises OutputRefusedError where what lies there is not of our making or, at an address, was begun for another
    request and is not to be overwritten.
    """
    if is_address(output):
        with claim_prefix(output, request(), "run", is_taking_over=is_overwriting) as prefix:
            yield prefix
    else:
        yield staging.claim_staging(output)


@contextlib.contextmanager
def open_shared_stage(output: bytes, request: str, shard: Shard) -> Iterator[Stage]:
    """Yield the same to a shard. Raises OutputRefusedError, LockedError."""
    if is_address(output):
        with claim_prefix(output, request, f"{shard.number}-of-{shard.n_shards}") as prefix:
            yield prefix
    else:
        with claim_share(output, shard, request) as own:
            yield own


def remove_leftovers(output: bytes) -> None:
    """Delete what a kill left of a run whose OUTPUT stands."""
    if is_address(output):
        with contextlib.suppress(OSError, StorageError):
            remove_own(output)
    else:
        staging.remove_leftovers(output)


def _lock_of_address(output: bytes) -> bytes:
    name = f"rebalance-{os.getuid()}-{sha256(output).hexdigest()[:16]}.lock"
    return os.path.join(tempfile.gettempdir(), name).encode()
