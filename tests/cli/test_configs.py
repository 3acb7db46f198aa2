"""`rebalance configs`: the table, and a file to start from."""

from pathlib import Path

import pytest

from rebalance.cli.config import BUNDLED
from tests.conftest import Run

FILES = Path(__file__).parent.parent.parent / "rebalance" / "configs"


def test_the_table_has_a_line_for_each_configuration(run: Run) -> None:
    ran = run("configs")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert [line.split()[0] for line in lines] == list(BUNDLED)
    assert "mild        the default: a slight tilt, shift, zoom and change of light" in lines
    assert max(map(len, lines)) <= 120


@pytest.mark.parametrize("name", BUNDLED)
def test_a_named_configuration_is_printed_as_the_file_it_is(run: Run, name: str) -> None:
    ran = run("configs", name)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (FILES / f"{name}.toml").read_text(encoding="utf-8")


def test_a_printed_configuration_can_be_used(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(run("configs", "digits").out)
    by_file = run("augment", "--config", tmp_path / "mine.toml", "--print-config")
    assert by_file.code == 0
    assert by_file.out == run("augment", "--config", "digits", "--print-config").out


def test_as_json_each_has_its_name_its_sentence_and_its_file(run: Run) -> None:
    document = run("configs", "--format", "json").document
    assert document["schema"] == 1
    assert [entry["name"] for entry in document["configurations"]] == list(BUNDLED)
    (entry,) = run("configs", "copy", "--format", "json").document["configurations"]
    assert entry == {
        "name": "copy",
        "summary": "plain random over-sampling: every copy is its source, byte for byte",
        "text": (FILES / "copy.toml").read_text(encoding="utf-8"),
    }


def test_an_unknown_configuration_is_answered_with_the_nearest(run: Run) -> None:
    ran = run("configs", "documents")
    assert ran.code == 2
    assert "'documents' is none of: aerial, copy, " in ran.err
    assert "; did you mean 'document'?" in ran.err
    assert ran.err.count("\n") == 1


def test_the_command_has_an_example(run: Run) -> None:
    assert "rebalance configs digits > mine.toml" in run("configs", "--help").out
