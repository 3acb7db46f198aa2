import contextlib
import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rebalance.dataset import ClassFolder, Dataset, ImageFile, Stamp
from rebalance.errors import OutputRefusedError, VectorsError
from rebalance.storage.embeddings import read_vectors
from rebalance.storage.joining import joined
from rebalance.storage.npz import write_npz
from rebalance.vectors import RowView, Vectors, picked

ROWS = np.array([[3, 4], [0, 2], [-5, 0]], dtype=np.float32)
UNIT = [[np.float32(0.6), np.float32(0.8)], [0, 1], [-1, 0]]
PATHS = ["cat/a.jpg", "cat/b.jpg", "dog/c.jpg"]


def npy(tmp_path: Path, array: Any = ROWS, paths: Sequence[str] = PATHS) -> tuple[str, str]:
    """Write an array, or bytes in its place, and the list of its paths."""
    content = array if isinstance(array, bytes) else saved(array)
    (tmp_path / "vectors.npy").write_bytes(content)
    (tmp_path / "paths.txt").write_text("".join(f"{path}\n" for path in paths))
    return str(tmp_path / "vectors.npy"), str(tmp_path / "paths.txt")


def saved(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def head(descr: str, shape: str) -> bytes:
    """Return the head of an array by hand."""
    return head_of(f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n")


def head_of(text: str, version: bytes = b"\1\0") -> bytes:
    return b"\x93NUMPY" + version + len(text).to_bytes(2, "little") + text.encode()


def npz(tmp_path: Path, **members: Any) -> str:
    np.savez(tmp_path / "vectors.npz", **{"paths": np.array(PATHS), "vectors": ROWS, **members})
    return str(tmp_path / "vectors.npz")


def zipped(tmp_path: Path, members: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> str:
    with zipfile.ZipFile(tmp_path / "vectors.npz", "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return str(tmp_path / "vectors.npz")


def refused(path: str, paths_file: str | None = None) -> str:
    """Return the message, which is one line that begins with what it is about."""
    with pytest.raises(VectorsError) as caught:
        read_vectors(path, paths_file)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert message.startswith((path, str(paths_file)))
    return message


def test_an_npy_and_the_list_of_its_paths_become_rows_of_unit_length(tmp_path: Path) -> None:
    vectors = read_vectors(*npy(tmp_path))
    assert vectors.paths == ("cat/a.jpg", "cat/b.jpg", "dog/c.jpg")
    assert vectors.rows[:].tolist() == UNIT
    assert (vectors.embedder, vectors.sizes, vectors.sums) == ({}, (), ())


@pytest.mark.threat(79)
@pytest.mark.parametrize("dtype", ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_every_precision_byte_order_and_layout_gives_the_same(
    tmp_path: Path, dtype: str, order: Any, suffix: str
) -> None:
    array = np.array(ROWS, dtype=dtype, order=order)
    vectors = read_vectors(*npy(tmp_path, array)) if suffix == "npy" else read_vectors(npz(tmp_path, vectors=array))
    assert vectors.rows[:].tolist() == UNIT
    assert vectors.rows[:].dtype.str == "<f4"
    assert vectors.rows[:].flags.c_contiguous


@pytest.mark.parametrize("order", ["C", "F"])
def test_an_array_of_more_than_one_block_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: Any
) -> None:
    monkeypatch.setattr("rebalance.storage.arrays.BLOCK", 64)
    array = np.zeros((101, 3), order=order)
    array[np.arange(101), np.arange(101) % 3] = np.arange(101) + 1
    names = [f"c/{number}.jpg" for number in range(101)]
    vectors = read_vectors(npz(tmp_path, vectors=array, paths=np.array(names)))
    assert vectors.paths == tuple(names)
    assert vectors.rows[:].argmax(axis=1).tolist() == [number % 3 for number in range(101)]
    assert vectors.rows[:].sum(axis=1).tolist() == [1] * 101
    array[77] = 0
    assert "row 77 (the first is 0), which is 'c/77.jpg'" in refused(
        npz(tmp_path, vectors=array, paths=np.array(names))
    )


def test_rows_of_unit_length_stay_bit_for_bit(tmp_path: Path) -> None:
    directions = np.stack([np.cos(np.arange(999.0)), np.sin(np.arange(999.0))], axis=1).astype(np.float32)
    assert len(np.unique(np.linalg.norm(directions, axis=1))) > 1
    vectors = read_vectors(*npy(tmp_path, directions, [str(number) for number in range(999)]))
    assert vectors.rows[:].tobytes() == directions.tobytes()


@pytest.mark.threat(79)
@pytest.mark.parametrize(
    ("value", "dtype", "fault"),
    [
        (np.nan, "f4", "has a NaN"), (np.nan, "f2", "has a NaN"), (np.inf, "f2", "has a value that is infinite"),
        (-np.inf, "f4", "has a value that is infinite"), (1e39, "f8", "has a value that is infinite in float32"),
        (1e-60, "f8", "is all zeros in float32"), (0, "f4", "is all zeros"),
    ],
)  # fmt: skip
def test_rows_without_a_direction_are_refused_by_number_and_path(
    tmp_path: Path, value: float, dtype: str, fault: str
) -> None:
    array = ROWS.astype(dtype)
    array[1:, 1] = value
    array[2] = 0
    assert f"row 1 (the first is 0), which is 'cat/b.jpg', {fault}" in refused(*npy(tmp_path, array))


@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8"])
def test_a_nan_that_signals_is_a_nan(tmp_path: Path, dtype: str) -> None:
    bits = {"<f2": "007d", "<f4": "0100807f", ">f4": "7f800001", "<f8": "010000000000f07f"}[dtype]
    content = head(dtype, "(3, 2)") + ROWS[:2].astype(dtype).tobytes() + bytes.fromhex(bits) * 2
    assert "which is 'dog/c.jpg', has a NaN" in refused(*npy(tmp_path, content))


def test_the_largest_and_smallest_floats_are_no_fault(tmp_path: Path) -> None:
    array = np.array([[3e38, 0], [0, 2e-38], [3e38, 3e38]], dtype=np.float32)
    assert read_vectors(*npy(tmp_path, array)).rows[:].tolist() == [[1, 0], [0, 1], [np.float32(0.5**0.5)] * 2]


@pytest.mark.threat(79)
@pytest.mark.parametrize(
    ("array", "told"),
    [
        (np.ones(3), "has shape (3,) where (images, dimensions) belongs"),
        (np.ones((3, 2, 1)), "has shape (3, 2, 1) where"),
        (np.ones(()), "has shape () where"), (np.ones((0, 2)), "has shape (0, 2)"), (np.ones((3, 0)), "shape (3, 0)"),
        (np.ones((3, 2), int), "is of dtype int64: save it as float16, float32 or float64"),
        (np.ones((3, 2), complex), "dtype complex128"), (np.ones((3, 2), bool), "dtype bool"),
        (np.ones((3, 2), "g"), "dtype float128"), (np.ones((3, 2), "U3"), "dtype <U3"),
        (np.ones((3, 2), [("x", "f4")]), "dtype [('x', '<f4')]"),
        (np.ones((3, 2), object), "dtype object: is a pickle"),
    ],
)  # fmt: skip
def test_what_is_no_table_of_floats_is_refused(tmp_path: Path, array: Any, told: str) -> None:
    assert told in refused(*npy(tmp_path, array))
    assert told in refused(npz(tmp_path, vectors=array))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (b"a\nb\nc\n", ("a", "b", "c")), (b"a\nb\nc", ("a", "b", "c")), (b"a\r\nb\r\nc\r\n", ("a", "b", "c")),
        (b"a\r\nb\r\nc", ("a", "b", "c")), (b"\xef\xbb\xbfa\nb\nc\n", ("a", "b", "c")),
        (b"a\nb\nc\n\n", ("a", "b", "c")),
        (b"a\r\nb\r\nc\r\n\r\n", ("a", "b", "c")), (b"a\r\nb\nc\n", ("a\r", "b", "c")),
        ("é\n\u2028\n b \n".encode(), ("é", "\u2028", " b ")), (b"\xe9\nb\nc\n", ("\udce9", "b", "c")),
    ],
)  # fmt: skip
def test_lists_of_paths_are_read_line_by_line(tmp_path: Path, text: bytes, names: tuple[str, ...]) -> None:
    path, paths_file = npy(tmp_path)
    Path(paths_file).write_bytes(text)
    assert read_vectors(path, paths_file).paths == names


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"a\nb\n", "paths.txt: names 2 paths where"), (b"a\nb\nc\nd\n", "names 4 paths where"), (b"", "names 0 paths"),
        (b"a\n\nc\n", "row 1 (the first is 0) has no path, but ''"), (b"a\nb\0\nc\n", r"has no path, but 'b\x00'"),
        (b"a\nb\na\n", "has more than one row for 'a': leave one of each"),
    ],
)  # fmt: skip
def test_lists_that_do_not_fit_are_refused(tmp_path: Path, text: bytes, told: str) -> None:
    path, paths_file = npy(tmp_path)
    Path(paths_file).write_bytes(text)
    assert told in refused(path, paths_file)


