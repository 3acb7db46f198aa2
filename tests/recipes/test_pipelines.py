"""The recipes of docs/recipes.md, as they stand there: run by the tools where they are, else by their commands."""

import os
import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.conftest import contents, counts_of, manifest_head, write_image
from tests.recipes.conftest import Shell, Succeed, tool
from tests.recipes.pages import blocks, file_of, values, write_files

COUNTS = {"cat": 24, "dog": 12, "owl": 16}
PROJECT = re.search(r'^name = "(.*)"$', (Path(__file__).parents[2] / "pyproject.toml").read_text(), re.MULTILINE)


def test_every_block_of_the_page_is_a_file_that_a_test_here_names() -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    unnamed = [block for block in blocks("recipes") if not block.name or f'"{block.name}"' not in tests]
    assert [block for block in unnamed if block.name != "balance.toml"] == []


def age(folder: Path) -> None:
    """Let everything be an hour old."""
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 3600))


@pytest.fixture
def makefile(folder: Path) -> Path:
    write_files("recipes", folder, "Makefile")
    age(folder)
    return folder


def test_make_balances_once(makefile: Path, succeed: Succeed) -> None:
    assert "rebalance augment" in succeed("make")
    assert counts_of(makefile / "data" / "balanced") == COUNTS
    assert "'data/balanced/rebalance.jsonl' is up to date" in succeed("make")


