from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from imblearn import under_sampling

from rebalance.dataset import ImageFile
from rebalance.errors import TargetError
from rebalance.planning.choice import Choice
from rebalance.planning.choosing import choose
from rebalance.planning.methods import CLEANING, COUNTED, METHODS
from rebalance.planning.selection import Selection, parse_methods, selection_key
from rebalance.vectors import Rows, Vectors
from tests.planning.test_augment import dataset_of

COUNTS = {"a": 90, "b": 60, "c": 25}
LEFT = {"a": 25, "b": 25, "c": 25}
LOOKING = [name for name, method in METHODS.items() if method.is_looking]


def rows_of(n_images: int, n_dimensions: int = 8, *, seed: int = 0) -> Rows:
    raw = np.random.PCG64(seed).random_raw(n_images * n_dimensions)
    rows = (raw >> np.uint64(11)).astype(np.float64).reshape(n_images, n_dimensions) / 2**53 - 0.5
    return scaled(rows)


def scaled(rows: Any) -> Rows:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / lengths, np.float32)


def images_of(counts: Mapping[str, int]) -> dict[str, tuple[ImageFile, ...]]:
    return {folder.name: tuple(folder.images) for folder in dataset_of(counts).classes}


def chosen(
    method: str,
    counts: Mapping[str, int] = COUNTS,
    n_kept: Mapping[str, int | None] | None = None,
    rows: Rows | None = None,
    **settings: Any,
) -> Choice:
    images = images_of(counts)
    paths = tuple(image.path for of_class in images.values() for image in of_class)
    vectors = Vectors(paths, rows_of(len(paths)) if rows is None else rows, sums=settings.pop("sums", ()))
    selection = parse_methods(method)
    if "similarity" in settings:
        selection = Selection(selection.method, similarity=settings.pop("similarity"))
    if n_kept is None:
        smallest = min(counts.values())
        n_kept = {
            name: smallest if selection.method else None if count > smallest else count
            for name, count in counts.items()
        }
    return choose(images, n_kept, selection, vectors, seed=settings.pop("seed", 0))


def paths(images: Sequence[ImageFile]) -> list[str]:
    return [image.path for image in images]


def kept_paths(choice: Choice) -> list[str]:
    return [path for images in choice.kept.values() for path in paths(images)]


def path_at(index: int) -> str:
    return [image.path for of_class in images_of(COUNTS).values() for image in of_class][index]


DIRECTLY: dict[str, Any] = {
    "tomek": under_sampling.TomekLinks(),
    "enn": under_sampling.EditedNearestNeighbours(),
    "renn": under_sampling.RepeatedEditedNearestNeighbours(),
    "allknn": under_sampling.AllKNN(),
    "ncr": under_sampling.NeighbourhoodCleaningRule(),
    "oss": under_sampling.OneSidedSelection(random_state=3),
    "cnn": under_sampling.CondensedNearestNeighbour(random_state=3),
    "nearmiss-1": under_sampling.NearMiss(version=1),
    "nearmiss-2": under_sampling.NearMiss(version=2),
}


@pytest.mark.parametrize("method", DIRECTLY)
def test_what_is_kept_is_what_imbalanced_learn_keeps_when_it_is_called_directly(method: str) -> None:
    rows = rows_of(sum(COUNTS.values()))
    rows[:90, 0] += 0.8
    rows[90:150, 1] += 0.8
    labels = np.repeat([0, 1, 2], list(COUNTS.values()))
    sampler = DIRECTLY[method]
    sampler.fit_resample(rows, labels)

    choice = chosen(method, rows=rows, seed=3)

    assert kept_paths(choice) == [path_at(index) for index in sorted(sampler.sample_indices_)]
    assert 0 < len(choice.left_out) < 150
    assert choice.left_out.keys() == {path_at(index) for index in range(175)} - set(kept_paths(choice))


