import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run, contents, manifest_head, manifest_rows


@pytest.fixture
def output(run: Run, source: Path, tmp_path: Path) -> Path:
    run("augment", source, "-o", tmp_path / "out")
    return tmp_path / "out"


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_sound_tree_is_verified(run: Run, source: Path, output: Path) -> None:
    for extra in ([], ["--quick"], ["--source", source]):
        ran = run("verify", output, *extra)
        assert ran.code == 0
        assert "verified" in ran.err
    assert run("verify", output, "--format", "json").document == {"schema": 1, "is_verified": True, "findings": []}


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        (lambda root: flipped(root / "cat" / "001.png"), "changed: cat/001.png: does not have the bytes"),
        (lambda root: (root / "cat" / "001.png").write_bytes(b"x"), "changed: cat/001.png: has 1 bytes"),
        (lambda root: (root / "cat" / "001.png").unlink(), "missing: cat/001.png: is not there"),
        (lambda root: (root / "cat" / "new.png").write_bytes(b"x"), "foreign: cat/new.png"),
        (lambda root: (root / "new").mkdir(), "foreign: new"),
        (lambda root: (root / ".hidden").mkdir(), "foreign: .hidden"),
    ],
)
def test_damage_is_named(run: Run, output: Path, damage: Callable[[Path], object], finding: str) -> None:
    damage(output)
    ran = run("verify", output)
    assert ran.code == 1
    assert ran.out.startswith(finding)
    assert ran.out.count("\n") == 1


def test_a_quick_look_compares_sizes_alone(run: Run, output: Path) -> None:
    flipped(output / "cat" / "001.png")
    assert run("verify", output, "--quick").code == 0
    (output / "cat" / "001.png").write_bytes(b"x")
    assert run("verify", output, "--quick").code == 1


def test_a_quick_look_at_the_source_compares_sizes_alone(run: Run, source: Path, output: Path) -> None:
    flipped(source / "cat" / "001.png")
    assert run("verify", output, "--quick", "--source", source).code == 0
    (source / "cat" / "001.png").unlink()
    ran = run("verify", output, "--quick", "--source", source)
    assert ran.code == 1
    assert "source: cat/001.png: is not there" in ran.out


def test_every_damaged_file_is_named(run: Run, output: Path) -> None:
    flipped(output / "cat" / "001.png")
    (output / "dog" / "001.png").unlink()
    (output / "owl" / "new.png").write_bytes(b"x")
    report = run("verify", output, "--format", "json").document
    assert {(found["kind"], found["path"]) for found in report["findings"]} == {
        ("changed", "cat/001.png"), ("missing", "dog/001.png"), ("foreign", "owl/new.png"),
    }  # fmt: skip


def test_originals_are_compared_with_the_source(run: Run, source: Path, output: Path) -> None:
    flipped(source / "cat" / "001.png")
    (source / "owl" / "000.png").unlink()
    ran = run("verify", output, "--source", source)
    assert ran.code == 1
    assert "source: cat/001.png: does not have the bytes" in ran.out
    assert "source: owl/000.png: No such file" in ran.out


@pytest.mark.threat(84)
@pytest.mark.parametrize("line", [0, 1, 12, -1])
def test_a_manifest_with_a_line_cut_is_refused(run: Run, output: Path, line: int) -> None:
    lines = (output / "rebalance.jsonl").read_text().splitlines(keepends=True)
    del lines[line]
    (output / "rebalance.jsonl").write_text("".join(lines))
    ran = run("verify", output)
    assert ran.code == 1
    assert "rebalance.jsonl" in ran.err


def sealed(output: Path, head: dict[str, Any], rows: list[Any]) -> None:
    """Write a manifest whose sums are right, as someone clever would."""
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows]
    head = {key: value for key, value in head.items() if key != "head_sha256"}
    head |= {"lines": len(lines), "lines_sha256": hashlib.sha256(b"".join(lines)).hexdigest()}
    content = json.dumps(head, separators=(",", ":")).encode().removesuffix(b"}")
    seal = hashlib.sha256(content).hexdigest().encode()
    (output / "rebalance.jsonl").write_bytes(content + b',"head_sha256":"' + seal + b'"}\n' + b"".join(lines))


Rows = list[dict[str, Any]]
Edit = Callable[[dict[str, Any], Rows], object]


def sealed_again(output: Path, edit: Edit) -> None:
    """Edit a manifest and set its sums right."""
    head, rows = manifest_head(output), manifest_rows(output)
    edit(head, rows)
    sealed(output, head, rows)


def test_a_manifest_that_is_sealed_again_unchanged_is_verified(run: Run, output: Path) -> None:
    sealed(output, manifest_head(output), manifest_rows(output))
    assert run("verify", output).code == 0


