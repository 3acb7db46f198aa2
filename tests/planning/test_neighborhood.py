import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from rebalance.dataset import ClassFolder, Dataset, ImageFile, Stamp
from rebalance.errors import TargetError
from rebalance.planning.neighborhood import ClassNeighborhood, find_near_duplicates, find_neighborhood
from rebalance.vectors import Vectors

STAMP = Stamp(1, 0, 0, 0)


def folder(name: str, paths: Sequence[str], split: str | None = None) -> ClassFolder:
    return ClassFolder(name, tuple(ImageFile(path, STAMP) for path in paths), split)


def on_a_circle(**degrees: Sequence[float]) -> tuple[list[ClassFolder], Vectors]:
    """Return classes whose images look in these directions, in a plane."""
    names = {name: [f"{name}/{index}" for index in range(len(own))] for name, own in degrees.items()}
    angles = [math.radians(angle) for own in degrees.values() for angle in own]
    rows = np.array([[math.cos(angle), math.sin(angle)] for angle in angles], np.float32)
    paths = [path for own in names.values() for path in own]
    return [folder(name, own) for name, own in names.items()], Vectors(tuple(paths), rows)


def by_name(classes: list[ClassFolder], vectors: Vectors) -> Mapping[str, ClassNeighborhood]:
    return {found.name: found for found in find_neighborhood(classes, vectors).classes}


def test_an_image_is_of_the_kind_that_its_five_neighbors_make_it() -> None:
    # a: six in a heap and one in the middle of the b, of which each has that one among its neighbors
    found = by_name(*on_a_circle(a=(0, 1, 2, 3, 4, 5, 90), b=(87, 88, 89, 91, 92, 93)))
    assert found["a"].shares == pytest.approx({"safe": 6 / 7, "borderline": 0, "rare": 0, "outlier": 1 / 7})
    assert found["b"].shares == {"safe": 1, "borderline": 0, "rare": 0, "outlier": 0}
    (other,) = found["b"].confused_with
    assert other.class_name == "a"
    assert other.share == pytest.approx(6 / 30)
    assert found["a"].n_images == 7


def test_two_and_three_of_five_are_borderline_and_one_is_rare() -> None:
    found = by_name(*on_a_circle(a=(0, 10, 20), b=(1, 11, 180), c=(90, 95)))
    assert found["a"].shares == {"safe": 0, "borderline": 1, "rare": 0, "outlier": 0}
    # b/2 at 180: the c at 95 and 90, then a/2, b/1, a/1
    assert found["b"].shares == pytest.approx({"safe": 0, "borderline": 0, "rare": 1, "outlier": 0})
    assert found["c"].shares == {"safe": 0, "borderline": 0, "rare": 1, "outlier": 0}


def test_chance_is_hypergeometric() -> None:
    found = by_name(*on_a_circle(a=range(0, 40, 5), b=(200, 205, 210)))
    # 5 of the other 10, of which 2 are b: none in C(8,5), one in 2 C(8,4), both in C(8,3), of C(10,5) = 252
    assert found["b"].expected == pytest.approx(
        {"safe": 0, "borderline": 56 / 252, "rare": 140 / 252, "outlier": 56 / 252}
    )
    assert sum(found["a"].expected.values()) == pytest.approx(1)
    assert found["b"].confused_with[0].expected == pytest.approx(8 / 10)


def test_the_most_suspicious_come_first_with_what_they_look_like() -> None:
    found = by_name(*on_a_circle(a=(0, 1, 2, 3, 4, 90, 121), b=(87, 88, 89, 91, 92, 110, 120, 122, 130, 133)))
    assert [(one.path, one.n_same, one.looks_like) for one in found["a"].suspects] == [("a/5", 0, "b"), ("a/6", 0, "b")]
    first = found["a"].suspects[0]
    assert first.nearest == "b/2"
    assert first.similarity == pytest.approx(math.cos(math.radians(1)), abs=1e-5)
    assert found["a"].n_suspicious == 2
    assert found["b"].suspects == ()


def test_to_be_alone_in_one_class_is_more_suspicious_than_to_lie_nearer_to_two() -> None:
    found = by_name(*on_a_circle(a=(0, 100), b=(1, 2, 3, 90, 92, 108, 110, 112), c=(-1, -2)))
    assert [one.path for one in found["a"].suspects] == ["a/1", "a/0"]


def test_fewer_of_its_own_is_more_suspicious_whatever_the_names_say() -> None:
    # a/0 has one a among its five, a/2 none
    found = by_name(*on_a_circle(a=(0, 1, 90), b=(2, -1, 3, -2, 89, 91, 88, 92, 87)))
    assert [(one.path, one.n_same) for one in found["a"].suspects] == [("a/2", 0), ("a/0", 1), ("a/1", 1)]


def test_the_nearer_of_two_is_more_suspicious_and_like_the_nearest_of_the_other_class() -> None:
    # each has its nearest neighbor in its own class
    found = by_name(*on_a_circle(a=(0, 2, 90, 90.5), b=(-5, -6, 5, 6, 88, 89, 92.2, 93)))
    assert [(one.path, one.nearest) for one in found["a"].suspects] == [
        ("a/2", "b/5"),
        ("a/3", "b/5"),
        ("a/1", "b/2"),
        ("a/0", "b/0"),
    ]


