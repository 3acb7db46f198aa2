"""The power is cut in the middle of runs and right after them: OUTPUT is then absent or whole, and a new run completes.

A file system that is shut down loses what it has not written yet, as a disk does whose power is cut.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import contents, write_image
from tests.faults.conftest import Tally
from tests.faults.disks import CUTS, Disks, cut_power
from tests.faults.faults import Fault, WarmProgram
from tests.faults.scenarios import seen

pytestmark = pytest.mark.threat(57)

_CALLS = ("create", "write", "sync", "rename", "mkdir", "unlink")
_N_LAST = 20
"""The sync of the whole disk, the manifest, the rename, the sync of the folder, and removing what is not needed."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The program, a disk, and what becomes of the disk's own log when the power is cut."""

    program: WarmProgram
    disks: Disks
    root: Path
    action: str

    def run(self, *arguments: object, boot: str = "") -> int:
        """Run a command to its end and return how many calls it made on the disk."""
        ended = self.program.run(self.root, arguments, Fault(kinds=_CALLS), boot=boot)
        assert ended.code == 0, ended.err
        return ended.n_calls

    def verify(self, output: Path, source: Path) -> None:
        if output.is_dir():
            self.run("verify", output, "--source", source)

    def cut(self, at: int, *arguments: object, kinds: tuple[str, ...] = _CALLS) -> None:
        """Run a command until the power is cut; come back with what the disk holds then."""
        assert self.program.run(self.root, arguments, Fault(at, kinds, self.action)).n_fired == 1
        self.disks.attach_again(self.root)


@pytest.fixture(params=[(kind, action) for kind in ("ext4", "xfs") for action in CUTS], ids=", ".join)
def machine(request: pytest.FixtureRequest, disks: Disks, program: WarmProgram) -> Machine:
    kind, action = request.param
    return Machine(program, disks, disks.new(kind), action)


@pytest.fixture
def source(room: Path) -> Path:
    """A tree on another disk than the one that is cut."""
    for number, place in enumerate(("cat/0", "cat/1", "dog/0", "owl/0", "owl/1", "owl/2", "owl/3")):
        write_image(room / "source" / f"{place}.png", number)
    return room / "source"


@pytest.mark.threat(9)
@pytest.mark.parametrize(
    ("command", "n_spread", "n_last"), [("augment", 8, _N_LAST), ("undersample", 2, 9), ("embed", 4, 9)]
)
def test_a_cut_leaves_no_half_output_and_the_same_command_completes_it(
    command: str, n_spread: int, n_last: int, source: Path, machine: Machine, tally: Tally
) -> None:
    whole = machine.root / "whole.npz"
    n_calls = machine.run(command, source, "-o", whole)
    for at in _points(n_calls, n_spread, n_last):
        output = machine.root / f"{at}.npz"
        machine.cut(at, command, source, "-o", output)
        if output.exists():
            assert seen(output) == seen(whole), at
            machine.verify(output, source)
        machine.run(command, source, "-o", output, boot=f"the one after {at}")
        assert seen(output) == seen(whole), at
        assert command == "embed" or _left_beside(output) == []
        tally("power cuts")


def test_a_cut_leaves_the_old_tree_or_the_new_one(source: Path, machine: Machine, tally: Tally) -> None:
    output = machine.root / "output"
    expected, commands = [], []
    for seed in (0, 1):
        machine.run("augment", source, "-o", machine.root / f"{seed}", "--seed", seed)
        expected.append(contents(machine.root / f"{seed}"))
        commands.append(("augment", source, "-o", output, "--overwrite", "--seed", seed))
    machine.run(*commands[1])
    n_files = len(expected[0])
    for number, (kind, at) in enumerate(
        [("write", 9), ("rename", n_files), *(("sync", at) for at in (1, 2, 3, 4)), ("unlink", 2), ("unlink", n_files)]
    ):
        new = number % 2
        machine.cut(at, *commands[new], kinds=(kind,))
        assert contents(output) in expected, (kind, at)
        machine.verify(output, source)
        machine.run(*commands[new], boot=f"the one after {at}")
        assert contents(output) == expected[new], (kind, at)
        assert _left_beside(output) == []
        tally("power cuts")


@pytest.mark.parametrize("command", ["augment", "undersample", "embed"])
def test_what_was_done_outlives_a_cut_right_after_it(
    command: str, source: Path, machine: Machine, tally: Tally
) -> None:
    whole, output = source.with_name("whole.npz"), machine.root / "output.npz"
    machine.run(command, source, "-o", whole)
    machine.run(command, source, "-o", output)
    cut_power(machine.root, machine.action)
    machine.disks.attach_again(machine.root)
    assert seen(output) == seen(whole)
    machine.verify(output, source)
    tally("power cuts")


def test_what_vectors_were_made_of_is_gone_once_they_stand(source: Path, machine: Machine) -> None:
    output = machine.root / "output.npz"
    machine.cut(3, "embed", source, "-o", output, kinds=("unlink",))
    machine.run("embed", source, "-o", output)
    assert _left_beside(output) == []


@pytest.mark.threat(9)
def test_files_that_a_disk_lost_while_it_kept_the_journal_are_made_again(
    source: Path, disks: Disks, program: WarmProgram, tally: Tally
) -> None:
    """With this option a disk writes that a file is so long before it writes what is in it."""
    root = disks.new("ext4", "data=writeback,nodelalloc")
    machine = Machine(program, disks, root, "cut power, log kept")
    whole, output = root / "whole", root / "output"
    machine.run("augment", source, "-o", whole)
    before_sync = Fault(1, ("sync",), "kill all")
    assert program.run(root, ["augment", source, "-o", output], before_sync).n_fired == 1
    for name in ("staging.json", "journal.jsonl"):
        _write_back(root / ".output.rebalance" / name)
    cut_power(root, machine.action)
    disks.attach_again(root)
    staged, expected = contents(root / ".output.rebalance" / "tree"), contents(whole)
    assert [path for path, sha256 in staged.items() if sha256 != expected[path]]
    machine.run("augment", source, "-o", output, boot="the one after it")
    assert contents(output) == expected
    tally("power cuts")


def _points(n_calls: int, n_spread: int, n_last: int) -> Iterator[int]:
    """Yield the numbers of some calls from the first on, and of every one of the last."""
    n_before = n_calls - n_last
    yield from (1 + n_before * step // n_spread for step in range(n_spread))
    yield from range(n_before + 1, n_calls + 1)


def _left_beside(output: Path) -> list[str]:
    """Return what a run left beside its output; a lock that nobody holds is no harm."""
    return [path.name for path in output.parent.glob(f".{output.name}.*") if path.suffix != ".lock"]


def _write_back(path: Path) -> None:
    """Let the contents of one file reach the disk, as the kernel may at any time."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