@pytest.mark.parametrize("method", ["nearmiss-3", "iht", "cluster"])
def test_where_the_library_misses_the_number_its_own_choice_is_completed_or_cut(method: str) -> None:
    rows = rows_of(sum(COUNTS.values()))
    labels = np.repeat([0, 1, 2], list(COUNTS.values()))
    choice = chosen(method, rows=rows)
    if method == "cluster":
        sampler = under_sampling.ClusterCentroids(voting="hard", random_state=0)
        resampled, _ = sampler.fit_resample(rows, labels)
        places = {row.tobytes(): index for index, row in enumerate(rows)}
        found = {path_at(places[row.tobytes()]) for row in resampled}
    else:
        sampler = {
            "nearmiss-3": under_sampling.NearMiss(version=3),
            "iht": under_sampling.InstanceHardnessThreshold(random_state=0),
        }[method]
        sampler.fit_resample(rows, labels)
        found = {path_at(index) for index in sampler.sample_indices_}

    assert {name: len(images) for name, images in choice.kept.items()} == LEFT
    for name in "ab":
        library = {path for path in found if path.startswith(name)}
        ours = set(paths(choice.kept[name]))
        assert library <= ours or ours <= library
        told = f"class {name!r}: {method} finds {len(library)} where 25 are to be kept"
        assert any(told in remark for remark in choice.remarks) == (len(library) != 25)


@pytest.mark.parametrize("method", [method for method in COUNTED if method in LOOKING])
@pytest.mark.parametrize("n_kept", [1, 7, 59, 60])
def test_every_counted_method_keeps_the_exact_number(method: str, n_kept: int) -> None:
    choice = chosen(method, n_kept={"a": n_kept, "b": n_kept, "c": 25})
    assert {name: len(images) for name, images in choice.kept.items()} == {"a": n_kept, "b": n_kept, "c": 25}
    assert len(choice.left_out) == 150 - 2 * n_kept
    assert all(left_out.counterpart for left_out in choice.left_out.values())


@pytest.mark.parametrize("method", LOOKING)
@pytest.mark.parametrize("counts", [{"a": 200, "b": 1}, {"a": 200, "b": 3, "c": 2, "d": 1}, {"a": 3, "b": 2}])
def test_tiny_classes_end_in_a_result(method: str, counts: Mapping[str, int]) -> None:
    choice = chosen(method, counts)
    assert all(choice.kept.values())
    if METHODS[method].is_counted:
        assert {len(images) for images in choice.kept.values()} == {min(counts.values())}


@pytest.mark.parametrize("method", ["tomek", "nearmiss-1", "iht", "cluster"])
def test_one_class_alone_is_refused_by_name(method: str) -> None:
    with pytest.raises(TargetError, match=f"{method} compares classes, and there is one"):
        chosen(method, {"a": 9}, {"a": 3 if METHODS[method].is_counted else None})


@pytest.mark.parametrize("method", LOOKING)
def test_of_the_same_pictures_in_one_class_one_is_kept(method: str) -> None:
    rows = rows_of(175)
    rows[1] = rows[2] = rows[0]
    choice = chosen(method, rows=rows)
    assert len({path_at(0), path_at(1), path_at(2)} & set(kept_paths(choice))) <= 1
    twins = [choice.left_out[path_at(index)] for index in (0, 1, 2) if path_at(index) in choice.left_out]
    assert sum(reason == "the same picture in its class" for reason, _ in twins) == 2
    assert any("class 'a': 2 images are the same picture" in remark for remark in choice.remarks)


@pytest.mark.parametrize("method", LOOKING)
def test_a_picture_in_two_classes_is_named_and_left_out_of_the_one_that_is_cut(method: str) -> None:
    rows = rows_of(175)
    rows[0] = rows[174]
    choice = chosen(method, rows=rows)
    assert path_at(174) in kept_paths(choice)
    assert choice.left_out[path_at(0)] == ("the same picture in another class", path_at(174))
    told = f"the same picture in 2 classes: {path_at(0)!r} and {path_at(174)!r}: left out of 'a'"
    assert told in choice.remarks


def test_the_library_misses_the_tomek_link_of_a_picture_in_two_classes() -> None:
    rows = rows_of(175)
    rows[0] = rows[90]
    rows[91] = rows[174]
    sampler = under_sampling.TomekLinks()
    sampler.fit_resample(rows, np.repeat([0, 1, 2], list(COUNTS.values())))
    ours = {path_at(0), path_at(90), path_at(91)} - set(kept_paths(chosen("tomek", rows=rows)))
    library = {0, 90, 91} - set(sampler.sample_indices_.tolist())
    assert len(ours) == 3
    assert len(library) < 3


