"""What the tests of the commands have in common."""

from pathlib import Path

import pytest

from tests.conftest import MakeTree


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Where a balanced tree is to be."""
    return tmp_path / "balanced"


@pytest.fixture
def large(make_tree: MakeTree) -> Path:
    """Twenty, five and ten pictures."""
    return make_tree({"cat": 20, "dog": 5, "owl": 10})
