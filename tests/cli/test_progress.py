import re
from pathlib import Path

import pytest

from rebalance.cli.progress import progress_bar
from tests.cli.conftest import seen_on_a_terminal
from tests.conftest import MakeTree, Run


def frames(shown: str, what: str) -> list[str]:
    """Return what the line of progress has shown, one after another."""
    return [frame for frame in re.split(r"[\r\n]+", shown) if frame.startswith(f"{what}: ")]


def test_a_terminal_is_shown_progress_unless_it_asks_for_quiet(source: Path, tmp_path: Path) -> None:
    shown = frames(seen_on_a_terminal("augment", source, "-o", tmp_path / "out"), "augment")
    assert any(re.search(r"\d+/21, .* images/s, .* left, (cat|dog|owl) *$", frame) for frame in shown)
    assert "augment:" not in seen_on_a_terminal("augment", source, "-o", tmp_path / "quiet", "--quiet")


def test_progress_fits_one_line_whatever_the_class_is_called(make_tree: MakeTree, tmp_path: Path) -> None:
    tree = make_tree({"a" * 70 + "end": 3, "\u5b57" * 40: 2})
    for columns in (80, 40):
        shown = frames(seen_on_a_terminal("augment", tree, "-o", tmp_path / f"{columns}", columns=columns), "augment")
        assert max(len(frame) + frame.count("\u5b57") for frame in shown) <= columns
        assert columns == 40 or any("aend" in frame for frame in shown)
    shown = frames(seen_on_a_terminal("augment", tree, "-o", tmp_path / "columns", COLUMNS="50"), "augment")
    assert max(len(frame) for frame in shown) <= 50


def test_a_terminal_that_does_not_know_its_size_is_shown_progress_and_bars(source: Path, tmp_path: Path) -> None:
    shown = frames(seen_on_a_terminal("augment", source, "-o", tmp_path / "out", columns=0, rows=0), "augment")
    assert 78 <= max(map(len, shown)) <= 80
    assert "█" * 27 in seen_on_a_terminal("inspect", source, columns=0, rows=0)


def test_what_has_no_class_is_told_in_files_a_second(run: Run, source: Path, tmp_path: Path) -> None:
    assert run("augment", source, "-o", tmp_path / "out").code == 0
    shown = frames(seen_on_a_terminal("verify", tmp_path / "out"), "verify")
    assert any(re.search(r"files/s, \S+ left$", frame.rstrip()) for frame in shown)


def test_what_is_said_meanwhile_has_a_line_of_its_own(make_tree: MakeTree, tmp_path: Path) -> None:
    tree = make_tree({"a": 3, "b": 2})
    for name in ("a/000.png", "a/001.png", "b/000.png"):
        (tree / name).write_bytes(b"no image")
    shown = seen_on_a_terminal("augment", tree, "-o", tmp_path / "out", NO_COLOR="1")
    assert shown.count("rebalance: bad image: ") == 3
    for before in shown.split("rebalance: bad image: ")[:-1]:
        assert before[-1] in "\r\n"


def test_a_command_escape_in_the_name_of_a_class_does_not_reach_the_line(make_tree: MakeTree, tmp_path: Path) -> None:
    tree = make_tree({"a\x1b[31m": 3, "b": 2})
    shown = frames(seen_on_a_terminal("augment", tree, "-o", tmp_path / "out"), "augment")
    assert any("a\\x1b[31m" in frame for frame in shown)
    assert not any("\x1b" in frame for frame in shown)


def test_no_terminal_no_line(capfd: pytest.CaptureFixture[str]) -> None:
    with progress_bar("work", is_quiet=False) as progress:
        progress(1, 2)
        progress(2, 2, "cat")
    assert capfd.readouterr() == ("", "")
