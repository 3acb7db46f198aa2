from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from rebalance.dataset import ClassFolder, Dataset, ImageFile, Stamp
from rebalance.errors import TargetError
from rebalance.plan import Drop, Interpolate, Keep, Plan, Row, Unusable
from rebalance.planning.rows import as_rows, with_rows
from rebalance.planning.smote import Showing, SmoteOptions, plan_smote, search_size
from rebalance.planning.synthesis import Asked
from rebalance.planning.targets import SamplingStrategy
from rebalance.vectors import Vectors

STAMP = Stamp(1, 0, 0, 0)
AUTO = SamplingStrategy(word="not majority")


def dataset_of(counts: Mapping[str, int]) -> Dataset:
    return Dataset(
        "root",
        tuple(
            ClassFolder(name, tuple(ImageFile(f"{name}/{index:03d}.jpg", STAMP) for index in range(count)))
            for name, count in counts.items()
        ),
    )


def vectors_of(dataset: Dataset, angles: Mapping[str, float] | None = None) -> Vectors:
    """Return vectors in a plane, those of a class a degree apart, or at the angles that are given."""
    paths = [image.path for image in dataset.images()]
    starts = {folder.name: 60 * number for number, folder in enumerate(dataset.classes)}
    degrees = [(angles or {}).get(path, starts[path[0]] + int(path[2:5])) for path in paths]
    radians = np.radians(degrees)
    return Vectors(tuple(paths), np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32))


def options_of(dataset: Dataset, **more: object) -> SmoteOptions:
    asked = SmoteOptions(AUTO, Asked(), vectors_of(dataset), showing=Showing("blend", 0))
    return replace(asked, **more)  # type: ignore[arg-type]


def made(plan: Plan, name: str) -> list[object]:
    return list(plan.operations(name))


def test_the_plan_holds_exactly_what_it_says() -> None:
    dataset = dataset_of({"a": 12, "b": 5, "c": 3})
    plan = plan_smote(dataset, options_of(dataset), {})
    for target in plan.targets:
        operations = made(plan, target.class_name)
        assert len(operations) == target.n_target == 12
        outputs = [operation.output for operation in operations if isinstance(operation, Keep | Interpolate)]
        assert len(set(outputs)) == 12
        assert outputs == sorted(outputs)
    assert dict(plan.n_generated) == {"a": 0, "b": 7, "c": 9}
    assert plan.most_copies["c"] >= 3
    assert plan.remarks == (
        "class 'b' has 5 images: k_neighbors is 4 there",
        "class 'c' has 3 images: k_neighbors is 2 there",
    )


def test_an_image_that_cannot_be_used_is_no_end_of_a_sample() -> None:
    dataset = dataset_of({"a": 12, "b": 5})
    bad = {"b/002.jpg": Unusable("broken", is_kept=False), "b/003.jpg": Unusable("odd", is_kept=True)}
    vectors = vectors_of(dataset)
    seen = [place for place, path in enumerate(vectors.paths) if path not in bad]
    known = Vectors(tuple(vectors.paths[place] for place in seen), np.asarray(vectors.rows)[seen])
    plan = plan_smote(dataset, options_of(dataset, vectors=known), bad)
    operations = made(plan, "b")
    samples = [operation for operation in operations if isinstance(operation, Interpolate)]
    assert len(samples) == 12 - 4
    assert not {one.path for sample in samples for one in (sample.source, sample.neighbor)} & bad.keys()
    assert [one.source.path for one in operations if isinstance(one, Drop)] == ["b/002.jpg"]
    assert "b/003.jpg" in {one.source.path for one in operations if isinstance(one, Keep)}


def test_a_class_that_cleaning_would_empty_keeps_one_image() -> None:
    dataset = dataset_of({"a": 4, "b": 3})
    # each a stands alone among b, of which synthetic ones lie around it
    angles = {"a/000.jpg": 0.5, "a/001.jpg": 1.5, "a/002.jpg": 0.6, "a/003.jpg": 1.6}
    angles |= {"b/000.jpg": 0.0, "b/001.jpg": 1.0, "b/002.jpg": 2.0}
    strategy = SamplingStrategy(exact={"b": 90})
    asked = options_of(dataset, vectors=vectors_of(dataset, angles), strategy=strategy, clean="enn")
    plan = plan_smote(dataset, asked, {})
    assert [target.n_target for target in plan.targets] == [1, 90]
    dropped = [operation for operation in made(plan, "a") if isinstance(operation, Drop)]
    assert len(dropped) == 3
    assert {operation.reason for operation in dropped} == {"left out by smote (--clean enn)"}
    assert "class 'a': --clean enn leaves 3 images out" in plan.remarks


def test_vectors_follow_the_operations_of_a_class() -> None:
    dataset = dataset_of({"a": 6, "b": 2})
    asked = options_of(dataset)
    plan = plan_smote(dataset, asked, {})
    assert asked.vectors is not None
    beside, alone = with_rows(plan, asked.vectors), as_rows(plan, asked.vectors)
    assert beside.rows is not None
    assert alone.rows is not None
    rows = np.concatenate(list(beside.rows("b")))
    at = dict(zip(asked.vectors.paths, np.asarray(asked.vectors.rows), strict=True))
    for operation, row in zip(made(beside, "b"), rows, strict=True):
        if isinstance(operation, Interpolate):
            expected = (1 - operation.step) * at[operation.source.path] + operation.step * at[operation.neighbor.path]
            assert row == pytest.approx(expected, abs=1e-6)
        else:
            assert isinstance(operation, Keep)
            assert (row == at[operation.source.path]).all()
    assert (np.concatenate(list(alone.rows("b"))) == rows).all()
    assert all(isinstance(operation, Row) for operation in made(alone, "b"))
    assert (beside.has_images, alone.has_images) == (True, False)


def test_more_files_of_one_base_than_are_allowed_are_refused() -> None:
    dataset = dataset_of({"a": 60, "b": 4})
    assert plan_smote(dataset, options_of(dataset), {}).most_copies["b"] > 14
    with pytest.raises(TargetError, match="copies of one of its 4 usable images"):
        plan_smote(dataset, options_of(dataset, max_copies=14), {})


def test_the_size_of_a_search_is_in_products_of_numbers() -> None:
    dataset = dataset_of({"a": 10, "b": 4, "c": 2})
    assert search_size(dataset, options_of(dataset)) == (4 * 4 + 2 * 2) * 2
    assert search_size(dataset, options_of(dataset, asked=Asked("adasyn"))) == (4 * 4 + 2 * 2 + 6 * 16) * 2
    assert search_size(dataset, options_of(dataset, vectors=None)) == 0
