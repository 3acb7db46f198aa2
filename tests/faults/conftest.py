"""The bench: a scratch folder on memory, a warm program in it, and a tally that is printed at the end."""

import shutil
import subprocess
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.disks import Disks
from tests.faults.faults import WarmProgram, warm_program
from tests.faults.machine import need, need_root, new_room

_done: dict[str, Counter[str]] = defaultdict(Counter)
_seconds: dict[str, float] = defaultdict(float)
_failed: Counter[str] = Counter()

Tally = Callable[..., None]
Mount = Callable[..., Path]


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Tally:
    """Count what a layer did, as in `tally("points killed", 93)`."""
    layer = request.node.path.stem

    def count(what: str, number: int = 1) -> None:
        _done[layer][what] += number

    return count


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Path]:
    """An empty folder, on memory where there is such a disk: a bench makes and deletes many files."""
    folder = new_room(tmp_path)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def disks(room: Path) -> Iterator[Disks]:
    """File systems of a test alone."""
    folder = room / "disks"
    folder.mkdir()
    mounted = Disks(folder)
    yield mounted
    mounted.close()


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """Mount something over a folder, which is made where it is missing, until the test ends."""
    need_root()
    mounted: list[Path] = []

    def mount_it(name: str, *arguments: object) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True, exist_ok=True)
        command = ["mount", *map(str, arguments), str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        need(not done.returncode, f"`{' '.join(command[:-1])}`: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount_it
    for folder in reversed(mounted):
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmProgram]:
    """The program, warm."""
    with warm_program(tmp_path_factory.mktemp("warm")) as warm:
        yield warm


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    layer = Path(report.location[0])
    if layer.parent.name == "faults":
        _seconds[layer.stem] += report.duration
        _failed[layer.stem] += report.failed


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.section("fault bench")
    for layer, seconds in _seconds.items():
        told = [f"{number} {what}" for what, number in _done[layer].items()]
        name = layer.removeprefix("test_").replace("_", " ")
        terminalreporter.line(f"{name:<16} {seconds:6.1f} s  {', '.join([*told, f'{_failed[layer]} deviations'])}")
