"""Files of the source that are no plain files, may not be read, or are other ones by the time they are read."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from rebalance import embed
from rebalance.storage import staging
from tests.conftest import Run, contents, run_without_powers, write_image
from tests.faults.commands import COMMANDS, TREES, asked, output_of
from tests.faults.machine import need_root

# What is no plain file


def make_special(path: Path, kind: str) -> None:
    """Make what blocks, or does something, when it is opened."""
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            before = Path.cwd()
            os.chdir(path.parent)  # the path of a socket is to be short
            server.bind(path.name)
            os.chdir(before)
    else:
        need_root()
        os.mknod(
            path,
            0o020600 if kind == "terminal" else 0o060600,
            os.makedev(*((5, 0) if kind == "terminal" else (7, 255))),
        )


@pytest.mark.threat(30)
@pytest.mark.parametrize("kind", ["pipe", "socket", "terminal", "disk"])
@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_no_file_is_refused_and_never_opened(
    run: Run, source: Path, tmp_path: Path, command: str, kind: str
) -> None:
    make_special(source / "cat" / "odd.png", kind)
    ran = run(*asked(command, source, output_of(command, tmp_path)))
    told = "rebalance: error: 'cat/odd.png' is not a regular file: mend it, or leave it out with --exclude\n"
    assert (ran.code, ran.err) == (3, told)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]
    assert run(*asked(command, source, output_of(command, tmp_path), "--exclude", "odd.png")).code == 0


@pytest.mark.threat(30)
@pytest.mark.parametrize("option", ["SOURCE", "--group-by"])
def test_a_table_that_is_a_pipe_is_refused_and_not_waited_for(
    run: Run, source: Path, tmp_path: Path, option: str
) -> None:
    pipe = tmp_path / "list.csv"
    os.mkfifo(pipe)
    ran = run("augment", pipe, "-n") if option == "SOURCE" else run("augment", source, "-n", option, pipe)
    assert (ran.code, ran.err) == (3, f"rebalance: error: {pipe}: cannot be read: not a regular file\n")


@pytest.mark.threat(27, 28, 29)
@pytest.mark.parametrize("command", COMMANDS)
def test_links_are_followed_only_where_asked_for_and_never_out_of_the_source(
    run: Run, source: Path, tmp_path: Path, command: str
) -> None:
    write_image(tmp_path / "secret.png", 9)
    for name, target in (("cat/in.png", "000.png"), ("cat/out.png", tmp_path / "secret.png"), ("cat/loop", "..")):
        (source / name).symlink_to(target)
    output = output_of(command, tmp_path)
    ran = run(*asked(command, source, output))
    assert (ran.code, "'cat/in.png' is a symbolic link" in ran.err, "and 2 more" in ran.err) == (3, True, True), ran.err
    ran = run(*asked(command, source, output, "--symlinks", "follow"))
    assert (ran.code, "'cat/loop' is a symbolic link out of SOURCE (and 1 more" in ran.err) == (3, True), ran.err
    assert (
        run(*asked(command, source, output, "--symlinks", "follow", "--exclude", "loop", "--exclude", "out.png")).code
        == 0
    )


# What holds nothing


@pytest.mark.threat(21)
@pytest.mark.parametrize("command", TREES)
def test_a_class_without_images_is_refused_by_name(run: Run, source: Path, tmp_path: Path, command: str) -> None:
    (source / "fox").mkdir()
    ran = run(*asked(command, source, tmp_path / "out"))
    told = "rebalance: error: class 'fox' has no images: add some, remove the folder, or --exclude 'fox'\n"
    assert (ran.code, ran.err) == (3, told)
    assert run(*asked(command, source, tmp_path / "out", "--exclude", "fox")).code == 0


@pytest.mark.threat(21)
@pytest.mark.parametrize("command", TREES)
def test_a_source_without_classes_is_refused(run: Run, tmp_path: Path, command: str) -> None:
    (tmp_path / "source").mkdir()
    ran = run(*asked(command, tmp_path / "source", tmp_path / "out"))
    assert (ran.code, ran.err) == (3, "rebalance: error: the source has no class folders with images\n")


@pytest.mark.threat(21)
@pytest.mark.parametrize("command", [("embed", "-o", "v.npz"), ("inspect", "--neighbors"), ("probe",)])
def test_of_no_images_there_is_nothing_to_embed(run: Run, tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "source").mkdir()
    name, *options = (text.replace("v.npz", str(tmp_path / "v.npz")) for text in command)
    assert run(name, tmp_path / "source", *options).code == 3


# What may not be read


@pytest.mark.threat(31)
@pytest.mark.parametrize("command", COMMANDS)
def test_every_file_that_may_not_be_read_is_named(source: Path, tmp_path: Path, command: str) -> None:
    for name in ("cat/001.png", "dog/000.png", "owl/003.png"):
        (source / name).chmod(0)
    everything_kept = ["-s", "7"] if command == "undersample" else []
    ran = run_without_powers(*asked(command, source, output_of(command, tmp_path), *everything_kept, "-q"))
    assert ran.returncode == 4, ran.stderr
    assert ran.stderr.splitlines()[:3] == [
        "rebalance: bad image: 'cat/001.png': permission denied",
        "rebalance: bad image: 'dog/000.png': permission denied",
        "rebalance: bad image: 'owl/003.png': permission denied",
    ]
    assert "3 images of SOURCE cannot be" in ran.stderr
    assert not output_of(command, tmp_path).exists()


@pytest.mark.threat(31)
@pytest.mark.parametrize("mode", [0, 0o111, 0o444])
def test_every_folder_that_may_not_be_read_is_named(source: Path, tmp_path: Path, mode: int) -> None:
    for name in ("cat", "owl"):
        (source / name).chmod(mode)
    closed = "is a folder that cannot be read: Permission denied"
    told = f"'cat' {closed} (and 1 more, listed by `rebalance inspect`): mend it, or leave it out with --exclude"
    for command in COMMANDS if not mode else ("augment",):
        ran = run_without_powers(*asked(command, source, output_of(command, tmp_path), "--bad-images", "skip"))
        assert (ran.returncode, ran.stderr) == (3, f"rebalance: error: {told}\n")
    ran = run_without_powers("inspect", source)
    assert ran.returncode == 3
    assert [line for line in ran.stdout.splitlines() if "problem" in line] == [
        f"problem: cat: {closed}", f"problem: owl: {closed}",
    ]  # fmt: skip
    ran = run_without_powers(*asked("augment", source, tmp_path / "out", "--exclude", "cat", "--exclude", "owl"))
    assert ran.returncode == 0
    for name in ("cat", "owl"):
        (source / name).chmod(0o755)


@pytest.mark.threat(31)
def test_a_source_that_may_not_be_entered_is_named(source: Path, tmp_path: Path) -> None:
    source.chmod(0)
    ran = run_without_powers("augment", source, "-o", tmp_path / "out")
    source.chmod(0o755)
    assert (ran.returncode, ran.stderr) == (3, f"rebalance: error: {source}: cannot be read: Permission denied\n")


# What is another file by the time it is read


def other_image(victim: Path) -> None:
    """Put another file of the same size and age in its place."""
    status = victim.stat()
    other = victim.parents[2] / "other"
    other.write_bytes(bytes(status.st_size))
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(victim)


def link_elsewhere(victim: Path) -> None:
    victim.unlink()
    victim.symlink_to("001.png")


def pipe(victim: Path) -> None:
    victim.unlink()
    os.mkfifo(victim)


def folder(victim: Path) -> None:
    victim.unlink()
    victim.mkdir()


def longer(victim: Path) -> None:
    with victim.open("ab") as file:
        file.write(b"more")


_CHANGED = "was changed while it was used; run again to start from what it is now"
_SWAPS: dict[str, tuple[Callable[[Path], object], str]] = {
    "other file": (other_image, _CHANGED),
    "longer file": (longer, _CHANGED),
    "link": (link_elsewhere, _CHANGED),
    "pipe": (pipe, _CHANGED),
    "folder": (folder, "cannot be read: Is a directory; run again to resume"),
    "nothing": (Path.unlink, "vanished while it was used; run again to resume"),
}


@pytest.mark.threat(32, 61)
@pytest.mark.parametrize("kind", _SWAPS)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_that_is_another_one_when_it_is_read_ends_the_run(
    run: Run, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, kind: str
) -> None:
    victim, (swap, told) = source / "dog" / "000.png", _SWAPS[kind]
    between(monkeypatch, command, lambda: swap(victim))
    ran = run(*asked(command, source, output_of(command, tmp_path), "-q"))
    assert (ran.code, ran.err) == (7, f"rebalance: error: {victim}: {told}\n")
    assert not output_of(command, tmp_path).exists()


def between(monkeypatch: pytest.MonkeyPatch, command: str, happen: Callable[[], object]) -> None:
    """Let something happen once, after the plan and before a source is read."""
    where, name = (embed, "describe_images") if command == "embed" else (staging, "claim_staging")
    go_on = getattr(where, name)

    def happen_and_go_on(*arguments: object, **settings: object) -> object:
        monkeypatch.undo()
        happen()
        return go_on(*arguments, **settings)

    monkeypatch.setattr(where, name, happen_and_go_on)


@pytest.mark.threat(62)
@pytest.mark.parametrize("command", COMMANDS)
def test_files_that_are_added_meanwhile_are_left_for_the_next_run(
    run: Run, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    output, plain = output_of(command, tmp_path), output_of(command, tmp_path, "plain")
    assert run(*asked(command, source, plain)).code == 0

    def add() -> None:
        write_image(source / "dog" / "new.png", 77)
        write_image(source / "fox" / "new.png", 78)

    between(monkeypatch, command, add)
    ran = run(*asked(command, source, output))
    assert ran.code == 0, ran.err
    if command == "embed":
        assert output.read_bytes() == plain.read_bytes()
    else:
        assert contents(output) == contents(plain)
        assert "2 images were added to SOURCE meanwhile and are not in OUTPUT: 'dog/new.png' first\n" in ran.err
    assert run(*asked(command, source, output)).code == 5
