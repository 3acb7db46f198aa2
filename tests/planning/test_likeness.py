import numpy as np
import pytest

from rebalance.planning.likeness import leaders, near_duplicate_groups, nearest, same_pictures
from tests.planning.test_looking import rows_of


@pytest.mark.parametrize("n_rows", [5, 700])
def test_the_nearest_are_those_that_a_search_of_all_pairs_finds(n_rows: int) -> None:
    rows = rows_of(n_rows, 6)
    every = np.linalg.norm(rows[:, None].astype(np.float64) - rows[None], axis=2)
    np.fill_diagonal(every, np.inf)
    found = nearest(rows, rows, 3, own=np.arange(n_rows))
    assert (found.indices == np.argsort(every, axis=1, kind="stable")[:, :3]).all()
    assert np.allclose(found.distances, np.sort(every, axis=1)[:, :3])


def test_equal_distances_are_in_the_order_of_the_rows() -> None:
    rows = np.eye(4, dtype=np.float32)
    assert nearest(rows, rows, 3, own=np.arange(4)).indices.tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]


def test_the_same_pictures_have_one_vector_or_one_content() -> None:
    rows = np.eye(5, dtype=np.float32)
    rows[3] = rows[1]
    assert same_pictures(rows, ()).tolist() == [0, 1, 2, 1, 4]
    assert same_pictures(rows, ("x", "", "", "y", "x")).tolist() == [0, 1, 2, 1, 0]
    assert same_pictures(rows, ("", "", "y", "y", "")).tolist() == [0, 1, 1, 1, 4]


def on_a_circle(*degrees: float) -> np.ndarray:
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def test_a_leader_is_followed_by_what_is_near_it_and_no_further() -> None:
    rows = on_a_circle(0, 8, 16, 90, 97)  # cosine of 10 degrees: 0.985
    assert leaders(rows, 0.985).tolist() == [0, 0, 2, 3, 3]


def test_leaders_are_the_same_whatever_block_they_lie_in() -> None:
    rows = on_a_circle(*(8.0 * (index % 45) for index in range(1300)))
    led_by = leaders(rows, 0.985)
    assert led_by[:4].tolist() == [0, 0, 2, 2]
    assert set(led_by[45:].tolist()) <= set(led_by[:45].tolist())


def test_near_duplicates_are_joined_by_chains() -> None:
    assert near_duplicate_groups(on_a_circle(0, 90, 8, 16, 97, 180), 0.985) == [[0, 2, 3], [1, 4]]
    assert near_duplicate_groups(on_a_circle(0, 90), 0.985) == []


def test_a_chain_may_run_through_several_blocks() -> None:
    rows = on_a_circle(*(0.1 * index for index in range(1200)))
    assert near_duplicate_groups(rows, 0.985) == [list(range(1200))]


def test_rows_that_float32_products_do_not_tell_apart_are_told_apart() -> None:
    n_rows = 400
    rows = np.zeros((n_rows, 4), np.float32)
    rows[:, 0] = 1
    rows[:, 1] = np.arange(n_rows, 0, -1) * 1e-6  # the products of all of them are 1 in float32
    rows[:, 2] = (np.arange(n_rows) * 37 % 11) * 1e-7
    query = np.array([[1, 0, 0, 0]], np.float32)
    found = nearest(rows, query, 5)
    distances = np.linalg.norm(rows.astype(np.float64) - query.astype(np.float64), axis=1)
    assert found.indices[0].tolist() == np.argsort(distances, kind="stable")[:5].tolist()
    assert found.distances[0] == pytest.approx(np.sort(distances)[:5], rel=1e-9)


def test_rows_are_found_across_the_tiles_they_are_compared_in(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = np.sin(np.arange(300 * 6) * 12.9898).reshape(300, 6)
    rows = (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)
    whole = nearest(rows, rows, 7, own=np.arange(300))
    monkeypatch.setattr("rebalance.planning.likeness._TILE", 13)
    monkeypatch.setattr("rebalance.planning.likeness._BLOCK", 7)
    tiled = nearest(rows, rows, 7, own=np.arange(300))
    assert (tiled.indices == whole.indices).all()
    distances = np.linalg.norm(rows[:, None].astype(np.float64) - rows[None].astype(np.float64), axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (whole.indices == np.argsort(distances, axis=1, kind="stable")[:, :7]).all()
