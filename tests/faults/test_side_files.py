"""Files beside the images, and options, of any content: each is taken as it is meant or refused in one line."""

import csv
import io
import json
import pickle
import shutil
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import MakeTree, Ran, Run, everything, manifest_head, manifest_rows
from tests.faults.conftest import Tally

PATHS = [*(f"cat/{number:03d}.png" for number in range(4)), *(f"dog/{number:03d}.png" for number in range(2))]
ROWS = np.arange(48, dtype=np.float32).reshape(6, 8) % 11 + 1
LISTED = "path,label\n" + "".join(f"{path},{path[:3]}\n" for path in PATHS)
MOST_LETTERS = 600
"""Of a message, whatever the file holds."""


@pytest.fixture
def pets(make_tree: MakeTree) -> Path:
    return make_tree({"cat": 4, "dog": 2})


def check_refused(ran: Ran, code: int, told: str) -> None:
    """Check that a run ended in one line that can be printed, and says what is told."""
    assert ran.code == code, ran.err
    assert ran.err.startswith("rebalance: error: ")
    assert ran.err.count("\n") == 1
    assert ran.err[:-1].isprintable()
    assert len(ran.err) < MOST_LETTERS
    assert told in ran.err


LISTS: Mapping[str, tuple[bytes, str]] = {
    "UTF-16": (LISTED.encode("utf-16"), "is UTF-16: save it as UTF-8"),
    "UTF-32": (LISTED.encode("utf-32"), "is UTF-32: save it as UTF-8"),
    "Latin-1": (LISTED.encode() + "café.png,cat\n".encode("latin-1"), "line 8 is not UTF-8"),
    "a NUL": (LISTED.encode() + b"cat/\0.png,cat\n", "line 8: holds a NUL, which no text does"),
    "bytes": (bytes(range(256)) * 50, "is not UTF-8"),
    "a quote without end": (LISTED.encode() + b'"cat/9.png,cat\n', "is no CSV"),
    "a field of 200 kB": (LISTED.encode() + b"x" * 200_000 + b",cat\n", "line 8 is no CSV: field larger than"),
    "50,000 columns": (",".join(map(str, range(50_000))).encode() + b"\n", "has no column 'path'"),
    "a column twice": (b"path,label,path\n", "two of its columns are called 'path'"),
    "a colored column": (b"path,\x1b[31m\n", "has no column 'label'; it has 'path', '\\x1b[31m'"),
    "a colored label": (LISTED.encode() + b"cat/9.png,\x1b/\n", "label '\\x1b/' cannot be the name of a folder"),
    "a path out of it": (LISTED.encode() + b"../../etc/passwd,cat\n", "leads out of the images"),
}


@pytest.mark.threat(14, 82)
@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_is_none_is_refused(run: Run, pets: Path, name: str) -> None:
    data, told = LISTS[name]
    (pets.parent / "list.csv").write_bytes(data)
    check_refused(run("inspect", pets.parent / "list.csv", "--images", pets), 3, told)


@pytest.mark.threat(82)
@pytest.mark.parametrize(
    "data",
    [
        LISTED.encode(), b"\xef\xbb\xbf" + LISTED.encode(), LISTED.replace("\n", "\r\n").encode(),
        LISTED.replace("\n", "\r").encode(), LISTED.replace(",", ";").encode(), LISTED.replace(",", "\t").encode(),
    ],
    ids=["plain", "mark", "CRLF", "CR", "semicolons", "tabs"],
)  # fmt: skip
def test_a_list_as_programs_write_it_is_read(run: Run, pets: Path, data: bytes) -> None:
    (pets.parent / "list.csv").write_bytes(data)
    ran = run("inspect", pets.parent / "list.csv", "--images", pets, "--format", "json")
    assert [row["count"] for row in ran.document["classes"]] == [4, 2]


