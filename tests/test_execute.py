"""What may happen to a run from outside while it is at work."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from PIL import Image

from rebalance.storage import publish
from rebalance.storage.space import Room
from rebalance.storage.staging import Staging
from tests.conftest import Run, contents, counts_of, manifest_rows, run_without_powers, write_image


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def interrupted(run: Run, source: Path, output: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Leave a staging that only lacks its publication."""
    with monkeypatch.context() as patched:
        patched.setattr("rebalance.storage.staging.publish", _failing)
        assert run("augment", source, "-o", output).code == 7
    assert not output.exists()
    return output.parent / ".out.rebalance"


def _failing(*_arguments: object, **_settings: object) -> None:
    raise OSError(28, "No space left on device")


def test_what_is_staged_is_reused(run: Run, source: Path, output: Path, interrupted: Path) -> None:
    ran = run("augment", source, "-o", output)
    assert ran.code == 0
    assert "reused 21 of 21" in ran.err
    assert not interrupted.exists()
    assert run("verify", output, "--source", source).code == 0


@pytest.mark.parametrize("kind", ["labels", "vectors"])
def test_what_is_noted_of_a_file_is_counted_once(run: Run, source: Path, output: Path, kind: str) -> None:
    """Beside both OUTPUTs stands a table of their files, for which these are looked through once more."""
    (source / "dog" / "000.png").unlink()
    Image.new("CMYK", (24, 20), 77).save(source / "dog" / "000.jpg")
    more = {"labels": ("augment", "--labels", "folders"), "vectors": ("smote", "--write", "both")}
    command, *asked = more[kind]
    ran = run(command, source, "-o", output, *asked, "--originals", "reencode")
    assert ran.code == 0, ran.err
    written = [row["path"] for row in manifest_rows(output) if row.get("note") == "mode CMYK became RGB"]
    assert len(written) > 1
    assert f"note: {len(written)} files: mode CMYK became RGB: {written[0]!r} first" in ran.err


@pytest.mark.threat(8)
def test_another_request_takes_over_what_it_can_use(run: Run, source: Path, output: Path, interrupted: Path) -> None:
    ran = run("augment", source, "-o", output, "-s", "6")
    assert "reused 19 of 19" in ran.err
    assert counts_of(output) == {"cat": 6, "dog": 6, "owl": 7}
    assert not interrupted.exists()


def test_other_values_are_drawn_anew(run: Run, source: Path, output: Path, interrupted: Path) -> None:
    ran = run("augment", source, "-o", output, "--rotation-range", "30")
    assert "reused 13 of 21" in ran.err
    assert run("augment", source, "-o", output.parent / "once", "--rotation-range", "30").code == 0
    assert contents(output) == contents(output.parent / "once")
    assert not interrupted.exists()