def test_the_list_belongs_to_npy_files_alone(tmp_path: Path) -> None:
    path, paths_file = npy(tmp_path)
    assert "name a list of paths, --embedding-paths" in refused(path)
    assert "leave out --embedding-paths" in refused(npz(tmp_path), paths_file)
    (tmp_path / "folder.npy").mkdir()
    assert "leave out --embedding-paths" in refused(str(tmp_path / "folder.npy"), paths_file)


def test_only_twenty_of_many_duplicates_are_named(tmp_path: Path) -> None:
    names = [f"{number % 30:02d}" for number in range(60)]
    message = refused(npz(tmp_path, vectors=np.ones((60, 2)), paths=np.array(names)))
    assert "for '00', '01'" in message
    assert "'19', ...: leave" in message


def test_a_foreign_npz_of_paths_and_vectors_is_read(tmp_path: Path) -> None:
    vectors = read_vectors(npz(tmp_path, labels=np.array([1, None], dtype=object)))
    assert vectors.paths == ("cat/a.jpg", "cat/b.jpg", "dog/c.jpg")
    assert vectors.rows[:].tolist() == UNIT


def test_a_compressed_npz_is_read(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "v.npz", paths=np.array(PATHS, dtype=">U9"), vectors=ROWS)
    vectors = read_vectors(str(tmp_path / "v.npz"))
    assert vectors.paths == ("cat/a.jpg", "cat/b.jpg", "dog/c.jpg")
    assert vectors.rows[:].tolist() == UNIT


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"paths": np.array(["a", "b"])}, "paths: has shape (2,) where (3,) belongs"),
        ({"paths": np.array([["a"], ["b"], ["c"]])}, "paths: has shape (3, 1) where (3,) belongs"),
        ({"paths": np.array([b"a", b"b", b"c"])}, "paths: is of dtype |S1: save it as an array of str"),
        ({"paths": np.array(["a", "b", "c"], dtype=object)}, "paths: is of dtype object: is a pickle"),
        ({"paths": np.array(["a", "b", ""])}, "paths: row 2 (the first is 0) has no path"),
        ({"paths": np.array(["a", "b", "\ud800"])}, r"paths: row 2 (the first is 0) has no path, but '\ud800'"),
        ({"paths": np.frombuffer(b"\xff" * 12, "<U1")}, "paths: is no text"),
        ({"sizes": np.array([1, 2])}, "sizes: has shape (2,) where (3,) belongs"),
        ({"sizes": np.array([1.0, 2, 3])}, "sizes: is of dtype float64: save it as int64"),
        ({"sha256": np.zeros((3, 31), np.uint8)}, "sha256: has shape (3, 31) where (3, 32) belongs"),
        ({"sha256": np.zeros((3, 32), np.uint16)}, "sha256: is of dtype uint16: save it as uint8"),
        ({"embedder": np.array("{")}, "embedder: is no JSON object"),
        ({"embedder": np.array("[1]")}, "embedder: is no JSON object"),
        ({"embedder": np.array("[" * 100_000)}, "embedder: is no JSON object"),
        ({"embedder": np.array(["{}"])}, "embedder: has shape (1,) where () belongs"),
    ],
)  # fmt: skip
def test_members_that_do_not_fit_are_refused(tmp_path: Path, members: Mapping[str, Any], told: str) -> None:
    assert told in refused(npz(tmp_path, **members))


