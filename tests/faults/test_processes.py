"""What may happen to processes: an image that ends its worker, signals, few descriptors, several runs at once."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rebalance.storage.transfer import StagedTree
from tests.conftest import MakeTree, Run, children, contents, start, wait_for
from tests.faults.machine import need, need_programs, need_root

_SPOILT = """
import ctypes, os, signal, sys
import rebalance.perform
from rebalance.__main__ import main
load = rebalance.perform.load_source
def spoilt(data, *arguments):
    for how in (b"crash", b"hang", b"kill", b"memory"):
        if data.endswith(how):
            getattr(sys.modules[__name__], how.decode())()
    return load(data, *arguments)
def crash(): ctypes.string_at(0)
def hang(): ctypes.PyDLL(None).pause()
def kill(): os.kill(os.getpid(), signal.SIGKILL)
def memory(): raise MemoryError
rebalance.perform.load_source = spoilt
if __name__ == "__main__":
    main()
"""
"""The program with a decoder that ends its process on some files."""


@pytest.mark.threat(46, 47)
def test_images_that_end_their_workers_cost_no_other(run: Run, big_source: Path, tmp_path: Path) -> None:
    run("augment", big_source, "-o", tmp_path / "once", "--originals", "reencode")
    sound = {name: (big_source / name).read_bytes() for name in ("a/003.png", "a/044.png", "b/002.png", "c/001.png")}
    for (name, data), how in zip(sound.items(), (b"crash", b"hang", b"kill", b"memory"), strict=True):
        (big_source / name).write_bytes(data + how)
    script, output = tmp_path / "spoilt.py", tmp_path / "out"
    script.write_text(_SPOILT)
    command: list[str | Path] = [sys.executable, script, "augment", big_source, "-o", output, "--originals", "reencode"]
    ran = subprocess.run(
        [*command, "-j", "2", "--time-limit", "1"], capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.returncode == 8, ran.stderr
    told = ran.stderr.splitlines()[-1]
    assert "'a/003.png': a worker died of SIGSEGV on it, twice alone" in told
    assert "'a/044.png': took longer than 1 s (--time-limit)" in told
    assert "'b/002.png': a worker died of SIGKILL on it, twice alone" in told
    assert "'c/001.png': not enough memory" in told
    assert told.endswith("; all others are done: leave them out with --exclude, or run again")
    assert not output.exists()
    for name, data in sound.items():
        (big_source / name).write_bytes(data)
    again = run("augment", big_source, "-o", output, "--originals", "reencode")
    n_of_spoilt = sum(path.startswith(tuple(name[:5] for name in sound)) for path in contents(tmp_path / "once"))
    assert f"reused {180 - n_of_spoilt} of 180" in again.err
    assert contents(output) == contents(tmp_path / "once")


@pytest.mark.threat(47)
def test_a_check_tells_of_such_an_image_and_of_all_others(big_source: Path, tmp_path: Path) -> None:
    for name, how in (("a/003.png", b"crash"), ("b/002.png", b"hang")):
        with (big_source / name).open("ab") as file:
            file.write(how)
    script = tmp_path / "spoilt.py"
    script.write_text(_SPOILT.replace("rebalance.perform", "rebalance.survey").replace("load_source", "check_pixels"))
    command: list[str | Path] = [sys.executable, script, "inspect", big_source, "--check", "--format", "json"]
    ran = subprocess.run([*command, "--time-limit", "1"], capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 4, ran.stderr
    assert json.loads(ran.stdout)["bad_images"] == [
        {"path": "a/003.png", "reason": "a worker died of SIGSEGV on it, twice alone"},
        {"path": "b/002.png", "reason": "took longer than 1 s (--time-limit)"},
    ]


@pytest.mark.threat(53)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_a_run_at_once_and_it_is_resumed(
    run: Run, big_source: Path, tmp_path: Path, number: signal.Signals
) -> None:
    run("augment", big_source, "-o", tmp_path / "once", "-s", "300")
    with running(big_source, tmp_path / "out", "-s", "300") as process:
        workers = children(process.pid)
        process.send_signal(number)
        process.send_signal(number)
        process.communicate(timeout=2)
    assert process.returncode == -number
    wait_for(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
    assert run("augment", big_source, "-o", tmp_path / "out", "-s", "300").code == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "once")


@pytest.mark.threat(51)
def test_few_descriptors_will_do_for_many_classes(make_tree: MakeTree, tmp_path: Path) -> None:
    source = make_tree({f"class{number:03d}": 1 + number % 2 for number in range(200)})
    command = f'ulimit -n 40; exec "{sys.executable}" -m rebalance augment "$0" -o "$1" -j 2'
    ran = subprocess.run(
        ["sh", "-c", command, source, tmp_path / "out"], capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    assert len(list((tmp_path / "out").iterdir())) == 201


@pytest.mark.threat(58)
def test_of_ten_runs_at_once_one_wins_and_nine_are_told_so(big_source: Path, tmp_path: Path) -> None:
    arguments = ["augment", big_source, "-o", tmp_path / "out", "-s", "3000", "--max-copies", "3000", "-j", "2"]
    processes = [start(*arguments) for _ in range(10)]
    told = [process.communicate(timeout=100)[1] for process in processes]
    codes = sorted(process.returncode for process in processes)
    assert codes == [0, *[6] * 9], told
    assert sum("another run (process " in text for text in told) == 9
    assert subprocess.run([sys.executable, "-m", "rebalance", "verify", tmp_path / "out"], check=False).returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "source"]


@pytest.mark.threat(59)
def test_runs_that_do_not_see_each_others_lock_make_one_whole_output(
    run: Run, big_source: Path, tmp_path: Path
) -> None:
    """As on two machines, where a lock may not reach from one to the other."""
    output, lock = tmp_path / "out", tmp_path / ".out.rebalance.lock"
    run("augment", big_source, "-o", tmp_path / "once", "-s", "300")
    with running(big_source, output, "-s", "300") as first:
        lock.unlink()
        second = start("augment", big_source, "-o", output, "-s", "300", "-j", "2")
        for process in (first, second):
            _, told = process.communicate(timeout=60)
            assert process.returncode in (0, 5, 7), told
            assert "Traceback" not in told
            assert not output.exists() or contents(output) == contents(tmp_path / "once")
    assert run("augment", big_source, "-o", output, "-s", "300").code == 0
    assert contents(output) == contents(tmp_path / "once")


@pytest.mark.threat(60)
def test_a_staging_that_someone_deletes_meanwhile_ends_the_run(run: Run, big_source: Path, tmp_path: Path) -> None:
    with running(big_source, tmp_path / "out", "-s", "4000", "--max-copies", "5000") as process:
        shutil.rmtree(tmp_path / ".out.rebalance", ignore_errors=True)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 7, told
    assert told.splitlines()[-1].startswith("rebalance: error: ")
    assert not (tmp_path / "out").exists()
    assert run("augment", big_source, "-o", tmp_path / "out").code == 0


@pytest.mark.threat(68)
def test_a_file_that_two_workers_make_is_whole_at_any_moment(tmp_path: Path) -> None:
    for name in ("tree/a", "tmp"):
        (tmp_path / name).mkdir(parents=True)
    tree = StagedTree(os.fsencode(tmp_path / "tree"), os.fsencode(tmp_path / "tmp"))
    data = bytes(range(256)) * 400
    tree.put("a/file", data)
    child = os.fork()
    for _ in range(300):
        tree.put("a/file", data)
        if child and (tmp_path / "tree" / "a" / "file").read_bytes() != data:
            pytest.fail("half a file was seen")
    if not child:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.threat(73)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_the_first_process_of_a_container_answers_signals(
    big_source: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    need_root()
    need_programs("unshare")
    namespace = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    program: list[str | Path] = [sys.executable, "-m", "rebalance", "augment", big_source, "-o", tmp_path / "out"]
    container = subprocess.Popen(
        [*namespace, *program, "-s", "4000", "--max-copies", "5000"],
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: any(files for _, _, files in os.walk(tmp_path / ".out.rebalance" / "tree")))
    (first,) = children(container.pid)
    is_first = re.search(r"^NSpid:.*\t1$", Path(f"/proc/{first}/status").read_text(), re.MULTILINE)
    need(is_first, "process namespaces")
    os.kill(first, number)
    _, told = container.communicate(timeout=20)
    assert container.returncode == code
    assert told.splitlines()[-1] == "rebalance: interrupted; the finished work is kept: run again to resume"


@contextmanager
def running(source: Path, output: Path, *settings: str) -> Iterator["subprocess.Popen[str]"]:
    """Start a run and wait for its first file."""
    process = start("augment", source, "-o", output, "-j", "2", *settings)
    tree = output.with_name(f".{output.name}.rebalance") / "tree"
    wait_for(lambda: any(files for _, _, files in os.walk(tree)))
    yield process
    process.kill()
    process.communicate()
