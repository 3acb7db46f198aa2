"""Runs, kills, edits and damage in any order, against a model: what a fresh run makes of the source as it stands."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from rebalance.storage.staging import boot_id
from tests.conftest import contents, write_image
from tests.faults.conftest import Tally
from tests.faults.faults import Fault, WarmProgram
from tests.faults.machine import new_room

_REQUESTS = (
    ["augment"],
    ["augment", "-s", "1.0", "--cap", "3"],
    ["augment", "--rotation-range", "30"],
    ["undersample"],
)
_requests = st.sampled_from(range(len(_REQUESTS)))
_places = st.integers(0, 400)


class _Runs(RuleBasedStateMachine):
    """One OUTPUT and whatever happens to it."""

    program: WarmProgram
    tally: Tally

    @initialize()
    def begin(self) -> None:
        self.room = new_room()
        self.source, self.output, self.staging = (self.room / name for name in ("source", "out", ".out.rebalance"))
        for name in ("a/0", "a/1", "a/2", "a/3", "b/0", "b/1"):
            write_image(self.source / f"{name}.bmp", int(name[-1]) + 10 * ord(name[0]))
        self.n_written = 0
        self.standing: dict[str, str] = {}

    @rule(request=_requests, at=st.integers(1, 110), action=st.sampled_from(["kill all", "kill first", "kill one"]))
    def kill(self, request: int, at: int, action: str) -> None:
        """A killed run leaves OUTPUT as it was, or has made all of it."""
        expected = self._expected(request)
        ended = self._run(request, Fault(at, action=action))
        assert "Traceback" not in ended.err
        if ended.code == 0 or contents(self.output) == expected:
            self.standing = expected
        self._check()

    @rule(request=_requests)
    def run(self, request: int) -> None:
        """A run makes what a fresh one makes, whatever was there of earlier ones."""
        before, self.standing = self.standing, self._expected(request)
        ended = self._run(request)
        assert ended.code == 0, ended
        is_up_to_date = before == self.standing  # what a killed run of another request left is kept for that
        assert is_up_to_date or not self.staging.exists()
        self._check()

    @rule(request=_requests)
    def run_again(self, request: int) -> None:
        """A second run touches nothing."""
        self.run(request)
        before = {path: path.lstat().st_mtime_ns for path in self.output.rglob("*")}
        assert self._run(request).code == 0
        assert {path: path.lstat().st_mtime_ns for path in self.output.rglob("*")} == before

    @rule(number=st.integers(0, 3), keeps_time=st.booleans())
    def edit_a_source(self, number: int, keeps_time: bool) -> None:  # noqa: FBT001
        """Another picture of the same size in bytes, as an old one or a new one."""
        path = self.source / "a" / f"{number}.bmp"
        before = path.stat()
        self._write(path)
        assert path.stat().st_size == before.st_size
        if keeps_time:
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    @rule()
    def add_a_source(self) -> None:
        self._write(self.source / "b" / f"new{self.n_written}.bmp")

    @rule(request=_requests, at=st.integers(20, 90), damage=st.sampled_from(["edit", "flip", "cut"]), where=_places)
    def damage_what_a_killed_run_left(self, request: int, at: int, damage: str, where: int) -> None:
        """What was staged is not of the source any more, or not what was written, as a restart may leave it."""
        self._run(request, Fault(at, action="kill all"))
        if damage == "edit":
            self.edit_a_source(where % 4, keeps_time=False)
        elif self.staging.exists():
            (self._flip if damage == "flip" else self._cut)(where)
        self.run(request)

    def _flip(self, where: int) -> None:
        """Change a byte of a staged file; the journal is of another boot."""
        if staged := sorted((self.staging / "tree").rglob("*.bmp")):
            path = staged[where % len(staged)]
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.write_bytes(data)
        journal = self.staging / "journal.jsonl"
        if journal.exists():
            journal.write_text(journal.read_text().replace(boot_id(), "another"))

    def _cut(self, where: int) -> None:
        """Take some bytes off the end of the journal."""
        journal = self.staging / "journal.jsonl"
        if journal.exists() and (data := journal.read_bytes()):
            journal.write_bytes(data[: -(1 + where % len(data))])

    def teardown(self) -> None:
        shutil.rmtree(self.room, ignore_errors=True)

    def _write(self, path: Path) -> None:
        self.n_written += 1
        write_image(path, 1000 + self.n_written)

    def _run(self, request: int, fault: Fault | None = None) -> Any:
        self.tally("steps")
        command, *options = _REQUESTS[request]
        arguments = [command, self.source, "-o", self.output, "-j", 1, "--overwrite", "-q", *options]
        return self.program.run(self.room, arguments, fault)

    def _expected(self, request: int) -> dict[str, str]:
        """Return what a run makes elsewhere, with nothing there before."""
        command, *options = _REQUESTS[request]
        fresh = self.room / "fresh"
        shutil.rmtree(fresh, ignore_errors=True)
        ended = self.program.run(self.room, [command, self.source, "-o", fresh, "-j", 1, "-q", *options])
        assert ended.code == 0, ended
        return contents(fresh)

    def _check(self) -> None:
        assert (contents(self.output) if self.output.exists() else {}) == self.standing


@pytest.mark.threat(8, 9, 61)
def test_whatever_happens_in_between_a_run_makes_what_a_fresh_one_makes(program: WarmProgram, tally: Tally) -> None:
    machine = type("Runs", (_Runs,), {"program": program, "tally": staticmethod(tally)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40,
            stateful_step_count=12,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
