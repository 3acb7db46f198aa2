"""Names of classes and files: any bytes there are, those that lead elsewhere, and those that a disk does not take."""

import csv
import io
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Ran, Run, counts_of, everything, manifest_rows, write_image
from tests.faults.commands import COMMANDS, TREES, asked, output_of
from tests.faults.machine import need, need_programs, need_root

_ODD = (
    b"-rf", b"it's \"x\" & `$(y)`; *?", b"two\nlines", b"tab\there", b"bell\x07", b"\x1b[31mred\x1b]0;title\x07",
    b"\xc2\x9b31m", b"caf\xe9", "漢字 é e\u0301 😀".encode(), b"=1+1",
)  # fmt: skip
"""Options to a shell, quotes, what moves a cursor or sets a title, bytes that are not UTF-8, a formula."""


@pytest.fixture
def odd(source: Path) -> Path:
    """The source, and in it a class of each odd name and a file of each odd name."""
    image = (source / "cat" / "000.png").read_bytes()
    for name in _ODD:
        folder = os.path.join(os.fsencode(source), name)
        os.mkdir(folder)
        for path in (os.path.join(folder, b"1.png"), os.path.join(os.fsencode(source), b"owl", name + b".png")):
            with open(path, "wb") as file:
                file.write(image)
    return source


def check_nothing_moves_a_terminal(ran: Ran) -> None:
    told = ran.out + ran.err
    assert [hex(ord(letter)) for letter in told if letter != "\n" and not letter.isprintable()] == []


# What is printed


@pytest.mark.threat(13, 17)
@pytest.mark.parametrize("command", COMMANDS)
def test_names_of_any_bytes_are_kept_and_never_reach_a_terminal(
    run: Run, odd: Path, tmp_path: Path, command: str
) -> None:
    before = everything(odd)
    output = output_of(command, tmp_path)
    ran = run(*asked(command, odd, output))
    assert ran.code == 0, ran.err
    check_nothing_moves_a_terminal(ran)
    again = run(*asked(command, odd, output))
    assert "up to date" in again.err
    check_nothing_moves_a_terminal(again)
    assert everything(odd) == before
    if command == "embed":
        with np.load(output) as file:
            assert "caf\udce9/1.png" in file["paths"].tolist()
        return
    assert set(os.listdir(os.fsencode(output))) == {b"cat", b"dog", b"owl", b"rebalance.jsonl", *_ODD}
    ran = run("verify", output, "--source", odd)
    assert ran.code == 0, ran.out
    check_nothing_moves_a_terminal(ran)


@pytest.mark.threat(13, 17)
@pytest.mark.parametrize("report", ["text", "csv", "json"])
@pytest.mark.parametrize(
    "command", [("inspect", "--check"), ("inspect", "--neighbors"), *((name, "-n") for name in TREES)]
)
def test_no_report_moves_a_terminal(run: Run, odd: Path, command: tuple[str, ...], report: str) -> None:
    (odd / "dog" / "\x1b[2J.png").write_bytes(b"")
    (odd / "dog" / "\x1b[2J").mkdir()
    (odd / "\x1b[2J.txt").write_text("")
    name, *options = command
    excluded = [] if name == "inspect" else ["--exclude", "\x1b*"]
    ran = run(name, odd, *options, *excluded, "--format", report)
    assert ran.code == (3 if name == "inspect" else 0), ran.err
    check_nothing_moves_a_terminal(ran)
    if report == "csv":
        assert {len(row) for row in csv.reader(io.StringIO(ran.out))} == {ran.out.split("\n")[0].count(",") + 1}
    elif report == "json":
        json.loads(ran.out)


@pytest.mark.threat(13)
@pytest.mark.parametrize("command", COMMANDS)
def test_paths_that_are_given_are_printed_as_harmlessly(run: Run, source: Path, tmp_path: Path, command: str) -> None:
    odd, output = tmp_path / "\x1b[31m\x07\nsource", output_of(command, tmp_path, "\x1b[31m\x07\nout")
    codes = [run(*asked(command, odd, output))]
    source.rename(odd)
    codes += [run(*asked(command, odd, output)), run(*asked(command, odd, output)), run("inspect", odd)]
    shutil.copy(odd / "cat" / "000.png", odd / "cat" / "\x1b[2J.png")
    codes += [run(*asked(command, odd, output)), run(*asked(command, odd, odd / output.name))]
    (odd / "cat" / "\x1b[2J.png").write_bytes(b"")
    codes += [run("inspect", odd, "--check")]
    assert [ran.code for ran in codes] == [3, 0, 0, 0, 5, 5, 4]
    for ran in codes:
        check_nothing_moves_a_terminal(ran)


@pytest.mark.threat(13)
def test_why_a_row_of_a_list_is_not_taken_is_printed_as_harmlessly(run: Run, source: Path, tmp_path: Path) -> None:
    images = source.rename(tmp_path / "bell\x07")
    (tmp_path / "list.csv").write_text("path,label\ngone.png,cat\n")
    ran = run("inspect", tmp_path / "list.csv", "--images", images)
    assert (ran.code, "bell\\x07: No such file or directory" in ran.out) == (3, True), ran.out
    check_nothing_moves_a_terminal(ran)


