import os
import socket
from pathlib import Path
from typing import Any

import pytest

from rebalance.errors import SourceTreeError
from rebalance.storage.held_back import find_held_back
from rebalance.storage.scan import find_images, is_image_name, raise_problems, scan
from tests.conftest import MakeTree, write_image


def reasons(source: Path, *, follow_symlinks: bool = False) -> dict[str, str]:
    return dict(scan(str(source), follow_symlinks=follow_symlinks).problems)


def test_classes_and_images_are_sorted_and_counted(source: Path) -> None:
    dataset = scan(str(source))
    assert dataset.class_counts == {"cat": 4, "dog": 2, "owl": 7}
    assert dataset.class_indices == {"cat": 0, "dog": 1, "owl": 2}
    assert dataset.imbalance_ratio == 3.5
    assert [image.path for image in dataset.classes[1].images] == ["dog/000.png", "dog/001.png"]


@pytest.mark.threat(72)
def test_the_order_of_the_directory_changes_nothing(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = scan(str(source))
    scandir = os.scandir

    class Reversed:
        def __init__(self, path: bytes) -> None:
            with scandir(path) as entries:
                self.entries = iter(sorted(entries, key=lambda entry: entry.name, reverse=True))

        def __enter__(self) -> "Reversed":
            return self

        def __exit__(self, *_error: object) -> None:
            pass

        def __iter__(self) -> "Reversed":
            return self

        def __next__(self) -> "os.DirEntry[bytes]":
            return next(self.entries)

    monkeypatch.setattr(os, "scandir", Reversed)
    assert scan(str(source)) == before


@pytest.mark.threat(20)
def test_hidden_and_foreign_entries_are_ignored_with_a_reason(source: Path) -> None:
    for name in (".DS_Store", "cat/._000.png", "cat/Thumbs.db", "notes.txt", "cat/.snakemake_timestamp"):
        (source / name).write_bytes(b"x")
    for name in (".ipynb_checkpoints", "__MACOSX", "@eaDir", "cat/.hidden"):
        (source / name).mkdir()
    dataset = scan(str(source))
    assert dataset.class_counts == {"cat": 4, "dog": 2, "owl": 7}
    assert not dataset.problems
    assert {remark.path: remark.reason for remark in dataset.ignored} == {
        ".DS_Store": "hidden", ".ipynb_checkpoints": "hidden", "@eaDir": "left by another program",
        "__MACOSX": "left by another program", "cat/.hidden": "hidden", "cat/._000.png": "hidden",
        "cat/.snakemake_timestamp": "hidden", "cat/Thumbs.db": "not an image by its name",
        "notes.txt": "not an image by its name",
    }  # fmt: skip


def test_what_is_excluded_is_not_looked_at(source: Path) -> None:
    (source / "cat" / "link.png").symlink_to("000.png")
    dataset = scan(str(source), exclude=("dog", "cat/link.png", "*3.png"))
    assert dataset.class_counts == {"cat": 3, "owl": 6}
    assert not dataset.problems


@pytest.mark.threat(27, 28, 29)
def test_links_are_problems(source: Path) -> None:
    (source / "cat" / "inside.png").symlink_to("000.png")
    (source / "cat" / "outside.png").symlink_to("/etc/passwd")
    (source / "dog2").symlink_to("dog")
    (source / "cat" / "loop").symlink_to("..")
    assert set(reasons(source)) == {"cat/inside.png", "cat/outside.png", "dog2", "cat/loop"}
    with pytest.raises(SourceTreeError, match=r"'cat/inside\.png' is a symbolic link .* \(and 3 more"):
        raise_problems(scan(str(source)))


@pytest.mark.threat(27, 28, 29)
def test_links_are_followed_only_to_what_lies_inside(source: Path) -> None:
    (source / "cat" / "inside.png").symlink_to("000.png")
    (source / "cat" / "outside.png").symlink_to("/etc/passwd")
    (source / "cat" / "nowhere.png").symlink_to("gone")
    (source / "dog2").symlink_to("dog")
    (source / "again").symlink_to(".")
    dataset = scan(str(source), follow_symlinks=True)
    assert dataset.class_counts == {"cat": 5, "dog": 2, "dog2": 2, "owl": 7}
    assert reasons(source, follow_symlinks=True) == {
        "again": "is a symbolic link out of SOURCE",
        "cat/nowhere.png": "is a symbolic link to nothing",
        "cat/outside.png": "is a symbolic link out of SOURCE",
    }


@pytest.mark.threat(30)
def test_pipes_sockets_and_devices_are_problems_and_never_opened(source: Path) -> None:
    os.mkfifo(source / "cat" / "pipe.png")
    with socket.socket(socket.AF_UNIX) as server:
        cwd = Path.cwd()
        os.chdir(source / "cat")
        server.bind("socket.png")
        os.chdir(cwd)
        assert reasons(source) == {
            "cat/pipe.png": "is not a regular file",
            "cat/socket.png": "is not a regular file",
        }


@pytest.mark.threat(19)
def test_images_beside_or_below_the_classes_are_problems(source: Path) -> None:
    write_image(source / "stray.png", 1)
    write_image(source / "cat" / "more" / "1.png", 1)
    assert set(reasons(source)) == {"stray.png", "cat/more"}


def test_a_class_with_the_name_of_the_manifest_is_a_problem(source: Path) -> None:
    write_image(source / "rebalance.jsonl" / "1.png", 1)
    assert reasons(source) == {"rebalance.jsonl": "is a folder with the name of the manifest"}


@pytest.mark.threat(26)
def test_hard_links_and_duplicates_count_as_two(source: Path) -> None:
    os.link(source / "cat" / "000.png", source / "cat" / "same.png")
    assert scan(str(source)).class_counts["cat"] == 5


@pytest.mark.threat(21)
def test_an_empty_class_is_seen(source: Path) -> None:
    (source / "empty").mkdir()
    assert scan(str(source)).class_counts["empty"] == 0
    assert scan(str(source)).imbalance_ratio is None


@pytest.mark.parametrize(
    "splits", [("train", "val"), ("Train", "valid", "test"), ("training", "validation", "holdout")]
)
def test_a_root_of_splits_is_answered_with_what_to_type(tmp_path: Path, splits: tuple[str, ...]) -> None:
    for split in splits:
        write_image(tmp_path / "data" / split / "cat" / "1.png", 1)
    with pytest.raises(SourceTreeError, match=rf"holds splits .* type .*data/{splits[0]} instead"):
        scan(str(tmp_path / "data"))


def test_a_class_that_is_called_test_is_a_class(make_tree: MakeTree) -> None:
    assert scan(str(make_tree({"train": 2, "test": 3}))).class_counts == {"test": 3, "train": 2}


@pytest.mark.threat(13, 17)
def test_names_of_any_bytes_survive(source: Path) -> None:
    for name in (b"caf\xe9.png", b"a\nb.png", b"-rf.png", b"\x1b[31mred.png", "漢😀.png".encode()):
        path = os.path.join(os.fsencode(source), b"cat", name)
        with open(path, "wb") as file:
            file.write(b"x")
    paths = [os.fsencode(image.path) for image in scan(str(source)).classes[0].images]
    assert paths == sorted(paths)
    assert b"cat/caf\xe9.png" in paths


@pytest.mark.parametrize("name", ["gone", "a file"])
def test_a_root_that_is_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "a file").write_text("x")
    with pytest.raises(SourceTreeError, match=r"no such folder|not a folder"):
        scan(str(tmp_path / name))


