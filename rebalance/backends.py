"""Where the work is done: an executor, fed a bounded number of batches, rebuilt when a worker dies."""

import contextlib
import ctypes
import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess
from typing import TypeVar

from rebalance.errors import WorkerError

Item = TypeVar("Item")
Result = TypeVar("Result")

_PR_SET_PDEATHSIG = 1
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 2**28
"""Freed memory that a worker keeps: given back and mapped anew, every page of every picture would be a fault."""
_MAPPED_BYTES = 2**26
"""Bytes from which an array is mapped for itself, and given back when it is freed."""
_UNFORKABLE = ("onnxruntime", "sklearn")
"""Modules whose threads do not live on in a forked process, which would wait for them for ever."""
_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
_IN_FLIGHT = 3
"""Batches a worker: one at work, others waiting so that none idles."""
_STALLED_AFTER = 600.0
"""Seconds without any batch finished after which the workers count as hanging."""
_LOOKED_AFTER = 5.0
"""Seconds without any batch finished after which it is looked whether a worker has died in the middle of an answer."""


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
    with _signals_waiting():
        return ProcessPoolExecutor(n_workers, mp_context=context, initializer=_start_worker, initargs=(os.getpid(),))


def run_batches(
    function: Callable[[Sequence[Item]], list[Result]],
    batches: Iterable[Sequence[Item]],
    n_workers: int,
    *,
    describe: Callable[[Item], str],
    make_executor: Callable[[int], Executor] = local_processes,
) -> Generator[list[Result], None, None]:
    """Yield what `function` makes of each batch, as they finish.

    When a worker dies, what was in flight is done again one item at a time; raises WorkerError for an item on which a
    worker dies twice alone.
    """
    remaining = iter(batches)
    while True:
        suspects = yield from _run_until_broken(make_executor(n_workers), function, remaining, n_workers)
        if not suspects:
            return
        for item in (item for batch in suspects for item in batch):
            yield _run_alone(function, item, describe, make_executor)


def _run_until_broken(
    executor: Executor,
    function: Callable[[Sequence[Item]], list[Result]],
    batches: Iterator[Sequence[Item]],
    n_workers: int,
) -> Generator[list[Result], None, list[Sequence[Item]]]:
    """Yield results; return the batches in flight when a worker died or all of them hung, none at the end."""
    running: dict[Future[list[Result]], Sequence[Item]] = {}
    is_finished = False
    try:
        while True:
            while len(running) < _IN_FLIGHT * n_workers and (batch := next(batches, None)):
                running[_submit(executor, function, batch)] = batch
            if not running:
                is_finished = True
                return []
            for future in _first_finished(executor, running):
                result = future.result()
                del running[future]
                yield result
    except (BrokenProcessPool, TimeoutError):
        return list(running.values())
    finally:
        _stop(executor, is_finished=is_finished)


def _run_alone(
    function: Callable[[Sequence[Item]], list[Result]],
    item: Item,
    describe: Callable[[Item], str],
    make_executor: Callable[[int], Executor],
) -> list[Result]:
    for _attempt in range(2):
        executor = make_executor(1)
        is_finished = False
        try:
            future = _submit(executor, function, [item])
            _first_finished(executor, [future])
            result = future.result()
            is_finished = True
            return result
        except (BrokenProcessPool, TimeoutError):
            continue
        finally:
            _stop(executor, is_finished=is_finished)
    raise WorkerError(
        f"{describe(item)}: a worker died or hung on it, twice alone; the finished work is kept: "
        "leave it out with --exclude, or run again to resume"
    )


def _submit(
    executor: Executor, function: Callable[[Sequence[Item]], list[Result]], batch: Sequence[Item]
) -> "Future[list[Result]]":
    try:
        with _signals_waiting():
            return executor.submit(function, batch)
    except BrokenProcessPool as error:
        broken: Future[list[Result]] = Future()
        broken.set_exception(error)
        return broken
    except OSError as error:
        raise WorkerError(f"a worker cannot be started: {error.strerror}; run again, with fewer --workers") from None


@contextlib.contextmanager
def _signals_waiting() -> Iterator[None]:
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


def _first_finished(executor: Executor, running: "Iterable[Future[list[Result]]]") -> "Iterable[Future[list[Result]]]":
    """Wait for any batch.

    Raises TimeoutError where none finishes for so long that the workers must hang, and where one of them has died while
    it was answering: the rest of the answer would be waited for for ever.
    """
    n_looks = max(1, round(_STALLED_AFTER / _LOOKED_AFTER))
    for _look in range(n_looks):
        is_dead = not all(process.is_alive() for process in _processes(executor))
        finished, _ = wait(running, timeout=_STALLED_AFTER / n_looks, return_when=FIRST_COMPLETED)
        if finished:
            return finished
        if is_dead:
            break
    raise TimeoutError


def _processes(executor: Executor) -> list[BaseProcess]:
    return list((getattr(executor, "_processes", None) or {}).values())


def _stop(executor: Executor, *, is_finished: bool) -> None:
    """End the workers: at once where work is left that nobody waits for; what they were writing has no name yet."""
    if not is_finished:
        for child in multiprocessing.active_children():
            child.kill()
        answers = getattr(executor, "_result_queue", None)
        if answers is not None:  # the last open end of a pipe, from which half an answer may be waited for
            answers._writer.close()  # noqa: SLF001  nothing public ends that
    executor.shutdown(wait=True, cancel_futures=True)


def _start_worker(parent: int) -> None:
    """Tie a worker's life to its parent's, and let it keep the memory that it frees."""
    for number in _SIGNALS - {signal.SIGINT}:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    gc.freeze()  # what a fork shares with its parent stays shared
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
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
