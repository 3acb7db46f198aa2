"""An output depends on itself alone: not on workers, order, interruption, other files, or where things lie."""

import os
import re
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.conftest import Run, children, contents, manifest_rows, start, wait_for, write_image


@pytest.mark.threat(72)
@pytest.mark.parametrize("workers", [1, 3, 5])
def test_the_number_of_workers_changes_no_byte(run: Run, big_source: Path, tmp_path: Path, workers: int) -> None:
    run("augment", big_source, "-o", tmp_path / "once", "-j", "2")
    run("augment", big_source, "-o", tmp_path / "again", "-j", workers)
    assert contents(tmp_path / "once") == contents(tmp_path / "again")


@pytest.mark.threat(69, 72)
def test_neither_place_nor_order_nor_time_of_the_source_changes_a_byte(
    run: Run, big_source: Path, tmp_path: Path
) -> None:
    run("augment", big_source, "-o", tmp_path / "once")
    elsewhere = tmp_path / "else" / "where"
    for path in sorted(big_source.rglob("*.png"), reverse=True):
        copy = elsewhere / path.relative_to(big_source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
        os.utime(copy, (0, 0))
    run("augment", elsewhere, "-o", tmp_path / "again")
    assert contents(tmp_path / "once") == contents(tmp_path / "again")


def test_added_images_change_no_other_file(run: Run, big_source: Path, tmp_path: Path) -> None:
    run("augment", big_source, "-o", tmp_path / "before")
    for number in range(5):
        write_image(big_source / "b" / f"new{number}.png", 1000 + number)
    run("augment", big_source, "-o", tmp_path / "after")
    before = {(row["source"], row.get("copy_number")): row for row in manifest_rows(tmp_path / "before")}
    after = {(row["source"], row.get("copy_number")): row for row in manifest_rows(tmp_path / "after")}
    shared = before.keys() & after.keys()
    assert len(shared) > 150
    assert all(before[key] == after[key] for key in shared)


def test_a_larger_target_keeps_every_file(run: Run, big_source: Path, tmp_path: Path) -> None:
    run("augment", big_source, "-o", tmp_path / "small", "-s", "b=20")
    run("augment", big_source, "-o", tmp_path / "large", "-s", "b=31")
    small, large = contents(tmp_path / "small"), contents(tmp_path / "large")
    del small["rebalance.jsonl"]
    assert small.items() <= large.items()


def test_another_seed_makes_other_copies_of_the_same_originals(run: Run, big_source: Path, tmp_path: Path) -> None:
    run("augment", big_source, "-o", tmp_path / "zero", "-s", "b=20")
    run("augment", big_source, "-o", tmp_path / "one", "-s", "b=20", "--seed", "1")
    shared = contents(tmp_path / "zero").items() & contents(tmp_path / "one").items()
    assert {path for path, _ in shared} == {str(path.relative_to(big_source)) for path in big_source.rglob("*.png")}


@pytest.mark.threat(72)
@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONHASHSEED": "7", "TZ": "Asia/Kathmandu", "HOME": "/nowhere"},
    ],
)
def test_the_environment_changes_no_byte(run: Run, source: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    shutil.copyfile(
        source / "cat" / "000.png", os.fsencode(source) + "/cat/é漢\udce9.png".encode("utf-8", "surrogateescape")
    )
    run("augment", source, "-o", tmp_path / "once")
    process = start("augment", source, "-o", tmp_path / "again", env={**os.environ, **environment})
    _, remarks = process.communicate(timeout=60)
    assert process.returncode == 0, remarks
    assert contents(tmp_path / "once") == contents(tmp_path / "again")


@pytest.mark.parametrize(
    ("share", "settings"),
    [
        (0.1, []), (0.5, []), (0.9, []),
        (0.5, ["--originals", "transform", "--identity-share", "0.3"]), (0.5, ["--size", "30x30"]),
    ],
)  # fmt: skip
def test_a_run_that_was_killed_is_resumed_to_the_same_tree(
    run: Run, big_source: Path, tmp_path: Path, share: float, settings: list[str]
) -> None:
    run("augment", big_source, "-o", tmp_path / "once", "-s", "70", *settings)
    process = start("augment", big_source, "-o", tmp_path / "out", "-s", "70", "-j", "2", *settings)
    tree = tmp_path / ".out.rebalance" / "tree"
    wait_for(lambda: sum(len(files) for _, _, files in os.walk(tree)) >= share * 210)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    assert not (tmp_path / "out").exists()
    inodes = {path.relative_to(tree): path.stat().st_ino for path in tree.rglob("*.png")}
    ran = run("augment", big_source, "-o", tmp_path / "out", "-s", "70", *settings)
    assert ran.code == 0
    told = re.search(r"reused (\d+) of 210", ran.err)
    n_reused = int(told[1]) if told else 0
    assert n_reused >= share * 210 - 2 * 3 * 17
    out = tmp_path / "out"
    n_kept = sum(inodes.get(path.relative_to(out)) == path.stat().st_ino for path in out.rglob("*.png"))
    assert n_kept >= n_reused
    assert contents(tmp_path / "once") == contents(tmp_path / "out")


@pytest.mark.threat(52)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_answered_soon_and_leaves_no_process(
    big_source: Path, tmp_path: Path, number: signal.Signals
) -> None:
    process = start("augment", big_source, "-o", tmp_path / "out", "-s", "4000", "-j", "2", "--max-copies", "5000")
    tree = tmp_path / ".out.rebalance" / "tree"
    wait_for(lambda: any(files for _, _, files in os.walk(tree)))
    workers = children(process.pid)
    assert len(workers) >= 2
    began = time.monotonic()
    process.send_signal(number)
    _, remarks = process.communicate(timeout=20)
    assert time.monotonic() - began < 2
    assert process.returncode == -number
    assert remarks.splitlines()[-1] == "rebalance: interrupted; the finished work is kept: run again to resume"
    assert "Traceback" not in remarks
    assert not (tmp_path / "out").exists()
    wait_for(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))


