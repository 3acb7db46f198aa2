"""Links: to other disks, refused by a disk, edited by whoever has them."""

import errno
import os
from pathlib import Path

import pytest

from tests.conftest import (
    MakeTree,
    Run,
    manifest_rows,
    write_image,
)  # fmt: skip
from tests.faults.commands import TREES, asked, brightened
from tests.faults.conftest import Mount
from tests.faults.faults import Fault, WarmProgram

# Links


@pytest.mark.threat(63)
@pytest.mark.parametrize("command", TREES)
def test_hard_links_to_another_disk_are_refused_before_any_work(
    run: Run, untouched: Path, mount: Mount, command: str
) -> None:
    disk = mount("disk", "-t", "tmpfs", "none")
    ran = run(*asked(command, untouched, disk / "out", "--link", "hardlink"))
    assert ran.code == 5
    assert "--link hardlink cannot be done from one disk to another; take --link copy\n" in ran.err
    assert list(disk.iterdir()) == []
    assert run(*asked(command, untouched, disk / "out")).code == 0
    assert {path.stat().st_nlink for path in (disk / "out").rglob("*.png")} == {1}


@pytest.mark.threat(63)
@pytest.mark.parametrize("command", TREES)
def test_a_class_on_a_disk_of_its_own_counts_as_well(
    run: Run, source: Path, tmp_path: Path, mount: Mount, command: str
) -> None:
    mount("source/owl", "-t", "tmpfs", "none")
    for number in range(7):
        write_image(source / "owl" / f"{number}.png", number)
    output = tmp_path / "out"
    ran = run(*asked(command, source, output, "--link", "hardlink"))
    assert ran.code == 5
    assert "--link hardlink cannot be done from one disk to another; take --link copy\n" in ran.err
    assert list(tmp_path.glob("*out*")) == []
    assert run(*asked(command, source, output)).code == 0
    assert run("verify", output, "--source", source).code == 0


@pytest.mark.threat(64)
@pytest.mark.parametrize(
    ("command", "link", "error"),
    [
        ("augment", "hardlink", errno.EMLINK), ("augment", "hardlink", errno.EPERM),
        ("augment", "hardlink", errno.EOPNOTSUPP), ("augment", "symlink", errno.EPERM),
        ("undersample", "hardlink", errno.EPERM), ("smote", "hardlink", errno.EPERM),
    ],
)  # fmt: skip
def test_a_link_that_the_disk_refuses_is_not_made_a_copy_in_silence(
    program: WarmProgram, untouched: Path, tmp_path: Path, command: str, link: str, error: int
) -> None:
    output = tmp_path / "out"
    refused = Fault(3, ("link",), "fail", error, persists=True)
    ended = program.run(tmp_path, asked(command, untouched, output, "--link", link, "-q"), refused)
    assert ended.code == 5, ended
    assert f".png: --link {link} cannot be done: {os.strerror(error)}; take --link copy\n" in ended.err
    assert ended.err.count("\n") == 1
    assert not output.exists()
    assert program.run(tmp_path, asked(command, untouched, output, "--link", "copy", "-q")).code == 0
    files = [path for path in output.rglob("*") if not path.is_dir()]
    assert not any(path.is_symlink() or path.stat().st_nlink > 1 for path in files)


@pytest.mark.threat(65)
@pytest.mark.parametrize("command", TREES)
def test_whoever_edits_a_hard_link_is_found_out(run: Run, make_tree: MakeTree, tmp_path: Path, command: str) -> None:
    source, output = make_tree({"cat": 4, "dog": 2}, suffix=".bmp"), tmp_path / "out"
    assert run(*asked(command, source, output, "--link", "hardlink")).code == 0
    linked = {path for path in output.rglob("*.bmp") if path.stat().st_nlink > 1}
    assert linked == {output / row["path"] for row in manifest_rows(output) if row["kind"] == "original"}
    brightened(output / "dog" / "000.bmp")
    ran = run("verify", output, "--source", source)
    assert ran.code == 1
    assert ran.out.splitlines() == [
        "changed: dog/000.bmp: does not have the bytes that the manifest says",
        "source: dog/000.bmp: does not have the bytes that the manifest says",
    ]
    assert run(*asked(command, source, output, "--link", "hardlink")).code == 5
