"""Disks that are full, read-only, shared, layered or of other systems: what does not go is refused whole, by name."""

import itertools
import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import contents, everything, start, write_image
from tests.faults.conftest import Tally
from tests.faults.disks import Disks
from tests.faults.faults import WarmProgram
from tests.faults.machine import need_programs
from tests.faults.scenarios import seen

_SIX = ("cat/0.png", "cat/1.png", "dog/0.png", "owl/0.png", "owl/1.png", "owl/2.png")
_ROOM = "size=64m,nr_inodes=4096"
_PAGE = 4096


def make(root: Path, *names: str, size: tuple[int, int] = (24, 20)) -> Path:
    """Make a tree of pictures."""
    for number, name in enumerate(names):
        write_image(root / name, number, size=size)
    return root


@pytest.fixture
def source(room: Path) -> Path:
    return make(room / "source", *_SIX)


@pytest.mark.threat(49)
@pytest.mark.parametrize(
    ("command", "shares"),
    [
        ("augment", (0.0, 0.2, 0.4, 0.6, 0.8, 0.95)),
        ("undersample", (0.0, 0.3, 0.6, 0.9)),
        ("smote", (0.0, 0.5)),
        ("embed", (0.0, 0.5)),
    ],
)
def test_a_disk_that_is_too_small_gets_no_output_and_once_it_has_room_the_same_one(
    command: str, shares: tuple[float, ...], source: Path, disks: Disks, program: WarmProgram, tally: Tally
) -> None:
    root = disks.new("tmpfs", _ROOM, "roomy")
    assert program.run(root, [command, source, "-o", root / "output.npz"]).code == 0
    expected, used = seen(root / "output.npz"), os.statvfs(root)
    n_pages = (used.f_blocks - used.f_bfree) * used.f_frsize // _PAGE
    n_inodes = used.f_files - used.f_ffree
    for number, (share, what) in enumerate(itertools.product(shares, ("size", "nr_inodes"))):
        enough = {"size": max(1, int(share * n_pages)) * _PAGE, "nr_inodes": max(1, int(share * n_inodes))}[what]
        small = disks.new("tmpfs", f"{_ROOM},{what}={enough}", f"small-{number}")
        ended = program.run(small, [command, source, "-o", small / "output.npz"])
        assert (ended.code, ended.err.count("error: ")) == (7, 1), (share, what, ended.err)
        assert [path.name for path in small.iterdir() if not path.name.startswith(".output.npz.")] == []
        disks.change(small, _ROOM)
        assert program.run(small, [command, source, "-o", small / "output.npz"]).code == 0
        assert seen(small / "output.npz") == expected
        assert [path.name for path in small.iterdir()] == ["output.npz"]
        tally("disks filled")


@pytest.mark.threat(49)
def test_a_disk_that_becomes_read_only_meanwhile_ends_the_run_and_the_next_one_goes_on(
    room: Path, disks: Disks, program: WarmProgram
) -> None:
    source = make(room / "source", *(f"cat/{n}.png" for n in range(300)), "dog/0.png", size=(96, 80))
    arguments = ["augment", source, "-s", "50", "-o"]
    root = disks.new("ext4")
    with start(*arguments, root / "output") as process:
        while process.poll() is None and not list(root.glob(".output.rebalance/tree/*/*.png")):
            time.sleep(0.001)
        disks.change(root, "abort")  # as ext4 does by itself when the disk fails
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err.count("error: ")) == (7, 1), err
    assert not (root / "output").exists()
    disks.attach_again(root)
    assert program.run(root, [*arguments, root / "output"]).code == 0
    assert program.run(root, [*arguments, room / "never-cut"]).code == 0
    assert contents(root / "output") == contents(room / "never-cut")


@pytest.mark.threat(6, 7)
def test_a_read_only_disk_will_do_for_source_and_not_for_output(room: Path, disks: Disks, program: WarmProgram) -> None:
    root = disks.new("ext4")
    source = make(root / "source", *_SIX)
    disks.change(root, "ro")
    before = everything(source)
    assert program.run(root, ["augment", source, "-o", room / "output"]).code == 0
    assert program.run(root, ["verify", room / "output", "--source", source]).code == 0
    for command in ("augment", "undersample", "smote", "embed"):
        ended = program.run(root, [command, source, "-o", root / "output.npz"])
        assert ended.code == 5
        assert ended.err.endswith("output.npz: the folder it would lie in cannot be written to: choose another place\n")
    assert everything(source) == before


