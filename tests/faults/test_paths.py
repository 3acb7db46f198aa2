"""Where SOURCE and OUTPUT lie: in each other, behind mounts, on disks that take nothing, in long paths."""

import contextlib
import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import (
    Run,
    contents,
    everything,
    run_without_powers,
)  # fmt: skip
from tests.faults.commands import COMMANDS, TREES, asked, output_of
from tests.faults.conftest import Mount
from tests.faults.faults import Fault, WarmProgram

_PATH_MAX = 4096


def hidden(folder: Path) -> list[str]:
    """Return what runs have left in a folder beside what they made."""
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


# OUTPUT and SOURCE in each other


@pytest.mark.threat(5)
@pytest.mark.parametrize("command", COMMANDS)
def test_neither_mounts_nor_dots_lead_into_the_source(run: Run, untouched: Path, mount: Mount, command: str) -> None:
    again = mount("again", "--bind", untouched)
    cat = mount("cat", "--bind", untouched / "cat")
    for source, folder in (
        (untouched, again), (untouched, again / "cat"), (untouched, cat), (again, untouched), (again, cat),
        (untouched, untouched / "cat" / ".." / "dog"), (untouched, untouched / ".." / "source"),
    ):  # fmt: skip
        ran = run(*asked(command, source, output_of(command, folder)))
        assert (ran.code, "nothing is ever written there" in ran.err) == (5, True), (folder, ran.err)
        assert ran.err.count("\n") == 1


@pytest.mark.threat(5)
@pytest.mark.parametrize("command", TREES)
def test_no_mount_hides_that_the_source_lies_in_the_output(
    run: Run, untouched: Path, tmp_path: Path, mount: Mount, command: str
) -> None:
    around = mount("around", "--bind", tmp_path)
    for output in (tmp_path, around):
        ran = run(*asked(command, untouched, output, "--overwrite"))
        assert (ran.code, f"{untouched} lies in it" in ran.err) == (5, True), ran.err


# What stands at OUTPUT


@pytest.mark.threat(4)
@pytest.mark.parametrize("command", TREES)
def test_a_mount_point_is_not_replaced(run: Run, source: Path, mount: Mount, command: str) -> None:
    output = mount("out", "-t", "tmpfs", "none")
    for extra in ([], ["--overwrite"]):
        ran = run(*asked(command, source, output, *extra))
        assert (ran.code, "is a mount point: choose a folder below it" in ran.err) == (5, True), ran.err
    assert list(output.iterdir()) == []


@pytest.mark.threat(3, 4)
@pytest.mark.parametrize("kind", ["empty folder", "foreign folder", "file", "link", "dangling link"])
@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_not_ours_stays_as_it_is(run: Run, source: Path, tmp_path: Path, command: str, kind: str) -> None:
    output = output_of(command, tmp_path)
    if "folder" in kind:
        output.mkdir()
    if kind == "foreign folder":
        (output / "diary").write_text("mine")
    elif kind == "file":
        output.write_text("mine")
    elif "link" in kind:
        (tmp_path / "diary").write_text("mine")
        output.symlink_to("nowhere" if kind == "dangling link" else "diary")
    before = everything(tmp_path)
    for extra in ([], ["--overwrite"]):
        ran = run(*asked(command, source, output, *extra, "-q"))
        assert ran.code == 5, ran.err
        assert ran.err.startswith(f"rebalance: error: {output}: is ")
        assert ran.err.count("\n") == 1
    assert ("rmdir" in ran.err) == (kind == "empty folder" and command != "embed")
    after = everything(tmp_path)
    del before["."], after["."]  # a lock has come and gone
    assert after == before


# Places that take nothing


