"""The program with a fault: the library that is loaded before it, what it is told, and a warm process that runs it."""

import contextlib
import json
import mmap
import os
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from tests.faults.machine import need_programs

KINDS = (
    "create", "write", "close", "sync", "rename", "link", "mkdir", "unlink", "truncate", "clone", "lock",
    "open", "read",
)  # fmt: skip
"""In the order of fault.c."""
WRITING = KINDS[:11]
ACTIONS = ("count", "fail", "kill all", "kill one", "kill first", "cut power", "cut power, log kept")
_ORDER = struct.Struct("=qqqqiii4096s")


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens at which call below the root."""

    at: int = 0
    """From 1; 0: nothing happens, calls are counted."""
    kinds: tuple[str, ...] = WRITING
    action: str = "count"
    error: int = 0
    persists: bool = False
    """Whether every call from then on fails as well."""


class Ended(NamedTuple):
    """How a run ended, and what was counted."""

    code: int
    out: str
    err: str
    n_calls: int
    n_fired: int


@cache
def library() -> Path:
    """Return fault.c, compiled."""
    need_programs("cc")
    source = Path(__file__).with_name("fault.c")
    built = source.with_name(f".fault-{source.stat().st_mtime_ns}.so")
    if not built.exists():
        partial = built.with_suffix(f".{os.getpid()}")
        flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"]
        subprocess.run(["cc", *flags, "-o", str(partial), str(source), "-ldl"], check=True)
        partial.rename(built)
    return built


class Orders:
    """The file by which a run is told its fault."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(bytes(_ORDER.size))
        with open(path, "r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _ORDER.size)

    def give(self, root: Path, fault: Fault) -> None:
        kinds = sum(1 << KINDS.index(kind) for kind in fault.kinds)
        action = ACTIONS.index(fault.action)
        fields = (0, 0, fault.at, kinds, action, fault.error, fault.persists, os.fsencode(root))
        self._shared[:] = _ORDER.pack(*fields)

    def counted(self) -> tuple[int, int]:
        n_calls, n_fired = struct.unpack_from("=qq", self._shared)
        return n_calls, n_fired

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(library()), "REBALANCE_FAULT": str(self.path)}


class WarmProgram:
    """A process that has imported the program and runs it in a fork of its own, once for each request."""

    def __init__(self, folder: Path) -> None:
        self._orders = Orders(folder / "orders")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.driver", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, **self._orders.environment},
        )
        self._folder = folder

    def run(
        self,
        root: Path,
        arguments: Iterable[object],
        fault: Fault | None = None,
        seconds: float = 60,
        boot: str = "",
    ) -> Ended:
        """Run the program to its end, with a fault below the root; no process of it is left.

        `boot` is what the kernel calls this boot of the machine, if another than it does.
        """
        self._orders.give(root, fault or Fault())
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        (self._folder / "boot").write_text(boot)
        request = {"arguments": [str(argument) for argument in arguments], "seconds": seconds, "is_booted": bool(boot)}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        out, err = ((self._folder / name).read_text(errors="backslashreplace") for name in ("out", "err"))
        return Ended(answer["code"], out, err, *self._orders.counted())

    def close(self) -> None:
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        self._process.wait(timeout=20)
        assert self._process.stdout is not None
        self._process.stdout.close()


@contextlib.contextmanager
def warm_program(folder: Path) -> Iterator[WarmProgram]:
    program = WarmProgram(folder)
    try:
        yield program
    finally:
        program.close()
