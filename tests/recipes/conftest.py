"""A folder in which the pages' commands are typed, and the programs they are typed into."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import MakeTree, Ran
from tests.recipes.pages import ROOT, write_files

Shell = Callable[..., Ran]
Succeed = Callable[..., str]
TOOLS = ROOT / "tests" / ".tools"


@pytest.fixture
def folder(make_tree: MakeTree, tmp_path: Path) -> Path:
    """A folder with data/train, of 24, 8 and 16 pictures, and the settings of all recipes."""
    make_tree({"cat": 24, "dog": 8, "owl": 16}, name="work/data/train")
    write_files("recipes", tmp_path / "work", "balance.toml")
    return tmp_path / "work"


def type_in(folder: Path, lines: str, **settings: str) -> Ran:
    """Give lines to bash in a folder, where `rebalance` and `python` are those of this environment."""
    programs = folder.parent / "programs"
    programs.mkdir(exist_ok=True)
    for name, command in {"rebalance": f"{sys.executable} -m rebalance", "python": sys.executable}.items():
        (programs / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (programs / name).chmod(0o755)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "GIT_", "SLURM_"))}
    private = {"HOME": str(folder.parent), "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", lines],
        cwd=folder, env=inherited | private | settings, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    return Ran(ran.returncode, ran.stdout, ran.stderr)


def succeed_in(folder: Path, lines: str, **settings: str) -> str:
    """Give lines to bash, of which none may fail, and return what they print."""
    ran = type_in(folder, lines, **settings)
    assert ran.code == 0, f"{lines}\n{ran.out}{ran.err}"
    return ran.out + ran.err


@pytest.fixture
def shell(folder: Path) -> Shell:
    """Give lines to bash in the folder of this test."""
    return partial(type_in, folder)


@pytest.fixture
def succeed(folder: Path) -> Succeed:
    """Give lines to bash in the folder of this test, of which none may fail."""
    return partial(succeed_in, folder)


def tool(name: str, program: str) -> Path:
    """Return a program of `make recipe-tools`, or one that is installed anyway; skip where there is none."""
    path = TOOLS / name / "bin" / program
    found = str(path) if path.exists() else shutil.which(program) if program != "python" else None
    if found is None:
        pytest.skip(f"{name} is not installed: make recipe-tools, or tests/.tools/{name}/.installed")
    return Path(found)
