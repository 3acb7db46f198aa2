import os
from pathlib import Path

import pytest

from rebalance.dataset import ImageFile, Stamp
from rebalance.errors import LockedError, OutputRefusedError, StorageError
from rebalance.finished import Finished, Written
from rebalance.storage.beside import lock_path, staging_path
from rebalance.storage.journal import Journal
from rebalance.storage.lock import exclusive_lock
from rebalance.storage.publish import publish
from rebalance.storage.staging import claim_staging
from rebalance.storage.transfer import StagedTree, read_source


def finished(output: str, n_bytes: int = 3) -> Finished:
    written = Written(
        output, "c", "augmented", "c/a.png", "12", "34", n_bytes, 5, 6, "L", "PNG", 1, values={"rotation": 0.5}
    )
    return Finished(written, "key of it", Stamp(1, 2, 3, 4))


def stamped(path: Path, name: str) -> ImageFile:
    status = path.stat()
    return ImageFile(name, Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino))


@pytest.fixture
def output(tmp_path: Path) -> bytes:
    return bytes(tmp_path / "out")


@pytest.fixture
def staged(tmp_path: Path) -> StagedTree:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tmp").mkdir()
    return StagedTree(bytes(tmp_path / "tree"), bytes(tmp_path / "tmp"))


def test_a_journal_gives_back_the_latest_row_of_each_output(tmp_path: Path) -> None:
    journal = Journal(bytes(tmp_path / "journal"))
    for row in (finished("c/1.png"), finished("c/\udce9.png"), finished("c/1.png", n_bytes=9)):
        journal.append(row, "boot")
    journal.close()
    again = Journal(bytes(tmp_path / "journal"))
    assert again.find("c/1.png") == (finished("c/1.png", n_bytes=9), "boot")
    assert again.find("c/\udce9.png") == (finished("c/\udce9.png"), "boot")
    assert again.find("c/2.png") is None


@pytest.mark.parametrize("spoilt", [b'{"path": "c/3', b"\0\0\0\0", b"\0\0\0\n", b"[]\n", b"{}\n"])
def test_a_journal_ends_before_the_first_spoilt_row(tmp_path: Path, spoilt: bytes) -> None:
    path = tmp_path / "journal"
    journal = Journal(bytes(path))
    journal.append(finished("c/1.png"), "boot")
    journal.close()
    path.write_bytes(path.read_bytes() + spoilt)
    again = Journal(bytes(path))
    again.append(finished("c/2.png"), "boot")
    again.close()
    last = Journal(bytes(path))
    assert last.find("c/1.png") is not None
    assert last.find("c/2.png") is not None


def test_a_file_is_put_whole_and_leaves_nothing_behind(tmp_path: Path, staged: StagedTree) -> None:
    staged.put("c/1.png", b"abc")
    staged.put("c/1.png", b"abcd")
    assert (tmp_path / "tree" / "c" / "1.png").read_bytes() == b"abcd"
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.threat(70)
def test_new_files_have_the_mode_that_the_umask_leaves(tmp_path: Path, staged: StagedTree) -> None:
    before = os.umask(0o027)
    try:
        staged.put("c/1.png", b"abc")
    finally:
        os.umask(before)
    assert (tmp_path / "tree" / "c" / "1.png").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("link", ["auto", "copy", "hardlink", "symlink"])
def test_an_original_is_carried_over_as_asked(tmp_path: Path, staged: StagedTree, link: str) -> None:
    source = tmp_path / "c" / "a.png"
    source.parent.mkdir()
    source.write_bytes(b"original")
    tree = StagedTree(staged.tree, staged.temporary, link)
    for _again in range(2):
        tree.carry(read_source(bytes(tmp_path), stamped(source, "c/a.png")), "c/a.png")
    carried = tmp_path / "tree" / "c" / "a.png"
    assert carried.read_bytes() == b"original"
    assert carried.is_symlink() == (link == "symlink")
    assert carried.samefile(source) == (link in ("hardlink", "symlink"))
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.threat(32)
def test_a_source_that_was_changed_since_it_was_scanned_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"abc")
    image = stamped(path, "a.png")
    path.write_bytes(b"abcd")
    with pytest.raises(StorageError, match="was changed while it was used"):
        read_source(bytes(tmp_path), image)
    path.unlink()
    with pytest.raises(StorageError, match="vanished"):
        read_source(bytes(tmp_path), image)
    path.symlink_to("/etc/passwd")
    with pytest.raises(StorageError, match="was changed"):
        read_source(bytes(tmp_path), image)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(StorageError, match="was changed"):
        read_source(bytes(tmp_path), image)