def test_what_a_class_is_confused_with_most_comes_first() -> None:
    found = by_name(*on_a_circle(a=(0, 0.5), b=(90, 1, 91, 92, 93, 94, 95), c=(2, 3, 4, 200, 201, 202)))
    assert [(one.class_name, one.share) for one in found["a"].confused_with] == [("c", 0.6), ("b", 0.2)]


def test_an_image_counts_as_often_as_its_picture_stands_there() -> None:
    classes, vectors = on_a_circle(a=(90, 90, 90, 0, 1, 2, 3, 4, 5), b=(89, 91, 88, 92, 93))
    found = by_name(classes, vectors)["a"]
    assert found.shares["outlier"] == pytest.approx(3 / 9)
    assert (found.n_suspicious, [(one.path, one.n_images) for one in found.suspects]) == (3, [("a/0", 3)])
    assert found.confused_with[0].share == pytest.approx(3 / 9)


def test_the_same_picture_of_a_class_is_no_neighbor_of_itself_and_one_of_another_class_is() -> None:
    found = by_name(*on_a_circle(a=(0, 0, 0, 0, 0, 0), b=(1, 2, 3, 4, 5, 0)))
    assert found["a"].n_images == 6
    assert found["a"].shares["outlier"] == 1
    assert (found["a"].suspects[0].path, found["a"].suspects[0].nearest) == ("a/0", "b/5")
    assert found["a"].suspects[0].similarity == 1
    assert found["a"].n_suspicious == 6


def test_contents_that_are_the_same_are_the_same_picture_whatever_their_vectors_say() -> None:
    classes, vectors = on_a_circle(a=(0, 50, 52, 54), b=(1, 2, 3, 4, 5))
    sums = ("x", "x", "x", "x", "1", "2", "3", "4", "5")
    found = by_name(classes, Vectors(vectors.paths, vectors.rows, sums=sums))
    assert found["a"].shares["outlier"] == 1


def test_the_accuracy_is_that_of_scikit_learn_leaving_one_out() -> None:
    from sklearn.metrics import balanced_accuracy_score  # noqa: PLC0415  the reference
    from sklearn.neighbors import KNeighborsClassifier  # noqa: PLC0415

    raw = np.random.PCG64(3).random_raw(90 * 6).reshape(90, 6) / 2**64 - 0.5
    labels = np.repeat([0, 1, 2], [55, 25, 10])
    raw[labels == 1, 0] += 0.4
    rows = (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)
    predicted = []
    for index in range(90):
        rest = np.delete(np.arange(90), index)
        classifier = KNeighborsClassifier(5, algorithm="brute").fit(rows[rest], labels[rest])
        predicted.append(int(classifier.predict(rows[[index]])[0]))
    paths = [f"{label}/{index}" for index, label in enumerate(labels)]
    classes = [folder(str(name), [path for path in paths if path[0] == str(name)]) for name in range(3)]
    found = find_neighborhood(classes, Vectors(tuple(paths), rows))
    assert found.accuracy == pytest.approx(balanced_accuracy_score(labels, predicted))
    mean, least, most = found.shuffled
    assert least < mean < most
    assert mean == pytest.approx(1 / 3, abs=0.06)
    assert found == find_neighborhood(classes, Vectors(tuple(paths), rows))


def test_an_image_without_a_vector_is_left_out_and_too_few_are_refused() -> None:
    classes, vectors = on_a_circle(a=(0, 1, 2), b=(3, 4, 5))
    more = [folder("a", [*(image.path for image in classes[0].images), "a/none"]), classes[1], folder("empty", [])]
    found = by_name(more, vectors)
    assert (found["a"].n_images, found["empty"].n_images) == (3, 0)
    assert found["empty"].shares == {"safe": 0, "borderline": 0, "rare": 0, "outlier": 0}
    assert found["empty"].expected == {"safe": 0, "borderline": 0, "rare": 0, "outlier": 0}
    with pytest.raises(TargetError, match="5 different pictures are too few to look at 5 neighbors: it takes 6"):
        find_neighborhood(*on_a_circle(a=(0, 1, 2), b=(3, 4, 4)))


def test_near_duplicates_are_told_apart_by_classes_and_splits() -> None:
    classes, vectors = on_a_circle(a=(0, 1, 40), b=(80, 81, 41), c=(120, 160))
    carried = [folder("c", ["c/0", "c/1"], "val"), folder("a", ["val/a/0"], "val")]
    paths = (*vectors.paths, "val/a/0")
    rows = np.concatenate([vectors.rows, vectors.rows[:1]])
    train = [folder(one.name, [image.path for image in one.images], "train") for one in classes[:2]]
    dataset = Dataset("root", tuple(train), carried=tuple(carried))
    found = find_near_duplicates(dataset, Vectors(paths, rows), math.cos(math.radians(1.5)))
    assert [(group.paths, group.is_across_classes, group.is_across_splits) for group in found] == [
        (("a/0", "a/1", "val/a/0"), False, True),
        (("a/2", "b/2"), True, False),
        (("b/0", "b/1"), False, False),
    ]
