from dataclasses import replace

import numpy as np
import pytest

from rebalance.errors import SourceTreeError
from rebalance.scoring.predictions import Predictions, aligned


def run(told: str, rows: dict[str, str], names: tuple[str, ...] = ("a", "b")) -> Predictions:
    labels = np.array([names.index(label) for label in rows.values()], np.intp)
    return Predictions(told, names, tuple(rows), labels, labels, np.eye(len(names))[labels])


def test_runs_are_brought_to_the_rows_and_classes_of_all() -> None:
    first = run("one", {"x": "a", "y": "b"})
    second = replace(run("two", {"y": "c", "x": "a"}, ("a", "c")), truth=np.array([1, 0]))
    with pytest.raises(SourceTreeError, match="two: 'y' is 'c' in it and 'b' in one: an image has one y_true"):
        aligned([first, second])
    other = replace(run("two", {"y": "b", "x": "a"}, ("a", "b", "c")), called=np.array([2, 0]))
    found = aligned([first, other])
    assert [one.names for one in found] == [("a", "b", "c")] * 2
    assert [one.paths for one in found] == [("x", "y")] * 2
    assert found[1].called.tolist() == [0, 2]
    assert found[0].probabilities is not None
    assert found[0].probabilities.tolist() == [[1, 0, 0], [0, 1, 0]]


def test_other_images_are_refused_whichever_side_has_them() -> None:
    small, large = run("small", {"x": "a"}), run("large", {"x": "a", "y": "b"})
    with pytest.raises(SourceTreeError, match="small: has no row for 'y', which large has"):
        aligned([large, small])
    with pytest.raises(SourceTreeError, match="small: has no row for 'y', which large has"):
        aligned([small, large])


def test_probabilities_are_kept_where_every_run_has_them() -> None:
    first = run("one", {"x": "a"})
    found = aligned([first, replace(first, told="two", probabilities=None)])
    assert all(one.probabilities is None for one in found)
