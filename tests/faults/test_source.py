"""Every system call of whole runs is looked at: none writes below SOURCE, and commands that look write nothing."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import everything, write_image
from tests.faults.conftest import Tally
from tests.faults.machine import need_programs

pytestmark = pytest.mark.threat(6)

_OPENING = ("open", "openat", "openat2", "creat")
_LINKING = ("link", "linkat", "symlink", "symlinkat")
_CHANGING = (
    "mkdir", "mkdirat", "mknod", "mknodat", "unlink", "unlinkat", "rmdir", "rename", "renameat", "renameat2",
    "chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat", "utime", "utimes",
    "futimesat", "utimensat", "setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr",
    "truncate", "ftruncate", "fallocate",
)  # fmt: skip
_FOR_WRITING = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND|^creat")
_CALL = re.compile(r"\d+ +(\w+)\((.*)")
_PLACE = re.compile(r'(?:AT_FDCWD|\d+)<([^>]*)>|"((?:[^"\\]|\\.)*)"')
"""A descriptor with what it stands for, or a path."""
_NO_FILES = re.compile(r"/dev/null|/dev/shm/sem\.[^/]+|/proc/(self|\d+)/oom_score_adj")
"""The empty stream, the semaphores of Python's queues, and how dispensable a worker is to the system."""


class Traced(NamedTuple):
    code: int
    out: str
    written: tuple[str, ...]
    """What was opened for writing, made, renamed, linked to, changed or removed, in order."""


class Place(NamedTuple):
    """A folder with a source and an output that was made of it."""

    folder: Path

    def run(self, *arguments: str) -> Traced:
        """Run the program in this folder, and every process that it starts, under the eyes of strace."""
        log = self.folder / "log"
        calls = ",".join(f"?{call}" for call in (*_OPENING, *_LINKING, *_CHANGING, "ioctl"))
        watched = [
            "strace",
            "-f",
            "-y",
            "-qq",
            "--seccomp-bpf",
            "-e",
            "signal=none",
            "-e",
            f"trace={calls}",
            "-o",
            str(log),
        ]
        command = [sys.executable, "-B", "-m", "rebalance", *arguments]
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
        ran = subprocess.run(
            [*watched, *command], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        written = tuple(path for line in log.read_text().splitlines() for path in _written(line, self.folder))
        return Traced(ran.returncode, ran.stdout, written)


@pytest.fixture
def place(room: Path) -> Place:
    need_programs("strace")
    for class_name, count in (("cat", 4), ("dog", 3), ("owl", 8)):
        for number in range(count):
            write_image(room / "source" / class_name / f"{number}.png", ord(class_name[0]) + number)
    return Place(room)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("augment source -o made", "made"),
        ("augment source -o made --link copy --bad-images skip --check full --holdout 0.25", "made"),
        ("augment source -o made --link symlink", "made"),
        ("augment source -o made.csv --write list", "made.csv"),
        ("undersample source -o made --check full", "made"),
        ("smote source -o made --write both", "made"),
        ("embed source -o made.npz", "made.npz"),
    ],
)
def test_no_call_of_a_writing_run_writes_below_source(command: str, expected: str, place: Place, tally: Tally) -> None:
    before = everything(place.folder / "source")
    traced = place.run(*command.split())
    assert traced.code == 0
    assert str(place.folder / expected) in traced.written
    assert _below(place.folder / "source", traced.written) == []
    assert everything(place.folder / "source") == before
    tally("runs traced")


def test_hard_links_change_how_often_a_source_is_linked_and_nothing_else(place: Place, tally: Tally) -> None:
    before = everything(place.folder / "source")
    traced = place.run("augment", "source", "-o", "made", "--link", "hardlink")
    assert traced.code == 0
    assert _below(place.folder / "source", traced.written) == []
    after = everything(place.folder / "source")
    n_links = {name: (seen[3], after[name][3]) for name, seen in before.items() if name.endswith(".png")}
    assert set(n_links.values()) == {(1, 2)}
    assert {name: (*seen[:3], seen[4]) for name, seen in before.items()} == {
        name: (*seen[:3], seen[4]) for name, seen in after.items()
    }
    tally("runs traced")


def test_making_a_file_again_writes_it_alone(place: Place, tally: Tally) -> None:
    assert place.run("augment", "source", "-o", "made").code == 0
    before = everything(place.folder)
    (name,) = (path.name for path in (place.folder / "made" / "dog").glob("0_aug1-*"))
    traced = place.run("replay", "made", f"dog/{name}", "--source", "source", "-o", "again.png")
    assert traced.code == 0
    assert str(place.folder / "again.png") in traced.written
    assert _below(place.folder / "source", traced.written) == []
    assert _below(place.folder / "made", traced.written) == []
    assert {path: seen for path, seen in everything(place.folder).items() if path.startswith(("source", "made"))} == {
        path: seen for path, seen in before.items() if path.startswith(("source", "made"))
    }
    tally("runs traced")


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("inspect source --check", "3 classes, 15 images, imbalance ratio (largest / smallest) 2.67"),
        ("augment source -o none --dry-run", "dog         3     3      8        62%             2\n"),
        ("undersample source -o none --dry-run", "owl         8      3         5\n"),
        ("smote source -o none --dry-run", "cat         4     4      8        50%             2\n"),
        ("probe source", "it ranks"),
    ],
)
def test_what_only_looks_opens_nothing_for_writing(command: str, told: str, place: Place, tally: Tally) -> None:
    before = everything(place.folder / "source")
    traced = place.run(*command.split())
    assert traced.code == 0
    assert told in traced.out
    assert _files(traced.written) == []
    assert everything(place.folder / "source") == before
    tally("runs traced")


def test_looking_at_an_output_opens_nothing_for_writing(place: Place, tally: Tally) -> None:
    assert place.run("augment", "source", "-o", "made").code == 0
    for command in ("verify made --source source", "audit made --source source", "augment source -o made"):
        traced = place.run(*command.split())
        assert traced.code == 0
        assert _files(traced.written) == [], command
        tally("runs traced")


def _written(line: str, folder: Path) -> Iterator[str]:
    """Yield what a call writes to; of a new link, not what it leads to."""
    if (call := _CALL.match(line)) is None:
        return
    name, arguments = call.groups()
    if (name in _OPENING and not _FOR_WRITING.search(f"{name} {arguments}")) or (
        name == "ioctl" and "FICLONE" not in arguments
    ):
        return
    places = list(_places(arguments.partition(") = ")[0], folder))
    if name in _LINKING:
        yield places[-1]
    elif name == "ioctl":
        yield places[0]
    else:
        yield from places


def _places(arguments: str, folder: Path) -> Iterator[str]:
    """Yield the paths of a call, each beside the descriptor that it starts from, or the descriptor alone."""
    start = None
    for descriptor, path in _PLACE.findall(arguments):
        if descriptor and start:
            yield start
        if descriptor:
            start = descriptor
            continue
        yield os.path.normpath(os.path.join(start or folder, path))
        start = None
    if start:
        yield start


def _below(root: Path, paths: tuple[str, ...]) -> list[str]:
    return [path for path in paths if Path(path).is_relative_to(root)]


def _files(paths: tuple[str, ...]) -> list[str]:
    return [path for path in paths if not _NO_FILES.fullmatch(path)]
