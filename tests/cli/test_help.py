import re

from rebalance.cli.help import first_example
from rebalance.cli.main import rebalance
from tests.conftest import Run


def test_every_command_stands_in_a_section_with_an_example_that_fits(run: Run) -> None:
    shown = run("--help").out
    for name, command in rebalance.commands.items():
        assert re.search(rf"^  {name} +\S", shown, re.MULTILINE)
        assert first_example(command).startswith(f"rebalance {name} ")
        assert f"\n    {first_example(command)}\n" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_commands_stand_where_someone_who_begins_looks_for_them(run: Run) -> None:
    titles = re.findall(r"^(\w.*):$", run("--help").out, re.MULTILINE)
    assert titles == [
        "Options", "Look before anything is written", "Balance: SOURCE is read, OUTPUT is written",
        "Check what came out", "Measure", "Begin",
    ]  # fmt: skip