def test_the_same_content_is_the_same_picture_whatever_its_vector_says() -> None:
    sums = ["", "x", "x", *("" for _ in range(172))]
    choice = chosen("tomek", sums=tuple(sums))
    left_out = [choice.left_out.get(path_at(index)) for index in (1, 2)]
    assert sum(entry is not None and entry.reason == "the same picture in its class" for entry in left_out) == 1


def test_a_tomek_link_names_its_partner() -> None:
    rows = rows_of(175)
    rows[0] = rows[174]
    rows[0, 0] += 0.001
    choice = chosen("tomek", rows=rows)
    assert choice.left_out[path_at(0)] == ("tomek", path_at(174))


def test_near_duplicates_go_first_and_name_the_one_that_stays() -> None:
    rows = five_times_each()
    choice = chosen("diverse", {"a": 150, "b": 25}, {"a": 30, "b": 25}, rows=rows, similarity=0.999)
    assert sorted(int(path[2:7]) // 5 for path in paths(choice.kept["a"])) == list(range(30))
    assert {left_out.reason for left_out in choice.left_out.values()} == {"nearly the same picture"}


def five_times_each() -> Rows:
    rows = np.repeat(rows_of(35), 5, axis=0)
    rows[:, 0] += 0.001 * np.tile(np.arange(5), 35).astype(np.float32)
    return scaled(rows)


def path_of(name: str, count: int, index: int) -> str:
    return images_of({name: count})[name][index].path


def test_a_number_above_the_different_pictures_is_reached_by_near_duplicates() -> None:
    rows = five_times_each()
    choice = chosen("diverse", {"a": 150, "b": 25}, {"a": 40, "b": 25}, rows=rows, similarity=0.999)
    assert len(choice.kept["a"]) == 40
    assert "10 of them are kept to reach 40" in choice.remarks[0]


def test_spread_out_images_of_fewer_are_among_those_of_more() -> None:
    fewer, more = (chosen("spread", n_kept={"a": n, "b": 60, "c": 25}) for n in (10, 30))
    assert set(paths(fewer.kept["a"])) < set(paths(more.kept["a"]))


def test_spread_takes_one_of_each_cluster() -> None:
    rows = np.repeat(np.eye(8, dtype=np.float32), 10, axis=0)
    rows += 0.01 * rows_of(80)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    choice = chosen("spread", {"a": 80}, {"a": 8}, rows=rows)
    all_paths = [path_of("a", 80, index) for index in range(80)]
    assert sorted(all_paths.index(path) // 10 for path in paths(choice.kept["a"])) == list(range(8))


def test_a_chain_cleans_and_then_keeps_the_number() -> None:
    cleaned, chained = chosen("tomek"), chosen("tomek,random")
    assert {name: len(images) for name, images in chained.kept.items()} == LEFT
    for name in "ab":
        by_key = sorted(paths(cleaned.kept[name]), key=lambda path: selection_key(0, path))
        assert sorted(by_key[:25]) == paths(chained.kept[name])


def test_what_a_chain_removes_too_much_is_put_back_and_told() -> None:
    choice = chosen("enn,random", n_kept={"a": 80, "b": 50, "c": 25})
    assert {name: len(images) for name, images in choice.kept.items()} == {"a": 80, "b": 50, "c": 25}
    assert any("enn, then random leaves" in remark and "80 are to be kept" in remark for remark in choice.remarks)


@pytest.mark.parametrize("method", CLEANING)
def test_a_class_never_vanishes(method: str) -> None:
    rows = rows_of(205)
    rows[200:] = -rows[:5]
    choice = chosen(method, {"a": 200, "b": 3, "c": 2}, rows=rows)
    assert all(choice.kept.values())


def test_images_without_a_vector_are_kept_before_others() -> None:
    images = images_of(COUNTS)
    every = [image.path for of_class in images.values() for image in of_class]
    vectors = Vectors(tuple(every[2:]), rows_of(173))
    choice = choose(images, {"a": 5, "b": 25, "c": 25}, parse_methods("nearmiss-1"), vectors, seed=0)
    assert every[:2] == paths(choice.kept["a"])[:2]
    assert len(choice.kept["a"]) == 5


@pytest.mark.parametrize("method", LOOKING)
def test_a_class_of_which_all_are_kept_is_left_alone(method: str) -> None:
    choice = chosen(method, n_kept=dict(COUNTS))
    assert {name: len(images) for name, images in choice.kept.items()} == COUNTS
    assert not choice.left_out
