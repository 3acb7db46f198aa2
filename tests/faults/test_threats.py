"""The table of docs/threats.md against the tests: a row without a test says why, and no test names an unknown one."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

_TESTS = Path(__file__).parents[1]
_TABLE = _TESTS.parent / "docs" / "threats.md"
_N_ROWS = 89


def test_every_row_has_a_test_or_a_reason() -> None:
    reasons = dict(_rows())
    assert list(reasons) == list(range(1, _N_ROWS + 1))
    named = set(_numbers_of_tests())
    assert sorted(named - reasons.keys()) == []
    assert [number for number, reason in reasons.items() if not reason and number not in named] == []
    assert [number for number, reason in reasons.items() if reason and number in named] == []


def _rows() -> Iterator[tuple[int, str]]:
    """Yield the number of each row and why it has no test."""
    for line in _TABLE.read_text().splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells and cells[0].isdigit():
            assert len(cells) == 5, line
            yield int(cells[0]), cells[4]


def _numbers_of_tests() -> Iterator[int]:
    """Yield the rows that tests name by their marks."""
    for path in _TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "threat":
                yield from (ast.literal_eval(argument) for argument in node.args)
