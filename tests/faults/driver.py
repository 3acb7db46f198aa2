"""The other side of a warm program: imports it once, then runs it in forks, one a request, each a process group."""

import contextlib
import ctypes
import json
import os
import signal
import sys
import time
from pathlib import Path

import rebalance.execute
import rebalance.freshness
import rebalance.images.engines  # noqa: F401  what a run imports late is here by then
from rebalance.cli import main as program

LEFT = 97
"""The exit code of a run whose workers outlived it."""
HANGING = 98
"""The exit code of a run that did not end in time."""
_CLONE_NEWNS = 0x20000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_PR_SET_CHILD_SUBREAPER = 36
"""What loses its parent becomes a child of this process, which sees when it ends."""


def main() -> None:
    folder = Path(sys.argv[1])
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if not child:
            if request["is_booted"]:
                _boot(folder / "boot")
            _begin(folder, request["arguments"])
        code = _ended(child, request["seconds"])
        sys.stdout.write(json.dumps({"code": code}) + "\n")
        sys.stdout.flush()


def _boot(boot_id: Path) -> None:
    """Let the kernel tell another boot id, to this process and its children alone."""
    libc = ctypes.CDLL(None, use_errno=True)
    told = b"/proc/sys/kernel/random/boot_id"
    if (
        libc.unshare(_CLONE_NEWNS)
        or libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None)
        or libc.mount(bytes(boot_id), told, None, _MS_BIND, None)
    ):
        raise OSError(ctypes.get_errno(), "no boot id of its own")


def _begin(folder: Path, arguments: list[str]) -> None:
    """Become the program."""
    os.setsid()
    for descriptor, name, flags in ((0, os.devnull, os.O_RDONLY), (1, folder / "out", None), (2, folder / "err", None)):
        opened = os.open(name, flags if flags is not None else os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.argv[1:] = arguments
    code = 0
    try:
        program.main()
    except SystemExit as end:
        code = int(end.code or 0)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _ended(child: int, seconds: float) -> int:
    """Return the exit code of a run, minus the signal it died of; LEFT where a process of it lives on."""
    code = _waited_for(child, time.monotonic() + seconds)
    if code is None:
        code = HANGING
    elif not _is_alone(time.monotonic() + 5):
        code = LEFT
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    _is_alone(time.monotonic() + 5)
    return code


def _waited_for(child: int, until: float) -> int | None:
    while time.monotonic() < until:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    return None


def _is_alone(until: float) -> bool:
    """Return whether the last child ends by then."""
    while time.monotonic() < until:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return True
        if not pid:
            time.sleep(0.002)
    return False


if __name__ == "__main__":
    main()
