import io
import re
from pathlib import Path
from typing import Any

import pytest

from rebalance.cli.terminal import cut, display_width, fitted_lines, has_color, is_terminal, plain_lines
from tests.cli.conftest import seen_on_a_terminal
from tests.conftest import MakeTree, Run


def lines_of(shown: str) -> list[str]:
    """Return the lines that a terminal was shown, without their colors."""
    return re.sub(r"\x1b\[\d+m", "", shown).splitlines()


def test_a_terminal_shows_a_bar_for_each_class_as_long_as_its_count(make_tree: MakeTree) -> None:
    tree = make_tree({"cat": 4, "dog": 2, "owl": 8})
    assert lines_of(seen_on_a_terminal("inspect", tree, columns=70))[:4] == [
        "class  index  count  share  balanced  log  missing  images",
        "cat        0      4  28.6%    1.1667    1        4  " + "█" * 8 + "▌",
        "dog        1      2  14.3%    2.3333    1        6  " + "█" * 4 + "▎",
        "owl        2      8  57.1%   0.58333    1        0  " + "█" * 17,
    ]


def test_a_bar_needs_eight_columns(source: Path) -> None:
    assert "█" * 8 in seen_on_a_terminal("inspect", source, columns=61)
    assert "█" not in seen_on_a_terminal("inspect", source, columns=60)


def test_where_blocks_cannot_be_shown_bars_are_of_number_signs(source: Path) -> None:
    shown = lines_of(seen_on_a_terminal("inspect", source, columns=70, PYTHONIOENCODING="ascii"))
    assert [line.count("#") for line in shown[1:4]] == [9, 4, 17]
    assert all(line.isascii() for line in shown)


def test_columns_says_how_wide_a_terminal_is(source: Path) -> None:
    assert "█" * 48 in seen_on_a_terminal("inspect", source, columns=70, COLUMNS="101")
    assert "█" not in seen_on_a_terminal("inspect", source, columns=200, COLUMNS="60")


@pytest.mark.parametrize("name", ["long_" * 14 + "end", "\u5b57" * 40, "e\u0301" * 84], ids=["long", "wide", "marked"])
@pytest.mark.parametrize("columns", [80, 64])
def test_no_row_is_longer_than_the_terminal_is_wide(make_tree: MakeTree, name: str, columns: int) -> None:
    shown = lines_of(seen_on_a_terminal("inspect", make_tree({name: 3, "cat": 2}), columns=columns))
    rows = shown[:3]
    assert rows[0].split()[:7] == ["class", "index", "count", "share", "balanced", "log", "missing"]
    assert max(map(display_width, rows)) <= columns
    assert len({display_width(row[: row.rindex("%")]) for row in rows[1:]}) == 1
    assert any("…" in row for row in rows)


def test_columns_that_do_not_fit_follow_below(make_tree: MakeTree) -> None:
    tree = make_tree({"cat": 4, "dog": 2, "an_owl_whose_name_is_long": 8})
    shown = lines_of(seen_on_a_terminal("inspect", tree, "--weights", "all", columns=64))
    assert shown[:5] == [
        "class                index  count  share  balanced  inverse  log",
        "an_owl_wh…e_is_long      0      8  57.1%   0.58333        1    1",
        "cat                      1      4  28.6%    1.1667        2    1",
        "dog                      2      2  14.3%    2.3333        4    1",
        "",
    ]
    assert [line.split()[0] for line in shown[5:9]] == ["class", "an_owl_whose…ame_is_long", "cat", "dog"]
    assert max(map(len, shown[:14])) <= 64


def test_labels_have_bars_too(make_tree: MakeTree) -> None:
    tree = make_tree({"cat": 4, "dog": 2})
    shown = lines_of(seen_on_a_terminal("inspect", tree, "--labels", "folders", columns=120))
    assert [row.count("█") > 0 for row in shown[:3]] == [False, True, True]


