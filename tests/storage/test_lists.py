import os
from pathlib import Path
from typing import Any

import pytest

from rebalance.dataset import Dataset
from rebalance.errors import SourceTreeError, TargetError
from rebalance.storage.lists import check_listable, read_list, render_list
from rebalance.storage.scan import scan
from rebalance.storage.tables import read_table
from tests.conftest import write_image


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number, name in enumerate(("a.png", "b.png", "cat/c.png", "x/y/d.png", "cat/e.png")):
        write_image(tmp_path / "images" / name, number)
    return tmp_path / "images"


def read(root: Path, text: str | bytes, *, columns: dict[str, str] | None = None, **settings: Any) -> Dataset:
    path = root.parent / "list.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_list(read_table(str(path), columns or {}, required=("path", "label")), str(root), **settings)


def test_rows_become_classes_sorted_like_a_tree(root: Path) -> None:
    dataset = read(root, "path,label\nx/y/d.png,dog\nb.png,cat\na.png,dog\ncat/c.png,cat\n")
    assert dataset.class_counts == {"cat": 2, "dog": 2}
    assert [image.path for image in dataset.images()] == ["b.png", "cat/c.png", "a.png", "x/y/d.png"]
    assert dataset.classes[0].images[0].stamp.size == (root / "b.png").stat().st_size


@pytest.mark.threat(82)
@pytest.mark.parametrize(
    "text",
    [
        "path;label\na.png;cat\n", "path\tlabel\na.png\tcat\n", "label,path\ncat,a.png\n",
        "path,label\r\na.png,cat\r\n", "path,label\ra.png,cat\r",
        "\ufeffpath,label\na.png,cat", 'path,label,note\n"a.png","cat","two\nlines"\n', "path,label\n./a.png,cat\n\n",
        '"path";"label"\n"a.png";"cat"\n',
    ],
)  # fmt: skip
def test_the_usual_forms_of_csv_are_read(root: Path, text: str) -> None:
    dataset = read(root, text)
    assert [(image.path, dataset.classes[0].name) for image in dataset.images()] == [("a.png", "cat")]


def test_columns_may_have_other_names(root: Path) -> None:
    text = "image,class,patient,path\na.png,cat,p1,no\nb.png,cat,,no\n"
    dataset = read(root, text, columns={"path": "image", "label": "class", "group": "patient"})
    assert [(image.path, image.group) for image in dataset.images()] == [("a.png", "p1"), ("b.png", None)]