@pytest.mark.threat(83)
def test_names_that_a_spreadsheet_calculates_with_are_exported_as_they_are(run: Run, pets: Path) -> None:
    """A sign before them would make other names of them: that is what docs/lists.md warns of."""
    names = ["=1+1.png", "+2.png", "-3.png", "@4.png", "\t5.png"]
    for name in names:
        shutil.copy(pets / "cat" / "000.png", pets / "dog" / name)
    output = pets.parent / "list"
    assert run("augment", pets, "-o", output, "--write", "list").code == 0
    rows = list(csv.DictReader(io.StringIO((output / "rebalance.csv").read_text())))
    assert {row["path"] for row in rows if row["label"] == "dog"} == {f"dog/{name}" for name in names} | set(PATHS[4:])
    assert "A spreadsheet takes a cell that begins with `=` for a formula" in (
        (Path(__file__).parents[2] / "docs" / "lists.md").read_text()
    )


class _Program:
    """What would make a file, were it unpickled."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return open, (self._path, "w")


def _npz(paths: object = PATHS, vectors: object = ROWS, **members: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, paths=np.array(paths), vectors=np.array(vectors), **members)
    return file.getvalue()


def _npy(head: str, data: bytes = b"") -> bytes:
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head.encode() + data


def _changed(row: int, value: float) -> Any:
    rows = ROWS.copy()
    rows[row] = value
    return rows


def _unfolding() -> bytes:
    """Return an .npz of 100 kB whose vectors would be 100 MB."""
    rows, paths, file = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.save(rows, np.zeros((6, 2**22), np.float32))
    np.save(paths, np.array(PATHS))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("vectors.npy", rows.getvalue())
        archive.writestr("paths.npy", paths.getvalue())
    return file.getvalue()


EMBEDDINGS: Mapping[str, tuple[str, Callable[[str], bytes], str]] = {
    "a row too few": (".npz", lambda _: _npz(PATHS[:-1], ROWS[:-1]), "has no vector for 1 of the 6 images"),
    "a row twice": (".npz", lambda _: _npz([*PATHS[:-1], PATHS[0]]), "has more than one row for 'cat/000.png'"),
    "other case": (".npz", lambda _: _npz(np.char.upper(PATHS)), "none of its paths is that of an image"),
    "colored paths": (".npz", lambda _: _npz([f"\x1b[31m{path}" for path in PATHS]), "it has '\\x1b[31mcat/000.png'"),
    "NaN": (".npz", lambda _: _npz(vectors=_changed(3, np.nan)), "row 3 (the first is 0), which is 'cat/003.png'"),
    "infinity": (".npz", lambda _: _npz(vectors=_changed(0, np.inf)), "row 0 (the first is 0)"),
    "zeros": (".npz", lambda _: _npz(vectors=_changed(5, 0)), "which is 'dog/001.png', is all zeros"),
    "infinity in 16 bits": (".npz", lambda _: _npz(vectors=_changed(1, np.inf).astype("f2")), "row 1 (the first is 0)"),
    "whole numbers": (".npz", lambda _: _npz(vectors=ROWS.astype(int)), "is of dtype int64"),
    "one dimension": (".npz", lambda _: _npz(vectors=ROWS[:, 0]), "has shape (6,)"),
    "objects": (".npz", lambda path: _npz(vectors=[_Program(path)] * 6), "is of dtype object: is a pickle"),
    "a pickle": (".pkl", lambda path: pickle.dumps(_Program(path)), "is a pickle, which may run any code"),
    "a pickle of torch": (".pt", lambda path: pickle.dumps(_Program(path)), "is a pickle, which may run any code"),
    "a pickle by another name": (".npz", lambda path: pickle.dumps(_Program(path)), "is a pickle, which may run"),
    "a head with code": (
        ".npy", lambda path: _npy(f"{{'descr':'<f4','fortran_order':False,'shape':(open({path!r},'w'),)}}"),
        "its head is not that of an array",
    ),
    "a head of terabytes": (
        ".npy", lambda _: _npy("{'descr':'<f4','fortran_order':False,'shape':(1000000000000,512)}"),
        "its head claims shape (1000000000000, 512) of float32, but 0 bytes follow",
    ),
    "a head below zero": (
        ".npy", lambda _: _npy("{'descr':'<f4','fortran_order':False,'shape':(-1,8)}"), "its head is not",
    ),
    "nothing": (".npz", lambda _: b"", "is truncated, damaged or no .npz"),
    "half": (".npz", lambda _: _npz()[:300], "is truncated, damaged or no .npz"),
    "a bomb": (".npz", lambda _: _unfolding(), "it is damaged or made to fill the memory"),
}  # fmt: skip


@pytest.mark.threat(78, 79, 80, 81)
@pytest.mark.parametrize("name", EMBEDDINGS)
def test_embeddings_that_cannot_be_meant_are_refused_and_nothing_in_them_is_run(
    run: Run, pets: Path, name: str
) -> None:
    suffix, make, told = EMBEDDINGS[name]
    trace = pets.parent / "trace"
    vectors, paths = pets.parent / f"vectors{suffix}", pets.parent / "paths.txt"
    vectors.write_bytes(make(str(trace)))
    paths.write_text("\n".join(PATHS))
    options = ["--embedding-paths", paths] if suffix == ".npy" else []
    check_refused(run("smote", pets, "-n", "--render", "blend", "--embeddings", vectors, *options), 3, told)
    assert not trace.exists()


@pytest.mark.threat(78, 79)
def test_embeddings_in_any_order_and_byte_order_make_the_same_tree(run: Run, pets: Path) -> None:
    made = []
    for name, data in {"as they are": _npz(), "turned": _npz(PATHS[::-1], ROWS[::-1].astype(">f8"))}.items():
        (pets.parent / f"{name}.npz").write_bytes(data)
        options = ["--render", "blend", "--embeddings", pets.parent / f"{name}.npz"]
        assert run("smote", pets, "-o", pets.parent / name, *options).code == 0
        made.append(sorted((row["path"], row["sha256"]) for row in manifest_rows(pets.parent / name)))
    assert len(made[0]) == 8
    assert made[0] == made[1]


CONFIGURATIONS: Mapping[str, tuple[bytes, str]] = {
    "a number of 5,000 digits": (b"[augment]\nseed = " + b"9" * 5000, "not a TOML file"),
    "a number past the largest seed": (b"[augment]\nseed = 18446744073709551616", "is not in the range"),
    "a seed that is no whole number": (b"[augment]\nseed = 1e400", "seed = inf is not a whole number"),
    "UTF-16": ("[augment]\nseed = 1".encode("utf-16"), "not a TOML file"),
    "bytes": (bytes(range(256)), "not a TOML file"),
    "a table in a table in ...": (b"a = " + b"{a = " * 5000 + b"1" + b"}" * 5000, "not a TOML file"),
    "a colored key": (b'[augment]\n"\\u001b[31m" = 1', "'\\x1b[31m' is no setting"),
    "a colored value": (b'[augment]\nrotation_range = "\\u001b[31m"', "rotation_range = '\\x1b[31m' is not degrees"),
    "a key twice": (b"[augment]\nseed = 1\nseed = 2", "not a TOML file"),
    "a word for a number": (b'[augment]\nseed = "1"', "seed = '1' is not a whole number"),
    "a typo": (b"[augment]\nsede = 1", "'sede' is no setting; did you mean 'seed'?"),
}


@pytest.mark.threat(76, 85)
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_configuration_that_is_none_is_refused(run: Run, pets: Path, name: str) -> None:
    data, told = CONFIGURATIONS[name]
    (pets.parent / "c.toml").write_bytes(data)
    check_refused(run("augment", pets, "-n", "--config", pets.parent / "c.toml"), 2, told)


@pytest.mark.threat(74, 76)
@pytest.mark.parametrize(
    "data",
    [b"{", b"[" * 10**5, b'{"dog": -1}', b'{"dog": 1e400}', b'{"dog": NaN}', b'{"dog": true}', b"\xff\0", b""],
)
def test_a_file_of_targets_that_is_none_is_refused(run: Run, pets: Path, data: bytes) -> None:
    (pets.parent / "t.json").write_bytes(data)
    check_refused(run("augment", pets, "-n", "-s", f"@{pets.parent / 't.json'}"), 2, "t.json: ")


@pytest.mark.threat(77)
def test_the_command_line_comes_before_the_file_and_what_counts_is_recorded(run: Run, pets: Path) -> None:
    (pets.parent / "c.toml").write_text("[augment]\nseed = 5\nrotation_range = 3\n")
    options = ["--config", pets.parent / "c.toml", "--seed", "6"]
    assert run("augment", pets, "-o", pets.parent / "made", *options).code == 0
    head = manifest_head(pets.parent / "made")
    assert head["seed"] == 6
    assert "seed = 6\n" in run("augment", pets, *options, "--print-config").out


@pytest.mark.threat(85)
def test_the_largest_seed_is_one_and_the_next_is_none(run: Run, pets: Path) -> None:
    assert run("augment", pets, "-o", pets.parent / "made", "--seed", 2**64 - 1).code == 0
    assert manifest_head(pets.parent / "made")["seed"] == 18446744073709551615
    for wrong in ("-1", "18446744073709551616", "1e3", "0x10", "seed", ""):
        check_refused(run("augment", pets, "-n", "--seed", wrong), 2, "--seed")


@pytest.mark.threat(84)
def test_a_manifest_that_is_cut_anywhere_is_refused_and_left_alone(run: Run, pets: Path, tally: Tally) -> None:
    output = pets.parent / "made"
    assert run("augment", pets, "-o", output).code == 0
    manifest = output / "rebalance.jsonl"
    whole = manifest.read_bytes()
    before = everything(output / "cat")
    for kept in range(0, len(whole), 97):
        manifest.write_bytes(whole[:kept])
        check_refused(run("verify", output), 1, "rebalance.jsonl: ")
        tally("manifests cut")
    assert manifest.read_bytes() == whole[:kept]
    assert everything(output / "cat") == before


@pytest.mark.threat(84)
def test_a_manifest_with_a_changed_byte_is_refused_or_names_the_change(run: Run, pets: Path, tally: Tally) -> None:
    output = pets.parent / "made"
    assert run("augment", pets, "-o", output).code == 0
    manifest = output / "rebalance.jsonl"
    whole = manifest.read_bytes()
    for place in range(0, len(whole), 97):
        manifest.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        check_refused(run("verify", output), 1, "rebalance.jsonl: ")
        tally("manifests changed")


@pytest.mark.threat(84)
def test_a_manifest_of_a_newer_version_is_named_and_not_replaced(run: Run, pets: Path) -> None:
    output = pets.parent / "made"
    assert run("augment", pets, "-o", output).code == 0
    manifest = output / "rebalance.jsonl"
    first, *lines = manifest.read_text().splitlines(keepends=True)
    head = {**json.loads(first), "schema": 2}
    newer = "".join([json.dumps(head) + "\n", *lines])
    manifest.write_text(newer)
    check_refused(run("verify", output), 1, "has schema 2, this is rebalance ")
    ran = run("augment", pets, "-o", output, "--overwrite")
    assert (ran.code, "has schema 2, this is rebalance " in ran.err) == (5, True)
    assert manifest.read_text() == newer


@pytest.mark.threat(75)
def test_a_target_that_cannot_be_reached_is_told_with_class_and_number(run: Run, make_tree: MakeTree) -> None:
    lopsided = make_tree({"cat": 300, "dog": 2, "owl": 1})
    check_refused(run("augment", lopsided, "-n"), 3, "class 'owl' would need 299 copies")
    check_refused(run("undersample", lopsided, "-n", "-s", "dog=3"), 3, "'dog'")
