import numpy as np
import pytest
from numpy.typing import NDArray

from rebalance.errors import TargetError
from rebalance.planning import probing
from rebalance.planning.estimates import families_of
from rebalance.planning.probing import Probe, probe_ways
from rebalance.planning.ways import WAYS, Material, Trial
from tests.planning.test_tell import lots

N_NUMBERS = 12


def material(counts: tuple[int, ...], apart: float, *, n_copies: int = 0, seed: int = 0) -> Material:
    """Return vectors of classes of these sizes, clouds so far apart, and copies of all but the first."""
    labels = np.repeat(np.arange(len(counts)), counts)
    centers = lots(100, len(counts), N_NUMBERS)
    rows = unit(lots(seed, len(labels), N_NUMBERS) + apart * centers[labels])
    sources = np.repeat(np.flatnonzero(labels > 0), n_copies)
    return Material(
        names=[f"class {label}" for label in range(len(counts))],
        paths=[f"{label}/{place}" for place, label in enumerate(labels.tolist())],
        rows=rows,
        families=families_of([(str(place), label) for place, label in enumerate(labels.tolist())]),
        copies=unit(rows[sources] + lots(seed + 1, len(sources), N_NUMBERS) / 20),
        sources=sources,
        seed=0,
    )


def unit(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def by_way(found: Probe) -> dict[str, probing.Score]:
    return {score.way: score for score in found.scores}


def fitted(way: str, counts: tuple[int, ...], n_copies: int = 0) -> dict[int, float]:
    """Return how much the rows of each class weigh together in the first split."""
    trial = Trial.of(material(counts, 1, n_copies=n_copies))
    made = WAYS[way](trial, next(trial.splits()))
    return {label: round(float(made.weights[made.classes == label].sum()), 6) for label in range(len(counts))}


def test_every_way_fits_to_what_it_says() -> None:
    counts = (40, 20, 10)
    assert fitted("nothing", counts) == fitted("logit adjustment", counts) == {0: 32, 1: 16, 2: 8}
    assert fitted("class weights", counts) == {0: 1, 1: 1, 2: 1}
    assert fitted("under-sampling", counts) == {0: 8, 1: 8, 2: 8}
    for way in ("copies", "SMOTE"):
        assert fitted(way, counts) == {0: 32, 1: 32, 2: 32}
    assert fitted("augmented copies", counts, n_copies=3) == {0: 32, 1: 32, 2: 32}


def test_classes_that_no_copy_is_there_of_are_repeated_instead() -> None:
    assert fitted("augmented copies", (40, 20, 10)) == {0: 32, 1: 32, 2: 32}


def test_a_class_of_one_known_image_is_copied_where_smote_has_no_neighbor() -> None:
    assert fitted("SMOTE", (40, 20, 2))[2] == 32


def test_copies_are_used_evenly_and_the_rest_goes_to_the_smallest_keys() -> None:
    trial = Trial.of(material((40, 15), 1))
    split = next(trial.splits())
    weights = WAYS["copies"](trial, split).weights
    assert sorted(weights[trial.by_key(split, 1)].tolist(), reverse=True) == weights[trial.by_key(split, 1)].tolist()
    assert set(weights[trial.by_key(split, 1)].tolist()) == {2, 3}


def test_nothing_known_is_judged_on() -> None:
    trial = Trial.of(material((40, 20), 1))
    splits = list(trial.splits())
    assert len(splits) == 25
    for split in splits:
        assert not set(split.known.tolist()) & set(split.asked.tolist())
        assert len(split.known) + len(split.asked) == 60
    asked = np.concatenate([split.asked for split in splits[:5]])
    assert sorted(asked.tolist()) == list(range(60))


def test_where_classes_are_far_apart_every_way_is_right_and_nothing_is_advised() -> None:
    found = probe_ways(material((60, 20, 10), 6, n_copies=2))
    assert [score.way for score in found.scores] == list(WAYS)
    assert min(score.balanced_accuracy.value for score in found.scores) > 0.97
    assert found.advised.way == "nothing"


def test_where_doing_nothing_loses_the_small_class_the_cheapest_remedy_is_advised() -> None:
    found = probe_ways(material((400, 20), 0.3, n_copies=2))
    scores = by_way(found)
    assert scores["nothing"].worst_class == "class 1"
    assert scores["nothing"].worst_recall.value < 0.5
    assert scores["class weights"].worst_recall.value > scores["nothing"].worst_recall.value + 0.2
    assert scores["nothing"].behind.low > 0
    assert found.advised.way == "logit adjustment"
    assert scores["class weights"].lost.value > 0.02
    assert scores["class weights"].log_loss.value > scores["nothing"].log_loss.value


def test_without_anything_to_tell_the_accuracy_is_that_of_chance() -> None:
    found = probe_ways(material((60, 40, 20), 0))
    for score in found.scores:
        assert score.balanced_accuracy.low < 1 / 3 < score.balanced_accuracy.high


def test_the_best_is_behind_nobody() -> None:
    found = probe_ways(material((60, 20), 1))
    assert found.best.behind.value == 0
    assert min(score.behind.value for score in found.scores) == 0
    assert by_way(found)["nothing"].lost.value == 0


def test_a_class_that_cannot_be_held_back_is_left_out_and_named() -> None:
    found = probe_ways(material((20, 1, 10), 3))
    assert found.n_classes == 2
    assert found.remarks == ("class 'class 1' has 1 image or group: nothing could be held back, so it is left out",)
    assert {score.worst_class for score in found.scores} <= {"class 0", "class 2"}


def test_one_class_alone_is_nothing_to_compare() -> None:
    with pytest.raises(TargetError, match="nothing to compare"):
        probe_ways(material((20, 1), 1))
