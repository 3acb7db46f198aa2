import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import MakeTree, Run

SHELLS = ("bash", "zsh", "fish")


def completed(*words: object, environment: Mapping[str, str] | None = None) -> list[str]:
    """Return what a shell is told once these words have been typed and the last one is not finished."""
    asked = {"COMP_WORDS": "\n".join(map(str, ("rebalance", *words))), "COMP_CWORD": str(len(words))}
    settings = {**os.environ, **asked, "_REBALANCE_COMPLETE": "bash_complete", **(environment or {})}
    command = [sys.executable, "-m", "rebalance"]
    ran = subprocess.run(command, env=settings, capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    return ran.stdout.splitlines()


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_of_a_shell_asks_this_program_and_is_sound(run: Run, shell: str, tmp_path: Path) -> None:
    script = run("completion", shell).out
    assert f"_REBALANCE_COMPLETE={shell}_complete" in script
    (tmp_path / "script").write_text(script)
    if (program := shutil.which(shell)) is None:
        pytest.skip(f"{shell} is not installed")
    subprocess.run([program, "-n", str(tmp_path / "script")], check=True)


def test_bash_completes_by_the_script(make_tree: MakeTree, tmp_path: Path) -> None:
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    program = tmp_path / "bin" / "rebalance"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m rebalance "$@"\n')
    program.chmod(0o755)
    tree = make_tree({"cat": 1, "dog": 2})
    lines = (
        "source <(rebalance completion bash); complete -p rebalance",
        f"COMP_WORDS=(rebalance augment {tree} -s c); COMP_CWORD=4",
        'compopt() { echo "compopt $1 $2"; }; _rebalance_completion rebalance; echo "${COMPREPLY[@]}"',
    )
    settings = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}
    ran = subprocess.run(["bash", "-c", "\n".join(lines)], env=settings, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == [
        "complete -o nosort -F _rebalance_completion rebalance",
        "compopt -o nospace",
        "cat=",
    ]


def test_commands_options_and_choices_are_completed() -> None:
    assert completed("unders") == ["plain,undersample"]
    assert completed("augment", "--conf") == ["plain,--config"]
    assert completed("augment", "--link", "h") == ["plain,hardlink"]
    assert completed("augment", "--embedder", "p") == ["plain,pixels"]
    assert completed("completion", "") == ["plain,bash", "plain,zsh", "plain,fish"]
    assert completed("score", "p.csv", "--format", "j") == ["plain,json"]
    assert completed("score", "p.csv", "--compare", "") == ["file,"]


def test_configurations_are_completed_and_else_files() -> None:
    assert completed("augment", "--config", "d") == ["plain,digits", "plain,document"]
    assert completed("smote", "--config", "my") == ["file,my"]
    assert completed("configs", "keras") == ["plain,keras", "plain,keras-2016"]
    assert completed("inspect", "da") == ["file,da"]


def test_strategies_and_the_classes_of_the_source_are_completed(make_tree: MakeTree, tmp_path: Path) -> None:
    words = ["auto", "minority", "majority", "not-minority", "not-majority", "all", "sqrt", "median", "mean"]
    assert completed("augment", "-s", "") == [f"plain,{word}" for word in words]
    tree = make_tree({"cat": 1, "cow": 1, "dog": 1, "c d": 1, "c,d": 1, "c$(d)": 1, ".c": 1})
    assert completed("augment", tree, "-s", "")[len(words) :] == ["plain,cat=", "plain,cow=", "plain,dog="]
    assert completed("undersample", tree, "-s", "c") == ["plain,cat=", "plain,cow="]
    assert completed("augment", tree / "nowhere", "-s", "s") == ["plain,sqrt"]
    assert completed("augment", tmp_path, "--split", "source", "-s", "d") == ["plain,dog="]


def test_a_shell_that_is_not_known_is_told_so(run: Run) -> None:
    assert run("completion", "tcsh").code == 2