@pytest.mark.parametrize("name", ["paths", "vectors"])
def test_a_member_that_is_missing_is_named(tmp_path: Path, name: str) -> None:
    path = zipped(tmp_path, {"paths.npy" if name == "vectors" else "vectors.npy": saved(ROWS), name: b""})
    assert f"has no member '{name}'" in refused(path)


@pytest.mark.threat(80)
@pytest.mark.parametrize("suffix", [".pkl", ".pickle", ".pt", ".pth", ".joblib", ".PKL"])
def test_pickles_are_refused_by_name(tmp_path: Path, suffix: str) -> None:
    message = refused(str(tmp_path / f"vectors{suffix}"))
    assert "numpy.save and name the paths with --embedding-paths" in message


@pytest.mark.threat(80)
@pytest.mark.parametrize("suffix", [".npy", ".npz", ".bin"])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickles_are_refused_by_what_they_begin_with(tmp_path: Path, suffix: str, protocol: int) -> None:
    path = tmp_path / f"vectors{suffix}"
    path.write_bytes(pickle.dumps({"a": [1.0]}, protocol=protocol))
    assert "is a pickle" in refused(str(path), str(path) if suffix == ".npy" else None)


@pytest.mark.threat(80)
@pytest.mark.parametrize("suffix", [".npy", ".npz", ".bin"])
def test_zips_as_torch_writes_them_are_refused(tmp_path: Path, suffix: str) -> None:
    zipped(tmp_path, {"archive/data.pkl": b"\x80\x02.", "archive/data/0": b"\0\0\0\0", "archive/version": b"3\n"})
    path = (tmp_path / "vectors.npz").rename(tmp_path / f"model{suffix}")
    assert "is a pickle" in refused(str(path), str(path) if suffix == ".npy" else None)


@pytest.mark.threat(80)
def test_a_pickle_that_would_run_is_not_run(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "harm"),)

    array = np.empty((3, 2), dtype=object)
    array[:] = Harm()
    assert "dtype object" in refused(*npy(tmp_path, array))
    assert "dtype object" in refused(npz(tmp_path, paths=array))
    assert not (tmp_path / "harm").exists()


@pytest.mark.threat(81)
@pytest.mark.parametrize(
    "content",
    [
        head("<f4", "(1000000000000, 512)"), head("<f4", "(3, 1000000000000)") + bytes(24),
        head("<f4", "(4, 2)") + bytes(24), head("<f4", "(2, 2)") + bytes(24),
        head("<f4", f"({2**40}, {2**40})"), saved(ROWS)[:-1], saved(ROWS)[:128], saved(ROWS) + saved(ROWS),
    ],
)  # fmt: skip
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_heads_that_do_not_agree_with_the_size_are_refused(tmp_path: Path, content: bytes, suffix: str) -> None:
    if suffix == ".npy":
        assert "its head claims shape" in refused(*npy(tmp_path, content))
    else:
        path = zipped(tmp_path, {"paths.npy": saved(np.array(PATHS)), "vectors.npy": content})
        assert "vectors: its head claims shape" in refused(path)


