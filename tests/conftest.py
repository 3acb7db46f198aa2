"""Real trees in temporary folders, and the program as its user meets it."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import hypothesis
import pytest
from PIL import Image

from rebalance.cli.main import run as run_program


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


hypothesis.settings.register_profile("house", deadline=None)  # a busy machine is no finding
hypothesis.settings.load_profile("house")

for number in (signal.SIGINT, signal.SIGHUP):  # ignored where a shell starts us in its background, or for `nohup`
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)

Run = Callable[..., Ran]
MakeTree = Callable[..., Path]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process (its workers are real) and return exit code, stdout and stderr."""

    def run_it(*arguments: object) -> Ran:
        capfd.readouterr()
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        code = run_program([str(argument) for argument in arguments])
        for number, handler in handlers.items():
            signal.signal(number, handler)
        return Ran(code, *capfd.readouterr())

    return run_it


def start(*arguments: object, **settings: Any) -> "subprocess.Popen[str]":
    """Start the program as a process of its own."""
    command = [sys.executable, "-m", "rebalance", *(str(argument) for argument in arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **settings)


def write_image(path: Path, number: int, *, size: tuple[int, int] = (24, 20), **settings: Any) -> None:
    """Write a picture of its own for each number: a slanted ramp, in every channel another."""
    width, height = size
    levels = bytes(
        (7 * x + 3 * y * (band + 1) + 29 * number + 80 * band) % 256
        for y in range(height)
        for x in range(width)
        for band in range(3)
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.frombytes("RGB", size, levels).save(path, **settings)


@pytest.fixture
def make_tree(tmp_path: Path) -> MakeTree:
    """Make a source tree of small pictures from class counts."""

    def make(counts: Mapping[str, int], *, name: str = "source", suffix: str = ".png") -> Path:
        root = tmp_path / name
        for index, (class_name, count) in enumerate(counts.items()):
            (root / class_name).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                write_image(root / class_name / f"{number:03d}{suffix}", 100 * index + number)
        return root

    return make


@pytest.fixture
def source(make_tree: MakeTree) -> Path:
    """Four, two and seven pictures."""
    return make_tree({"cat": 4, "dog": 2, "owl": 7})


@pytest.fixture
def big_source(make_tree: MakeTree) -> Path:
    """Sixty, nine and three pictures."""
    return make_tree({"a": 60, "b": 9, "c": 3})


@pytest.fixture(scope="session")
def clothing() -> Path:
    """599 real photographs in six classes."""
    return real_data("clothing")


@pytest.fixture(scope="session")
def odd_files() -> Path:
    """Readable and unreadable oddities."""
    return real_data("odd_files")


def real_data(name: str) -> Path:
    """Return a folder of the real data; skip where it is absent, fail where CI lacks it."""
    folder = Path(os.environ.get("REBALANCE_DATA", "")) / name
    if "REBALANCE_DATA" not in os.environ or not folder.is_dir():
        message = f"REBALANCE_DATA does not lead to {name}"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    return folder.absolute()


def run_without_powers(*arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run the program as someone who may not read everything: root gives that up."""
    command = [sys.executable, "-m", "rebalance", *(str(argument) for argument in arguments)]
    if os.geteuid() == 0:
        powers = "-dac_override,-dac_read_search"
        command = ["setpriv", f"--inh-caps={powers}", f"--bounding-set={powers}", *command]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def manifest_rows(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (output / "rebalance.jsonl").read_bytes().splitlines()[1:]]


def manifest_head(output: Path) -> dict[str, Any]:
    head: dict[str, Any] = json.loads((output / "rebalance.jsonl").read_bytes().splitlines()[0])
    return head


def counts_of(output: Path) -> dict[str, int]:
    """Count the files of each class folder."""
    return {folder.name: len(list(folder.iterdir())) for folder in sorted(output.iterdir()) if folder.is_dir()}


def contents(root: Path) -> dict[str, str]:
    """Return the sha256 of every file of a tree."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def everything(root: Path) -> dict[str, tuple[object, ...]]:
    """Return all there is to see of every entry of a tree, its content included."""
    seen: dict[str, tuple[object, ...]] = {}
    for path in [root, *sorted(root.rglob("*"))]:
        status = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        seen[str(path.relative_to(root))] = (
            status.st_mode,
            status.st_mtime_ns,
            status.st_ino,
            status.st_nlink,
            content,
        )
    return seen


@pytest.fixture
def untouched(source: Path) -> Iterator[Path]:
    """The source, compared in every respect after the test."""
    before = everything(source)
    yield source
    assert everything(source) == before


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, 20 seconds at most."""
    for _ in range(2000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("waited 20 seconds in vain")


def children(parent: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
