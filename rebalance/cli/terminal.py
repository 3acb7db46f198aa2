"""What a terminal is shown beyond what a file gets: the one place that decides on color, width and bars."""

import contextlib
import os
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any, TextIO

_COLORS = {"red": 31, "yellow": 33, "cyan": 36}
_TONES = {
    "error": "red", "problem": "red", "bad image": "red", "warning": "yellow", "note": "cyan", "advice": "cyan",
}  # fmt: skip
"""The word that a line begins with -> its color."""
_TONED = re.compile(rf"(rebalance: )?({'|'.join(_TONES)}):")
_COLUMNS = 80
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_SHORTEST_BAR = 8
_BARS_TITLE = "images"
_LONG_NAME = 16
"""Columns up to which a name is not cut for other columns to stand in the same line."""
_SHORTEST_NAME = 8
"""Columns that are left of a name, however narrow the terminal is."""
_WIDTHLESS = ("Mn", "Me", "Cf")


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether people look at what is written to a stream."""
    with contextlib.suppress(ValueError):  # it is closed
        return stream is not None and stream.isatty()
    return False


def columns_of(stream: TextIO | None) -> int:
    """Return how wide a terminal is: what COLUMNS says, else itself; 80 where neither does."""
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and len(told) < 5 and int(told):
        return int(told)
    with contextlib.suppress(OSError, ValueError):  # it is no terminal, or closed
        return (stream and os.get_terminal_size(stream.fileno()).columns) or _COLUMNS
    return _COLUMNS


def has_color(stream: TextIO | None) -> bool:
    """Return whether a stream is shown in color: on a terminal that can, where nobody has said NO_COLOR."""
    can_color = os.environ.get("TERM", "dumb") != "dumb" and not os.environ.get("NO_COLOR")
    return can_color and is_terminal(stream)


def painted(text: str, color: str, stream: TextIO | None) -> str:
    """Return a text in a color, where a stream has any."""
    return f"\x1b[{_COLORS[color]}m{text}\x1b[0m" if has_color(stream) else text


def toned(line: str, stream: TextIO | None) -> str:
    """Return a line with the word that it begins with in its color, if that is one of those that have one."""
    match = _TONED.match(line)
    if match is None:
        return line
    word = painted(f"{match[2]}:", _TONES[match[2]], stream)
    return f"{match[1] or ''}{word}{line[match.end() :]}"


def aside() -> contextlib.AbstractContextManager[Any]:
    """Return what takes the line of progress off the terminal while another line is written there."""
    tqdm = sys.modules.get("tqdm")  # unless it is there, so is no such line
    return tqdm.tqdm.external_write_mode(sys.stderr) if tqdm else contextlib.nullcontext()


def display_width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(map(_width, text))


def _width(character: str) -> int:
    if unicodedata.category(character) in _WIDTHLESS or "\u1160" <= character <= "\u11ff":  # joined to what is before
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, width: int, stream: TextIO | None) -> str:
    """Return a text that takes at most so many columns, with what is cut out of its middle marked."""
    if display_width(text) <= width:
        return text
    mark = "…" if _can_show("…", stream) else ".."
    room = max(0, width - len(mark))
    tail = _head(text[::-1], room // 2)[::-1].lstrip()
    while tail and _width(tail[0]) == 0:  # its letter is cut away
        tail = tail[1:]
    return f"{_head(text, room - display_width(tail))}{mark}{tail}"


def _head(text: str, width: int) -> str:
    """Return the longest beginning of a text that takes at most so many columns."""
    taken = 0
    for place, character in enumerate(text):
        taken += _width(character)
        if taken > width:
            return text[:place]
    return text


def _can_show(text: str, stream: TextIO | None) -> bool:
    try:
        text.encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def plain_lines(cells: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table for a file: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(_padded(row, list(map(len, row)), widths)).rstrip() for row in cells]


def _padded(row: Sequence[str], own: Sequence[int], widths: Sequence[int]) -> list[str]:
    spaces = [" " * (width - taken) for width, taken in zip(widths, own, strict=True)]
    return [row[0] + spaces[0], *(space + cell for space, cell in zip(spaces[1:], row[1:], strict=True))]


def fitted_lines(cells: Sequence[Sequence[str]], bars: Sequence[int], stream: TextIO | None) -> list[str]:
    """Return the lines of a table for a terminal: no wider than it is, with bars of images where there is room.

    Where the lines would be longer, names in the first column are cut, and what still does not fit follows below.
    """
    columns = columns_of(stream)
    *firsts, last = _parts(cells, columns)
    lines = []
    for part in firsts:
        lines += [*_part_lines(part, (), columns, stream), ""]
    return [*lines, *_part_lines(last, bars, columns, stream)]


def _parts(cells: Sequence[Sequence[str]], columns: int) -> list[list[list[str]]]:
    """Return a table as several that are narrow enough for names that are cut, each with the first column."""
    name_width, *widths = (max(map(display_width, column)) for column in zip(*cells, strict=True))
    name_width = min(name_width, _LONG_NAME)
    places: list[list[int]] = [[0]]
    taken = name_width
    for place, width in enumerate(widths, start=1):
        if taken + 2 + width > columns and len(places[-1]) > 1:
            places.append([0])
            taken = name_width
        places[-1].append(place)
        taken += 2 + width
    return [[[row[place] for place in own] for row in cells] for own in places]


def _part_lines(cells: Sequence[Sequence[str]], bars: Sequence[int], columns: int, stream: TextIO | None) -> list[str]:
    others = _table_width([row[1:] for row in cells])
    room = max(_SHORTEST_NAME, columns - others - 2)
    shown = [
        [name, *row[1:]] for name, row in zip(_cut_apart([row[0] for row in cells], room, stream), cells, strict=True)
    ]
    widths = [max(map(display_width, column)) for column in zip(*shown, strict=True)]
    lines = ["  ".join(_padded(row, list(map(display_width, row)), widths)) for row in shown]
    length = columns - 1 - _table_width(shown) - 2
    if bars and length >= _SHORTEST_BAR:
        drawn = (_BARS_TITLE, *(painted(_bar(size, max(bars), length, stream), "cyan", stream) for size in bars))
        lines = [f"{line}  {bar}" for line, bar in zip(lines, drawn, strict=True)]
    return [line.rstrip() for line in lines]


def _cut_apart(names: Sequence[str], width: int, stream: TextIO | None) -> list[str]:
    """Return names that take at most so many columns, those that would be cut alike with a number."""
    short = [cut(name, width, stream) for name in names]
    alike = Counter(short)
    numbers: Counter[str] = Counter()
    found = []
    for name, cut_name in zip(names, short, strict=True):
        if name != cut_name and alike[cut_name] > 1:
            numbers[cut_name] += 1
            mark = f"~{numbers[cut_name]}"
            cut_name = cut(name, max(1, width - len(mark)), stream) + mark  # noqa: PLW2901  it is told apart
        found.append(cut_name)
    return found


def _table_width(cells: Sequence[Sequence[str]]) -> int:
    widths = [max(map(display_width, column)) for column in zip(*cells, strict=True)]
    return sum(widths) + 2 * max(0, len(widths) - 1)


def _bar(size: int, largest: int, length: int, stream: TextIO | None) -> str:
    """Return a bar of a length for the largest, in eighths of a column where the stream has the signs for them."""
    if not size:
        return ""
    if not _can_show(_EIGHTHS, stream):
        return "#" * max(1, size * length // largest)
    full, rest = divmod(max(1, size * length * 8 // largest), 8)
    return "█" * full + _EIGHTHS[rest].strip()
