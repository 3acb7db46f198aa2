"""Shares of a run on a shared folder: at once, in any order, killed or not, they come to the tree of one run."""

import hashlib
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from rebalance.shards import Shard
from tests.conftest import MakeTree, Run, start


def digest_of(tree: Path) -> dict[str, str]:
    return {
        str(path.relative_to(tree)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(tree.rglob("*"))
        if path.is_file()
    }


def beside(output: Path) -> list[str]:
    return sorted(path.name for path in output.parent.iterdir() if path.name.startswith(f".{output.name}"))


@pytest.fixture
def serial(run: Run, big_source: Path, tmp_path: Path) -> dict[str, str]:
    """What one run makes of the big source."""
    assert run("augment", big_source, "-o", tmp_path / "serial", "-j", "1", "-q").code == 0
    return digest_of(tmp_path / "serial")


def test_every_source_is_of_one_shard_and_shards_are_about_alike() -> None:
    paths = [f"class {number % 7}/{number}.jpg" for number in range(4000)]
    counts = [sum(Shard(number, 4).takes(path) for path in paths) for number in range(1, 5)]
    assert sum(counts) == 4000
    assert min(counts) > 900
    assert all(Shard(1, 1).takes(path) for path in paths)


def test_four_shards_at_the_same_moment_come_to_the_tree_of_one_run(
    run: Run, big_source: Path, tmp_path: Path, serial: dict[str, str]
) -> None:
    output = tmp_path / "out"
    jobs = [start("augment", big_source, "-o", output, "-j", "1", "--shard", f"{n}/4") for n in range(1, 5)]
    told = [job.communicate(timeout=120) for job in jobs]
    assert [job.returncode for job in jobs] == [0] * 4, told
    staged = [int(out.split(": ")[1].split()[0]) for out, _ in told]
    assert sum(staged) == 180
    assert not output.exists()
    ran = run("augment", big_source, "-o", output)
    assert ran.code == 0, ran.err
    assert "reused 180 of 180" in ran.err
    assert "not done" not in ran.err
    assert digest_of(output) == serial
    assert beside(output) == []


@pytest.mark.parametrize("is_run_again", [True, False])
def test_a_shard_that_was_killed_is_run_again_or_made_up_for(
    run: Run, big_source: Path, tmp_path: Path, serial: dict[str, str], *, is_run_again: bool
) -> None:
    output = tmp_path / "out"
    assert run("augment", big_source, "-o", output, "--shard", "1/3", "-q").code == 0
    job = start("augment", big_source, "-o", output, "-j", "1", "--shard", "2/3", start_new_session=True)
    journal = tmp_path / ".out.rebalance" / "journal-2-of-3.jsonl"
    while not (journal.exists() and journal.stat().st_size):
        assert job.poll() in (None, 0)
    os.killpg(job.pid, signal.SIGKILL)
    job.communicate()
    if is_run_again:
        ran = run("augment", big_source, "-o", output, "--shard", "2/3", "--format", "json")
        assert ran.code == 0, ran.err
        assert ran.document["n_reused"] > 0
    ran = run("augment", big_source, "-o", output)
    assert ran.code == 0, ran.err
    missing = "shard 3 of 3" if is_run_again else "shard 2 of 3, shard 3 of 3"
    assert f"rebalance: {missing} not done: what they lack is made now" in ran.err
    assert digest_of(output) == serial
    assert beside(output) == []


def test_a_run_and_shards_keep_each_other_out(run: Run, big_source: Path, tmp_path: Path) -> None:
    import fcntl  # noqa: PLC0415

    output = tmp_path / "out"
    assert run("augment", big_source, "-o", output, "--shard", "1/2", "-q").code == 0
    lock = tmp_path / ".out.rebalance.lock"
    with lock.open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        ran = run("augment", big_source, "-o", output)
        assert (ran.code, ran.out) == (6, "")
        assert "at least one shard is writing this OUTPUT" in ran.err
        assert run("augment", big_source, "-o", output, "--shard", "2/2", "-q").code == 0
        fcntl.flock(held, fcntl.LOCK_EX)
        assert run("augment", big_source, "-o", output, "--shard", "1/2").code == 6
    with (tmp_path / ".out.rebalance" / "journal-1-of-2.jsonl").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        ran = run("augment", big_source, "-o", output, "--shard", "1/2")
        assert (ran.code, ran.out) == (6, "")
        assert "shard 1 of 2 is running already" in ran.err
        assert run("augment", big_source, "-o", output, "--shard", "2/2", "-q").code == 0


def test_shards_of_other_requests_are_refused_and_nothing_of_theirs_is_touched(
    run: Run, big_source: Path, tmp_path: Path
) -> None:
    output, staging = tmp_path / "out", tmp_path / ".out.rebalance"
    assert run("augment", big_source, "-o", output, "--shard", "1/2", "-q").code == 0
    before = digest_of(staging)
    for given in (["-s", "0.5"], ["--seed", "1"], ["--rotation-range", "90"], ["--exclude", "a/00*"]):
        ran = run("augment", big_source, "-o", output, "--shard", "2/2", *given)
        assert (ran.code, ran.out) == (5, "")
        assert "is of shards with other options, or of another SOURCE" in ran.err
    assert digest_of(staging) == before
    for path in sorted(staging.glob("journal*")):
        path.unlink()
    (staging / "notes.txt").write_text("mine")
    assert run("augment", big_source, "-o", output, "--shard", "2/2").code == 5
    (staging / "notes.txt").unlink()
    (staging / "staging.json").write_text('{"rebalance": "staging", "tree": 1}')
    ran = run("augment", big_source, "-o", output, "--shard", "2/2")
    assert (ran.code, "is not of shards" in ran.err) == (5, True)


def test_bad_images_end_a_shard_or_are_left_to_the_run_that_publishes(
    run: Run, big_source: Path, tmp_path: Path
) -> None:
    for name in ("a/000.png", "b/001.png", "a/007.png"):
        (big_source / name).write_bytes(b"no picture")
    output, alone = tmp_path / "out", tmp_path / "alone"
    codes = [run("augment", big_source, "-o", output, "--shard", f"{n}/3").code for n in range(1, 4)]
    assert 4 in codes
    assert set(codes) <= {0, 4}
    skip = ("--bad-images", "skip")
    output = tmp_path / "other"
    told = [run("augment", big_source, "-o", output, *skip, "--shard", f"{n}/3") for n in range(1, 4)]
    assert [ran.code for ran in told] == [0, 0, 0]
    assert sum(ran.err.count("left to the run without --shard: ") for ran in told) == 3
    assert run("augment", big_source, "-o", output, *skip, "-q").code == 0
    assert run("augment", big_source, "-o", alone, *skip, "-q").code == 0
    assert digest_of(output) == digest_of(alone)


def test_shards_replace_an_output_as_a_run_does(run: Run, big_source: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    assert run("augment", big_source, "-o", output, "-s", "0.1", "-q").code == 0
    first = digest_of(output)
    assert run("augment", big_source, "-o", output, "--shard", "1/2").code == 5
    for number in (1, 2):
        assert run("augment", big_source, "-o", output, "--shard", f"{number}/2", "--overwrite", "-q").code == 0
    assert digest_of(output) == first
    assert run("augment", big_source, "-o", output, "--overwrite", "-q").code == 0
    assert run("augment", big_source, "-o", tmp_path / "anew", "-q").code == 0
    assert digest_of(output) == digest_of(tmp_path / "anew")
    ran = run("augment", big_source, "-o", output, "--shard", "1/2")
    assert (ran.code, "up to date" in ran.err) == (0, True)


@pytest.mark.parametrize("command", [["undersample", "-s", "3"], ["smote"], ["smote", "--write", "both"]])
def test_other_commands_have_shards_too(run: Run, make_tree: MakeTree, tmp_path: Path, command: list[str]) -> None:
    source, output, alone = make_tree({"a": 12, "b": 5}), tmp_path / "out", tmp_path / "alone"
    name, *given = command
    if name == "smote":
        assert run("embed", source, "-o", tmp_path / "v.npz", "-q").code == 0
        given += ["--embeddings", str(tmp_path / "v.npz")]
    for number in (1, 2):
        ran = run(name, source, "-o", output, *given, "--shard", f"{number}/2", "-q")
        assert ran.code == 0, ran.err
    assert run(name, source, "-o", output, *given, "-q").code == 0
    assert run(name, source, "-o", alone, *given, "-q").code == 0
    assert digest_of(output) == digest_of(alone)


@pytest.fixture
def schedule(monkeypatch: pytest.MonkeyPatch) -> Callable[[Mapping[str, str]], None]:
    """Be a job of an array of which these variables tell."""

    def set_all(variables: Mapping[str, str]) -> None:
        for name in ("SLURM_ARRAY_TASK_ID", "AWS_BATCH_JOB_ARRAY_INDEX", "JOB_COMPLETION_INDEX"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_all


def slurm(index: int, first: int, count: int, step: int = 1) -> dict[str, str]:
    numbers = {"ID": index, "MIN": first, "COUNT": count, "STEP": step}
    return {f"SLURM_ARRAY_TASK_{name}": str(number) for name, number in numbers.items()}


@pytest.mark.parametrize(
    ("variables", "shard", "told"),
    [
        (slurm(3, 1, 7), "auto", "shard 3 of 7"),
        (slurm(0, 0, 7), "auto", "shard 1 of 7"),
        (slurm(9, 5, 3, step=2), "auto", "shard 3 of 3"),
        ({"AWS_BATCH_JOB_ARRAY_INDEX": "0", "AWS_BATCH_JOB_ARRAY_SIZE": "2"}, "auto", "shard 1 of 2"),
        ({"JOB_COMPLETION_INDEX": "1"}, "auto/4", "shard 2 of 4"),
    ],
)
def test_the_scheduler_says_which_shard(
    run: Run, source: Path, schedule: Callable[..., None], variables: dict[str, str], shard: str, told: str
) -> None:
    schedule(variables)
    ran = run("augment", source, "-o", source.parent / "out", "--shard", shard)
    assert ran.code == 0, ran.err
    assert ran.out.startswith(f"{told}: ")


@pytest.mark.parametrize(
    ("variables", "arguments", "message"),
    [
        ({}, ["--shard", "0/4"], "neither I/N with I from 1 to N"),
        ({}, ["--shard", "5/4"], "neither I/N with I from 1 to N"),
        ({}, ["--shard", "x"], "neither I/N"),
        ({}, ["--shard", "auto"], "this is no job of an array"),
        ({"JOB_COMPLETION_INDEX": "1"}, ["--shard", "auto"], "say auto/N"),
        ({"JOB_COMPLETION_INDEX": "4"}, ["--shard", "auto/4"], "shard 5, and there are 4"),
        (slurm(1, 1, 2, step=0), ["--shard", "auto"], "SLURM_ARRAY_TASK_STEP is '0'"),
        ({"JOB_COMPLETION_INDEX": "x"}, ["--shard", "auto/4"], "is 'x', which is no such number"),
        ({}, ["--shard", "1/2", "-n"], "--dry-run is of the whole"),
        ({}, ["--shard", "1/2", "--report", "p.html"], "--report is of the whole"),
        ({}, ["--shard", "1/2", "--write", "list"], "makes no images to share"),
        ({}, ["--shard", "1/2", "--cap", "2", "--cap-method", "diverse"], "give --embeddings FILE"),
    ],
)
def test_what_is_no_share_is_refused(
    run: Run, source: Path, schedule: Callable[..., None], variables: dict[str, str], arguments: list[str], message: str
) -> None:
    schedule(variables)
    ran = run("augment", source, "-o", source.parent / "out", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert beside(source.parent / "out") == []


def test_many_shards_that_begin_together_agree_on_one_staging(big_source: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    given = ("undersample", big_source, "-o", output, "-j", "1", "-q")
    jobs = [start(*given, "--shard", f"{n}/12") for n in range(1, 13)]
    told = [(job.communicate(timeout=120), job.returncode) for job in jobs]
    assert [code for _, code in told] == [0] * 12, told