@pytest.mark.threat(13, 17)
def test_json_gives_every_name_back(run: Run, odd: Path) -> None:
    report = run("augment", odd, "-n", "--format", "json").document
    names = {entry["name"] for entry in report["classes"] if isinstance(entry["name"], str)}
    assert {os.fsdecode(name) for name in _ODD} - names == {"caf\udce9"}
    assert {"b64": "Y2Fm6Q=="} in [entry["name"] for entry in report["classes"]]


# Names that lead elsewhere


@pytest.fixture
def listed(source: Path, tmp_path: Path) -> Path:
    """A list of the source's images, and beside the source an image that is not in it."""
    write_image(tmp_path / "secret.png", 99)
    names = sorted(path.relative_to(source) for path in source.rglob("*.png"))
    path = tmp_path / "list.csv"
    path.write_text("path,label\n" + "".join(f"{name},{name.parent}\n" for name in names))
    return path


@pytest.mark.threat(14)
@pytest.mark.parametrize("label", ["..", ".", "/abs", "cat/inner", "../cat", ".hidden", "", " ", "c\0t", "é" * 128])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_label_that_is_no_name_of_a_folder_is_refused(
    run: Run, source: Path, listed: Path, tmp_path: Path, command: str, label: str
) -> None:
    write_image(source / "one.png", 50)
    listed.write_text(listed.read_text() + f"one.png,{label}\n")
    before = everything(tmp_path)
    ran = run(*asked(command, listed, output_of(command, tmp_path), "--images", source))
    assert (ran.code, ran.err.count("\n")) == (3, 1)
    assert ran.err.startswith(f"rebalance: error: {listed}: line 15: ")
    check_nothing_moves_a_terminal(ran)
    assert everything(tmp_path) == before


@pytest.mark.threat(14)
@pytest.mark.parametrize("path", ["../secret.png", "cat/../../secret.png", "{top}/secret.png", ".", "..", ""])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_row_that_leads_out_of_the_images_is_refused(
    run: Run, source: Path, listed: Path, tmp_path: Path, command: str, path: str
) -> None:
    listed.write_text(listed.read_text() + f"{path.format(top=tmp_path)},cat\n")
    ran = run(*asked(command, listed, output_of(command, tmp_path), "--images", source))
    assert (ran.code, ran.err.count("\n")) == (3, 1)
    assert f"{listed}: line 15: " in ran.err


_ELSEWHERE = ("../secret.png", "/etc/passwd", ".", "..", "cat/../../secret.png")


@pytest.mark.threat(14)
def test_rows_of_groups_that_lead_elsewhere_add_nothing(run: Run, source: Path, listed: Path, tmp_path: Path) -> None:
    rows = listed.read_text().replace("path,label", "path,group")
    listed.write_text(rows + "".join(f"{path},elsewhere\n" for path in _ELSEWHERE))
    assert run("undersample", source, "-o", tmp_path / "out", "--group-by", listed).code == 0
    assert {row["group"] for row in manifest_rows(tmp_path / "out")} == {"cat", "dog", "owl"}
    assert "secret" not in (tmp_path / "out" / "rebalance.jsonl").read_text()