def test_a_row_of_the_journal_does_not_outlive_its_file(
    run: Run, source: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second run writes over the files of a first, and dies before it can say so; all files are of one size."""
    for path in source.rglob("*.png"):
        with Image.open(path) as image:
            image.save(path.with_suffix(".bmp"))
        path.unlink()
    with monkeypatch.context() as patched:
        patched.setattr("rebalance.storage.staging.publish", _failing)
        assert run("augment", source, "-o", output).code == 7
    with monkeypatch.context() as patched:
        patched.setattr("rebalance.storage.journal.Journal.append", _failing)
        assert run("augment", source, "-o", output, "--rotation-range", "30").code == 7
    assert run("augment", source, "-o", output).code == 0
    assert run("verify", output).code == 0


def test_what_another_policy_staged_is_looked_at_again(
    run: Run, source: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source / "owl" / "bad.png").write_bytes(b"garbage")
    (source / "owl" / "half.bmp").write_bytes(b"")
    write_image(source / "owl" / "half.bmp", 1)
    (source / "owl" / "half.bmp").write_bytes((source / "owl" / "half.bmp").read_bytes()[:700])
    with monkeypatch.context() as patched:
        patched.setattr("rebalance.storage.staging.publish", _failing)
        assert run("augment", source, "-o", output, "--bad-images", "carry").code == 7
    ran = run("augment", source, "-o", output)
    assert ran.code == 4
    assert "'owl/bad.png'" in ran.err
    (source / "owl" / "bad.png").unlink()
    with monkeypatch.context() as patched:
        patched.setattr("rebalance.storage.staging.publish", _failing)
        assert run("augment", source, "-o", output, "-s", "cat=5").code == 7
    assert run("augment", source, "-o", output, "-s", "cat=5", "--check", "full").code == 4


@pytest.mark.threat(9)
def test_after_another_boot_staged_files_are_hashed_again(
    run: Run, source: Path, output: Path, interrupted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut may have left blocks of zeros where the journal saw files."""
    victim = next((interrupted / "tree" / "dog").glob("*aug*"))
    victim.write_bytes(bytes(victim.stat().st_size))
    monkeypatch.setattr("rebalance.storage.staging.boot_id", lambda: "another boot")
    ran = run("augment", source, "-o", output)
    assert ran.code == 0
    assert "reused 20 of 21" in ran.err
    assert run("verify", output).code == 0


def test_a_staged_file_of_another_size_is_made_anew(run: Run, source: Path, output: Path, interrupted: Path) -> None:
    victim = next((interrupted / "tree" / "dog").glob("*aug*"))
    victim.write_bytes(b"x")
    assert "reused 20 of 21" in run("augment", source, "-o", output).err
    assert run("verify", output).code == 0


def test_a_source_that_changed_since_it_was_staged_is_made_anew(
    run: Run, source: Path, output: Path, interrupted: Path
) -> None:
    write_image(source / "dog" / "000.png", 555)
    ran = run("augment", source, "-o", output)
    assert ran.code == 0
    assert "reused 21" not in ran.err
    assert run("verify", output, "--source", source).code == 0
    assert run("augment", source, "-o", output.parent / "once").code == 0
    assert contents(output) == contents(output.parent / "once")
    assert not interrupted.exists()


def before_settling(monkeypatch: pytest.MonkeyPatch, happen: Callable[[Staging], None]) -> None:
    """Let something happen when every file is staged and none is published."""
    settle = Staging.settle_directories

    def happen_then_settle(staging: Staging, names: Iterable[str]) -> None:
        happen(staging)
        settle(staging, names)

    monkeypatch.setattr(Staging, "settle_directories", happen_then_settle)


def test_a_source_that_changes_while_it_is_used_ends_the_run(
    run: Run, source: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change(_staging: Staging) -> None:
        write_image(source / "dog" / "000.png", 555)

    before_settling(monkeypatch, change)
    ran = run("augment", source, "-o", output)
    assert ran.code == 7
    assert "'dog/000.png': was changed while OUTPUT was made from it" in ran.err
    assert not output.exists()


@pytest.mark.threat(62)
def test_images_that_are_added_meanwhile_are_warned_of(
    run: Run, source: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add(_staging: Staging) -> None:
        write_image(source / "dog" / "new.png", 555)

    before_settling(monkeypatch, add)
    ran = run("augment", source, "-o", output)
    assert ran.code == 0
    assert "1 images were added to SOURCE meanwhile and are not in OUTPUT: 'dog/new.png'" in ran.err
    assert run("verify", output).code == 0


def test_a_staged_file_that_someone_deletes_ends_the_run(
    run: Run, source: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def delete(staging: Staging) -> None:
        os.unlink(staging.tree + b"/dog/000.png")

    with monkeypatch.context() as patched:
        before_settling(patched, delete)
        ran = run("augment", source, "-o", output)
    assert ran.code == 7
    assert "is gone; something else deleted it" in ran.err
    assert not output.exists()
    assert run("augment", source, "-o", output).code == 0


def test_an_output_that_appears_meanwhile_is_left_alone(
    run: Run, source: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def appear(_staging: Staging) -> None:
        output.mkdir()

    before_settling(monkeypatch, appear)
    ran = run("augment", source, "-o", output)
    assert ran.code == 5
    assert list(output.iterdir()) == []


def test_a_signal_while_output_gets_its_name_comes_too_late(source: Path, output: Path) -> None:
    code = """
import os, signal, sys
import rebalance.storage.staging
from rebalance.__main__ import main
publish = rebalance.storage.staging.publish
def interrupted(*arguments, **settings):
    os.kill(os.getpid(), signal.SIGTERM)
    publish(*arguments, **settings)
    os.kill(os.getpid(), signal.SIGINT)
rebalance.storage.staging.publish = interrupted
if __name__ == "__main__":
    sys.argv[1:] = ["augment", sys.argv[1], "-o", sys.argv[2]]
    main()
"""
    script = output.parent / "interrupted.py"
    script.write_text(code)
    ran = subprocess.run(
        [sys.executable, str(script), str(source), str(output)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert output.exists()


def test_a_system_without_renameat2_publishes_all_the_same(
    run: Run, source: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "_renameat2", lambda *_arguments: 38)
    assert run("augment", source, "-o", output).code == 0
    assert run("augment", source, "-o", output, "--seed", "1", "--overwrite").code == 0
    assert run("verify", output).code == 0
    assert sorted(path.name for path in output.parent.iterdir()) == ["out", "source"]


@pytest.mark.threat(15)
def test_a_disk_that_ignores_case_refuses_names_that_it_would_merge(
    run: Run, source: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_image(source / "cat" / "A.png", 1)
    write_image(source / "cat" / "a.png", 2)
    monkeypatch.setattr(Staging, "tells_names_apart", lambda _staging: False)
    ran = run("augment", source, "-o", output)
    assert ran.code == 3
    assert "'cat/A.png' and 'cat/a.png' are one name on the disk of OUTPUT" in ran.err


@pytest.mark.threat(49)
@pytest.mark.parametrize(
    ("disk", "told"),
    [
        (
            "size=64k",
            "kB are free: make room, take a smaller target or another disk, and run again",
        ),
        (
            "nr_inodes=100",
            "180 more files are needed and the disk takes 9",
        ),
    ],
)
def test_a_disk_without_room_is_refused_before_any_work(source: Path, tmp_path: Path, disk: str, told: str) -> None:
    """A small file system, mounted in a namespace of its own; root is needed for that."""
    place = tmp_path / "disk"
    place.mkdir()
    mount, program = f'mount -t tmpfs -o {disk} none "$1"', '"$0" -m rebalance augment "$2" -o "$1/out" -s 60'
    script = f'{mount} && {program}; echo code $?; ls -A "$1"'
    command = ["unshare", "-m", "sh", "-c", script, sys.executable, str(place), str(source)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if "code" not in ran.stdout or "permission" in ran.stderr.lower():
        pytest.skip("cannot mount a file system here")
    assert "code 7" in ran.stdout
    assert ran.stdout.splitlines()[1:] == []  # neither OUTPUT nor lock nor staging
    assert told in ran.stderr.splitlines()[-1]


@pytest.mark.threat(49)
def test_what_is_staged_needs_no_more_room(
    run: Run, source: Path, output: Path, interrupted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rebalance.storage.staging.room_of", lambda folder: Room(folder, 0, 0, 4096))
    ran = run("augment", source, "-o", output.parent / "other")
    assert ran.code == 7
    assert "are needed and 0 bytes are free" in ran.err
    assert interrupted.exists()
    assert run("augment", source, "-o", output).code == 0


@pytest.mark.threat(31)
def test_a_file_that_may_not_be_read_is_a_bad_image(source: Path, tmp_path: Path) -> None:
    (source / "dog" / "001.png").chmod(0)
    ran = run_without_powers("augment", source, "-o", tmp_path / "out")
    assert ran.returncode == 4, ran.stderr
    assert "'dog/001.png': permission denied" in ran.stderr


def test_workers_that_cannot_be_started_are_said_so(
    run: Run, source: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("concurrent.futures.ProcessPoolExecutor.submit", refuse)
    ran = run("augment", source, "-o", output)
    assert ran.code == 8
    assert "a worker cannot be started: Resource temporarily unavailable" in ran.err


# Standard streams


@pytest.mark.threat(55, 56)
@pytest.mark.parametrize(
    ("arguments", "redirection", "code"),
    [
        ("inspect {source}", "| true", 141),
        ("inspect {source}", "> /dev/full", 7),
        ("augment {source} -n", "| true", 141),
        ("augment {source} -o {out}", "| true", 0),
        ("augment {source} -o {out}", "> /dev/full", 0),
        ("augment {source} -o {out}", ">&-", 0),
        ("augment {source} -o {out}", "2>&-", 0),
        ("augment {source} -o {out}", "2> /dev/full", 0),
        ("augment {source} -o {out}", "<&- >&- 2>&-", 0),
    ],
)
def test_nobody_has_to_listen(source: Path, output: Path, arguments: str, redirection: str, code: int) -> None:
    program = f'"{sys.executable}" -m rebalance {arguments.format(source=source, out=output)}'
    script = f"({program}; echo $? > code) {redirection}"
    subprocess.run(["sh", "-c", script], check=True, cwd=output.parent, capture_output=True)
    assert int((output.parent / "code").read_text()) == code
    assert output.exists() == ("-o" in arguments)
