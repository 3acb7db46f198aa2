from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from imblearn.over_sampling import ADASYN, SMOTE, BorderlineSMOTE

from rebalance.errors import UsageError
from rebalance.planning.methods import SMOTE_METHODS
from rebalance.planning.synthesis import Asked, Points, aims, check_method, numbered, synthesize
from rebalance.vectors import Rows, RowView

SAMPLERS: dict[str, Callable[[int], Any]] = {
    "smote": lambda seed: SMOTE(random_state=seed),
    "borderline-1": lambda seed: BorderlineSMOTE(random_state=seed, kind="borderline-1"),
    "borderline-2": lambda seed: BorderlineSMOTE(random_state=seed, kind="borderline-2"),
    "adasyn": lambda seed: ADASYN(random_state=seed),
}


def rows_of(*counts: int) -> Rows:
    """Return rows of unit length, class after class, the classes overlapping."""
    n_rows = sum(counts)
    raw = np.random.PCG64(11).random_raw(n_rows * 8).reshape(n_rows, 8) / 2**64 - 0.5
    raw[np.arange(n_rows), np.repeat(np.arange(len(counts)), counts)] += 0.7
    rows: Rows = (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)
    return rows


def apart(n_rows: int, n_others: int) -> Rows:
    """Return rows of two classes of which none is near to the other."""
    rows = rows_of(n_rows + n_others).astype(np.float64)
    rows[n_rows:, 7] += 10
    rows[:n_rows, 7] -= 10
    scaled: Rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return scaled


def points_of(rows: Any, counts: Sequence[int]) -> Points:
    names = [chr(ord("a") + label) for label in range(len(counts))]
    labels = np.repeat(np.arange(len(counts)), counts)
    return Points(rows, labels, names, [f"{names[label]}/{index}" for index, label in enumerate(labels)])


@pytest.mark.parametrize("method", SMOTE_METHODS)
def test_samples_lie_where_the_library_puts_them(method: str) -> None:
    counts = (90, 31, 12)
    rows = rows_of(*counts)
    points = points_of(rows, counts)
    theirs, labels = SAMPLERS[method](3).fit_resample(rows, points.labels)
    theirs, labels = theirs[len(rows) :], labels[len(rows) :]
    made, _ = synthesize(points, {1: 59, 2: 78}, Asked(method, seed=3))
    for label, own in made.items():
        n_common = int((labels == label).sum())
        ours = aims(rows, own)
        assert len(ours) == {1: 59, 2: 78}[label]
        assert n_common >= 0.9 * len(ours)
        if n_common <= len(ours):
            assert ours[:n_common] == pytest.approx(theirs[labels == label], abs=1e-5)
        assert (points.labels[own.bases] == label).all()
        if method != "borderline-2":
            assert (points.labels[own.neighbors] == label).all()
        assert (own.bases != own.neighbors).all()
        assert ((own.steps >= 0) & (own.steps <= 1)).all()


def test_a_neighbor_is_among_the_nearest_of_its_base() -> None:
    counts = (40, 15)
    rows = rows_of(*counts)
    made, _ = synthesize(points_of(rows, counts), {1: 60}, Asked(k_neighbors=3))
    own = rows[40:].astype(np.float64)
    distances = np.linalg.norm(own[:, None] - own, axis=2)
    np.fill_diagonal(distances, np.inf)
    nearest = np.argsort(distances, axis=1)[:, :3] + 40
    for base, neighbor in zip(made[1].bases, made[1].neighbors, strict=True):
        assert neighbor in nearest[base - 40]


@pytest.mark.parametrize("method", SMOTE_METHODS)
@pytest.mark.parametrize("n_images", [2, 3, 4, 5, 6])
def test_tiny_classes_have_fewer_neighbors_and_all_their_samples(method: str, n_images: int) -> None:
    counts = (50, n_images)
    made, remarks = synthesize(points_of(rows_of(*counts), counts), {1: 30}, Asked(method))
    assert len(made[1].steps) == 30
    told = f"class 'b' has {n_images} images: k_neighbors is {n_images - 1} there"
    assert (told in remarks) == (n_images < 6)