@pytest.mark.threat(81)
def test_a_trillion_texts_without_a_character_are_refused(tmp_path: Path) -> None:
    members = {"paths.npy": head("<U0", "(1000000000000,)"), "vectors.npy": saved(ROWS)}
    assert "paths: has shape (1000000000000,) where (3,)" in refused(zipped(tmp_path, members))
    members["paths.npy"] = head("<U0", "(3,)")
    assert "row 0 (the first is 0) has no path" in refused(zipped(tmp_path, members))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is not an array as numpy.save writes it"), (b"\x93NUM", "is not an array"),
        (b"1.0,2.0\n", "is not an array"), (b"\x93NUMPY\2\0\xff\xff\xff\x7f{", "is not an array"),
        (saved(ROWS)[:40], "its head is not that of an array"), (head("<f4", "(3, 2"), "its head is not that"),
        (head("<f4", "3"), "its head is not that"), (head("x", "(3, 2)"), "its head is not that"),
        (head("<f4", "(True, 2)") + bytes(8), "its head is not that"),
        (head("<f4", "(" * 90), "its head is not that"), (head("<f4", "(3.0, 2)"), "its head is not that"),
        (b"\x93NUMPY\3" + saved(ROWS)[7:], "is not"), (b"\x93NUMPY\x09" + saved(ROWS)[7:], "is not"),
    ],
)  # fmt: skip
def test_what_is_no_npy_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    assert told in refused(*npy(tmp_path, content))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(head("<f4", "(-3, -2)") + bytes(24), id="below zero"),
        pytest.param(head("<f4", f"({'9' * 4000}, {'9' * 4000})"), id="more than can be printed"),
        pytest.param(head("<f4", f"({'1000000000000000000, ' * 300})"), id="more dimensions than arrays have"),
        pytest.param(head_of("{[]: 1}"), id="a list as key"),
        pytest.param(head_of("(\n)\n   x\n  y\n"), id="no sense"),
        pytest.param(head_of("-" * 9000 + "1"), id="too deep to be read"),
        pytest.param(head_of(f"({'-' * 5000}1,)"), id="too deep to be built"),
        pytest.param(head_of("{'descr': (), 'fortran_order': False, 'shape': (3, 2)}"), id="nothing as dtype"),
        pytest.param(head_of("{}", b"\1\5"), id="a version to come"),
    ],
)
def test_heads_that_no_array_has_are_refused(tmp_path: Path, content: bytes) -> None:
    assert "vectors.npy: its head is not that of an array" in refused(*npy(tmp_path, content))


def test_an_array_of_python_2_is_read(tmp_path: Path) -> None:
    assert read_vectors(*npy(tmp_path, head("<f4", "(3L, 2L)") + ROWS.tobytes())).rows[:].tolist() == UNIT


def test_a_truncated_npz_is_refused(tmp_path: Path) -> None:
    path = Path(npz(tmp_path))
    whole = path.read_bytes()
    for length in range(0, len(whole), 11):
        path.write_bytes(whole[:length])
        assert "save it again" in refused(str(path))


def test_a_flipped_bit_is_found(tmp_path: Path) -> None:
    path = Path(npz(tmp_path))
    content = bytearray(path.read_bytes())
    content[content.index(ROWS.tobytes())] ^= 1
    path.write_bytes(content)
    assert "Bad CRC-32" in refused(str(path))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_any_byte_may_be_wrong_and_no_wrong_vector_is_read(tmp_path: Path, save: Any) -> None:
    path = tmp_path / "vectors.npz"
    save(path, paths=np.array(PATHS), vectors=ROWS, sizes=np.array([1, 2, 3]), embedder=np.array("{}"))
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        with contextlib.suppress(VectorsError):
            assert read_vectors(str(path)).rows[:].tolist() == UNIT


@pytest.mark.threat(81)
def test_a_zip_bomb_is_refused_before_it_unfolds(tmp_path: Path) -> None:
    content = head("<f4", "(3, 10000000)") + bytes(120_000_000)
    path = zipped(tmp_path, {"paths.npy": saved(np.array(PATHS)), "vectors.npy": content}, zipfile.ZIP_DEFLATED)
    assert "vectors: claims 120000128 bytes where the file has" in refused(path)
    content = head("<f4", "(3, 1000000)") + bytes(12_000_000)
    path = zipped(tmp_path, {"paths.npy": saved(np.array(PATHS)), "vectors.npy": content}, zipfile.ZIP_DEFLATED)
    assert "is all zeros" in refused(path)


@pytest.mark.threat(81)
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_directory_that_lies_is_refused(tmp_path: Path, compression: int) -> None:
    claimed = 128 + 4 * 1_000_000_000
    content = head("<f4", "(3, 333333333)") + bytes(40)
    path = Path(zipped(tmp_path, {"paths.npy": saved(np.array(PATHS)), "vectors.npy": content}, compression))
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"PK\1\2")
    data[entry + 24 : entry + 28] = (claimed - 4).to_bytes(4, "little")
    path.write_bytes(data)
    assert "vectors: claims 4000000124 bytes" in refused(str(path))
    data[entry + 20 : entry + 24] = (claimed - 4).to_bytes(4, "little")
    path.write_bytes(data)
    assert "vectors: claims 4000000124 bytes" in refused(str(path))


def test_a_stream_that_ends_before_the_size_it_claims_is_refused(tmp_path: Path) -> None:
    texts = np.array(PATHS).tobytes()
    members = {"vectors.npy": saved(np.ones((4, 2))), "paths.npy": head("<U9", "(4,)") + texts}
    path = Path(zipped(tmp_path, members, zipfile.ZIP_DEFLATED))
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"PK\1\2")
    data[entry + 24 : entry + 28] = (128 + 4 * 36).to_bytes(4, "little")
    path.write_bytes(data)
    assert "paths: is truncated" in refused(str(path))


def test_what_is_damaged_is_not_quoted_at_length(tmp_path: Path) -> None:
    path = Path(npz(tmp_path))
    data = bytearray(path.read_bytes())
    data[26:28] = (500).to_bytes(2, "little")  # the length of the first name
    path.write_bytes(data)
    assert len(refused(str(path)).removeprefix(str(path))) < 150


