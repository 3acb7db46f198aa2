"""Where the work is done: an executor, fed a bounded number of batches, rebuilt when a worker dies."""

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from rebalance.errors import WorkerError

Item = TypeVar("Item")
Result = TypeVar("Result")

_PR_SET_PDEATHSIG = 1
_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
_IN_FLIGHT = 3
"""Batches a worker: one at work, others waiting so that none idles."""
_STALLED_AFTER = 600.0
"""Seconds without any batch finished after which the workers count as hanging."""


def usable_cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def local_processes(n_workers: int) -> Executor:
    """Return worker processes that die with this one, however it dies."""
    context = multiprocessing.get_context("spawn")
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
            for future in _first_finished(running):
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
            _first_finished([future])
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


def _first_finished(running: "Iterable[Future[list[Result]]]") -> "Iterable[Future[list[Result]]]":
    """Wait for any batch. Raises TimeoutError where none finishes for so long that the workers must hang."""
    finished, _ = wait(running, timeout=_STALLED_AFTER, return_when=FIRST_COMPLETED)
    if not finished:
        raise TimeoutError
    return finished


def _stop(executor: Executor, *, is_finished: bool) -> None:
    """End the workers: at once where work is left that nobody waits for; what they were writing has no name yet."""
    if not is_finished:
        for child in multiprocessing.active_children():
            child.kill()
    executor.shutdown(wait=True, cancel_futures=True)


def _start_worker(parent: int) -> None:
    """Tie a worker's life to its parent's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    if os.getppid() != parent:
        os._exit(1)


def _end_with_parent() -> None:
    process = multiprocessing.parent_process()
    if process is not None:
        process.join()
    os._exit(1)
