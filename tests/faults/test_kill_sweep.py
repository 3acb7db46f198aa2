"""The kill sweep: SIGKILL at every call that changes the disk, of a whole run or of one process, then once more."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.faults.conftest import Tally
from tests.faults.faults import Ended, Fault, WarmProgram
from tests.faults.scenarios import SCENARIOS, SLOW, Scenario, Stage

_ONE = ("kill first", "kill one")
"""The first process of a run alone, whose workers must not outlive it, or the one that makes the call."""
_CASES = [
    *((scenario, "kill all") for scenario in SCENARIOS),
    *((scenario, who) for scenario in SCENARIOS if scenario.name in ("augment", "embed") for who in _ONE),
]


def each_kill(
    stage: Stage, *more: str, who: str = "kill all", before: Callable[[], object] = lambda: None
) -> Iterator[tuple[int, Ended]]:
    """Run a scenario again and again, after what comes before it, killed at one call later each time."""
    for at in count(1):
        stage.reset()
        before()
        ended = stage.run(Fault(at, action=who), *more)
        if not ended.n_fired:
            break
        yield at, ended
    assert at > 5


@pytest.mark.threat(54)
@pytest.mark.parametrize(("scenario", "who"), _CASES, ids=[f"{scenario.name}-{who}" for scenario, who in _CASES])
def test_a_run_that_is_killed_at_any_call_is_resumed_to_the_same_tree(
    program: WarmProgram, room: Path, tally: Tally, scenario: Scenario, who: str
) -> None:
    stage = Stage(program, room, scenario)
    for _, ended in each_kill(stage, who=who):
        tally("points killed")
        stage.check_killed(ended)
        stage.check_resumed(stage.run())


@pytest.mark.threat(54)
@pytest.mark.parametrize("scenario", SLOW, ids=lambda scenario: scenario.name)
def test_so_are_those_that_take_seconds_at_some_calls(
    program: WarmProgram, room: Path, tally: Tally, scenario: Scenario
) -> None:
    stage = Stage(program, room, scenario)
    stage.reset()
    n_calls = stage.run(Fault()).n_calls
    for at in (1, 3, *range(6, n_calls - 3, n_calls // 5), *range(n_calls - 2, n_calls + 1)):
        stage.reset()
        ended = stage.run(Fault(at, action="kill all"))
        tally("points killed")
        stage.check_killed(ended)
        stage.check_resumed(stage.run())


@pytest.mark.threat(54)
@pytest.mark.parametrize(
    "scenario",
    [scenario for scenario in SCENARIOS if scenario.name in ("augment", "overwrite")],
    ids=lambda scenario: scenario.name,
)
@pytest.mark.parametrize("share", [0.4, 0.8])
def test_so_is_a_resumed_run_that_is_killed_at_any_call(
    program: WarmProgram, room: Path, tally: Tally, scenario: Scenario, share: float
) -> None:
    stage = Stage(program, room, scenario)
    stage.reset()
    first = Fault(round(share * stage.run(Fault()).n_calls), action="kill all")
    for _, ended in each_kill(stage, before=lambda: stage.run(first)):
        tally("points killed in a resumed run")
        stage.check_killed(ended)
        stage.check_resumed(stage.run())


@pytest.mark.threat(54)
def test_shards_that_are_killed_at_any_call_are_run_again_or_made_up_for(
    program: WarmProgram, room: Path, tally: Tally
) -> None:
    stage = Stage(program, room, SCENARIOS[0])
    for at, _ in each_kill(stage, "--shard", "1/2"):
        tally("points killed in a shard")
        assert stage.run(None, "--shard", "2/2").code == 0
        assert not stage.output.exists()
        if at % 2:
            assert stage.run(None, "--shard", "1/2").code == 0
        stage.check_resumed(stage.run())


@pytest.mark.threat(54)
def test_a_run_that_is_killed_while_it_takes_over_from_shards_is_resumed(
    program: WarmProgram, room: Path, tally: Tally
) -> None:
    stage = Stage(program, room, SCENARIOS[0])

    def stage_shares() -> None:
        for shard in ("1/2", "2/2"):
            assert stage.run(None, "--shard", shard).code == 0

    for _, ended in each_kill(stage, before=stage_shares):
        tally("points killed while shards are gathered")
        stage.check_killed(ended)
        stage.check_resumed(stage.run())
