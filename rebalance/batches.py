"""Feeding an executor: a bounded number of batches in flight, and what a worker's death took, done again."""

import contextlib
import signal
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeVar

from rebalance import backends
from rebalance.backends import LostBatchError, begin_item, processes_of, rest, signals_waiting, stop, time_limit
from rebalance.errors import WorkerError, listed

Item = TypeVar("Item")
Result = TypeVar("Result")

_IN_FLIGHT = 3
"""Batches a worker: one at work, others waiting so that none idles."""
_STALLED_AFTER = 1800.0
"""Seconds without any batch finished after which workers count as hanging that their own clock has not ended."""
_HOPELESS = 8
"""Items in succession on which workers die, after which no other is tried."""
_LOOKED_AFTER = 5.0
"""Seconds without any batch finished after which it is looked whether a worker has died in the middle of an answer."""


def run_batches(
    function: Callable[[Sequence[Item]], list[Result]],
    batches: Iterable[Sequence[Item]],
    n_workers: int,
    *,
    describe: Callable[[Item], str],
    told: Callable[[Item, str], Result] | None = None,
    make_executor: Callable[[int], Executor] = backends.make_executor,
) -> Generator[list[Result], None, None]:
    """Yield what `function` makes of each batch, as they finish.

    When a worker dies, hangs or lacks memory, what was in flight is done again one item at a time. An item that ends a
    worker alone, too, costs no other: its result is what is `told` of it, or else WorkerError names it once all others
    are done. That is raised at once where workers die on everything.
    """
    toll = _Toll()
    remaining = toll.without_given_up(batches, describe)
    while suspects := (yield from _run_until_broken(make_executor(n_workers), function, remaining, n_workers, toll)):
        with contextlib.closing(_OneWorker(make_executor)) as alone:
            for item in chain.from_iterable(suspects):
                if describe(item) in toll.given_up:
                    continue
                try:
                    result = alone.perform(function, item)
                except _WorkerDiedError as death:
                    toll.add(describe(item), str(death))
                    result = [told(item, str(death))] if told else []
                else:
                    toll.n_in_a_row = 0
                yield result
    if toll.given_up and not told:
        which = "it" if len(toll.given_up) == 1 else "them"
        raise WorkerError(f"{toll.told()}; all others are done: leave {which} out with --exclude, or run again")


@dataclass(slots=True)
class _Toll:
    """What is given up, and how many in a row since anything was done."""

    given_up: dict[str, str] = field(default_factory=dict)
    """Why, by what describes an item: several items of one image are given up together."""
    n_in_a_row: int = 0

    def add(self, described: str, death: str) -> None:
        """Give an item up. Raises WorkerError where workers die on everything."""
        self.given_up[described] = death
        self.n_in_a_row += 1
        if self.n_in_a_row == _HOPELESS:
            raise WorkerError(f"workers die on everything: {self.told(3)}; run again to resume")

    def told(self, most: int = 20) -> str:
        """Return what was given up, in one line."""
        return listed((f"{described}: {death}" for described, death in self.given_up.items()), most)

    def without_given_up(
        self, batches: Iterable[Sequence[Item]], describe: Callable[[Item], str]
    ) -> Iterator[Sequence[Item]]:
        """Yield what is left of batches; what is given up is looked for anew each time."""
        for batch in batches:
            left = [item for item in batch if describe(item) not in self.given_up] if self.given_up else batch
            if left:
                yield left


def _run_until_broken(
    executor: Executor,
    function: Callable[[Sequence[Item]], list[Result]],
    batches: Iterator[Sequence[Item]],
    n_workers: int,
    toll: _Toll,
) -> Generator[list[Result], None, list[Sequence[Item]]]:
    """Yield results; return the batches that ended a worker, or were in flight when one died, hung or lacked memory."""
    running: dict[Future[list[Result]], Sequence[Item]] = {}
    lost: list[Sequence[Item]] = []
    is_finished = False
    try:
        while True:
            while len(running) < _IN_FLIGHT * n_workers and (batch := next(batches, None)):
                running[_submit(executor, function, batch)] = batch
            if not running:
                is_finished = True
                return lost
            for future in _first_finished(executor, running):
                try:
                    result = future.result()
                except LostBatchError:
                    lost.append(running.pop(future))
                    continue
                except (BrokenProcessPool, MemoryError):
                    return [*lost, *running.values()]
                del running[future]
                toll.n_in_a_row = 0
                yield result
    except TimeoutError:
        return [*lost, *running.values()]
    finally:
        stop(executor, is_finished=is_finished)


