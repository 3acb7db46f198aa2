"""The list of guards fits the program, and its page."""

from collections import Counter
from pathlib import Path

from tests.faults.mutations import MUTATIONS

_ROOT = Path(__file__).parents[2]


def test_every_guard_stands_once_where_it_is_taken_out() -> None:
    found = Counter[str]()
    for mutation in MUTATIONS:
        found[mutation.guard] += (_ROOT / "rebalance" / mutation.file).read_text().count(mutation.old)
    assert set(found.values()) == {1}, found


def test_the_page_names_every_guard_and_the_tests_that_notice() -> None:
    page = (_ROOT / "tests" / "faults" / "README.md").read_text()
    for mutation in MUTATIONS:
        test = mutation.test.partition(" -k ")[0]
        assert f"| {mutation.guard} | `{mutation.file}` | `{test.removeprefix('../')}` |" in page
        assert (_ROOT / "tests" / "faults" / test).exists()