@pytest.mark.threat(6)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_source_on_a_disk_that_takes_nothing_is_read(
    run: Run, untouched: Path, tmp_path: Path, mount: Mount, command: str
) -> None:
    source = mount("read", "--bind", untouched)
    subprocess.run(["mount", "-o", "remount,bind,ro", str(source)], check=True)
    with pytest.raises(OSError, match="Read-only file system"):
        (source / "proof").touch()
    output = output_of(command, tmp_path)
    ran = run(*asked(command, source, output, "-q"))
    assert (ran.code, ran.err) == (0, "")
    if command != "embed":
        assert run("verify", output, "--source", source).code == 0
    assert hidden(tmp_path) == []


@pytest.mark.threat(6)
@pytest.mark.parametrize("command", ["augment", "embed"])
def test_a_source_that_the_user_may_only_read_is_read(untouched: Path, tmp_path: Path, command: str) -> None:
    folders = [untouched, *(untouched / name for name in ("cat", "dog", "owl"))]
    for folder in folders:
        folder.chmod(0o555)
    ran = run_without_powers(*asked(command, untouched, output_of(command, tmp_path), "-q"))
    for folder in folders:
        folder.chmod(0o755)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.threat(7)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_disk_that_takes_nothing_is_refused_before_any_work(
    run: Run, source: Path, mount: Mount, command: str
) -> None:
    folder = mount("full", "-t", "tmpfs", "none")
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    (source / "cat" / "000.png").write_bytes(b"would be found bad, if it were looked at")
    ran = run(*asked(command, source, output_of(command, folder)))
    told = "the folder it would lie in cannot be written to"
    assert (ran.code, told in ran.err, ran.err.count("\n")) == (5, True, 1), ran.err


@pytest.mark.threat(7)
@pytest.mark.parametrize("command", ["augment", "embed"])
def test_a_folder_that_the_user_may_only_read_is_refused_likewise(source: Path, tmp_path: Path, command: str) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o555)
    ran = run_without_powers(*asked(command, source, output_of(command, folder)))
    assert (ran.returncode, "cannot be written to" in ran.stderr) == (5, True), ran.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.threat(7)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_that_does_not_exist_is_not_made(run: Run, source: Path, tmp_path: Path, command: str) -> None:
    ran = run(*asked(command, source, output_of(command, tmp_path / "no")))
    assert (ran.code, "does not exist: make it first" in ran.err) == (5, True), ran.err
    assert not (tmp_path / "no").exists()


# Long names and paths


@pytest.mark.threat(10)
@pytest.mark.parametrize("command", TREES)
def test_names_as_long_as_they_can_be_are_kept_and_cut(run: Run, source: Path, tmp_path: Path, command: str) -> None:
    folder = "d" * 255
    (source / "dog" / "000.png").rename(source / "dog" / ("é" * 125 + "x.png"))
    (source / "dog").rename(source / folder)
    output = tmp_path / ("o" * 255)
    assert run(*asked(command, source, output)).code == 0
    names = os.listdir(output / folder)
    assert "é" * 125 + "x.png" in names
    assert {len(os.fsencode(name)) for name in names if "é" in name} <= {254, 255}
    assert all(name.isprintable() for name in names)
    assert run("verify", output, "--source", source).code == 0


@pytest.mark.threat(10)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_name_of_output_that_is_too_long_is_counted(run: Run, source: Path, tmp_path: Path, command: str) -> None:
    output = output_of(command, tmp_path, "o" * (252 if command == "embed" else 256))
    ran = run(*asked(command, source, output))
    assert (ran.code, "a name of 256 bytes, 255 fit" in ran.err) == (3, True), ran.err


@contextlib.contextmanager
def deep_folder(top: Path, length: int) -> Iterator[Path]:
    """A folder whose path has so many bytes, which only its parent can name."""
    path, here = os.fsencode(top), os.open(top, os.O_RDONLY)
    while len(path) < length:
        name = b"d" * min(200, length - len(path) - 1)
        os.mkdir(name, dir_fd=here)
        path, above = path + b"/" + name, here
        here = os.open(name, os.O_RDONLY, dir_fd=above)
        os.close(above)
    os.close(here)
    yield Path(os.fsdecode(path))