def test_the_lock_is_held_once_and_removed(output: bytes) -> None:
    with exclusive_lock(lock_path(output)):
        with pytest.raises(LockedError, match=f"process {os.getpid()}"), exclusive_lock(lock_path(output)):
            pass
        assert os.path.exists(lock_path(output))
    assert not os.path.exists(lock_path(output))


def test_a_lock_file_without_holder_stops_nobody(output: bytes) -> None:
    with open(lock_path(output), "w") as file:
        file.write("1")
    with exclusive_lock(lock_path(output)):
        pass


def test_staging_is_hidden_beside_the_output_and_taken_over(output: bytes) -> None:
    first = claim_staging(output)
    first.for_workers("auto").put("c/1.png", b"abc")
    first.journal.append(finished("c/1.png"), "boot")
    first.journal.close()
    second = claim_staging(output)
    assert second.folder == staging_path(output)
    assert os.path.basename(second.folder).startswith(b".")
    assert second.holds("c/1.png", 3)
    assert not second.holds("c/1.png", 4)
    assert second.journal.find("c/1.png") is not None
    second.remove()
    assert not os.path.exists(second.folder)


def test_staging_whose_tree_was_exchanged_is_begun_anew(output: bytes) -> None:
    """A publication that was cut short leaves the replaced OUTPUT where the staged tree was."""
    first = claim_staging(output)
    first.for_workers("auto").put("c/1.png", b"abc")
    first.journal.append(finished("c/1.png"), "boot")
    first.journal.close()
    os.makedirs(os.path.join(output, b"old"))
    publish(first.tree, output, is_replacing=True)
    second = claim_staging(output)
    assert second.journal.find("c/1.png") is None
    assert os.listdir(second.tree) == []
    assert os.path.exists(os.path.join(output, b"c/1.png"))


@pytest.mark.threat(8)
@pytest.mark.parametrize("kind", ["file", "link", "folder of someone else"])
def test_what_is_in_the_way_of_the_staging_is_left_alone(output: bytes, kind: str, tmp_path: Path) -> None:
    path = Path(os.fsdecode(staging_path(output)))
    if kind == "file":
        path.write_text("mine")
    elif kind == "link":
        path.symlink_to(tmp_path)
    else:
        path.mkdir()
        (path / "diary").write_text("mine")
    with pytest.raises(OutputRefusedError, match="is in the way and not of our making"):
        claim_staging(output)
    assert os.path.lexists(path)


def test_settling_deletes_what_was_not_asked_for_and_misses_what_is_gone(output: bytes) -> None:
    staging = claim_staging(output)
    for name in ("c/1.png", "c/2.png", "c/d/1.png", "d/1.png"):
        staging.for_workers("auto").put(name, b"abc")
    staging.settle_directories(["c"])
    assert staging.settle("c", lambda: ["c/1.png"]) == 1
    assert os.listdir(staging.tree) == [b"c"]
    assert os.listdir(os.path.join(staging.tree, b"c")) == [b"1.png"]
    with pytest.raises(StorageError, match=r"c/9\.png: is gone"):
        staging.settle("c", lambda: ["c/1.png", "c/9.png"])


def test_publishing_replaces_nothing_by_accident(output: bytes) -> None:
    staging = claim_staging(output)
    os.mkdir(output)
    with pytest.raises(OutputRefusedError, match="is there already"):
        publish(staging.tree, output, is_replacing=False)
    assert os.listdir(output) == []


@pytest.mark.threat(10)
def test_names_beside_a_long_output_fit(tmp_path: Path) -> None:
    for path in (staging_path(bytes(tmp_path / ("x" * 255))), lock_path(bytes(tmp_path / ("x" * 255)))):
        assert len(os.path.basename(path)) <= 255