def test_a_class_without_an_image_in_danger_is_filled_by_plain_smote() -> None:
    points = points_of(apart(30, 12), (30, 12))
    made, remarks = synthesize(points, {1: 18}, Asked("borderline-1", seed=5))
    assert remarks == [
        "class 'b': borderline-1 makes 0 of 18 samples, none of its images is in danger; plain SMOTE makes 18"
    ]
    plain, _ = synthesize(points, {1: 18}, Asked("smote", seed=5))
    assert (made[1].bases == plain[1].bases).all()
    assert (made[1].steps == plain[1].steps).all()


def test_classes_that_adasyn_raises_for_are_filled_too() -> None:
    made, remarks = synthesize(points_of(apart(30, 12), (30, 12)), {1: 18}, Asked("adasyn"))
    assert len(made[1].steps) == 18
    assert "all neighbors of its images are of it" in remarks[0]
    near = points_of(rows_of(60, 50), (60, 50))
    made, remarks = synthesize(near, {1: 1}, Asked("adasyn"))
    assert len(made[1].steps) == 1
    assert "adasyn makes 0 of 1 samples, its share of them is less than one half for each image" in remarks[0]


def test_what_adasyn_makes_too_many_of_is_dropped_by_the_smallest_keys() -> None:
    counts = (90, 31, 12)
    points = points_of(rows_of(*counts), counts)
    for n_samples in range(30, 60):
        made, remarks = synthesize(points, {1: n_samples}, Asked("adasyn"))
        assert len(made[1].steps) == n_samples
        if any("more than" in remark for remark in remarks):
            break
    else:
        pytest.fail("no surplus was met")
    strategy = {0: 90, 1: 31 + n_samples, 2: 12}
    theirs, _ = ADASYN(random_state=0, sampling_strategy=strategy).fit_resample(points.rows, points.labels)
    ours = aims(points.rows, made[1])
    distances = np.abs(theirs[133:, None] - ours[None]).max(axis=2)
    assert (distances.min(axis=0) < 1e-5).all()


@pytest.mark.parametrize("method", SMOTE_METHODS)
def test_images_that_are_all_the_same_have_samples(method: str) -> None:
    rows = np.repeat(rows_of(2), [20, 7], axis=0)
    made, _ = synthesize(points_of(rows, (20, 7)), {1: 13}, Asked(method))
    assert aims(rows, made[1]) == pytest.approx(rows[[20] * 13], abs=1e-6)


@pytest.mark.parametrize("method", SMOTE_METHODS)
def test_two_classes_of_the_same_images_have_samples(method: str) -> None:
    rows = np.concatenate([rows_of(12), rows_of(12)[:6]])
    made, _ = synthesize(points_of(rows, (12, 6)), {1: 6}, Asked(method))
    assert len(made[1].steps) == 6


def test_rows_in_a_file_and_rows_in_memory_make_the_same() -> None:
    counts = (60, 20)
    rows = rows_of(*counts)
    order = np.arange(len(rows))[::-1].copy()
    lengths = np.linspace(0.5, 2, len(rows))
    view = RowView((rows[order] * lengths[:, None]).astype(np.float64), np.argsort(order), lengths)
    for method in SMOTE_METHODS:
        ours, _ = synthesize(points_of(view, counts), {1: 40}, Asked(method))
        plain, _ = synthesize(points_of(rows, counts), {1: 40}, Asked(method))
        assert (ours[1].bases == plain[1].bases).all()
        assert (ours[1].neighbors == plain[1].neighbors).all()
        assert (ours[1].steps == plain[1].steps).all()


def test_samples_of_one_base_are_numbered() -> None:
    assert numbered(np.array([4, 2, 4, 4, 2])).tolist() == [1, 1, 2, 3, 2]


@pytest.mark.parametrize(
    ("method", "told"),
    [
        ("svm", "it extrapolates, so no picture lies where its samples do"),
        ("kmeans", "it would cluster the rows of an identity matrix"),
        ("smoet", "did you mean 'smote'?"),
    ],
)
def test_other_methods_are_refused_with_the_reason(method: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_method(method)
    assert told in str(caught.value)