def test_make_notices_a_picture_that_is_new_gone_changed_or_only_touched(makefile: Path, succeed: Succeed) -> None:
    train, changes = makefile / "data" / "train", (
        ("cat/900.png", lambda path: write_image(path, 900), 25),
        ("cat/000.png", lambda path: path.unlink(), 24),
        ("cat/001.png", lambda path: write_image(path, 901), 24),
        ("cat/002.png", lambda path: path.touch(), 24),
    )  # fmt: skip
    succeed("make")
    for name, change, n_cats in changes:
        age(makefile)
        change(train / name)
        assert "rebalance augment" in succeed("make")
        assert counts_of(makefile / "data" / "balanced") == COUNTS | {"cat": n_cats, "dog": (n_cats + 1) // 2}
        assert "is up to date" in succeed("make")
    succeed("rebalance verify data/balanced --source data/train")


def test_make_notices_other_settings(makefile: Path, succeed: Succeed) -> None:
    succeed("make")
    age(makefile)
    (makefile / "balance.toml").write_text('[augment]\nsampling_strategy = "9"\n')
    succeed("make")
    assert counts_of(makefile / "data" / "balanced") == COUNTS | {"dog": 9}


def test_a_make_that_fails_leaves_the_tree_and_fails_again(makefile: Path, shell: Shell, succeed: Succeed) -> None:
    succeed("make")
    before = contents(makefile / "data" / "balanced")
    age(makefile)
    (makefile / "data" / "train" / "dog" / "900.png").write_bytes(b"no picture")
    for _ in range(2):
        ran = shell("make")
        assert ran.code != 0
        assert "dog/900.png" in ran.err
    assert contents(makefile / "data" / "balanced") == before


def test_a_make_that_is_ended_just_after_keeps_the_manifest(makefile: Path, shell: Shell, succeed: Succeed) -> None:
    programs = makefile.parent / "programs"
    programs.mkdir()
    ending = f'#!/bin/sh\ntest "$1" != -c || {{ kill -TERM $PPID; sleep 1; }}\nexec {shutil.which("touch")} "$@"\n'
    (programs / "touch").write_text(ending)
    (programs / "touch").chmod(0o755)
    assert shell("make").code != 0
    (programs / "touch").unlink()
    succeed("rebalance verify data/balanced --source data/train\nmake")


def test_make_keeps_a_half_made_folder(folder: Path, shell: Shell) -> None:
    write_files("recipes", folder, "folder.mk")
    age(folder)
    assert shell("make -f folder.mk").code != 0
    ran = shell("make -f folder.mk")
    assert (ran.code, ran.out) == (0, "make: 'data/copied' is up to date.\n")


def test_the_command_of_the_stage_makes_its_out_of_its_deps(folder: Path, succeed: Succeed) -> None:
    stage = file_of("recipes", "dvc.yaml")
    (command,) = values(stage, "cmd")
    deps = re.findall(r"^      - ([^:\n]+)$", stage, re.MULTILINE)
    (out,) = re.findall(r"^      - (.+):$", stage, re.MULTILINE)
    assert all((folder / path).exists() for path in deps)
    for _ in range(2):
        succeed(command)
        assert counts_of(folder / out) == COUNTS
    assert set(deps) | {out} == {word for word in shlex.split(command) if (folder / word).exists()}


@pytest.fixture
def dvc(folder: Path, succeed: Succeed) -> str:
    program = tool("dvc", "dvc")
    write_files("recipes", folder, "dvc.yaml")
    succeed(f"git init -q . && {program} init -q && {program} config core.analytics false")
    return str(program)


@pytest.mark.parametrize("cache_type", ["copy", "hardlink", "symlink"])
def test_dvc_runs_the_stage_when_a_picture_changes(folder: Path, succeed: Succeed, dvc: str, cache_type: str) -> None:
    balanced = folder / "data" / "balanced"
    succeed(f"{dvc} config cache.type {cache_type}")
    assert "Running stage 'balance'" in succeed(f"{dvc} repro")
    assert counts_of(balanced) == COUNTS
    assert "didn't change, skipping" in succeed(f"{dvc} repro")
    write_image(folder / "data" / "train" / "dog" / "900.png", 900)
    (folder / "data" / "train" / "cat" / "000.png").unlink()
    assert "Running stage 'balance'" in succeed(f"{dvc} repro")
    assert counts_of(balanced) == COUNTS | {"cat": 23}
    succeed("rebalance verify data/balanced --source data/train")


def test_dvc_keeps_the_tree_where_a_run_fails(folder: Path, shell: Shell, succeed: Succeed, dvc: str) -> None:
    succeed(f"{dvc} repro")
    before = contents(folder / "data" / "balanced")
    (folder / "data" / "train" / "dog" / "900.png").write_bytes(b"no picture")
    assert "dog/900.png" in shell(f"{dvc} repro").err
    assert contents(folder / "data" / "balanced") == before


def steps() -> list[str]:
    """Return what the workflow runs on a machine that has the program: the step that installs it is looked at alone."""
    first, *others = values(file_of("recipes", ".github/workflows/data.yaml"), "run")
    assert PROJECT is not None
    assert first == f"pip install {PROJECT[1]}"
    return others


def test_the_workflow_runs_to_its_end(folder: Path, succeed: Succeed) -> None:
    for step in steps():
        succeed(step)
    assert counts_of(folder / "data" / "balanced") == COUNTS


def test_a_tree_from_the_cache_comes_to_the_same(folder: Path, succeed: Succeed, tmp_path: Path) -> None:
    (balance,) = [step for step in steps() if " augment " in step]
    succeed(balance)
    shutil.copytree(folder / "data" / "balanced", tmp_path / "cached")
    write_image(folder / "data" / "train" / "dog" / "900.png", 900)
    succeed(balance)
    made_right = contents(folder / "data" / "balanced")
    shutil.rmtree(folder / "data" / "balanced")
    succeed(balance)
    assert contents(folder / "data" / "balanced") == made_right != contents(tmp_path / "cached")


def test_the_workflow_stops_at_a_lopsided_tree(folder: Path, shell: Shell) -> None:
    for number in range(4, 8):
        (folder / "data" / "train" / "dog" / f"{number:03d}.png").unlink()
    assert shell(steps()[0]).code == 1


@pytest.mark.parametrize("number", [0, 1])
def test_each_hook_says_yes_and_no(folder: Path, shell: Shell, succeed: Succeed, number: int) -> None:
    hook = values(file_of("recipes", ".pre-commit-config.yaml"), "entry")[number]
    succeed(f"rebalance augment data/train -o data/balanced --config balance.toml\n{hook}")
    for picture in (folder / "data" / "train" / "dog").glob("00[4-7].png"):
        picture.unlink()
    assert shell(hook).code == 1


def test_pre_commit_lets_a_commit_pass_and_stops_another(folder: Path, shell: Shell, succeed: Succeed) -> None:
    program = tool("pre-commit", "pre-commit")
    write_files("recipes", folder, ".pre-commit-config.yaml")
    commit = "git add -A && git -c user.name=me -c user.email=me@example.com commit -q -m data"
    succeed(
        f"git init -q . && {program} install && rebalance augment data/train -o data/balanced --config balance.toml"
    )
    hooks = succeed(commit)
    assert [line.split(".")[-1] for line in hooks.splitlines() if "data/" in line and "..." in line] == ["Passed"] * 2
    (folder / "data" / "balanced" / "dog" / "000.png").write_bytes(b"another")
    ran = shell(commit)
    assert ran.code == 1
    assert "dog/000.png" in ran.err
    assert "Failed" in ran.err
    assert "data" in succeed("git log --oneline")


def test_the_command_of_the_rule_makes_the_tree(folder: Path, succeed: Succeed) -> None:
    (command,) = re.findall(r'shell:\n +"(.+)"$', file_of("recipes", "Snakefile"), re.MULTILINE)
    succeed(command.format(threads=2))
    assert counts_of(folder / "data" / "balanced") == COUNTS


def test_snakemake_runs_the_rule_when_a_picture_changes(folder: Path, succeed: Succeed) -> None:
    program = f"{tool('snakemake', 'snakemake')} --cores 2"
    write_files("recipes", folder, "Snakefile")
    succeed(program)
    assert counts_of(folder / "data" / "balanced") == COUNTS
    assert "Nothing to be done" in succeed(program)
    write_image(folder / "data" / "train" / "dog" / "900.png", 900)
    (folder / "data" / "train" / "cat" / "000.png").unlink()
    assert "rule balance" in succeed(program)
    assert counts_of(folder / "data" / "balanced") == COUNTS | {"cat": 23}
    succeed("rebalance verify data/balanced --source data/train")


def test_snakemake_keeps_the_tree_where_a_run_fails(folder: Path, shell: Shell, succeed: Succeed) -> None:
    program = f"{tool('snakemake', 'snakemake')} --cores 2"
    write_files("recipes", folder, "Snakefile")
    succeed(program)
    before = contents(folder / "data" / "balanced")
    (folder / "data" / "train" / "dog" / "900.png").write_bytes(b"no picture")
    for _ in range(2):
        assert "dog/900.png" in shell(program).err
    assert contents(folder / "data" / "balanced") == before


def test_every_task_of_the_array_makes_a_tree_of_its_own_and_the_same_again(folder: Path, succeed: Succeed) -> None:
    write_files("recipes", folder, "balance.sbatch")
    data = folder / "data"
    first, last = tasks(folder / "balance.sbatch")
    for task in range(first, last + 1):
        succeed("bash balance.sbatch", SLURM_ARRAY_TASK_ID=str(task), SLURM_CPUS_PER_TASK="2")
    trees = [contents(data / f"seed-{task}") for task in range(first, last + 1)]
    assert [counts_of(data / f"seed-{task}") for task in range(first, last + 1)] == [COUNTS] * len(trees)
    generated = [{path: made for path, made in tree.items() if "_aug" in path} for tree in trees]
    assert len(set().union(*(tree.values() for tree in generated))) == sum(map(len, generated))
    shutil.rmtree(data / f"seed-{last}")
    succeed("bash balance.sbatch", SLURM_ARRAY_TASK_ID=str(last))
    assert contents(data / f"seed-{last}") == trees[-1]
    assert manifest_head(data / f"seed-{last}")["seed"] == last


def test_every_task_of_the_other_array_has_its_configuration(folder: Path, succeed: Succeed) -> None:
    write_files("recipes", folder, "configurations.sbatch")
    first, last = tasks(folder / "configurations.sbatch")
    for task in range(first, last + 1):
        succeed("bash configurations.sbatch", SLURM_ARRAY_TASK_ID=str(task))
    made = {path.name: contents(path)["dog/000.png"] for path in (folder / "data").iterdir() if path.name != "train"}
    assert sorted(made) == ["mild", "occlusion", "photo"]
    manifests = {contents(folder / "data" / name)["rebalance.jsonl"] for name in made}
    assert len(manifests) == 3


def tasks(script: Path) -> tuple[int, int]:
    array = re.search(r"^#SBATCH --array=(\d+)-(\d+)$", script.read_text(), re.MULTILINE)
    assert array is not None
    return int(array[1]), int(array[2])