@pytest.mark.threat(63)
@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
def test_originals_are_clones_where_the_disk_can_and_source_outlives_what_is_done_to_them(
    kind: str, disks: Disks, program: WarmProgram
) -> None:
    need_programs("filefrag")
    root = disks.new(kind)
    source = make(root / "source", "cat/0.bmp", "dog/0.bmp", "dog/1.bmp", size=(96, 80))
    before = everything(source)
    for link, is_shared in (("auto", True), ("copy", False)):
        assert program.run(root, ["augment", source, "-o", root / link, "--link", link]).code == 0
        for name in ("cat/0.bmp", "dog/0.bmp", "dog/1.bmp"):
            extents = subprocess.run(["filefrag", "-v", root / link / name], capture_output=True, text=True, check=True)
            assert ("shared" in extents.stdout) == is_shared
            with open(root / link / name, "r+b") as file:
                file.write(b"edited")
    assert everything(source) == before


@pytest.mark.threat(63)
@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_from_one_disk_to_another_originals_are_copied_and_hard_links_refused(
    kind: str, source: Path, disks: Disks, program: WarmProgram
) -> None:
    root = disks.new(kind)
    assert program.run(root, ["augment", source, "-o", root / "output"]).code == 0
    assert program.run(root, ["verify", root / "output", "--source", source]).code == 0
    ended = program.run(root, ["augment", source, "-o", root / "linked", "--link", "hardlink"])
    assert ended.code == 5
    assert ended.err.endswith("--link hardlink cannot be done from one disk to another; take --link copy\n")
    assert sorted(path.name for path in root.iterdir() if path.name != "lost+found") == ["output"]


@pytest.mark.threat(64)
def test_a_source_that_can_have_no_further_link_is_refused_for_hard_links_alone(
    disks: Disks, program: WarmProgram
) -> None:
    root = disks.new("ext4")
    source = make(root / "source", *_SIX)
    (root / "links").mkdir()
    for number in range(64_999):  # ext4 counts to 65,000
        os.link(source / "dog" / "0.png", root / "links" / str(number))
    ended = program.run(root, ["augment", source, "-o", root / "linked", "--link", "hardlink"])
    assert ended.code == 5
    assert ended.err.endswith("dog/0.png: --link hardlink cannot be done: Too many links; take --link copy\n")
    assert not (root / "linked").exists()
    assert program.run(root, ["augment", source, "-o", root / "output"]).code == 0


@pytest.mark.threat(11)
def test_an_output_in_a_lower_layer_cannot_be_replaced_and_stays_what_it_was(
    source: Path, disks: Disks, program: WarmProgram
) -> None:
    layers = disks.new("tmpfs", _ROOM, "layers")
    for name in ("lower", "upper", "work"):
        (layers / name).mkdir()
    assert program.run(layers, ["augment", source, "-o", layers / "lower" / "old"]).code == 0
    options = f"lowerdir={layers}/lower,upperdir={layers}/upper,workdir={layers}/work"
    root = disks.attach("overlay", "overlay", options, "layered")
    before = everything(root / "old")
    ended = program.run(root, ["augment", source, "-o", root / "old", "--seed", "1", "--overwrite"])
    assert ended.code == 7
    assert ended.err.endswith("delete it, and run again\n")
    assert everything(root / "old") == before
    assert program.run(root, ["augment", source, "-o", root / "new"]).code == 0
    assert program.run(root, ["verify", root / "new", "--source", source]).code == 0
    assert contents(root / "new") == contents(root / "old")