@pytest.mark.threat(84)
@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda _head, rows: rows[-1].update(copy_number=9, kind="augmented"), "does not have the name"),
        (lambda _head, rows: rows.append(rows[0]), "stands in it twice"),
        (lambda _head, rows: rows[0].update({"class": "dog"}), "does not lie in the folder of its class"),
        (lambda head, _rows: head["class_indices"].update(cat=1, dog=0), "class_indices do not number"),
        (lambda head, _rows: head["classes"][0].update(n_before=9), "its head does not count the classes"),
        (lambda head, _rows: head["classes"][0].update(log_ratio=0.5), "its head does not count the classes"),
        (lambda head, _rows: head["request"].update(cap=9), "request_sha256 is not that of the request"),
        (lambda head, _rows: head.update(seed=9), "its head names two seeds"),
        (lambda _head, rows: augmented(rows)["values"].update(rotation=1.5), "values that are drawn for it"),
        (lambda _head, rows: augmented(rows).pop("values"), "values that are drawn for it"),
        (lambda _head, rows: augmented(rows).update(source_sha256="12"), "another sum of its source"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_found_out_though_its_sums_are_right(
    run: Run, output: Path, edit: Edit, message: str
) -> None:
    sealed_again(output, edit)
    ran = run("verify", output)
    assert ran.code == 1
    assert message in ran.out


@pytest.mark.parametrize(
    ("settings", "edit", "message"),
    [
        (["--holdout", "0.3"], lambda head, _rows: head["carried"]["val"].update(cat=9), "count the other splits"),
        (["--holdout", "0.3"], lambda _head, rows: rows[0].update(split="val"), "not lie in the folder of its class"),
        (["--write", "list"], lambda _head, rows: rows[0].update(repetitions=9), "is not what the lines make"),
        (["--write", "list"], lambda _head, rows: rows[0].update(source="a/b.png"), "not lie in the folder"),
        (["--write", "list"], lambda head, _rows: head["list"].update(sha256="12"), "changed: rebalance.csv"),
    ],
)
def test_so_are_manifests_of_splits_and_lists(
    run: Run, source: Path, tmp_path: Path, settings: list[str], edit: Edit, message: str
) -> None:
    assert run("augment", source, "-o", tmp_path / "of", *settings).code == 0
    sealed_again(tmp_path / "of", edit)
    ran = run("verify", tmp_path / "of")
    assert ran.code == 1
    assert message in ran.out


def augmented(rows: Rows) -> dict[str, Any]:
    return next(row for row in rows if row["kind"] == "augmented")


@pytest.mark.threat(84)
@pytest.mark.parametrize(
    "edit",
    [
        lambda _head, rows: rows[0].pop("sha256"),
        lambda _head, rows: rows[0].update(path=3),
        lambda _head, rows: rows[0].update(split=3),
        lambda head, _rows: head.update(list={"path": "x"}),
        lambda head, _rows: head.update(list="x"),
        lambda head, _rows: head.update(split=3),
        lambda _head, rows: rows[0].update(path={"b64": "!"}),
        lambda _head, rows: rows[0].update(kind="junk"),
        lambda _head, rows: augmented(rows).update(copy_number="1"),
        lambda _head, rows: rows.append(b"no JSON\n"),
        lambda _head, rows: rows.append(b"[" * 5000 + b"\n"),
        lambda head, _rows: head.pop("classes"),
        lambda head, _rows: head.update(request=None),
        lambda head, _rows: head.update(seed="0"),
    ],
)
def test_a_manifest_of_another_form_is_refused(run: Run, output: Path, edit: Edit) -> None:
    sealed_again(output, edit)
    ran = run("verify", output)
    assert ran.code == 1
    assert "a manifest of rebalance" in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_a_manifest_that_is_no_file_is_refused_at_once(run: Run, output: Path, kind: str) -> None:
    (output / "rebalance.jsonl").unlink()
    if kind == "pipe":
        os.mkfifo(output / "rebalance.jsonl")
    else:
        (output / "rebalance.jsonl").mkdir()
    assert run("verify", output).code == 1


def test_a_class_folder_that_is_a_link_is_foreign(run: Run, output: Path, tmp_path: Path) -> None:
    os.rename(output / "cat", tmp_path / "cat")
    (output / "cat").symlink_to(tmp_path / "cat")
    ran = run("verify", output)
    assert ran.code == 1
    assert "foreign: cat: " in ran.out


@pytest.mark.parametrize("kind", ["nothing", "file", "folder"])
def test_what_is_no_tree_of_ours_is_not_verified(run: Run, tmp_path: Path, kind: str) -> None:
    if kind == "file":
        (tmp_path / "x").write_text("x")
    elif kind == "folder":
        (tmp_path / "x").mkdir()
    ran = run("verify", tmp_path / "x")
    assert ran.code == 1
    assert ran.err.count("\n") == 1


def test_every_file_is_replayed_to_the_same_bytes(run: Run, source: Path, output: Path, tmp_path: Path) -> None:
    expected = contents(output)
    for row in manifest_rows(output)[::3]:
        again = tmp_path / "again.png"
        again.unlink(missing_ok=True)
        assert run("replay", output, row["path"], "--source", source, "-o", again).code == 0
        assert contents(tmp_path)["again.png"] == expected[row["path"]]


def test_replay_refuses_what_it_cannot_do(run: Run, source: Path, output: Path, tmp_path: Path) -> None:
    made = next(row["path"] for row in manifest_rows(output) if row["kind"] == "augmented")
    again = tmp_path / "again.png"
    ran = run("replay", output, made[:-1], "--source", source, "-o", again)
    assert ran.code == 2
    assert f"did you mean {made!r}" in ran.err
    again.write_text("mine")
    assert run("replay", output, made, "--source", source, "-o", again).code == 5
    assert again.read_text() == "mine"
    again.unlink()
    for path in (source / made.split("/")[0]).iterdir():
        flipped(path)
    ran = run("replay", output, made, "--source", source, "-o", again)
    assert ran.code == 1
    assert "is not the file that" in ran.err
    assert run("replay", output, made, "--source", tmp_path / "gone", "-o", again).code == 3
    assert not again.exists()


def test_replay_writes_neither_into_source_nor_output(run: Run, source: Path, output: Path) -> None:
    made = next(row["path"] for row in manifest_rows(output) if row["kind"] == "augmented")
    for folder in (source, output):
        assert run("replay", output, made, "--source", source, "-o", folder / "cat" / "again.png").code == 5
    ran = run("replay", output, made, "--source", source, "-o", source.parent / "no" / "again.png")
    assert ran.code == 5
    assert "does not exist" in ran.err
    assert run("replay", source, made, "--source", source, "-o", source.parent / "again.png").code == 1


def test_replay_says_which_library_is_another_one(
    run: Run, source: Path, output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = next(row["path"] for row in manifest_rows(output) if row["kind"] == "augmented")
    monkeypatch.setattr("rebalance.replay.library_versions", lambda _engine: {"pillow": "99"})
    monkeypatch.setattr("rebalance.replay._made_again", lambda *_arguments: b"other bytes")
    ran = run("replay", output, made, "--source", source, "-o", tmp_path / "again.png")
    assert ran.code == 1
    assert "is 99" in ran.err
    assert not os.path.exists(tmp_path / "again.png")


def sample(rows: Rows) -> dict[str, Any]:
    return next(row for row in rows if row["kind"] == "synthetic")


@pytest.mark.parametrize(
    ("write", "edit", "message"),
    [
        ("images", lambda _head, rows: sample(rows).update(candidate=9), "does not show what the request asks for"),
        ("images", lambda _head, rows: sample(rows).pop("shows"), "does not show what the request asks for"),
        ("images", lambda _head, rows: sample(rows).pop("candidate"), "does not show what the request asks for"),
        ("images", lambda _head, rows: sample(rows)["values"].update(rotation=1.5), "values that are drawn for it"),
        ("images", lambda _head, rows: sample(rows).update(neighbor_sha256="12"), "another sum of its neighbor"),
        ("images", lambda _head, rows: sample(rows).update(candidate="1"), "is not a line of a manifest"),
        ("images", lambda _head, rows: sample(rows).update(shows="both"), "is not a line of a manifest"),
        ("images", lambda _head, rows: sample(rows).update(step="0.5"), "is not a line of a manifest"),
        ("vectors", lambda _head, rows: rows[-1].update(step=0.5), "vectors.csv: is not what the lines make"),
        ("vectors", lambda head, _rows: head["vectors"][0].update(sha256="12"), "does not have the bytes"),
        ("vectors", lambda head, _rows: head["vectors"][0].update(path=3), "is not the head of a manifest"),
        ("vectors", lambda head, _rows: head.update(vectors="x"), "is not the head of a manifest"),
    ],
)
def test_so_are_those_of_synthetic_samples(
    run: Run, source: Path, tmp_path: Path, write: str, edit: Edit, message: str
) -> None:
    tree = tmp_path / "smote"
    asked = ("--embedder", "pixels", "-j", "1", "--write", write)
    assert run("smote", source, "-o", tree, *asked).code == 0
    sealed_again(tree, edit)
    ran = run("verify", tree)
    assert ran.code == 1
    assert message in ran.out + ran.err