@pytest.fixture
def splits(tmp_path: Path) -> Path:
    for number, name in enumerate(("train/cat/1", "train/dog/2", "train/dog/3", "val/cat/4", "test/owl/5")):
        write_image(tmp_path / "data" / f"{name}.png", number)
    return tmp_path / "data"


def test_one_split_is_balanced_and_the_others_are_carried(splits: Path) -> None:
    dataset = scan(str(splits), split="train")
    assert dataset.class_counts == {"cat": 1, "dog": 2}
    assert dataset.split == "train"
    assert [image.path for image in dataset.images()] == [
        "train/cat/1.png", "train/dog/2.png", "train/dog/3.png", "test/owl/5.png", "val/cat/4.png",
    ]  # fmt: skip
    assert [folder.directory for folder in dataset.carried] == ["test/owl", "val/cat"]
    assert [folder.directory for folder in scan(str(splits), split="train", exclude=["test"]).carried] == ["val/cat"]


def test_a_split_that_is_not_there_is_answered_with_what_is_near(splits: Path) -> None:
    with pytest.raises(SourceTreeError, match=r"has no folder for --split 'trian'; did you mean 'train'\?"):
        scan(str(splits), split="trian")


def test_what_is_odd_in_any_split_is_listed(splits: Path) -> None:
    write_image(splits / "test" / "loose.png", 1)
    write_image(splits / "val" / "cat" / "deep" / "1.png", 1)
    write_image(splits / "alone.png", 1)
    problems = {path for path, _ in scan(str(splits), split="train").problems}
    assert problems == {"test/loose.png", "val/cat/deep", "alone.png"}


