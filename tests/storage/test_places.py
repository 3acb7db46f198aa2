import tracemalloc
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalance.storage import places as module
from rebalance.storage.journal import Journal
from rebalance.storage.lines import written_of
from rebalance.storage.manifest import read_manifest
from rebalance.storage.places import NameHashes, Places, hashes_twice
from rebalance.storage.previous import read_previous
from rebalance.storage.staging import claim_staging
from tests.conftest import Run
from tests.storage.test_staging import finished


def one_of_five(name: bytes) -> int:
    return sum(name) % 5 << 61


def always_the_same(_name: bytes) -> int:
    return 7


def crowded_below(name: bytes) -> int:
    return int.from_bytes(name[:4])


def crowded_above(name: bytes) -> int:
    return 2**64 - 1 - crowded_below(name)


HASHES = [module.hash_of, one_of_five, always_the_same]
STEPS = st.lists(st.tuples(st.sampled_from(["set", "remove", "get"]), st.integers(0, 40)), max_size=300)


@pytest.mark.parametrize("hash_of", HASHES)
@pytest.mark.parametrize("recent", [1, 3, 1000])
@given(steps=STEPS)
def test_places_are_those_of_a_dictionary(
    hash_of: Callable[[bytes], int], recent: int, steps: list[tuple[str, int]]
) -> None:
    rows: list[bytes] = []
    expected: dict[bytes, int] = {}
    with patch.object(module, "hash_of", hash_of), patch.object(module, "_RECENT", recent):
        places = Places(rows.__getitem__)
        for step, number in steps:
            name = b"class/%d.jpg" % number
            if step == "set":
                rows.append(name)
                places.set(name, len(rows) - 1)
                expected[name] = len(rows) - 1
            elif step == "remove":
                places.remove(name)
                expected.pop(name, None)
            assert (name in places) == (name in expected)
        for number in range(41):
            name = b"class/%d.jpg" % number
            place = places.get(name)
            found = place if place is not None and rows[place] == name else None
            assert found == expected.get(name)


@pytest.mark.parametrize("hash_of", [module.hash_of, crowded_below, crowded_above])
def test_many_places_are_found_again(hash_of: Callable[[bytes], int]) -> None:
    n_places = 200_000
    with patch.object(module, "hash_of", hash_of):
        places = Places(lambda place: place.to_bytes(4) + b"1234")
        for number in range(n_places):
            places.set(number.to_bytes(4) + b"1234", number)
        assert all(places.get(number.to_bytes(4) + b"1234") == number for number in range(n_places))
        assert not any(number.to_bytes(4) + b"1234" in places for number in range(n_places, n_places + 1000))


def test_a_place_takes_some_twenty_bytes() -> None:
    tracemalloc.start()
    try:
        places = Places(lambda place: b"%d" % place)
        for number in range(200_000):
            places.set(b"%d" % number, number)
        left, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert left < 25 * 200_000


@pytest.mark.parametrize("hash_of", HASHES)
def test_no_line_of_an_old_manifest_is_taken_for_another(
    run: Run, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hash_of: Callable[[bytes], int]
) -> None:
    monkeypatch.setattr("rebalance.storage.places.hash_of", hash_of)
    output = tmp_path / "out"
    assert run("augment", str(source), "-o", str(output)).code == 0
    previous = read_previous(bytes(output))
    rows = list(read_manifest(bytes(output)).rows())
    assert [previous.find(row["path"]) for row in rows] == [written_of(row) for row in rows]
    assert not any(previous.find(f"{row['path']}{number}") for row in rows for number in range(9))


@pytest.mark.parametrize("hash_of", HASHES)
def test_a_journal_tells_outputs_apart_whose_hashes_are_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hash_of: Callable[[bytes], int]
) -> None:
    monkeypatch.setattr("rebalance.storage.places.hash_of", hash_of)
    monkeypatch.setattr("rebalance.storage.journal.hash_of", hash_of)
    outputs = [f"c/{number}.png" for number in range(9)]
    journal = Journal(bytes(tmp_path / "journal"))
    for n_bytes, output in enumerate(outputs[:8]):
        journal.append(finished(output, n_bytes), "boot")
    journal.forget(outputs[0])
    journal.append(finished(outputs[3], 30), "boot")
    expected = [None, 1, 2, 30, 4, 5, 6, 7, None]
    for again in (journal, Journal(bytes(tmp_path / "journal"))):
        found = [again.find(output) for output in outputs]
        assert [one and one[0].written.n_bytes for one in found] == expected
    assert not journal.is_of_earlier_run(outputs[1])
    assert Journal(bytes(tmp_path / "journal")).is_of_earlier_run(outputs[1])


@pytest.mark.parametrize("n_names", [10, 100_000])
def test_hashes_of_names_know_their_names(n_names: int) -> None:
    names = NameHashes(b"%d" % number for number in range(n_names))
    assert len(names) == n_names
    assert all(b"%d" % number in names for number in range(n_names))
    assert not any(b"%d" % number in names for number in range(n_names, n_names + 1000))


def test_settling_takes_no_file_for_another_whose_hash_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rebalance.storage.places.hash_of", always_the_same)
    staging = claim_staging(bytes(tmp_path / "out"))
    for name in ("c/1.png", "c/2.png", "c/3.png"):
        staging.for_workers("auto").put(name, b"abc")
    assert staging.settle("c", lambda: ["c/1.png", "c/3.png"]) == 2
    assert sorted(path.name for path in Path(staging.tree.decode(), "c").iterdir()) == ["1.png", "3.png"]


@pytest.mark.parametrize("n_hashes", [10, 100_000])
def test_hashes_that_are_there_twice_are_found(n_hashes: int) -> None:
    assert hashes_twice([*range(n_hashes, 0, -1), 3, 5, 3]) == {3, 5}
    assert hashes_twice(range(n_hashes)) == set()


@pytest.mark.parametrize("hash_of", HASHES)
def test_a_tree_is_replaced_whatever_its_names_hash_to(
    run: Run, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hash_of: Callable[[bytes], int]
) -> None:
    monkeypatch.setattr("rebalance.storage.places.hash_of", hash_of)
    monkeypatch.setattr("rebalance.storage.journal.hash_of", hash_of)
    output = tmp_path / "out"
    assert run("augment", str(source), "-o", str(output)).code == 0
    again = run("augment", str(source), "-o", str(output), "--overwrite", "--quality", "50", "-s", "12")
    assert again.code == 0
    assert run("verify", str(output)).code == 0
    foreign = next(output.glob("*/*")).with_name("mine.txt")
    foreign.write_text("mine")
    refused = run("augment", str(source), "-o", str(output), "--overwrite", "--quality", "40")
    assert refused.code == 5
    assert "mine.txt" in refused.err
