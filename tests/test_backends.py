import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from rebalance.backends import local_processes, run_batches, start_method
from rebalance.errors import StorageError, WorkerError


def doubled(numbers: Sequence[int]) -> list[int]:
    return [2 * number for number in numbers]


def refusing(numbers: Sequence[int]) -> list[int]:
    if 13 in numbers:
        raise StorageError("13 cannot be read")
    return doubled(numbers)


def dying_on_13(numbers: Sequence[int]) -> list[int]:
    if 13 in numbers:
        os.kill(os.getpid(), signal.SIGKILL)
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
    monkeypatch.setattr("rebalance.backends._LOOKED_AFTER", 0.3)
    function = partial(dying_while_it_answers, str(tmp_path / "died"))
    results = run_batches(function, batches(50), n_workers, describe=str)
    assert sorted(number for batch in results for number in batch) == list(range(0, 100, 2))


def test_an_item_that_kills_its_worker_twice_alone_is_named() -> None:
    results = run_batches(dying_on_13, batches(50), 2, describe=lambda item: f"item {item}")
    with pytest.raises(WorkerError, match="item 13: a worker died or hung on it, twice alone"):
        list(results)


def test_workers_that_hang_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rebalance.backends._STALLED_AFTER", 1.0)
    began = time.monotonic()
    with pytest.raises(WorkerError, match="0: a worker died or hung on it"):
        list(run_batches(hanging, [[0]], 1, describe=str))
    assert time.monotonic() - began < 20


def process_id(_numbers: Sequence[int]) -> list[int]:
    return [os.getpid()]


def test_workers_are_forks_unless_threads_of_ours_would_be_missing_in_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sklearn", "onnxruntime"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert start_method() == ("fork" if sys.platform == "linux" else "spawn")
    monkeypatch.setitem(sys.modules, "onnxruntime", sys)
    assert start_method() == "spawn"
    monkeypatch.delitem(sys.modules, "onnxruntime")
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    assert start_method() == "spawn"
    ended.set()
    thread.join()


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


def handlers(_numbers: Sequence[int]) -> list[bool]:
    return [signal.getsignal(number) is signal.SIG_DFL for number in (signal.SIGTERM, signal.SIGHUP)]


def test_a_worker_has_none_of_the_handlers_of_its_parent() -> None:
    before = signal.signal(signal.SIGHUP, lambda *_: None)
    try:
        with local_processes(1) as executor:
            assert executor.submit(handlers, []).result() == [True, True]
    finally:
        signal.signal(signal.SIGHUP, before)