def test_validation_and_test_folders_beside_a_source_are_found(splits: Path) -> None:
    (splits / "notes").mkdir()
    (splits / "holdout").write_text("a file")
    assert find_held_back(str(splits / "train")) == ["../test", "../val"]
    assert find_held_back(str(splits / "val")) == ["../test"]
    assert find_held_back(str(splits)) == []
    assert find_held_back(str(splits / "train"), str(splits / "test")) == ["../val"]


def test_so_are_those_beside_a_link_to_it(splits: Path, tmp_path: Path) -> None:
    (tmp_path / "other" / "val").mkdir(parents=True)
    (tmp_path / "other" / "test").symlink_to(splits / "test")
    (tmp_path / "other" / "train").symlink_to(splits / "train")
    found = find_held_back(str(tmp_path / "other" / "train"))
    assert found == ["../test", "../val", str(tmp_path / "other" / "val")]


def test_images_of_a_folder_are_found_however_deep(splits: Path) -> None:
    (splits / "val" / ".hidden").mkdir()
    write_image(splits / "val" / ".hidden" / "1.png", 1)
    write_image(splits / "val" / "a" / "b" / "deep.png", 1)
    (splits / "val" / "notes.txt").write_text("x")
    os.mkfifo(splits / "val" / "pipe.png")
    (splits / "val" / "gone.png").symlink_to("nowhere")
    found = find_images(os.fsencode(splits / "val"))
    assert [one if isinstance(one, str) else one.path for one in found] == ["a/b/deep.png", "cat/4.png", "gone.png"]


@pytest.mark.parametrize(
    ("name", "is_image"),
    [
        ("a.jpg", True), ("a.b.JPG", True), ("a", False), (".jpg", False), ("a/.jpg", False), ("a.jpg/b", False),
        ("a.", False),
    ],
)  # fmt: skip
def test_an_image_is_told_by_its_suffix(name: str, is_image: bool) -> None:  # noqa: FBT001
    assert is_image_name(name) == is_image


@pytest.mark.parametrize("settings", [{}, {"exclude": ("*1.png", "b/two.JPG")}, {"follow_symlinks": True}])
def test_counting_finds_what_looking_finds(tmp_path: Path, settings: dict[str, Any]) -> None:
    source = tmp_path / "source"
    for folder, names in {
        "a": ("1.jpg", "2.JPG", "3.png", "10.jpg"),
        "b": ("two.JPG", "1.png", "x.jpeg", ".hidden.jpg", "notes.txt", "Thumbs.db", "no_suffix", "y.webp"),
        "c": (),
        "d": ("only.txt",),
    }.items():
        (source / folder).mkdir(parents=True)
        for name in names:
            (source / folder / name).write_bytes(b"x")
    (source / "a" / "inner.jpg").mkdir()
    (source / "b" / "link.jpg").symlink_to(source / "a" / "1.jpg")
    (source / "b" / "out.jpg").symlink_to("/etc/hostname")
    os.mkfifo(source / "b" / "pipe.jpg")
    (source / "b" / os.fsdecode(b"\xff.jpg")).write_bytes(b"x")
    looked, counted = scan(str(source), **settings), scan(str(source), is_counting=True, **settings)
    assert (counted.ignored, counted.problems) == (looked.ignored, looked.problems)
    assert counted.class_counts == looked.class_counts
    for own, other in zip(counted.classes, looked.classes, strict=True):
        assert own.image_names == other.image_names
        assert [image.path for image in own.images] == [image.path for image in other.images]
