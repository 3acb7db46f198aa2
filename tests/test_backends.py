import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from rebalance.backends import local_processes, start_method


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


def handlers(_numbers: Sequence[int]) -> list[bool]:
    return [signal.getsignal(number) is signal.SIG_DFL for number in (signal.SIGTERM, signal.SIGHUP)]


def test_a_worker_has_none_of_the_handlers_of_its_parent() -> None:
    before = signal.signal(signal.SIGHUP, lambda *_: None)
    try:
        with local_processes(1) as executor:
            assert executor.submit(handlers, []).result() == [True, True]
    finally:
        signal.signal(signal.SIGHUP, before)


def dispensability(_numbers: Sequence[int]) -> int:
    return int(Path("/proc/self/oom_score_adj").read_text())


@pytest.mark.skipif(sys.platform != "linux", reason="another system has no such score")
def test_a_system_out_of_memory_ends_a_worker_and_not_its_parent() -> None:
    with local_processes(1) as executor:
        assert executor.submit(dispensability, []).result() == 500
    assert dispensability([]) < 500
