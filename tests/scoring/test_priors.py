import numpy as np
import pytest

from rebalance.errors import SourceTreeError
from rebalance.scoring.priors import corrected, prior_ratios


def test_probabilities_are_put_back_by_hand() -> None:
    """Trained at 1:1, natural 9:1: 0.5 and 0.5 become 0.9 and 0.1; 0.1 and 0.9 become 0.5 and 0.5."""
    ratios = prior_ratios(["a", "b"], {"a": 90, "b": 10}, {"a": 90, "b": 90}, "tree")
    assert ratios.tolist() == pytest.approx([1.8, 0.2])
    back = corrected(np.array([[0.5, 0.5], [0.1, 0.9], [1, 0]]), ratios)
    assert back == pytest.approx(np.array([[0.9, 0.1], [0.5, 0.5], [1, 0]]))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "b", "c"], "tree: has no class 'c', which the predictions have"),
        (["a"], "tree: has a class 'b', of which the predictions have no column"),
    ],
)
def test_other_classes_are_refused(names: list[str], message: str) -> None:
    with pytest.raises(SourceTreeError, match=message):
        prior_ratios(names, {"a": 9, "b": 1}, {"a": 9, "b": 9}, "tree")
