import ctypes
import faulthandler
import os
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from rebalance.backends import begin_item, limit_time
from rebalance.batches import run_batches
from rebalance.errors import StorageError, WorkerError


def doubled(numbers: Sequence[int]) -> list[int]:
    return [2 * number for number in numbers]


def refusing(numbers: Sequence[int]) -> list[int]:
    if 13 in numbers:
        raise StorageError("13 cannot be read")
    return doubled(numbers)


def dying_once(marker: str, numbers: Sequence[int]) -> list[int]:
    if 13 in numbers and not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return doubled(numbers)


def dying_while_it_answers(marker: str, numbers: Sequence[int]) -> list[int]:
    """Write half of the answer, which is pickled and framed by then, and die."""

    def send_half(connection: Connection, message: bytes) -> None:
        os.write(connection.fileno(), bytes(message)[: len(message) // 2])
        os.kill(os.getpid(), signal.SIGKILL)

    if 13 in numbers and not Path(marker).exists():
        Path(marker).touch()
        Connection._send = send_half  # type: ignore[attr-defined]
    return doubled(numbers)


def hanging(numbers: Sequence[int]) -> list[int]:
    time.sleep(60)
    return doubled(numbers)


def batches(n_items: int) -> list[list[int]]:
    return [list(range(start, min(start + 4, n_items))) for start in range(0, n_items, 4)]


@pytest.mark.parametrize("n_workers", [1, 2])
def test_every_batch_is_done_once(n_workers: int) -> None:
    results = run_batches(doubled, batches(50), n_workers, describe=str)
    assert sorted(number for batch in results for number in batch) == list(range(0, 100, 2))


def test_no_batch_is_no_work() -> None:
    assert list(run_batches(doubled, [], 2, describe=str)) == []


def test_batches_are_not_taken_before_they_are_needed() -> None:
    taken = []

    def counted() -> Iterator[list[int]]:
        for batch in batches(400):
            taken.append(batch)
            yield batch

    results = run_batches(doubled, counted(), 1, describe=str)
    next(results)
    assert len(taken) <= 5
    results.close()


def test_an_error_of_a_worker_comes_home() -> None:
    with pytest.raises(StorageError, match="13 cannot be read"):
        list(run_batches(refusing, batches(50), 2, describe=str))


def test_a_worker_that_dies_once_costs_nothing(tmp_path: Path) -> None:
    results = run_batches(partial(dying_once, str(tmp_path / "died")), batches(50), 2, describe=str)
    assert sorted(number for batch in results for number in batch) == list(range(0, 100, 2))


@pytest.mark.parametrize("n_workers", [1, 2])
def test_a_worker_that_dies_while_it_answers_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_workers: int
) -> None:
    monkeypatch.setattr("rebalance.batches._LOOKED_AFTER", 0.3)
    function = partial(dying_while_it_answers, str(tmp_path / "died"))
    results = run_batches(function, batches(50), n_workers, describe=str)
    assert sorted(number for batch in results for number in batch) == list(range(0, 100, 2))


def take(results: Iterable[list[int]]) -> tuple[list[int], str]:
    """Return all results in order, and what was said at the end of those there are none of."""
    taken: list[int] = []
    try:
        for batch in results:
            taken += batch
    except WorkerError as error:
        return sorted(taken), str(error)
    return sorted(taken), ""


ALL_BUT_13_AND_40 = [2 * number for number in range(50) if number not in (13, 40)]


def ending(how: str, numbers: Sequence[int]) -> list[int]:
    if 13 in numbers or 40 in numbers:
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "crash":
            faulthandler.disable()
            ctypes.string_at(0)
        if how == "exit":
            os._exit(3)
        if how == "hang":
            ctypes.PyDLL(None).pause()  # in C, and no other thread of Python gets to run
        raise MemoryError
    return doubled(numbers)


@pytest.mark.usefixtures("limited")
@pytest.mark.threat(46, 47)
@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("kill", "a worker died of SIGKILL on it, twice alone"),
        ("crash", "a worker died of SIGSEGV on it, twice alone"),
        ("exit", "a worker died with exit code 3 on it, twice alone"),
        ("hang", "took longer than 0.5 s (--time-limit)"),
        ("memory", "not enough memory"),
    ],
)
def test_an_item_that_ends_its_worker_is_named_and_costs_no_other(how: str, told: str) -> None:
    results = run_batches(partial(ending, how), batches(50), 2, describe=lambda item: f"item {item}")
    taken, said = take(results)
    assert taken == ALL_BUT_13_AND_40
    assert said == (
        f"item 13: {told}, item 40: {told}; all others are done: leave them out with --exclude, or run again"
    )


