"""Trees in S3, as a real server speaks it, in runs that are processes of their own."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.buckets.conftest import Server
from tests.conftest import Run, contents

if TYPE_CHECKING:
    import subprocess

SOURCE, OUT = "s3://data/train", "s3://made/out"


@pytest.fixture
def filled(server: Server, big_source: Path) -> Server:
    """The server with the big source in it."""
    server.upload(big_source, SOURCE)
    return server


@pytest.fixture
def expected(run: Run, big_source: Path, tmp_path: Path) -> dict[str, str]:
    """What comes out on a disk."""
    assert run("augment", big_source, "-o", tmp_path / "expected").code == 0
    return contents(tmp_path / "expected")


def test_the_tree_is_the_one_of_a_disk_and_nothing_is_asked_for_one_by_one(
    filled: Server, big_source: Path, expected: dict[str, str], tmp_path: Path
) -> None:
    filled.fail()
    ran = filled.run("augment", SOURCE, "-o", OUT)
    assert ran.code == 0, ran.err
    asked = filled.counts()["requests"]
    assert filled.contents(OUT) == expected
    n_sources, n_copies = 72, 180 - 72
    assert asked["COPY"] == n_sources
    assert n_copies <= asked["PUT"] <= n_copies + 5  # the claim, journals, the manifest
    assert n_sources <= asked["GET"] <= n_sources + 2
    assert asked["HEAD"] <= n_sources + 10  # whether the name of a copy is free
    assert asked["LIST"] <= 40
    assert filled.run("augment", big_source, "-o", f"{OUT}2").code == 0
    assert filled.contents(f"{OUT}2") == expected
    assert filled.run("augment", SOURCE, "-o", tmp_path / "from").code == 0
    assert contents(tmp_path / "from") == expected
    assert filled.run("verify", OUT, "--source", SOURCE).code == 0
    filled.fail()
    assert "up to date" in filled.run("augment", SOURCE, "-o", OUT).err
    assert not filled.counts()["requests"].keys() & {"PUT", "COPY", "DELETE"}


@pytest.mark.threat(86)
@pytest.mark.parametrize(
    "kinds",
    [["503"], ["drop before"], ["drop after"], ["cut"], ["503", "drop before", "drop after", "cut"]],
)
def test_a_storage_that_fails_now_and_then_loses_nothing(
    server: Server, source: Path, run: Run, tmp_path: Path, kinds: list[str]
) -> None:
    server.upload(source, SOURCE)
    assert run("augment", source, "-o", tmp_path / "out").code == 0
    server.fail(rate=0.3, kinds=kinds, seed=3)
    ran = server.run("augment", SOURCE, "-o", OUT, "-q", "-j", "8")
    told = server.counts()
    assert ran.code == 0, ran.err
    assert server.contents(OUT) == contents(tmp_path / "out")
    assert sum(told["failed"].values()) > 0.15 * sum(told["requests"].values())


@pytest.mark.threat(86)
def test_an_error_of_the_storage_itself_is_asked_again_longer_than_the_library_would(filled: Server) -> None:
    filled.fail(rate=1, kinds=["500"], names=["LIST"], most=6)
    assert filled.run("inspect", SOURCE, "-q").code == 0
    assert filled.counts()["failed"] == {"500": 6}


@pytest.mark.threat(86)
@pytest.mark.parametrize("kind", ["409", "412"])
def test_a_refusal_for_what_is_not_there_is_asked_again(filled: Server, expected: dict[str, str], kind: str) -> None:
    filled.fail(rate=0.3, kinds=[kind], seed=5, names=["PUT", "COPY"])
    ran = filled.run("augment", SOURCE, "-o", OUT, "-q")
    assert ran.code == 0, ran.err
    assert filled.counts()["failed"][kind] > 20
    assert filled.contents(OUT) == expected


@pytest.mark.threat(86)
def test_a_storage_that_stays_away_ends_the_run_which_is_resumed(filled: Server, expected: dict[str, str]) -> None:
    filled.fail(rate=1, kinds=["412"], names=["PUT"], match="_aug2")
    ran = filled.run("augment", SOURCE, "-o", OUT, "-q")
    assert ran.code == 7
    assert "run again to resume" in ran.err
    assert "rebalance.jsonl" not in filled.keys(OUT)
    filled.fail()
    assert filled.run("augment", SOURCE, "-o", OUT).code == 0
    assert filled.contents(OUT) == expected


def test_no_rights_are_told_in_a_line(filled: Server) -> None:
    del filled.environment["AWS_ACCESS_KEY_ID"]
    try:
        ran = filled.run("augment", SOURCE, "-o", OUT)
    finally:
        filled.environment["AWS_ACCESS_KEY_ID"] = "key"
    assert (ran.code, ran.err.count("\n")) == (7, 1)
    assert "credentials" in ran.err
    ran = filled.run("augment", SOURCE, "-o", "s3://nobodys/out", "-q")
    assert (ran.code, "there is no such bucket" in ran.err) == (5, True)


def test_keys_that_no_path_can_be_are_told(filled: Server) -> None:
    filled.put(f"{SOURCE}/a//001.png", b"")
    ran = filled.run("inspect", SOURCE)
    assert "a: is a folder that cannot be read: holds keys with '//' in them" in ran.out
    filled.put(f"{SOURCE}//001.png", b"")
    ran = filled.run("inspect", SOURCE)
    assert (ran.code, "s3://data/train: cannot be read: holds keys with '//'" in ran.err) == (3, True)


@pytest.mark.threat(87)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_was_ended_is_resumed_and_leaves_nothing(
    filled: Server, expected: dict[str, str], number: signal.Signals
) -> None:
    filled.fail(rate=0, kinds=[], delay=0.02)
    process = filled.start("augment", SOURCE, "-o", OUT, "-q")
    until(lambda: len(filled.keys(OUT)) > 120)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode not in (0, 1)
    assert "rebalance.jsonl" not in filled.keys(OUT)
    filled.fail()
    ran = filled.run("augment", SOURCE, "-o", OUT)
    assert ran.code == 0
    assert ("reused" in ran.err) == (number == signal.SIGTERM)
    assert filled.contents(OUT) == expected


@pytest.mark.threat(87)
@pytest.mark.parametrize("kind", ["hang before", "hang after"])
def test_a_run_may_be_killed_at_any_request(server: Server, source: Path, run: Run, tmp_path: Path, kind: str) -> None:
    server.upload(source, SOURCE)
    assert run("augment", source, "-o", tmp_path / "out").code == 0
    expected = contents(tmp_path / "out")
    server.fail()
    assert server.run("augment", SOURCE, "-o", f"{OUT}-whole", "-q").code == 0
    n_requests = sum(server.counts()["requests"].values())
    assert n_requests > 60
    for number in range(3, n_requests - 1, n_requests // 9):
        output = f"{OUT}-{number}"
        server.fail(rate=1, kinds=[kind], at=number)
        kill_once_it_waits(server, server.start("augment", SOURCE, "-o", output, "-q"))
        assert ("rebalance.jsonl" not in server.keys(output)) or server.contents(output).items() >= expected.items()
        ran = server.run("augment", SOURCE, "-o", output, "-q")
        assert ran.code == 0, ran.err
        assert server.contents(output) == expected, number


@pytest.mark.threat(88)
def test_of_two_writers_one_wins(filled: Server, expected: dict[str, str], tmp_path: Path) -> None:
    filled.fail(rate=1, kinds=["hang before"], names=["PUT"], match="c/002_aug", most=1)
    first = filled.start("augment", SOURCE, "-o", OUT, "-q")
    until(lambda: filled.counts()["failed"])
    for more in ((), ("--seed", "9")):
        here = filled.run("augment", SOURCE, "-o", OUT, "-q", *more)
        assert (here.code, "is writing this OUTPUT" in here.err) == (6, True)
    filled.environment, before = {**filled.environment, "TMPDIR": str(tmp_path)}, filled.environment
    try:  # as on another machine
        stranger = filled.run("augment", SOURCE, "-o", OUT, "-q", "--seed", "9")
        assert (stranger.code, "with other options" in stranger.err) == (5, True)
        assert filled.run("augment", SOURCE, "-o", OUT, "-q").code == 0
    finally:
        filled.environment = before
    assert filled.contents(OUT) == expected
    filled.fail()
    first.communicate(timeout=60)
    assert first.returncode in (0, 6)
    assert filled.contents(OUT) == expected


def test_shards_at_the_same_moment_make_the_same_tree(filled: Server, expected: dict[str, str]) -> None:
    shares = [filled.start("augment", SOURCE, "-o", OUT, "-q", "--shard", f"{number}/4") for number in (1, 2, 3, 4)]
    until(lambda: len(filled.keys(OUT)) > 8)
    shares[2].kill()
    codes = [(share.communicate(timeout=100), share.returncode)[1] for share in shares]
    assert [codes[0], codes[1], codes[3]] == [0, 0, 0]
    if codes[2]:
        assert filled.run("augment", SOURCE, "-o", OUT, "-q", "--shard", "3/4").code == 0
    ran = filled.run("augment", SOURCE, "-o", OUT)
    assert (ran.code, "reused 180 of 180" in ran.err) == (0, True)
    assert filled.contents(OUT) == expected


def test_what_an_earlier_run_left_is_gone_at_the_next(filled: Server, expected: dict[str, str]) -> None:
    assert filled.run("augment", SOURCE, "-o", OUT, "-q").code == 0
    filled.put(f"{OUT}/.rebalance/run.1-0123456789ab.000001.jsonl", b"")
    assert filled.run("verify", OUT, "-q").code == 0
    assert filled.run("augment", SOURCE, "-o", OUT, "-q").code == 0
    assert filled.contents(OUT) == expected


@pytest.mark.threat(89)
@pytest.mark.parametrize("is_plain", [False, True])
def test_no_copy_replaces_an_object(server: Server, source: Path, *, is_plain: bool) -> None:
    server.upload(source, SOURCE)
    server.fail(rate=0, kinds=[], plain=is_plain)
    assert server.run("augment", SOURCE, "-o", OUT, "--shard", "1/2", "-q").code == 0
    theirs = next(name for name in ("owl/000.png", "owl/001.png", "owl/002.png") if name not in server.keys(OUT))
    server.put(f"{OUT}/{theirs}", b"of somebody else")
    ran = server.run("augment", SOURCE, "-o", OUT, "-q")
    assert (ran.code, f"{theirs}: is there with other bytes" in ran.err) == (7, True)
    assert server.get(f"{OUT}/{theirs}") == b"of somebody else"


def test_odd_names_come_out_as_they_went_in(filled: Server, big_source: Path, run: Run, tmp_path: Path) -> None:
    data = (big_source / "a/000.png").read_bytes()
    names = ["a b.png", "#.png", "?x.png", "%41.png", "[a]*.png", "ü.png", "-x.png", "+.png", "&=.png", "'\".png"]
    odd = tmp_path / "odd"
    for name in names:
        for folder in ("plain", "c l[a]*s?s%20"):
            (odd / folder).mkdir(parents=True, exist_ok=True)
            (odd / folder / name).write_bytes(data)
    (odd / "plain/more.png").write_bytes(data)
    filled.upload(odd, "s3://data/odd")
    filled.put("s3://data/odd/plain/", b"")  # as consoles mark a folder
    assert run("augment", odd, "-o", tmp_path / "out").code == 0
    ran = filled.run("augment", "s3://data/odd", "-o", OUT, "-q")
    assert ran.code == 0, ran.err
    assert filled.contents(OUT) == contents(tmp_path / "out")


def kill_once_it_waits(server: Server, process: "subprocess.Popen[str]") -> None:
    """Kill a run once a request of it is not answered, or let it end where it comes to none."""
    until(lambda: server.counts()["failed"] or process.poll() is not None)
    process.kill()
    process.communicate()
    server.fail()


def until(is_so: Callable[[], bool], *, seconds: float = 60) -> None:
    """Wait for something."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)