@pytest.mark.threat(64)
@pytest.mark.parametrize(("kind", "links"), [("ntfs", ()), ("exfat", ("hardlink", "symlink"))])
def test_disks_of_other_systems_hold_an_output_and_refuse_the_links_they_lack(
    kind: str, links: tuple[str, ...], disks: Disks, program: WarmProgram, room: Path
) -> None:
    root = disks.new(kind)
    source = make(root / "source", *_SIX)
    for seed in ("0", "1"):
        assert program.run(root, ["augment", source, "-o", root / "output", "--seed", seed, "--overwrite"]).code == 0
        assert program.run(root, ["verify", root / "output", "--source", source]).code == 0
    assert program.run(root, ["embed", source, "-o", root / "vectors.npz"]).code == 0
    assert program.run(root, ["augment", source, "-o", room / "elsewhere", "--seed", "1"]).code == 0
    assert contents(root / "output") == contents(room / "elsewhere")
    for link in links:
        ended = program.run(root, ["augment", source, "-o", root / link, "--link", link])
        assert (ended.code, ended.err.count("error: ")) == (5, 1)
        assert f"--link {link} cannot be done: " in ended.err
        assert ended.err.endswith("; take --link copy\n")
        assert not (root / link).exists()


_LOOK_ALIKES = {
    "classes": (("Cat/0.png", "cat/0.png", "dog/0.png"), "'Cat' and 'cat'"),
    "files": (("cat/A.png", "cat/a.png", "dog/0.png"), "'cat/A.png' and 'cat/a.png'"),
    "forms": (("cat/\u00e9.png", "cat/e\u0301.png", "dog/0.png"), "'cat/e\u0301.png' and 'cat/\u00e9.png'"),
}


@pytest.mark.threat(15)
@pytest.mark.parametrize("kind", ["ntfs", "exfat"])
@pytest.mark.parametrize("case", _LOOK_ALIKES)
def test_names_that_differ_by_case_or_form_are_refused_by_a_disk_that_does_not_tell_them_apart(
    kind: str, case: str, room: Path, disks: Disks, program: WarmProgram
) -> None:
    names, pair = _LOOK_ALIKES[case]
    source, root = make(room / "source", *names), disks.new(kind)
    ended = program.run(root, ["augment", source, "-o", root / "output"])
    assert ended.code == 3
    assert ended.err.endswith(f"error: {pair} are one name on the disk of OUTPUT: rename one of them\n")
    assert list(root.iterdir()) == []
    assert program.run(room, ["augment", source, "-o", room / "output"]).code == 0


@pytest.mark.threat(15)
def test_every_pair_of_such_names_is_told(room: Path, disks: Disks, program: WarmProgram) -> None:
    names = ("cat/A.png", "cat/a.png", "dog/B.png", "dog/b.png")
    source, root = make(room / "source", *names), disks.new("ntfs")
    error = program.run(root, ["augment", source, "-o", root / "output"]).err.partition("error: ")[2]
    assert all(repr(name) in error for name in names)


_ILLEGAL = {
    "ntfs": ("cat/a:b.jpg", "cat/con.jpg", "cat/what?.jpg", "cat/caf\udce9.jpg", "dot./0.jpg", "space /0.jpg"),
    "exfat": ("cat/a:b.jpg", "cat/what?.jpg", "cat/caf\udce9.jpg"),
}


@pytest.mark.threat(12)
@pytest.mark.parametrize("kind", _ILLEGAL)
def test_a_name_that_the_disk_of_output_cannot_hold_ends_the_run_without_an_output(
    kind: str, room: Path, disks: Disks, program: WarmProgram
) -> None:
    root = disks.new(kind)
    for number, name in enumerate(_ILLEGAL[kind]):
        source = make(room / f"{number}", name, "dog/0.jpg", "dog/1.jpg")
        ended = program.run(root, ["augment", source, "-o", root / f"output-{number}"])
        assert ended.code in (3, 7)
        assert ended.err.count("error: ") == 1
        assert list(root.glob("output-*")) == []


@pytest.mark.threat(12)
@pytest.mark.parametrize("kind", _ILLEGAL)
def test_every_name_that_the_disk_of_output_cannot_hold_is_told_before_any_work(
    kind: str, room: Path, disks: Disks, program: WarmProgram
) -> None:
    source = make(room / "source", *_ILLEGAL[kind], "dog/0.jpg", "dog/1.jpg", "dog/2.jpg", "dog/3.jpg")
    root = disks.new(kind)
    ended = program.run(root, ["augment", source, "-o", root / "output"])
    assert ended.code == 3
    error = ended.err.partition("error: ")[2]
    told = [repr(name.removesuffix("/0.jpg")) for name in _ILLEGAL[kind]]
    assert [name for name in told if name not in error] == []
    assert list(root.iterdir()) == []
