"""A Dask cluster of separate processes does the work: to the same bytes, whoever of it is killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rebalance.cluster import Handshake
from tests.cli.test_sharding import beside, digest_of
from tests.conftest import write_image

POISON = """
import os, signal
import rebalance.perform as perform
whole = perform.Worker.perform
def perform_or_die(self, task):
    if "poison" in task.source.path:
        os.kill(os.getpid(), signal.SIGSEGV)
    return whole(self, task)
perform.Worker.perform = perform_or_die
"""
SLOW = """
import time
import rebalance.perform as perform
whole = perform.Worker.perform
def slowly(self, task):
    time.sleep(0.02)
    return whole(self, task)
perform.Worker.perform = slowly
"""
SKEWED = "import rebalance; rebalance.__version__ = '1.2.3'"
PATIENT = "import rebalance.cluster; rebalance.cluster._ALONE = 2"


class Machines:
    """A scheduler and workers, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "scheduler.json"
        self.processes: list[subprocess.Popen[bytes]] = []
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        self.workers: list[subprocess.Popen[bytes]] = []

    def add_worker(self, patch: str = "", *, is_nursed: bool = False) -> None:
        """Start a worker in whose process a patch is run first."""
        nanny = "--nanny" if is_nursed else "--no-nanny"
        name = f"w{len(self.workers)}"
        place = ("--local-directory", str(self.folder / name), "--name", name)
        given = ("--nthreads", "1", nanny, "--no-dashboard", "--death-timeout", "30", *place)
        self.workers.append(self._start("worker", *given, patch=patch))

    def _start(self, what: str, *given: str, patch: str = "") -> "subprocess.Popen[bytes]":
        place = self.folder / f"patch-{len(self.processes)}"
        place.mkdir()
        (place / "sitecustomize.py").write_text(patch)
        environment = {
            **os.environ, "PYTHONPATH": str(place), "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
            "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
        }  # fmt: skip
        command = [sys.executable, "-m", "dask", what, "--scheduler-file", str(self.file), *given]
        with (self.folder / f"{what}-{len(self.processes)}.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
        self.processes.append(process)
        return process

    def wait(self, n_workers: int) -> None:
        """Wait until so many workers are connected."""
        asked = (
            "import sys, distributed; client = distributed.Client(scheduler_file=sys.argv[1], timeout=30); "
            "client.wait_for_workers(int(sys.argv[2]), timeout=60)"
        )
        subprocess.run([sys.executable, "-c", asked, str(self.file), str(n_workers)], check=True, timeout=120)

    def stop(self) -> None:
        for process in reversed(self.processes):
            kill(process)


def kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process and what it has started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    started = Machines(tmp_path_factory.mktemp("machines"))
    yield started
    started.stop()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source of 420 pictures, and what local workers make of it."""
    root = tmp_path_factory.mktemp("place")
    for class_name, count in (("a", 300), ("b", 90), ("poisoned", 30)):
        for number in range(count):
            write_image(root / "source" / class_name / f"{number}.png", number, size=(16, 12))
    assert ended(program(root, "augment", "source", "-o", "serial", "-j", "1"))[0] == 0
    return root


def program(place: Path, *arguments: str, patch: str = "") -> "subprocess.Popen[str]":
    """Start the program in a place, after a patch."""
    code = f"{patch}\nfrom rebalance.cli.main import main\nmain()"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: "subprocess.Popen[str]", seconds: float = 120) -> tuple[int, str]:
    _, err = process.communicate(timeout=seconds)
    return process.returncode, err


def on(machines: Machines) -> tuple[str, ...]:
    return ("--backend", "dask", "--scheduler", str(machines.file))


def until(is_so: Callable[[], bool]) -> None:
    for _ in range(600):
        if is_so():
            return
        time.sleep(0.05)
    pytest.fail("waited in vain")


def n_staged(place: Path, output: str) -> int:
    journal = place / f".{output}.rebalance" / "journal.jsonl"
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def end_by(victim: Callable[[], "subprocess.Popen[bytes]"], machines: Machines, place: Path, output: str) -> str:
    """Let a run with one worker end since someone is killed in its midst, and nothing stand; return what it says."""
    machines.add_worker(SLOW)
    machines.wait(1)
    started = program(place, "augment", "source", "-o", output, *on(machines), patch=PATIENT)
    until(lambda: n_staged(Path(output).parent, "out") > 20)
    kill(victim())
    code, err = ended(started)
    assert code == 8, err
    assert not Path(output).exists()
    return err


@pytest.mark.parametrize("victim", ["nobody", "one worker"])
def test_the_tree_is_that_of_local_workers_even_where_one_is_killed(
    machines: Machines, place: Path, tmp_path: Path, victim: str
) -> None:
    for _ in range(2):
        machines.add_worker(SLOW)
    machines.wait(2)
    output = str(tmp_path / "out")
    started = program(place, "augment", "source", "-o", output, *on(machines))
    if victim == "one worker":
        until(lambda: n_staged(tmp_path, "out") > 20)
        kill(machines.workers[0])
    code, err = ended(started)
    assert code == 0, err
    assert digest_of(Path(output)) == digest_of(place / "serial")
    assert beside(Path(output)) == []


def test_other_commands_are_done_there_too(machines: Machines, place: Path, tmp_path: Path) -> None:
    machines.add_worker()
    machines.wait(1)
    for name, more in (("there", on(machines)), ("here", ())):
        assert ended(program(place, "embed", "source", "-o", str(tmp_path / f"{name}.npz"), *more))[0] == 0
    assert (tmp_path / "there.npz").read_bytes() == (tmp_path / "here.npz").read_bytes()
    assert ended(program(place, "inspect", "source", "--check", *on(machines)))[0] == 0
    assert ended(program(place, "verify", "serial", "--source", "source", *on(machines)))[0] == 0


@pytest.mark.threat(67)
def test_where_all_workers_are_gone_the_run_ends_and_is_resumed(
    machines: Machines, place: Path, tmp_path: Path
) -> None:
    output = str(tmp_path / "out")
    err = end_by(lambda: machines.workers[0], machines, place, output)
    assert "no worker has been there for 2 s; start some, and run again to resume" in err
    code, err = ended(program(place, "augment", "source", "-o", output))
    assert code == 0, err
    assert "reused " in err
    assert digest_of(Path(output)) == digest_of(place / "serial")
    assert beside(Path(output)) == []


@pytest.mark.threat(67)
def test_where_the_scheduler_is_gone_the_run_ends_and_is_resumed(
    machines: Machines, place: Path, tmp_path: Path
) -> None:
    output = str(tmp_path / "out")
    err = end_by(lambda: machines.scheduler, machines, place, output)
    assert len(err.strip().splitlines()[-1].split("rebalance: error: ")) == 2
    assert "Traceback" not in err
    code, err = ended(program(place, "augment", "source", "-o", output))
    assert code == 0, err
    assert digest_of(Path(output)) == digest_of(place / "serial")
    assert beside(Path(output)) == []


def test_a_picture_that_ends_its_workers_costs_no_other(machines: Machines, tmp_path: Path) -> None:
    for number in range(200):
        write_image(tmp_path / "source" / "a" / f"{number}.png", number, size=(16, 12))
    for number in range(20):
        write_image(tmp_path / "source" / "b" / f"{number}.png", 300 + number, size=(16, 12))
    write_image(tmp_path / "source" / "b" / "poison.png", 400, size=(16, 12))
    for _ in range(2):
        machines.add_worker(POISON, is_nursed=True)
    machines.wait(2)
    given = ("augment", "source", "-o", "out", "-s", "40", "--max-copies", "200")
    code, err = ended(program(tmp_path, *given, *on(machines)), seconds=300)
    assert code == 8, err
    assert "'b/poison.png': a worker died on it, twice alone; all others are done: leave it out with --exclude" in err
    code, err = ended(program(tmp_path, *given))
    assert code == 0, err
    assert int(err.split("reused ")[1].split()[0]) >= 235
    assert beside(tmp_path / "out") == []


@pytest.mark.threat(66)
def test_a_worker_of_other_versions_is_named_before_anything_is_made(
    machines: Machines, place: Path, tmp_path: Path
) -> None:
    machines.add_worker()
    machines.add_worker(SKEWED)
    machines.wait(2)
    code, err = ended(program(place, "augment", "source", "-o", str(tmp_path / "out"), *on(machines)))
    assert code == 8, err
    assert "has rebalance 1.2.3 where this process has" in err
    assert "worker tcp://" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.threat(66)
def test_a_worker_that_does_not_see_the_folder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text("one")
    handshake = Handshake.over([bytes(path)])
    assert handshake.refusal() is None
    path.write_text("other")
    assert f"does not see {path} as this process does" in (handshake.refusal() or "")
    path.unlink()
    assert "it needs the same folders in the same places" in (handshake.refusal() or "")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--backend", "dask"], 2, "--backend dask takes --scheduler ADDRESS"),
        (["--scheduler", "x"], 2, "--scheduler is of --backend dask"),
        (["--backend", "dask", "--scheduler", "x", "-j", "2"], 2, "--workers is of this machine"),
        (["--backend", "dask", "--scheduler", "tcp://127.0.0.1:9"], 8, "no scheduler answers there"),
        (["--backend", "dask", "--scheduler", "no such thing"], 2, "is neither a file that is there nor an address"),
    ],
)
def test_a_cluster_that_is_none_is_refused_in_a_line(
    place: Path, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    patch = "import rebalance.cluster; rebalance.cluster._CONNECTED_WITHIN = 2"
    found, err = ended(program(place, "augment", "source", "-o", str(tmp_path / "out"), *arguments, patch=patch))
    assert found == code, err
    assert message in err
    assert "Traceback" not in err


def test_a_scheduler_without_workers_is_refused(machines: Machines, place: Path, tmp_path: Path) -> None:
    until(machines.file.exists)
    code, err = ended(program(place, "augment", "source", "-o", str(tmp_path / "out"), *on(machines)))
    assert code == 8, err
    assert "no worker is connected to this scheduler: start some with `dask worker`" in err
