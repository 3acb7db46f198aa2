"""The error sweep: every call fails, once and from then on, with every error that it may have, and then once more."""

import errno
from itertools import count
from pathlib import Path

import pytest

from tests.faults.conftest import Tally
from tests.faults.faults import Fault, WarmProgram
from tests.faults.scenarios import SCENARIOS, Scenario, Stage

_ERRORS = {
    "create": (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EACCES, errno.EROFS, errno.EMFILE),
    "write": (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG),
    "close": (errno.ENOSPC, errno.EDQUOT, errno.EIO),
    "sync": (errno.ENOSPC, errno.EIO, errno.EROFS),
    "rename": (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS, errno.EXDEV, errno.EPERM),
    "link": (errno.EMLINK, errno.EPERM, errno.EXDEV, errno.EOPNOTSUPP, errno.ENOSPC, errno.EIO),
    "mkdir": (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EMLINK),
    "unlink": (errno.EIO, errno.EACCES, errno.EROFS),
    "truncate": (errno.EIO, errno.EROFS),
    "clone": (errno.EOPNOTSUPP, errno.EIO, errno.ENOSPC, errno.EXDEV, errno.EPERM),
    "lock": (errno.EIO, errno.EOPNOTSUPP),
    "open": (errno.EIO, errno.EMFILE, errno.EACCES),
    "read": (errno.EIO,),
}
"""What each kind of call may fail with."""


_WHERE_NOTHING_MAY_BE_READ = (1, 3, 4)
"""How a run ends whose sources, or whose manifest, it may not read: those are bad images, and no tree of ours."""


def _injected(scenario: Scenario) -> list[tuple[str, int]]:
    """Return kinds and errors: all of them for one command, the two commonest of each for the others."""
    most = None if scenario.name == "augment" else 2
    return [(kind, error) for kind, errors in _ERRORS.items() for error in errors[:most]]


_SAME = ("skip", "holdout", "transform")
"""Other plans, by whose files the same calls are made as for `augment`."""
_CASES = [(scenario, *case) for scenario in SCENARIOS if scenario.name not in _SAME for case in _injected(scenario)]


@pytest.mark.threat(49, 50, 51, 60)
@pytest.mark.parametrize(
    ("scenario", "kind", "error"),
    _CASES,
    ids=[f"{scenario.name}-{kind}-{errno.errorcode[error]}" for scenario, kind, error in _CASES],
)
def test_a_call_that_fails_costs_at_most_the_run_and_never_what_was_there(
    program: WarmProgram, room: Path, tally: Tally, scenario: Scenario, kind: str, error: int
) -> None:
    stage = Stage(program, room, scenario)
    also = _WHERE_NOTHING_MAY_BE_READ if error == errno.EACCES else ()
    for at in count(1):
        stage.reset()
        ended = stage.run(Fault(at, (kind,), "fail", error))
        if not ended.n_fired:
            break
        tally("errors injected")
        stage.check_failed(ended, also)
        stage.check_resumed(stage.run())
        stage.reset()
        tally("errors injected from a call on")
        stage.check_failed(stage.run(Fault(at, (kind,), "fail", error, persists=True)), also)
        stage.check_resumed(stage.run())