@pytest.mark.threat(14, 82)
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("image,class\na.png,cat\n", r"no column 'path'; it has 'image', 'class': say which with --column path=NAME"),
        ("", "names no columns"), ("path,label,label\na.png,x,y\n", "two of its columns are called 'label'"),
        ("path,label\na.png\n", "line 2 has 1 fields where the first line has 2"),
        ("path,label\na.png,cat,x\n", "line 2 has 3 fields"),
        ("path,label\n/a.png,cat\n", "line 2: '/a.png' is absolute"),
        ("path,label\n../a.png,cat\n", "leads out of the images"), ("path,label\nx/../../a.png,cat\n", "leads out"),
        ("path,label\n,cat\n", "is no path"), ("path,label\na.png,\n", "label '' is empty"),
        ("path,label\na.png,n/a\n", "label 'n/a' cannot be the name of a folder"),
        ("path,label\na.png,..\n", "cannot be the name of a folder"), ("path,label\na.png,.x\n", "cannot be the name"),
        ("path,label\na.png,cat\na.png,cat\n", "'a.png' stands in lines 2 and 3; every image stands there once"),
        ("path,label\na.png,cat\n./a.png,dog\n", "lines 2 and 3: label 'cat' and 'dog'; an image has one"),
        ("path,label\nx/y/d.png,cat\nx_y_d.png,cat\n", "would both become 'cat/x_y_d.png'"),
        ('path,label\n"a.png,cat\n', "is no CSV"), ("path,label\na\0.png,cat\n", "line 2: holds a NUL"),
        (b"path,label\n\xe9.png,cat\n", "line 2 is not UTF-8"), (b"\xff\xfep\0a\0", "is UTF-16"),
        ("path,label,split\na.png,cat,\n", "split '' is empty"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_with_its_line(root: Path, text: str | bytes, told: str) -> None:
    write_image(root / "x_y_d.png", 9)
    with pytest.raises(SourceTreeError, match=told):
        read(root, text)


def test_images_that_cannot_be_taken_are_problems_by_name(root: Path) -> None:
    (root / "notes.txt").write_text("x")
    os.mkfifo(root / "pipe.png")
    write_image(root / ".hidden.png", 1)
    dataset = read(root, "path,label\ngone.png,cat\nnotes.txt,cat\npipe.png,cat\n.hidden.png,cat\na.png,cat\n")
    assert dict(dataset.problems) == {
        "gone.png": f"of line 2 cannot be looked at below {root}: No such file or directory",
        "notes.txt": "of line 3 is not an image by its name",
        "pipe.png": "of line 4 is not a regular file",
        ".hidden.png": "would be '.hidden.png' in OUTPUT, which is hidden",
    }


@pytest.mark.threat(27, 28)
def test_links_are_taken_only_where_asked_for_and_never_out_of_the_root(root: Path, tmp_path: Path) -> None:
    write_image(tmp_path / "elsewhere" / "z.png", 8)
    (root / "inside.png").symlink_to(root / "a.png")
    (root / "outside.png").symlink_to(tmp_path / "elsewhere" / "z.png")
    (root / "folder").symlink_to(tmp_path / "elsewhere")
    text = "path,label\ninside.png,cat\noutside.png,cat\nfolder/z.png,cat\n"
    assert len(read(root, text).problems) == 3
    followed = read(root, text, follow_symlinks=True)
    assert {path for path, _ in followed.problems} == {"outside.png", "folder/z.png"}
    assert [image.path for image in followed.images()] == ["inside.png"]


def test_a_column_split_asks_for_the_one_that_is_balanced(root: Path) -> None:
    text = "path,label,split\na.png,cat,train\nb.png,cat,val\ncat/c.png,dog,train\n"
    with pytest.raises(match=r"list.csv holds splits \(train, val\), not classes: --split train takes"):
        read(root, text)
    dataset = read(root, text, split="train")
    assert dataset.class_counts == {"cat": 1, "dog": 1}
    assert [(folder.directory, len(folder.images)) for folder in dataset.carried] == [("val/cat", 1)]
    with pytest.raises(SourceTreeError, match="has no rows for --split 'trian'; did you mean 'train'"):
        read(root, text, split="trian")


def test_what_is_excluded_by_path_name_or_label_is_ignored(root: Path) -> None:
    text = "path,label\na.png,cat\nb.png,dog\nx/y/d.png,cat\ngone.png,owl\n"
    dataset = read(root, text, exclude=["dog", "x/*", "gone.png"])
    assert [image.path for image in dataset.images()] == ["a.png"]
    assert [remark.reason for remark in dataset.ignored] == ["excluded"] * 3


def test_a_list_that_is_written_can_be_read_again(root: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"kind": "listed", "source": "a.png", "class": "cat", "repetitions": 3},
        {"kind": "removed", "source": "b.png", "class": "cat"},
        {"kind": "listed", "source": "cat/c.png", "class": 'd,o"g\n', "group": "p1", "repetitions": 1},
    ]
    data = render_list(lambda: rows)
    assert data == b'path,label,group,repetitions\na.png,cat,,3\ncat/c.png,"d,o""g\n",p1,1\n'
    dataset = read(root, data)
    assert dataset.class_counts == {"cat": 1, 'd,o"g\n': 1}
    assert [remark.reason for remark in dataset.ignored] == [
        "its column 'repetitions' is not read: every image counts once"
    ]


@pytest.mark.threat(83)
def test_our_lists_can_be_read_whatever_is_in_a_name(root: Path) -> None:
    for name in ("a\rb.png", 'c"d.png', "e,f.png", "g\nh.png", "i;j\t.png"):
        write_image(root / name, 1)
    names = sorted(path.name for path in root.glob("*.png"))
    rows = [{"kind": "listed", "source": name, "class": "cat", "repetitions": 1} for name in names]
    assert [image.path for image in read(root, render_list(lambda: rows)).images()] == names


def test_names_that_no_list_can_hold_are_found_before_the_work(source: Path) -> None:
    check_listable(scan(str(source)))
    (Path(os.fsdecode(os.fsencode(source) + b"/cat/caf\xe9.png"))).write_bytes(b"x")
    with pytest.raises(TargetError, match=r"'cat/caf\\udce9.png' is not UTF-8"):
        check_listable(scan(str(source)))
