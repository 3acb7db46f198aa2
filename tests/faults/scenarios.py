"""What the sweeps run: each command that writes, on a small tree, and what must hold of it however a run ends."""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import contents, everything, manifest_rows, write_image
from tests.faults.driver import HANGING, LEFT
from tests.faults.faults import Ended, Fault, WarmProgram

RESUMABLE = (5, 6, 7, 8)
"""What a run that met a fault may end with: refused, locked, I/O failure, a worker failed."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A command that makes `out` in a room with a source."""

    name: str
    arguments: str
    output: str = "out"
    is_over: bool = False
    """Whether another tree of ours stands there before, which is to be replaced."""
    is_new: bool = False
    """Whether it refuses to make what is there already, were it the same."""

    def command(self, room: Path) -> list[str]:
        return [part.replace("ROOM", str(room)) for part in self.arguments.split()]


def _on_tree(name: str, command: str, output: str = "out", *, is_over: bool = False) -> Scenario:
    return Scenario(name, f"{command} ROOM/source -o ROOM/{output} -j 1", output, is_over)


SCENARIOS = (
    _on_tree("augment", "augment"),
    _on_tree("overwrite", "augment --overwrite", is_over=True),
    _on_tree("skip", "augment --bad-images skip --cap 3 -s b=3"),
    _on_tree("holdout", "augment --holdout 0.4"),
    _on_tree("transform", "augment --originals transform -s 4"),
    _on_tree("hardlink", "augment --link hardlink"),
    _on_tree("list", "augment --write list"),
    _on_tree("undersample", "undersample"),
    _on_tree("embed", "embed", "out.npz"),
    Scenario("export", "inspect ROOM/source --export csv ROOM/out.csv", "out.csv"),
    Scenario("replay", "replay ROOM/made FILE --source ROOM/source -o ROOM/out.png", "out.png", is_new=True),
)
SLOW = (
    _on_tree("smote", "smote --k-neighbors 1"),
    _on_tree("labels", "augment --labels folders"),
    _on_tree("rows", "smote --k-neighbors 1 --write both"),
    Scenario("demo", "demo ROOM/out", is_new=True),
)
"""Those that take seconds, of which only some points are tried."""


class Stage:
    """A room with a source, and what a run that meets no fault makes of it."""

    def __init__(self, program: WarmProgram, room: Path, scenario: Scenario) -> None:
        self.program, self.room, self.scenario = program, room, scenario
        self.output = room / scenario.output
        for class_name, n_images in (("a", 4), ("b", 2)):
            for number in range(n_images):
                write_image(room / "source" / class_name / f"{number}.png", number + 10 * ord(class_name))
        self._command = scenario.command(room)
        self._kept = {"source"}
        if scenario.name == "replay":
            self._make("made")
            line = next(row for row in manifest_rows(room / "made") if row["kind"] == "augmented")
            self._command = [line["path"] if part == "FILE" else part for part in self._command]
        if scenario.is_over:
            self._make("old", "--seed", "7", "-s", "1.0")
        self._source = self._look_at_source()
        self.reset()
        self.before = seen(self.output)
        ended = self.run()
        assert ended.code == 0, ended.err
        self.whole = seen(self.output)
        assert self.whole not in ({}, self.before)

    def reset(self) -> None:
        """Leave the source alone in the room, and what is to be replaced."""
        for path in self.room.iterdir():
            if path.name not in self._kept:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        if self.scenario.is_over:
            shutil.copytree(self.room / "old", self.output)

    def run(self, fault: Fault | None = None, *more: str) -> Ended:
        return self.program.run(self.room, [*self._command, *more], fault)

    def check_killed(self, ended: Ended) -> None:
        """Whoever was killed: no process is left, no file of the source has changed, no half of an OUTPUT is there."""
        assert ended.code in (0, -9, *RESUMABLE), ended
        self._check(ended)
        if ended.code == 0:
            assert seen(self.output) == self.whole, ended
        assert seen(self.output) in (self.before, self.whole), ended

    def check_failed(self, ended: Ended, also: tuple[int, ...] = ()) -> None:
        """A call failed: the run is done all the same, or says in one line why not, and OUTPUT is what it was."""
        assert ended.code in (0, *RESUMABLE, *also), ended
        self._check(ended)
        assert seen(self.output) == (self.before if ended.code else self.whole), ended
        if ended.code:
            assert ended.err.splitlines()[-1].startswith("rebalance: error: "), ended
            assert {path.name for path in self.room.iterdir() if path.name[0] != "."} <= {*self._kept, self.output.name}

    def check_resumed(self, ended: Ended) -> None:
        """The same command again makes what a run makes that met nothing, and leaves nothing beside it."""
        assert ended.code == 0 or (self.scenario.is_new and ended.code == 5), ended
        assert seen(self.output) == self.whole, ended
        assert {path.name for path in self.room.iterdir()} == {*self._kept, self.output.name}, ended
        assert self._look_at_source() == self._source

    def _check(self, ended: Ended) -> None:
        assert ended.code not in (HANGING, LEFT), ended
        assert "Traceback" not in ended.err, ended
        assert self._look_at_source() == self._source

    def _look_at_source(self) -> dict[str, tuple[object, ...]]:
        """Return all there is to see of the source but the number of its links, which --link hardlink raises."""
        found = everything(self.room / "source")
        return {path: (mode, time, inode, content) for path, (mode, time, inode, _links, content) in found.items()}

    def _make(self, name: str, *settings: str) -> None:
        made = self.program.run(self.room, ["augment", self.room / "source", "-o", self.room / name, *settings])
        assert made.code == 0, made.err
        self._kept.add(name)


def seen(output: Path) -> dict[str, str]:
    """Return the sums of what stands at OUTPUT, a tree or a file."""
    if output.is_file():
        return {"": hashlib.sha256(output.read_bytes()).hexdigest()}
    return contents(output) if output.exists() else {}