@pytest.mark.parametrize("delay", [0.05, 0.3, 0.5, 0.7, 0.9])
def test_a_closing_terminal_leaves_neither_process_nor_traceback(
    big_source: Path, tmp_path: Path, delay: float
) -> None:
    """A terminal sends SIGHUP to the whole group: parent, workers, and whoever tracks their resources."""
    process = start(
        "augment", big_source, "-o", tmp_path / "out", "-s", "4000", "-j", "2", "--max-copies", "5000",
        start_new_session=True,
    )  # fmt: skip
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGHUP)
    _, remarks = process.communicate(timeout=20)
    assert process.returncode == -signal.SIGHUP
    assert "Traceback" not in remarks
    assert "leaked" not in remarks


def test_no_worker_survives_its_parent(big_source: Path, tmp_path: Path) -> None:
    process = start("augment", big_source, "-o", tmp_path / "out", "-s", "4000", "-j", "2", "--max-copies", "5000")
    tree = tmp_path / ".out.rebalance" / "tree"
    wait_for(lambda: any(files for _, _, files in os.walk(tree)))
    workers = children(process.pid)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    wait_for(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))


def test_a_worker_that_is_killed_costs_nothing(run: Run, big_source: Path, tmp_path: Path) -> None:
    run("augment", big_source, "-o", tmp_path / "once", "-s", "200")
    process = start("augment", big_source, "-o", tmp_path / "out", "-s", "200", "-j", "2")
    tree = tmp_path / ".out.rebalance" / "tree"
    wait_for(lambda: any(files for _, _, files in os.walk(tree)))
    os.kill(max(children(process.pid)), signal.SIGKILL)
    _, remarks = process.communicate(timeout=60)
    assert process.returncode == 0, remarks
    assert contents(tmp_path / "once") == contents(tmp_path / "out")


def test_one_run_at_a_time(run: Run, big_source: Path, tmp_path: Path) -> None:
    process = start("augment", big_source, "-o", tmp_path / "out", "-s", "300", "-j", "1")
    tree = tmp_path / ".out.rebalance" / "tree"
    wait_for(lambda: any(files for _, _, files in os.walk(tree)))
    ran = run("augment", big_source, "-o", tmp_path / "out", "-s", "300")
    assert ran.code == 6
    assert f"process {process.pid}" in ran.err
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert not (tmp_path / ".out.rebalance.lock").exists()
