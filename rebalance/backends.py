"""Where the work is done: worker processes that die with this one, and that have so much time for each item."""

import contextlib
import ctypes
import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from typing import Any, Protocol

_PR_SET_PDEATHSIG = 1
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 2**28
"""Freed memory that a worker keeps: given back and mapped anew, every page of every picture would be a fault."""
_MAPPED_BYTES = 2**26
"""Bytes from which an array is mapped for itself, and given back when it is freed."""
_UNFORKABLE = ("onnxruntime", "sklearn")
"""Modules whose threads do not live on in a forked process, which would wait for them for ever."""
_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
_DISPENSABLE = "500"
"""How much sooner a system out of memory ends a worker than its parent, of 1000."""


@dataclass(slots=True)
class _Clock:
    """The time that a worker has for one item: one for this process, and handed on to its workers."""

    seconds: float = 120.0
    is_of_worker: bool = False


_clock = _Clock()


class Backend(Protocol):
    """What does the work instead of processes of this machine."""

    def executor(self, n_workers: int, /) -> Executor:
        """Return what runs functions; its method `check`, if any, raises WorkerError where it cannot any more."""

    def prove(self, files: Sequence[bytes], /) -> None:
        """Raise WorkerError where a worker does not see files as this process does."""


class InThisProcess:
    """A backend for what no other process sees: everything is done at once where it is asked for."""

    def executor(self, _n_workers: int, /) -> Executor:
        """Return what runs functions."""
        return _AtOnce()

    def prove(self, files: Sequence[bytes], /) -> None:
        """Do nothing: this process sees what it sees."""


class _AtOnce(Executor):
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Run a function."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  whoever waits for it raises it
            future.set_exception(error)
        return future


class LostBatchError(Exception):
    """A batch ended its worker; others are none the worse."""


_backends: list[Backend] = []
"""What was chosen instead, for this process."""


def choose_backend(backend: Backend | None) -> None:
    """Let a backend do the work of this process from now on; None: local processes."""
    _backends[:] = [] if backend is None else [backend]


def make_executor(n_workers: int) -> Executor:
    """Return what runs functions."""
    return _backends[0].executor(n_workers) if _backends else local_processes(n_workers)


def prove(files: Sequence[bytes]) -> None:
    """Raise WorkerError where a worker elsewhere does not see files as this process does."""
    for backend in _backends:
        backend.prove(files)


def is_remote() -> bool:
    """Return whether the work is done elsewhere, in larger portions."""
    return bool(_backends)


def check_executor(executor: Executor) -> None:
    """Raise WorkerError where an executor says that nobody is left to do the work."""
    check: Callable[[], None] | None = getattr(executor, "check", None)
    if check is not None:
        check()


def usable_cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def start_method() -> str:
    """Return how worker processes begin: as forks of this one, which import nothing anew, unless it has threads."""
    is_single = threading.active_count() == 1 and not any(name in sys.modules for name in _UNFORKABLE)
    return "fork" if sys.platform == "linux" and is_single else "spawn"


def local_processes(n_workers: int) -> Executor:
    """Return worker processes that die with this one, however it dies."""
    context = multiprocessing.get_context(start_method())
    arguments = os.getpid(), _clock.seconds
    with signals_waiting():
        return ProcessPoolExecutor(n_workers, mp_context=context, initializer=_start_worker, initargs=arguments)


def limit_time(seconds: float) -> None:
    """Let no worker of this process take longer for one item."""
    _clock.seconds = seconds


def time_limit() -> float:
    """Return how many seconds a worker has for one item."""
    return _clock.seconds


def begin_item() -> None:
    """Give a worker its time anew: one that takes longer dies, wherever it is, in a library of C too."""
    if _clock.is_of_worker:
        signal.setitimer(signal.ITIMER_REAL, _clock.seconds)


def rest() -> None:
    """Let a worker wait for its next item as long as that takes."""
    signal.setitimer(signal.ITIMER_REAL, 0)


@contextlib.contextmanager
def signals_waiting() -> Iterator[None]:
    """Let signals wait while a process or thread is started: it is not cut in the middle, and leaves them to us."""
    arrived: list[int] = []  # by way of a thread that does not block them, as libraries start some
    handlers = {number: signal.signal(number, lambda number, _frame: arrived.append(number)) for number in _SIGNALS}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for late in arrived:
            signal.raise_signal(late)


def processes_of(executor: Executor) -> list[BaseProcess]:
    """Return the workers of an executor."""
    return list((getattr(executor, "_processes", None) or {}).values())


def stop(executor: Executor, *, is_finished: bool) -> None:
    """End the workers: at once where work is left that nobody waits for; what they were writing has no name yet."""
    if not is_finished and isinstance(executor, ProcessPoolExecutor):
        for child in multiprocessing.active_children():
            child.kill()
        answers = getattr(executor, "_result_queue", None)
        if answers is not None:  # the last open end of a pipe, from which half an answer may be waited for
            answers._writer.close()  # noqa: SLF001  nothing public ends that
    executor.shutdown(wait=True, cancel_futures=True)


def _start_worker(parent: int, seconds_an_item: float) -> None:
    """Tie a worker's life to its parent's, and let it keep the memory that it frees."""
    _clock.seconds, _clock.is_of_worker = seconds_an_item, True
    for number in {*_SIGNALS, signal.SIGALRM} - {signal.SIGINT}:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    gc.freeze()  # what a fork shares with its parent stays shared
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:
            score.write(_DISPENSABLE)
        if hasattr(libc, "mallopt"):
            libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
            libc.mallopt(_M_MMAP_THRESHOLD, _MAPPED_BYTES)
    else:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    if os.getppid() != parent:
        os._exit(1)


def _end_with_parent() -> None:
    process = multiprocessing.parent_process()
    if process is not None:
        process.join()
    os._exit(1)
