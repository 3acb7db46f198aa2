"""What surrounds a run: clocks, masks and groups of files, the order of folders, many files."""

import os
import stat
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import (
    MakeTree,
    Run,
    contents,
    counts_of,
    everything,
    start,
    write_image,
)  # fmt: skip
from tests.faults.commands import COMMANDS, asked, brightened, output_of
from tests.faults.machine import need, need_programs, need_root

# Clocks, modes, many files


@pytest.mark.threat(69)
def test_no_year_of_a_file_changes_what_is_made_of_it(run: Run, source: Path, tmp_path: Path) -> None:
    assert run("augment", source, "-o", tmp_path / "plain").code == 0
    years = (-1, 0, 2**31, 2**32 + 1, 2**33)  # 1969, 1970, 2038, 2106, 2242
    for number, path in enumerate(sorted(source.rglob("*.png"))):
        os.utime(path, (years[number % 5], years[number % 5]))
    before = everything(source)
    assert run("augment", source, "-o", tmp_path / "out").code == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "plain")
    assert "up to date" in run("augment", source, "-o", tmp_path / "out").err
    assert everything(source) == before


@pytest.mark.threat(69)
@pytest.mark.parametrize("command", COMMANDS)
def test_an_output_that_looks_older_than_its_source_is_compared_by_content(
    run: Run, make_tree: MakeTree, tmp_path: Path, command: str
) -> None:
    """As after a clock was set back."""
    source, output = make_tree({"cat": 4, "dog": 2}, suffix=".bmp"), output_of(command, tmp_path)
    assert run(*asked(command, source, output)).code == 0
    os.utime(output if command == "embed" else output / "rebalance.jsonl", (1, 1))
    assert "up to date" in run(*asked(command, source, output)).err
    brightened(source / "dog" / "000.bmp")
    assert run(*asked(command, source, output)).code == 5


@pytest.mark.threat(70)
@pytest.mark.parametrize(("umask", "of_files", "of_folders"), [(0, 0o666, 0o777), (0o077, 0o600, 0o700)])
@pytest.mark.parametrize("command", ["augment", "embed"])
def test_what_is_made_has_the_modes_that_the_umask_leaves(
    source: Path, tmp_path: Path, command: str, umask: int, of_files: int, of_folders: int
) -> None:
    (source / "cat" / "000.png").chmod(0o400)
    before = everything(source)
    output = output_of(command, tmp_path)
    process = start(*asked(command, source, output, "-q"), umask=umask)
    _, told = process.communicate(timeout=60)
    assert (process.returncode, told) == (0, "")
    made = [output, *output.rglob("*")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in made if path.is_file()} == {of_files}
    assert {stat.S_IMODE(path.stat().st_mode) for path in made if path.is_dir()} <= {of_folders}
    assert everything(source) == before


@pytest.mark.threat(70)
def test_a_hard_link_keeps_the_mode_of_its_source(run: Run, source: Path, tmp_path: Path) -> None:
    (source / "cat" / "000.png").chmod(0o400)
    assert run("augment", source, "-o", tmp_path / "out", "--link", "hardlink").code == 0
    assert stat.S_IMODE((tmp_path / "out" / "cat" / "000.png").stat().st_mode) == 0o400
    assert stat.S_IMODE((source / "cat" / "000.png").stat().st_mode) == 0o400


@pytest.mark.threat(70)
@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_made_in_a_folder_of_a_group_belongs_to_the_group(
    run: Run, source: Path, tmp_path: Path, command: str
) -> None:
    need_root()
    shared = tmp_path / "shared"
    shared.mkdir()
    os.chown(shared, 0, 4321)
    shared.chmod(0o2775)
    assert run(*asked(command, source, output_of(command, shared))).code == 0
    assert {path.stat().st_gid for path in shared.rglob("*")} == {4321}


@pytest.mark.threat(71)
def test_seventy_thousand_files_of_a_class_are_counted_and_planned_in_seconds(run: Run, room: Path) -> None:
    source = room / "source"
    write_image(source / "few" / "1.png", 1)
    write_image(source / "many" / "000000.png", 2)
    for number in range(1, 70_000):
        os.link(source / "many" / "000000.png", source / "many" / f"{number:06d}.png")
    began = time.monotonic()
    assert "many       1  70000" in run("inspect", source).out
    assert "2 classes, 70001 files -> 70003" in run("augment", source, "-n", "-s", "few=3").out
    assert time.monotonic() - began < 10
    assert run("undersample", source, "-o", room / "out", "-s", "many=5").code == 0
    assert counts_of(room / "out") == {"few": 1, "many": 5}


# Whatever surrounds a run


@pytest.mark.threat(72)
@pytest.mark.parametrize("command", COMMANDS)
def test_the_order_in_which_a_disk_names_files_changes_no_byte(
    run: Run, make_tree: MakeTree, tmp_path: Path, command: str
) -> None:
    need_root()
    need_programs("disorderfs", "fusermount")
    source = make_tree({"cat": 20, "dog": 5, "owl": 9})
    shuffled = tmp_path / "shuffled"
    shuffled.mkdir()
    options = ["--shuffle-dirents=yes", "--sort-dirents=no", "--quiet"]
    mounted = subprocess.run(["disorderfs", *options, str(source), str(shuffled)], check=False, capture_output=True)
    need(not mounted.returncode, "disorderfs")
    try:
        orders = {tuple(os.listdir(shuffled / "cat")) for _ in range(4)}
        assert len(orders) > 1
        for name, tree in (("plain", source), ("other", shuffled)):
            assert run(*asked(command, tree, output_of(command, tmp_path, name))).code == 0
    finally:
        subprocess.run(["fusermount", "-u", str(shuffled)], check=True)
    plain, other = output_of(command, tmp_path, "plain"), output_of(command, tmp_path, "other")
    assert plain.read_bytes() == other.read_bytes() if command == "embed" else contents(plain) == contents(other)


@pytest.mark.threat(72)
@pytest.mark.parametrize("command", ["smote", "embed"])
def test_the_surroundings_of_a_run_that_looks_at_pictures_change_no_byte(
    run: Run, source: Path, tmp_path: Path, command: str
) -> None:
    plain, other = output_of(command, tmp_path, "plain"), output_of(command, tmp_path, "other")
    assert run(*asked(command, source, plain)).code == 0
    bare = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    odd = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    process = start(*asked(command, source, other), env=bare | odd)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    assert plain.read_bytes() == other.read_bytes() if command == "embed" else contents(plain) == contents(other)