@pytest.mark.threat(14)
@pytest.mark.parametrize("command", [("undersample", "--method", "spread"), ("smote", "--render", "blend")])
def test_vectors_of_what_lies_elsewhere_add_nothing(
    run: Run, source: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    write_image(tmp_path / "secret.png", 99)
    names = sorted(str(path.relative_to(source)) for path in source.rglob("*.png"))
    rows = np.eye(len(names) + len(_ELSEWHERE), 8, dtype=np.float32) + np.float32(0.5)
    np.savez(tmp_path / "v.npz", paths=np.array([*names, *_ELSEWHERE]), vectors=rows)
    name, *options = command
    ran = run(name, source, "-o", tmp_path / "out", *options, "--embeddings", tmp_path / "v.npz")
    assert ran.code == 0, ran.err
    assert {row["source"] for row in manifest_rows(tmp_path / "out")} == set(names)
    np.savez(tmp_path / "v.npz", paths=np.array([*_ELSEWHERE, *names[5:]]), vectors=rows[: len(names)])
    ran = run(name, source, "-o", tmp_path / "other", *options, "--embeddings", tmp_path / "v.npz")
    assert (ran.code, "has no vector for 5 of the 13 images" in ran.err) == (3, True), ran.err


@pytest.mark.threat(14, 16)
@pytest.mark.parametrize(("name", "told"), [("Cat", "did you mean 'cat'?"), ("..", "'..'"), ("/etc", "'/etc'")])
def test_a_class_that_is_not_there_is_not_looked_for(
    run: Run, source: Path, tmp_path: Path, name: str, told: str
) -> None:
    config = tmp_path / "own.toml"
    config.write_text(f"[augment.class.'{name}']\nrotation_range = 5\n")
    for asking in (["-s", f"{name}=9"], ["--config", config]):
        ran = run("augment", source, "-o", tmp_path / "out", *asking)
        assert (ran.code, told in ran.err, ran.err.count("\n")) == (2, True, 1), ran.err
        assert not (tmp_path / "out").exists()


# Names that a disk does not take


@pytest.fixture
def windows(tmp_path: Path) -> Iterator[Path]:
    """A disk as Windows has it: it ignores case, and takes no name that Windows does not take."""
    need_root()
    need_programs("mkfs.ntfs", "lowntfs-3g")
    disk, folder = tmp_path / "disk", tmp_path / "windows"
    folder.mkdir()
    with disk.open("wb") as file:
        file.truncate(16 * 2**20)
    subprocess.run(["mkfs.ntfs", "-Q", "-F", "-q", str(disk)], check=True, capture_output=True)
    mount = ["lowntfs-3g", "-o", "ignore_case,windows_names", str(disk), str(folder)]
    mounted = subprocess.run(mount, check=False, capture_output=True, text=True)
    need(not mounted.returncode, f"a mount of NTFS: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.threat(15)
@pytest.mark.parametrize("command", TREES)
def test_a_disk_that_ignores_case_gets_no_two_names_that_it_takes_for_one(
    run: Run, source: Path, windows: Path, command: str
) -> None:
    assert run(*asked(command, source, windows / "plain")).code == 0
    for name in ("Cat/1.png", "owl/a.png", "owl/A.png"):
        write_image(source / name, 9)
    ran = run(*asked(command, source, windows / "out", "-q"))
    assert (ran.code, ran.err.count("\n")) == (3, 1), ran.err
    assert ran.err.startswith("rebalance: error: 'Cat' and 'cat'")
    assert ran.err.endswith(" one name on the disk of OUTPUT: rename one of them\n")
    assert not (windows / "out").exists()
    ran = run(*asked(command, source, windows / "out", "-q", "--exclude", "Cat", "-s", "9"))
    assert (ran.code, "'owl/A.png' and 'owl/a.png' are one name" in ran.err) == (3, True), ran.err


@pytest.mark.threat(15)
@pytest.mark.parametrize("command", TREES)
def test_a_disk_that_tells_them_apart_gets_both_and_a_warning(
    run: Run, source: Path, tmp_path: Path, command: str
) -> None:
    for name in ("Cat/1.png", "Straße/1.png", "STRASSE/1.png", "é/1.png", "e\u0301/1.png"):
        write_image(source / name, 9)
    ran = run(*asked(command, source, tmp_path / "out"))
    assert (ran.code, "are one name on a disk that ignores case or Unicode form" in ran.err) == (0, True), ran.err
    assert len(counts_of(tmp_path / "out")) == 8


@pytest.mark.threat(12)
def test_names_that_the_disk_of_output_does_not_take_are_all_named_before_any_work(
    run: Run, source: Path, windows: Path
) -> None:
    for name in ("dog/con.jpg", "dog/a:b.png", "owl/what?.png", "aux/1.png"):
        write_image(source / name, 9)
    ran = run("augment", source, "-o", windows / "out", "-q")
    assert ran.code == 3, ran.err
    assert all(repr(name) in ran.err for name in ("dog/con.jpg", "dog/a:b.png", "owl/what?.png", "aux"))
    assert not (windows / "out").exists()


@pytest.mark.threat(12)
@pytest.mark.parametrize("command", TREES)
def test_a_name_that_the_disk_of_output_does_not_take_publishes_nothing(
    run: Run, untouched: Path, windows: Path, command: str
) -> None:
    shutil.copy(untouched / "cat" / "000.png", windows.parent / "copy.png")
    source = windows.parent / "odd"
    shutil.copytree(untouched, source)
    shutil.copy(windows.parent / "copy.png", source / "dog" / "a:b.png")
    ran = run(*asked(command, source, windows / "out", "-q"))
    assert (ran.code, ran.err.count("\n")) == (3, 1), ran.err
    assert not (windows / "out").exists()
    assert run(*asked(command, source, windows / "out", "-q", "--exclude", "a:b.png")).code == 0


@pytest.mark.threat(18)
@pytest.mark.parametrize("name", ["con/1.png", "cat/aux.png", "cat /1.png", "cat./1.png", "cat/a:b.png"])
def test_a_name_that_windows_does_not_take_is_noted_and_kept(run: Run, source: Path, tmp_path: Path, name: str) -> None:
    write_image(source / name, 9)
    folder, _, _ = name.partition("/")
    told = repr(name if folder == "cat" else folder)
    for ran in (run("inspect", source), run("augment", source, "-o", tmp_path / "out")):
        assert ran.code == 0
        assert f"note: {told} is no legal name on Windows\n" in ran.err
    assert (tmp_path / "out" / name).exists()
