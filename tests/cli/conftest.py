"""What the tests of the commands have in common."""

import shutil
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


@pytest.fixture
def photos(clothing: Path, tmp_path: Path) -> Path:
    tree = tmp_path / "photos"
    for name, count in {"Hat": 14, "Skirt": 11, "Top": 6}.items():
        (tree / name).mkdir(parents=True)
        for path in sorted((clothing / name).iterdir())[:count]:
            shutil.copy(path, tree / name)
    return tree