def test_a_file_gets_neither_bars_nor_colors_nor_cut_names(
    run: Run, make_tree: MakeTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.delenv("NO_COLOR", raising=False)
    name = "long_" * 14
    ran = run("inspect", make_tree({name: 60, "\u5b57": 1}), "--sampling-strategy", "10")
    assert ran.out.splitlines()[1:3] == [
        f"{name}      0     60  98.4%   0.50833       1        0",
        "\u5b57" + " " * 69 + "      1      1   1.6%      30.5  2.2138        9",
    ]
    assert "\x1b" not in ran.out + ran.err


COLORED = [({}, True), ({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]


@pytest.mark.parametrize(("environment", "is_colored"), COLORED)
def test_colors_are_for_terminals_that_want_them(
    source: Path, environment: dict[str, Any], *, is_colored: bool
) -> None:
    shown = seen_on_a_terminal("inspect", source, **environment)
    assert ("\x1b[36m█" in shown, "\x1b[36madvice:\x1b[0m " in shown) == (is_colored, is_colored)
    failed = seen_on_a_terminal("inspect", source / "nowhere", **environment)
    assert failed.startswith("rebalance: \x1b[31merror:\x1b[0m " if is_colored else "rebalance: error: ")


def test_colors_let_no_command_of_a_name_through(make_tree: MakeTree) -> None:
    tree = make_tree({"advice: \x1b[2J": 3, "warning: \x9b31m": 2})
    shown = seen_on_a_terminal("inspect", tree)
    assert "advice: \\x1b[2J" in shown
    shown += seen_on_a_terminal("inspect", tree / "note: \x1b[2J")
    assert shown.count("note: \\x1b[2J") == 1
    assert not {"\x1b", "\x9b"} & set(re.sub(r"\x1b\[(31|33|36|0)m", "", shown))


def test_a_stream_that_is_closed_or_absent_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    closed = io.StringIO()
    closed.close()
    assert not is_terminal(closed)
    assert not is_terminal(None)
    assert not has_color(None)


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("", 0),
        ("cat", 3),
        ("\u5b57", 2),
        ("e\u0301", 1),
        ("\uff76", 1),
        ("\uff21", 2),
        ("\u1100\u1161", 2),
        ("\u200b", 0),
    ],
)
def test_a_text_is_as_wide_as_a_terminal_shows_it(text: str, width: int) -> None:
    assert display_width(text) == width


@pytest.mark.parametrize(
    ("text", "width", "told"),
    [
        ("Tomato_late_blight", 18, "Tomato_late_blight"),
        ("Tomato_late_blight", 11, "Tomat…light"),
        ("\u4e00\u4e01\u4e03\u4e07\u4e08", 9, "\u4e00\u4e01…\u4e07\u4e08"),
        ("\u4e00\u4e01\u4e03\u4e07\u4e08", 8, "\u4e00\u4e01…\u4e08"),
        ("abcde\u0301f", 4, "ab…f"),
        ("abc", 1, "…"),
    ],
)
def test_a_text_is_cut_in_its_middle(text: str, width: int, told: str) -> None:
    assert cut(text, width, io.TextIOWrapper(io.BytesIO(), "utf-8")) == told


def test_names_that_would_be_cut_alike_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "18")
    names = ["class", "one rather long name", "one rattle song name", "one rationing long name", "short"]
    cells = [[name, "1"] for name in names]
    shown = [line.split("  ")[0] for line in fitted_lines(cells, (), io.TextIOWrapper(io.BytesIO(), "utf-8"))]
    assert len(set(shown)) == 5
    assert any("…" in name and name.endswith("~2") for name in shown)
    assert (shown[0], shown[4]) == ("class", "short")


def test_a_cut_is_marked_by_what_can_be_shown() -> None:
    assert cut("Tomato_late_blight", 12, io.TextIOWrapper(io.BytesIO(), "ascii")) == "Tomat..light"


def test_a_class_without_images_has_no_bar_and_one_with_few_a_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    cells = [["class"], ["a"], ["b"], ["c"]]
    stream = io.TextIOWrapper(io.BytesIO(), "utf-8")
    assert fitted_lines(cells, [0, 1, 9999], stream) == ["class  images", "a", "b      ▏", "c      ████████████"]
    assert plain_lines(cells) == ["class", "a", "b", "c"]