class _WorkerDiedError(Exception):
    """A worker died, hung or lacked memory; the argument says how."""


class _OutOfTimeError(_WorkerDiedError):
    """A worker ended itself, since its time was over: to try again would take as long."""


class _OneWorker:
    """One worker, which has one item at a time, and is made anew where it dies."""

    def __init__(self, make_executor: Callable[[int], Executor]) -> None:
        self._make_executor = make_executor
        self._executor: Executor | None = None

    def perform(self, function: Callable[[Sequence[Item]], list[Result]], item: Item) -> list[Result]:
        """Return what the function makes of an item. Raises _WorkerDiedError where that ends two workers."""
        try:
            return self._try(function, item)
        except _OutOfTimeError:
            raise
        except _WorkerDiedError:
            return self._try(function, item)

    def close(self, *, is_finished: bool = True) -> None:
        """End the worker."""
        if self._executor is not None:
            stop(self._executor, is_finished=is_finished)
        self._executor = None

    def _try(self, function: Callable[[Sequence[Item]], list[Result]], item: Item) -> list[Result]:
        executor = self._executor = self._executor or self._make_executor(1)
        future = _submit(executor, function, [item])
        processes = processes_of(executor)
        is_hanging = False
        try:
            _first_finished(executor, [future])
            return future.result()
        except MemoryError:
            raise _WorkerDiedError("not enough memory") from None
        except TimeoutError:
            is_hanging = all(process.is_alive() for process in processes)
        except (BrokenProcessPool, LostBatchError):
            pass
        except BaseException:
            self.close(is_finished=False)
            raise
        self.close(is_finished=False)
        if is_hanging:
            raise _WorkerDiedError("a worker hung on it")
        raise _death_of(processes[0].exitcode if processes else None)


def _death_of(exit_code: int | None) -> _WorkerDiedError:
    """Return what ended a worker."""
    if exit_code == -signal.SIGALRM:
        return _OutOfTimeError(f"took longer than {time_limit():g} s (--time-limit)")
    how = f" with exit code {exit_code}" if exit_code else ""
    if exit_code is not None and exit_code < 0:
        how = f" of {signal.Signals(-exit_code).name}"
    return _WorkerDiedError(f"a worker died{how} on it, twice alone")


def _perform_batch(function: Callable[[Sequence[Item]], list[Result]], batch: Sequence[Item]) -> list[Result]:
    """Be a worker: perform a batch, and then wait as long as it takes for the next."""
    begin_item()
    try:
        return function(batch)
    finally:
        rest()


def _submit(
    executor: Executor, function: Callable[[Sequence[Item]], list[Result]], batch: Sequence[Item]
) -> "Future[list[Result]]":
    try:
        with signals_waiting():
            return executor.submit(_perform_batch, function, batch)
    except BrokenProcessPool as error:
        broken: Future[list[Result]] = Future()
        broken.set_exception(error)
        return broken
    except OSError as error:
        raise WorkerError(f"a worker cannot be started: {error.strerror}; run again, with fewer --workers") from None


def _first_finished(executor: Executor, running: "Iterable[Future[list[Result]]]") -> "Iterable[Future[list[Result]]]":
    """Wait for any batch.

    Raises TimeoutError where none finishes for so long that the workers must hang, and where one of them has died while
    it was answering: the rest of the answer would be waited for for ever.
    """
    n_looks = max(1, round(_STALLED_AFTER / _LOOKED_AFTER))
    for _look in range(n_looks):
        is_dead = not all(process.is_alive() for process in processes_of(executor))
        finished, _ = wait(running, timeout=_STALLED_AFTER / n_looks, return_when=FIRST_COMPLETED)
        if finished:
            return finished
        backends.check_executor(executor)
        if is_dead:
            break
    raise TimeoutError