@pytest.mark.threat(10)
@pytest.mark.parametrize("command", TREES)
def test_paths_that_would_be_too_long_are_counted_before_any_file_is_made(
    run: Run, source: Path, room: Path, command: str
) -> None:
    with deep_folder(room, 3840) as folder:
        assert run(*asked(command, source, folder / "short")).code == 0
        (source / "dog" / "000.png").rename(source / "dog" / ("x" * 240 + ".png"))
        ran = run(*asked(command, source, folder / "long"))
        assert (ran.code, ran.err.count(" bytes, 4095 fit: take a shorter one\n")) == (3, 1), ran.err
        assert os.listdir(folder) == ["short"]


@pytest.mark.threat(10)
@pytest.mark.parametrize("command", COMMANDS)
def test_an_output_that_leaves_no_room_for_its_lock_is_refused(
    run: Run, source: Path, room: Path, command: str
) -> None:
    with deep_folder(room, 3850) as folder:
        ran = run(*asked(command, source, output_of(command, folder, "o" * 235)))
        assert (ran.code, "a lock cannot be made there: File name too long" in ran.err) == (5, True), ran.err
        assert os.listdir(folder) == []


@pytest.mark.threat(10)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_source_at_the_end_of_a_long_path_is_read(run: Run, source: Path, room: Path, command: str) -> None:
    with deep_folder(room, _PATH_MAX - 20) as folder:
        (folder / "c").mkdir()
        shutil.copy(source / "cat" / "000.png", folder / "c" / "000.png")
        assert len(os.fsencode(folder / "c" / "000.png")) == 4086
        assert run(*asked(command, folder, output_of(command, room))).code == 0


# Disks that do not do everything


@pytest.mark.threat(11)
def test_a_tree_of_a_lower_layer_stays_where_it_cannot_be_exchanged(
    program: WarmProgram, source: Path, tmp_path: Path, mount: Mount
) -> None:
    """The layers of a container image: what lies in a lower one can be deleted, but its folders not renamed."""
    for name in ("lower", "upper", "work"):
        (tmp_path / name).mkdir()
    assert program.run(tmp_path, ["augment", source, "-o", tmp_path / "lower" / "out"]).code == 0
    layers = f"lowerdir={tmp_path}/lower,upperdir={tmp_path}/upper,workdir={tmp_path}/work"
    output = mount("layers", "-t", "overlay", "overlay", "-o", layers) / "out"
    before = contents(output)
    anew = ["augment", source, "-o", output, "--seed", "1"]
    ended = program.run(tmp_path, [*anew, "--overwrite"])
    assert (ended.code, "cannot be replaced, it lies in a lower layer" in ended.err) == (7, True), ended.err
    assert contents(output) == before
    shutil.rmtree(output)
    ended = program.run(tmp_path, anew)
    assert (ended.code, "reused 21 of 21" in ended.err) == (0, True), ended.err


@pytest.mark.threat(11)
@pytest.mark.parametrize("command", ["augment", "embed"])
def test_an_output_that_cannot_get_its_name_is_kept_and_gets_it_later(
    program: WarmProgram, source: Path, tmp_path: Path, command: str
) -> None:
    first, output = output_of(command, tmp_path, "first"), output_of(command, tmp_path)
    n_renames = program.run(tmp_path, asked(command, source, first), Fault(kinds=("rename",))).n_calls
    last = Fault(n_renames, ("rename",), "fail", errno.EXDEV)
    ended = program.run(tmp_path, asked(command, source, output, "-q"), last)
    told = f"rebalance: error: {output}: cannot be given its name: Invalid cross-device link; run again to resume\n"
    assert (ended.n_fired, ended.code, ended.err) == (1, 7, told)
    assert not output.exists()
    assert "reused" in program.run(tmp_path, asked(command, source, output)).err
    assert output.exists()
