import json
from pathlib import Path

import pytest

from rebalance.errors import ManifestError
from rebalance.storage.manifest import digest, has_manifest, read_manifest, write_manifest

ROWS = [
    {
        "path": "c/a.jpg",
        "class": "c",
        "kind": "original",
        "source": "c/a.jpg",
        "bytes": 3,
        "sha256": "1",
        "source_sha256": "1",
    },
    {
        "path": {"b64": "Yy/pLmpwZw=="},
        "class": "c",
        "kind": "original",
        "source": "c/é.jpg",
        "bytes": 4,
        "sha256": "2",
        "source_sha256": "2",
    },
]


HEAD = {
    "rebalance": "0", "schema": 1, "engine": "pillow", "versions": {}, "seed": 0, "request": {}, "request_sha256": "",
    "class_indices": {}, "classes": [],
}  # fmt: skip


@pytest.fixture
def output(tmp_path: Path) -> Path:
    tree, scratch = tmp_path / "tree", tmp_path / "scratch"
    tree.mkdir()
    scratch.mkdir()
    with open(tree / "rebalance.jsonl", "wb") as file:
        write_manifest(file, HEAD, iter(ROWS), bytes(scratch))
    assert list(scratch.iterdir()) == []
    return tree


def test_what_is_written_is_read(output: Path) -> None:
    manifest = read_manifest(bytes(output))
    assert manifest.head["lines"] == 2
    assert [row["path"] for row in manifest.rows()] == ["c/a.jpg", "c/\udce9.jpg"]
    assert has_manifest(bytes(output))
    assert sorted(path.name for path in output.iterdir()) == ["rebalance.jsonl"]


def tampered(output: Path, old: str, new: str) -> None:
    path = output / "rebalance.jsonl"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.threat(84)
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"bytes":3', '"bytes":5', "its lines were edited"),
        ('"seed":0', '"seed":1', "its head was edited"),
        ('"lines":2', '"lines":1', "its head was edited"),
        ('"schema":1', '"schema":9', "has schema 9, this is rebalance .* which reads 1"),
        ('{"rebalance"', '{"seed":5,"rebalance"', "its head was edited"),
        ('{"rebalance"', '{ "rebalance"', "its head was edited"),
        ('{"rebalance"', "nonsense", "is not the head of a manifest"),
    ],
)
def test_an_edited_manifest_is_refused(output: Path, old: str, new: str, message: str) -> None:
    tampered(output, old, new)
    with pytest.raises(ManifestError, match=message):
        read_manifest(bytes(output))


@pytest.mark.threat(84)
@pytest.mark.parametrize("kept", [0, 1, 2])
def test_a_truncated_manifest_is_refused(output: Path, kept: int) -> None:
    path = output / "rebalance.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:kept]))
    with pytest.raises(ManifestError):
        read_manifest(bytes(output))


@pytest.mark.threat(84)
def test_lines_may_not_be_swapped(output: Path) -> None:
    path = output / "rebalance.jsonl"
    head, *rows = path.read_text().splitlines(keepends=True)
    path.write_text("".join([head, *reversed(rows)]))
    with pytest.raises(ManifestError, match="its lines were edited"):
        read_manifest(bytes(output))


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": [0.5]}) == digest(json.loads('{"b": [0.5], "a": 1}'))
    assert digest({"a": 1}) != digest({"a": 2})


def test_another_folder_has_no_manifest(tmp_path: Path) -> None:
    assert not has_manifest(bytes(tmp_path))
    (tmp_path / "rebalance.jsonl").write_text("something else")
    assert not has_manifest(bytes(tmp_path))
