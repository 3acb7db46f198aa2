"""Work on a Dask cluster: an executor of its workers, with whom hands are shaken before they do anything."""

import contextlib
import hashlib
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Executor, Future
from functools import cache
from importlib.util import find_spec
from typing import Any, NamedTuple, Self, TypeVar

from rebalance import __version__
from rebalance.backends import LostBatchError, choose_backend
from rebalance.dataset import to_text
from rebalance.errors import UsageError, WorkerError
from rebalance.images.codec import library_versions
from rebalance.storage.transfer import read_start

Result = TypeVar("Result")

_CONNECTED_WITHIN = 10
"""Seconds."""
_ALONE = 60.0
"""Seconds without any worker after which nobody is waited for any more."""
_PROVED = 4096
"""Bytes of a file that are compared."""


class Handshake(NamedTuple):
    """What a worker must have in common with this process: versions, and files that it finds in the same places."""

    versions: tuple[tuple[str, str], ...]
    files: tuple[tuple[bytes, str], ...] = ()
    """Path and sha256 of the beginning of each."""

    @classmethod
    def over(cls, files: Sequence[bytes]) -> Self:
        """Return that of this process over some files."""
        return cls(_versions(), tuple((path, _digest(path)) for path in files))

    def refusal(self) -> str | None:
        """Return why a worker cannot take part, or None; to be called there."""
        for (name, ours), (_, theirs) in zip(self.versions, _versions(), strict=True):
            if ours != theirs:
                return f"has {name} {theirs} where this process has {ours}: install the same"
        for path, digest in self.files:
            if _digest(path) != digest:
                return (
                    f"does not see {to_text(path)} as this process does: it needs the same folders in the same places"
                )
        return None


def _versions() -> tuple[tuple[str, str], ...]:
    engine = "opencv" if find_spec("cv2") else "pillow"
    libraries = {"opencv": "none", **library_versions(engine)}
    python = ".".join(map(str, sys.version_info[:2]))
    return tuple(sorted({"rebalance": __version__, "python": python, **libraries}.items()))


def _digest(path: bytes) -> str:
    try:
        return hashlib.sha256(read_start(path, _PROVED)).hexdigest()
    except OSError as error:
        return str(error.strerror)


def use_cluster(scheduler: str) -> int:
    """Let the workers of a scheduler do the work of this process from now on; return how much they do at once.

    Raises UsageError without Dask, WorkerError.
    """
    cluster = _joined(scheduler)
    choose_backend(cluster)
    return cluster.n_threads


@cache
def _joined(scheduler: str) -> "Cluster":
    cluster = Cluster(scheduler)
    cluster.prove(())
    return cluster


class Cluster:
    """The workers of a scheduler."""

    def __init__(self, scheduler: str) -> None:
        """Connect to the scheduler at an address, or of a file. Raises UsageError without Dask, WorkerError."""
        self.client = _connected(scheduler)
        self.handshake = Handshake.over(())
        if not self.n_threads:
            raise WorkerError(f"{scheduler}: no worker is connected to this scheduler: start some with `dask worker`")

    @property
    def n_threads(self) -> int:
        """What the workers can do at the same time."""
        return sum(self.client.nthreads().values())

    def executor(self, _n_workers: int) -> Executor:
        """Return what runs functions on the workers."""
        return _ClusterExecutor(self.client, self.handshake)

    def prove(self, files: Sequence[bytes]) -> None:
        """Shake hands with every worker over files that all must see. Raises WorkerError, naming one that differs."""
        self.handshake = Handshake.over(files)
        with _said():
            answers = self.client.run(self.handshake.refusal, on_error="return")
        for address, answer in answers.items():
            if answer is not None:
                raise WorkerError(f"worker {address} {_told(answer)}")


def _told(answer: object) -> str:
    if isinstance(answer, ImportError):
        return f"cannot load this program ({answer}): install it there as it is here"
    return str(answer)


def _connected(scheduler: str) -> Any:
    if find_spec("distributed") is None:
        raise UsageError("--backend dask needs Dask: pip install 'rebalance-images[dask]'")
    import distributed  # noqa: PLC0415  takes a second

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    is_file = os.path.exists(scheduler)
    if not is_file and not re.fullmatch(r"([a-z]+://)?[^\s/]+:\d+", scheduler):
        raise UsageError(f"--scheduler {scheduler!r} is neither a file that is there nor an address: tcp://HOST:PORT")
    where: dict[str, Any] = {"scheduler_file": scheduler} if is_file else {"address": scheduler}
    try:
        return distributed.Client(**where, timeout=_CONNECTED_WITHIN, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TypeError) as error:
        raise WorkerError(
            f"{scheduler}: no scheduler answers there ({error}): start one with `dask scheduler`"
        ) from None


@contextlib.contextmanager
def _said() -> Iterator[None]:
    """Raise WorkerError where the scheduler does not answer any more."""
    try:
        yield
    except (OSError, CancelledError) as error:
        raise WorkerError(f"the scheduler does not answer any more ({error}); run again to resume") from None


class _ClusterExecutor(Executor):
    """Runs functions on workers; a worker that has not shaken hands does so first."""

    def __init__(self, client: Any, handshake: Handshake) -> None:
        self.client, self.handshake = client, handshake
        self.inner = client.get_executor(pure=False)
        self.alone_since: float | None = None

    def submit(self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any) -> "Future[Result]":
        """Run a function on some worker; what ends its future is said as local workers would say it."""
        outer: Future[Result] = Future()
        outer.set_running_or_notify_cancel()
        with _said():
            inner = self.inner.submit(_perform, self.handshake, fn, *args, **kwargs)
        inner.add_done_callback(lambda ended: _hand_on(ended, outer))
        return outer

    def check(self) -> None:
        """Raise WorkerError where nobody is left to do the work."""
        if self.client.status not in ("running", "connecting"):
            raise WorkerError("the connection to the scheduler is lost; run again to resume")
        with contextlib.suppress(OSError, CancelledError):
            if self.client.status == "running" and self.client.nthreads():
                self.alone_since = None
                return
        now = time.monotonic()
        self.alone_since = self.alone_since or now
        if now - self.alone_since >= _ALONE:
            raise WorkerError(f"no worker has been there for {_ALONE:.0f} s; start some, and run again to resume")

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        """Cancel what is left; the workers stay."""
        with contextlib.suppress(Exception):  # of a connection that is lost; nothing is to be saved of it
            self.inner.shutdown(wait=False)


def _perform(handshake: Handshake, function: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
    """Be a worker: shake hands, once, and work."""
    if handshake not in _shaken:
        if refusal := handshake.refusal():
            raise WorkerError(f"a worker that came later {refusal}")
        _shaken.add(handshake)
    return function(*args, **kwargs)


_shaken: set[Handshake] = set()


def _hand_on(ended: "Future[Result]", outer: "Future[Result]") -> None:
    error = CancelledError() if ended.cancelled() else ended.exception()
    if error is None:
        outer.set_result(ended.result())
    elif type(error).__name__ == "KilledWorker":
        outer.set_exception(LostBatchError())
    elif isinstance(error, ImportError):
        outer.set_exception(WorkerError(f"a worker {_told(error)}"))
    elif isinstance(error, CancelledError) or type(error).__name__ in ("CancelledError", "FutureCancelledError"):
        outer.set_exception(WorkerError("the scheduler is gone, and with it what was asked of it; run again to resume"))
    else:
        outer.set_exception(error)