@pytest.fixture
def limited() -> Iterator[None]:
    limit_time(0.5)
    yield
    limit_time(120)


def short_of_memory_together(numbers: Sequence[int]) -> list[int]:
    if len(numbers) > 1:
        raise MemoryError
    return doubled(numbers)


def test_what_lacks_memory_is_done_alone() -> None:
    assert take(run_batches(short_of_memory_together, batches(20), 2, describe=str)) == (list(range(0, 40, 2)), "")


def test_of_such_an_item_something_may_be_told_instead() -> None:
    results = run_batches(partial(ending, "kill"), batches(50), 2, describe=str, told=lambda item, _how: -item)
    assert take(results) == ([-40, -13, *ALL_BUT_13_AND_40], "")


def dying(numbers: Sequence[int]) -> list[int]:
    os.kill(os.getpid(), signal.SIGKILL)
    return doubled(numbers)


def test_workers_that_die_on_everything_are_not_fed_for_ever() -> None:
    taken, said = take(run_batches(dying, batches(4000), 2, describe=str))
    assert taken == []
    assert said.startswith("workers die on everything: 0: a worker died of SIGKILL on it, twice alone, 1: a worker")


def test_items_of_one_image_are_given_up_together(tmp_path: Path) -> None:
    tried = partial(counted_and_dying, str(tmp_path / "tried"))
    taken, said = take(run_batches(tried, [[13] * 16] * 1000, 2, describe=lambda item: f"image {item}"))
    assert taken == []
    assert said.startswith("image 13: a worker died of SIGKILL on it, twice alone; all others are done")
    assert (tmp_path / "tried").stat().st_size < 10


def counted_and_dying(tally: str, numbers: Sequence[int]) -> list[int]:
    with Path(tally).open("ab", buffering=0) as file:
        file.write(b".")
    return dying(numbers)


def slow_together(numbers: Sequence[int]) -> list[int]:
    for _ in numbers:
        begin_item()
        time.sleep(0.3)
    return [os.getpid()]


@pytest.mark.usefixtures("limited")
def test_each_item_has_its_own_time_and_waiting_costs_none() -> None:
    results = run_batches(slow_together, [[0, 1, 2, 3]] * 5, 1, describe=str)
    pids = next(results)
    time.sleep(1.5)
    assert [*pids, *(pid for batch in results for pid in batch)] == pids * 5


def test_workers_that_hang_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rebalance.batches._STALLED_AFTER", 1.0)
    began = time.monotonic()
    with pytest.raises(WorkerError, match="0: a worker hung on it"):
        list(run_batches(hanging, [[0]], 1, describe=str))
    assert time.monotonic() - began < 20


def process_id(_numbers: Sequence[int]) -> list[int]:
    return [os.getpid()]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_either_way_to_start_them_does_the_work_in_other_processes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, method: str
) -> None:
    monkeypatch.setattr("rebalance.backends.start_method", lambda: method)
    pids = [pid for batch in run_batches(process_id, batches(20), 2, describe=str) for pid in batch]
    assert len(pids) == 5
    assert os.getpid() not in pids
    results = run_batches(partial(dying_once, str(tmp_path / method)), batches(50), 2, describe=str)
    assert sorted(number for batch in results for number in batch) == list(range(0, 100, 2))