def test_a_directory_that_cannot_be_is_refused(tmp_path: Path) -> None:
    path = Path(npz(tmp_path))
    whole = path.read_bytes()
    entry = whole.index(b"PK\1\2")
    not_utf_8 = bytearray(whole)
    not_utf_8[entry + 9] |= 8
    not_utf_8[entry + 46] = 0xFF
    path.write_bytes(not_utf_8)
    assert "vectors.npz: is truncated, damaged or no .npz" in refused(str(path))
    end = whole.rindex(b"PK\5\6")
    far = bytearray(whole)
    far[entry + 30 : entry + 32] = (12).to_bytes(2, "little")
    far[entry + 42 : entry + 46] = b"\xff" * 4
    far[entry + 55 : entry + 55] = b"\1\0\x08\0" + b"\xff" * 7 + b"\x7f"
    n_directory = int.from_bytes(whole[end + 12 : end + 16], "little") + 12
    far[end + 24 : end + 28] = n_directory.to_bytes(4, "little")
    path.write_bytes(far)
    assert "vectors.npz: " in refused(str(path))
    far[entry + 66] = 0xFF
    path.write_bytes(far)
    assert "vectors.npz: is truncated, damaged or no .npz" in refused(str(path))


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_that_numpy_does_not_write_are_refused(tmp_path: Path, compression: int) -> None:
    path = zipped(tmp_path, {"paths.npy": saved(np.array(PATHS)), "vectors.npy": saved(ROWS)}, compression)
    assert "save it again with numpy.savez" in refused(path)


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = Path(npz(tmp_path))
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    data[data.index(b"PK\3\4") + 6] |= 1
    path.write_bytes(data)
    assert "encrypted" in refused(str(path))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    path = npz(tmp_path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("vectors.npy", saved(-ROWS))
    assert "has two members called 'vectors'" in refused(path)


def test_what_does_not_fit_in_memory_is_refused(tmp_path: Path) -> None:
    path, paths_file = npy(tmp_path, head("<f4", "(1, 10000000000)"), ["a"])
    os.truncate(path, 128 + 40_000_000_000)
    code = (
        "import resource, sys\n"
        "from rebalance.errors import VectorsError\n"
        "from rebalance.storage.embeddings import read_vectors\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**34, 2**34))\n"
        "try:\n    read_vectors(*sys.argv[1:])\n"
        "except VectorsError as error:\n    print(error)\n"
    )
    command = [sys.executable, "-c", code, path, paths_file]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout == f"{path}: does not fit in memory\n"


def test_files_that_are_missing_or_no_files_are_refused(tmp_path: Path) -> None:
    assert "cannot be read: No such file or directory" in refused(str(tmp_path / "none.npz"))
    path, _ = npy(tmp_path)
    assert "none.txt: cannot be read: No such file" in refused(path, str(tmp_path / "none.txt"))
    os.mkfifo(tmp_path / "pipe.npz")
    assert "is not a file" in refused(str(tmp_path / "pipe.npz"))
    (tmp_path / "vectors.csv").write_text("a,1,2\n")
    assert "is no file of embeddings: give an .npz" in refused(str(tmp_path / "vectors.csv"))


def clip_folder(tmp_path: Path, *, digits: int = 1) -> Path:
    """Write a folder as clip-retrieval does: parts 0 and 10."""
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    folder = tmp_path / "clip"
    for part in ("img_emb", "metadata"):
        (folder / part).mkdir(parents=True)
    for number, rows, names in ((0, ROWS[:2], PATHS[:2]), (10, ROWS[2:], PATHS[2:])):
        np.save(folder / "img_emb" / f"img_emb_{number:0{digits}d}.npy", rows.astype(np.float16))
        table = arrow.table({"image_path": names, "caption": ["x"] * len(names)})
        parquet.write_table(table, folder / "metadata" / f"metadata_{number:0{digits}d}.parquet")
    return folder


@pytest.mark.parametrize("digits", [1, 3])
def test_a_folder_of_clip_retrieval_is_read_in_the_order_of_its_parts(tmp_path: Path, digits: int) -> None:
    folder = clip_folder(tmp_path, digits=digits)
    np.save(folder / "img_emb" / f"img_emb_{2:0{digits}d}.npy", ROWS[:1])
    parquet, arrow = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow")
    table = arrow.table({"image_path": ["owl/é.jpg"]})
    parquet.write_table(table, folder / "metadata" / f"metadata_{2:0{digits}d}.parquet")
    vectors = read_vectors(str(folder))
    assert vectors.paths == ("cat/a.jpg", "cat/b.jpg", "owl/é.jpg", "dog/c.jpg")
    assert vectors.rows[:].tolist() == [UNIT[0], UNIT[1], UNIT[0], UNIT[2]]


def test_parts_that_do_not_agree_are_refused(tmp_path: Path) -> None:
    folder = clip_folder(tmp_path)
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    arrays, tables = folder / "img_emb", folder / "metadata"
    np.save(arrays / "img_emb_10.npy", np.ones((1, 3)))
    assert f"img_emb_10.npy: has 3 columns where {arrays}/img_emb_0.npy has 2" in refused(str(folder))
    np.save(arrays / "img_emb_10.npy", ROWS[:2])
    assert f"metadata_10.parquet: has 1 rows where {arrays}/img_emb_10.npy has 2" in refused(str(folder))
    parquet.write_table(arrow.table({"image_path": ["x", None]}), tables / "metadata_10.parquet")
    assert "metadata_10.parquet: row 1 (the first is 0) has no path, but None" in refused(str(folder))
    parquet.write_table(arrow.table({"image_path": ["x", "cat/a.jpg"]}), tables / "metadata_10.parquet")
    assert "has more than one row for 'cat/a.jpg'" in refused(str(folder))
    parquet.write_table(arrow.table({"caption": ["x", "y"]}), tables / "metadata_10.parquet")
    assert "has no column 'image_path'" in refused(str(folder))
    (tables / "metadata_10.parquet").write_bytes(b"PAR1 no PAR1")
    assert "metadata_10.parquet: is no sound Parquet file" in refused(str(folder))
    (tables / "metadata_10.parquet").unlink()
    message = refused(str(folder))
    assert f"img_emb has 2 parts and metadata 1; {arrays}/img_emb_10.npy has no counterpart" in message
    np.save(arrays / "img_emb_010.npy", ROWS)
    assert f"has the number of {arrays}/img_emb_010.npy" in refused(str(folder))


def test_faults_of_a_part_name_its_file_and_row(tmp_path: Path) -> None:
    folder = clip_folder(tmp_path)
    path = folder / "img_emb" / "img_emb_10.npy"
    np.save(path, np.array([[np.inf, 0]], dtype=np.float16))
    assert f"{path}: row 0 (the first is 0), which is 'dog/c.jpg', has a value that is inf" in refused(str(folder))
    path.write_bytes(pickle.dumps(ROWS))
    assert f"{path}: is a pickle" in refused(str(folder))


def test_folders_of_something_else_are_refused(tmp_path: Path) -> None:
    assert "not a folder of clip-retrieval" in refused(str(tmp_path))
    (tmp_path / "img_emb").mkdir()
    assert "img_emb: has no parts as clip-retrieval names them" in refused(str(tmp_path))


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = clip_folder(tmp_path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "pip install 'rebalance-images[clip]'" in refused(str(folder))


def dataset(paths: Sequence[str] = PATHS, root: str = "data/train", size: int = 7) -> Dataset:
    images = [ImageFile(path, Stamp(size, 0, 0, 0)) for path in paths]
    names = sorted({path.partition("/")[0] for path in paths})
    folders = [ClassFolder(name, tuple(image for image in images if image.path.startswith(name))) for name in names]
    return Dataset(root, tuple(folders))


def vectors_of(paths: Sequence[str], sizes: Sequence[int] = ()) -> Vectors:
    """Return vectors of which each says the place of its row."""
    rows = np.arange(len(paths), dtype=np.float32).reshape(-1, 1)
    sums = tuple(f"{row:064x}" for row in range(len(paths))) if sizes else ()
    return Vectors(tuple(paths), rows, {"model": "x"}, tuple(sizes), sums)


def not_joined(vectors: Vectors, images: Dataset) -> str:
    with pytest.raises(VectorsError) as caught:
        joined(vectors, images, "v.npz")
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.threat(78)
def test_vectors_are_joined_by_path_and_not_by_row() -> None:
    vectors = vectors_of(["dog/c.jpg", "owl/x.jpg", "cat/b.jpg", "cat/a.jpg"], sizes=[7, 8, 7, 7])
    kept, extra = joined(vectors, dataset(), "v.npz")
    assert kept.paths == ("cat/a.jpg", "cat/b.jpg", "dog/c.jpg")
    assert kept.rows[:].tolist() == [[3], [2], [0]]
    assert kept.sizes == (7, 7, 7)
    assert [int(digest, 16) for digest in kept.sums] == [3, 2, 0]
    assert kept.embedder == {"model": "x"}
    assert extra == ("owl/x.jpg",)


def test_vectors_in_the_order_of_the_images_are_not_copied() -> None:
    vectors = vectors_of(PATHS)
    kept, extra = joined(vectors, dataset(), "v.npz")
    assert kept.rows is vectors.rows
    assert extra == ()


@pytest.mark.parametrize(
    "prefix",
    ["", "./", "data/train/", "./data/train/", "data/../data/train/", "{}/data/train/", "{}/link/train/", "link/train/",
     "/elsewhere/photos/", "elsewhere/", "s3://bucket/"],
)  # fmt: skip
@pytest.mark.parametrize("root", ["data/train", "data/train/", "./data/train", "{}/data/train", "link/train"])
def test_paths_may_begin_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefix: str, root: str) -> None:
    (tmp_path / "data" / "train").mkdir(parents=True)
    (tmp_path / "link").symlink_to("data")
    monkeypatch.chdir(tmp_path)
    paths = [prefix.format(tmp_path) + path for path in reversed(PATHS)]
    kept, extra = joined(vectors_of(paths), dataset(root=root.format(tmp_path)), "v.npz")
    assert kept.paths == ("cat/a.jpg", "cat/b.jpg", "dog/c.jpg")
    assert kept.rows[:].tolist() == [[2], [1], [0]]
    assert extra == ()


@pytest.mark.threat(78)
@pytest.mark.parametrize("prefix", ["{}/data/", "{}/link/"])
def test_paths_of_a_larger_tree_that_is_there_are_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    (tmp_path / "data" / "train").mkdir(parents=True)
    (tmp_path / "link").symlink_to("data")
    monkeypatch.chdir(tmp_path)
    top = prefix.format(tmp_path)
    paths = [f"{top}train-old/cat/a.jpg", *(f"{top}train/{path}" for path in PATHS), f"{top}val/cat/a.jpg"]
    kept, extra = joined(vectors_of(paths), dataset(), "v.npz")
    assert kept.rows[:].tolist() == [[1], [2], [3]]
    assert extra == (f"{top}train-old/cat/a.jpg", f"{top}val/cat/a.jpg")


def test_paths_below_a_folder_that_is_a_link_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data" / "train").mkdir(parents=True)
    (tmp_path / "cats").mkdir()
    (tmp_path / "data" / "train" / "cat").symlink_to(tmp_path / "cats")
    monkeypatch.chdir(tmp_path)
    paths = [*(f"data/train/{path}" for path in PATHS), "data/train-old/cat/a.jpg", "data/val/cat/a.jpg"]
    kept, _ = joined(vectors_of(paths), dataset(), "v.npz")
    assert kept.rows[:].tolist() == [[0], [1], [2]]


def test_the_source_may_be_the_root_of_the_disk() -> None:
    kept, extra = joined(vectors_of(["no/x.jpg", *(f"/{path}" for path in PATHS)]), dataset(root="/"), "v.npz")
    assert kept.rows[:].tolist() == [[1], [2], [3]]
    assert extra == ("no/x.jpg",)


def test_paths_whose_common_beginning_is_no_folder_keep_it() -> None:
    kept, _ = joined(vectors_of(["/x/cat1/a.jpg", "/x/cat2/a.jpg"]), dataset(["cat1/a.jpg", "cat2/a.jpg"]), "v.npz")
    assert kept.rows[:].tolist() == [[0], [1]]


def test_paths_that_are_not_utf_8_are_joined() -> None:
    kept, _ = joined(vectors_of(["/x/cat/\udce9.jpg", "/x/dog/b"]), dataset(["cat/\udce9.jpg", "dog/b"]), "v.npz")
    assert kept.paths == ("cat/\udce9.jpg", "dog/b")


@pytest.mark.threat(78)
def test_images_without_a_vector_are_named() -> None:
    assert not_joined(vectors_of(["cat/a.jpg", "cat/z.jpg"]), dataset()) == (
        "v.npz: has no vector for 2 of the 3 images of data/train: 'cat/b.jpg', 'dog/c.jpg'; embed it again, "
        "or --exclude them"
    )


def test_only_twenty_images_without_a_vector_are_named() -> None:
    names = [f"c/{number:02d}" for number in range(30)]
    message = not_joined(vectors_of(names[:5]), dataset(names))
    assert "25 of the 30 images of data/train: 'c/05'," in message
    assert "'c/24', ...; embed" in message
    assert "'c/25'" not in message


@pytest.mark.threat(78)
@pytest.mark.parametrize(
    ("theirs", "ours"), [("Dog/C.JPG", "dog/c.jpg"), ("dog/e\u0301", "dog/é"), ("dog/é", "dog/e\u0301")]
)
def test_a_name_in_another_case_or_unicode_form_is_pointed_out(theirs: str, ours: str) -> None:
    message = not_joined(vectors_of(["cat/a.jpg", theirs]), dataset(["cat/a.jpg", ours]))
    assert f"1 of the 2 images of data/train: {ours!r} (the file has {theirs!r}); embed" in message


def test_when_no_path_fits_one_of_each_side_is_shown() -> None:
    message = not_joined(vectors_of(["x/1.jpg", "y/2.jpg"]), dataset())
    assert message == (
        "v.npz: none of its paths is that of an image of data/train: it has 'x/1.jpg', and SOURCE 'cat/a.jpg': "
        "give paths relative to SOURCE"
    )


@pytest.mark.threat(78)
def test_two_rows_for_one_image_are_refused() -> None:
    message = not_joined(vectors_of(["cat/a.jpg", "./cat/a.jpg"]), dataset())
    assert message == "v.npz: has two rows for 'cat/a.jpg': 'cat/a.jpg' and './cat/a.jpg'"


def test_images_that_changed_since_are_named() -> None:
    assert not_joined(vectors_of(PATHS, sizes=[7, 6, 8]), dataset()) == (
        "v.npz: 2 of the 3 images were changed since they were embedded: 'cat/b.jpg', 'dog/c.jpg'; embed them again"
    )


WRITTEN = Vectors(
    paths=("cat/a.jpg", "cat/\udce9\udcff.jpg", "dog/\U0001f436 \u2028.jpg"),
    rows=np.array([[0.6, 0.8], [0, 1], [-1, 0]], dtype=np.float32),
    embedder={"size": 224, "model": "é"},
    sizes=(5, 2**40, 7),
    sums=("00" * 32, "0123456789abcdef" * 4, "ff" * 32),
)


@pytest.mark.parametrize("is_replacing", [False, True])
def test_what_is_written_is_read(tmp_path: Path, is_replacing: bool) -> None:  # noqa: FBT001
    path = str(tmp_path / "v.npz")
    write_npz(path, WRITTEN, is_replacing=is_replacing)
    vectors = read_vectors(path)
    assert vectors.paths == ("cat/a.jpg", "cat/\udce9\udcff.jpg", "dog/\U0001f436 \u2028.jpg")
    assert vectors.rows[:].tobytes() == WRITTEN.rows[:].tobytes()
    assert vectors.embedder == {"size": 224, "model": "é"}
    assert vectors.sizes == (5, 1_099_511_627_776, 7)
    assert vectors.sums == WRITTEN.sums
    assert [entry.name for entry in tmp_path.iterdir()] == ["v.npz"]


def test_what_nobody_knows_is_not_written(tmp_path: Path) -> None:
    write_npz(str(tmp_path / "v.npz"), Vectors(("a",), np.ones((1, 1), np.float32)), is_replacing=False)
    with np.load(tmp_path / "v.npz", allow_pickle=False) as archive:
        assert archive.files == ["paths", "vectors"]
    assert read_vectors(str(tmp_path / "v.npz")).embedder == {}


def test_numpy_reads_what_is_written(tmp_path: Path) -> None:
    write_npz(str(tmp_path / "v.npz"), WRITTEN, is_replacing=False)
    with np.load(tmp_path / "v.npz", allow_pickle=False) as archive:
        assert archive.files == ["paths", "vectors", "sizes", "sha256", "embedder"]
        assert archive["paths"].tolist() == list(WRITTEN.paths)
        assert archive["vectors"].dtype == np.float32
        assert archive["sizes"].tolist() == [5, 1_099_511_627_776, 7]
        assert archive["sha256"][1, :3].tolist() == [1, 0x23, 0x45]
        assert json.loads(str(archive["embedder"])) == {"size": 224, "model": "é"}


def test_the_same_vectors_give_the_same_bytes(tmp_path: Path) -> None:
    write_npz(str(tmp_path / "a.npz"), WRITTEN, is_replacing=False)
    again = Vectors(
        WRITTEN.paths, np.asfortranarray(WRITTEN.rows), {"model": "é", "size": 224}, WRITTEN.sizes, WRITTEN.sums
    )
    old_mask = os.umask(0o77)
    write_npz(str(tmp_path / "b.npz"), again, is_replacing=False)
    os.umask(old_mask)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert {(info.date_time, info.create_system) for info in archive.infolist()} == {((1980, 1, 1, 0, 0, 0), 3)}


def test_a_file_is_replaced_only_where_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "v.npz"
    path.write_text("old")
    with pytest.raises(OutputRefusedError, match=r"v\.npz: is there already"):
        write_npz(str(path), WRITTEN, is_replacing=False)
    assert path.read_text() == "old"
    write_npz(str(path), WRITTEN, is_replacing=True)
    assert read_vectors(str(path)).paths == WRITTEN.paths
    assert [entry.name for entry in tmp_path.iterdir()] == ["v.npz"]


def test_a_failed_write_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "v.npz"
    path.write_text("old")
    unwritable = Vectors(("a",), np.ones((1, 1), np.float32), embedder={"model": object()})
    with pytest.raises(TypeError):
        write_npz(str(path), unwritable, is_replacing=True)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["v.npz"]


def test_places_that_cannot_take_a_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputRefusedError, match="the folder it would lie in does not exist"):
        write_npz(str(tmp_path / "none" / "v.npz"), WRITTEN, is_replacing=False)
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(OutputRefusedError, match="is a folder"):
        write_npz(str(tmp_path / "folder.npz"), WRITTEN, is_replacing=True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder.npz"]


def test_a_file_whose_name_is_not_utf_8_is_written_and_read(tmp_path: Path) -> None:
    path = f"{tmp_path}/\udce9.npz"
    write_npz(path, WRITTEN, is_replacing=False)
    assert os.listdir(bytes(tmp_path)) == [b"\xe9.npz"]
    assert read_vectors(path).sizes == (5, 1_099_511_627_776, 7)


@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8"])
@pytest.mark.parametrize("form", ["npy", "npz"])
def test_a_large_array_stays_where_it_lies_and_reads_the_same(
    dtype: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = (np.arange(1, 3001).reshape(600, 5) % 97 + 1).astype(dtype)
    names = [f"a/{number}.png" for number in range(600)]
    list_path = None
    if form == "npz":
        path = str(tmp_path / "v.npz")
        np.savez(path, paths=np.array(names), vectors=rows)
    else:
        path, list_path = str(tmp_path / "v.npy"), str(tmp_path / "paths.txt")
        np.save(path, rows)
        Path(list_path).write_text("\n".join(names))
    read = read_vectors(path, list_path)
    monkeypatch.setattr("rebalance.storage.arrays.LARGE", 1)
    view = read_vectors(path, list_path)
    assert isinstance(view.rows, RowView)
    assert not isinstance(read.rows, RowView)
    assert (view.rows[:] == read.rows[:]).all()
    some = np.array([[5, 599], [0, 5]])
    assert (view.rows[some] == read.rows[some]).all()
    assert view.lengths is not None
    assert read.lengths is not None
    assert (view.lengths == read.lengths).all()
    assert (picked(view.rows, np.array([3, 1]))[:1] == read.rows[3:4]).all()


@pytest.mark.parametrize(("value", "told"), [(np.nan, "has a NaN"), (np.inf, "infinite"), (0.0, "is all zeros")])
def test_a_large_array_is_looked_at_row_by_row(
    value: float, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.ones((50, 4), np.float32)
    rows[31] = value
    np.savez(tmp_path / "v.npz", paths=np.array([f"{number}.png" for number in range(50)]), vectors=rows)
    monkeypatch.setattr("rebalance.storage.arrays.LARGE", 1)
    with pytest.raises(VectorsError) as caught:
        read_vectors(str(tmp_path / "v.npz"))
    assert "row 31 (the first is 0), which is '31.png'" in str(caught.value)
    assert told in str(caught.value)


def test_a_large_array_whose_columns_come_first_is_read_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.asfortranarray(np.arange(1, 13).reshape(4, 3).astype(np.float32))
    np.savez(tmp_path / "v.npz", paths=np.array(list("abcd")), vectors=rows)
    monkeypatch.setattr("rebalance.storage.arrays.LARGE", 1)
    read = read_vectors(str(tmp_path / "v.npz"))
    assert read.rows[:] == pytest.approx(rows / np.linalg.norm(rows, axis=1, keepdims=True))
