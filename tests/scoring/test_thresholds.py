import numpy as np
import pytest

from rebalance.scoring.decisions import Settings
from rebalance.scoring.predictions import Predictions
from rebalance.scoring.scores import score
from rebalance.scoring.thresholds import decide, tune
from rebalance.scoring.titles import TUNABLE
from tests.scoring.made import judging, uniform


def lopsided(n_images: int, seed: int, rare: float = 0.1) -> Predictions:
    """Two classes, the second rare, and probabilities that are right: Bayes' of two normal distributions."""
    truth = (uniform(seed, n_images) < rare).astype(np.intp)
    first, second = uniform(seed + 100, 2, n_images)
    scores = np.sqrt(-2 * np.log1p(-first)) * np.cos(2 * np.pi * second) + 1.5 * truth
    odds = rare / (1 - rare) * np.exp(1.5 * scores - 1.125)
    probabilities = np.stack([1 / (1 + odds), odds / (1 + odds)], axis=1)
    paths = tuple(f"{seed}-{number}" for number in range(n_images))
    return Predictions("made", ("common", "rare"), paths, truth, probabilities.argmax(axis=1), probabilities)


def test_the_best_threshold_for_balanced_accuracy_is_the_prior() -> None:
    """With right probabilities, the Bayes decision under equal class costs calls what passes its share."""
    tuned = tune(lopsided(20_000, 1), "balanced_accuracy", Settings(), seed=0)
    assert tuned.thresholds.sum() == pytest.approx(1)
    assert tuned.thresholds[1] == pytest.approx(0.1, abs=0.03)
    assert tuned.held_out > tuned.before + 0.1


def test_decisions_by_thresholds_are_better_on_data_that_nobody_has_seen() -> None:
    tuned = tune(lopsided(300, 2), "balanced_accuracy", Settings(), seed=0)
    test = lopsided(5000, 3)
    assert test.probabilities is not None
    after = test.decided(decide(test.probabilities, tuned.thresholds))
    values = [score([run], judging(100)).overall["balanced_accuracy"].value for run in (test, after)]
    assert values[1] > values[0] + 0.1


def test_two_classes_are_decided_by_the_threshold_of_either() -> None:
    probabilities = np.array([[0.75, 0.25], [0.71, 0.29], [0.69, 0.31], [0.2, 0.8]])
    assert decide(probabilities, np.array([0.7, 0.3])).tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("measure", TUNABLE)
def test_every_measure_can_be_tuned_for(measure: str) -> None:
    settings = Settings(class_weights=(1.0, 5.0))
    tuned = tune(lopsided(400, 4), measure, settings, seed=0)
    assert (tuned.thresholds > 0).all()
    assert tuned.held_out >= tuned.before - 0.02


def three_classes(n_images: int, *, too_large: float) -> Predictions:
    """Equally frequent classes, the probabilities of the third so many times too large."""
    probabilities = -np.log(uniform(7, n_images, 3))
    truth = np.arange(n_images) % 3
    probabilities[np.arange(n_images), truth] += 1
    probabilities[:, 2] *= too_large
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    paths = tuple(map(str, range(n_images)))
    return Predictions("made", ("a", "b", "c"), paths, truth, probabilities.argmax(axis=1), probabilities)


def test_thresholds_of_single_classes_are_picked_where_they_help_on_held_out_images() -> None:
    """No power of equal shares makes up for probabilities of one class that are too large."""
    few = tune(three_classes(90, too_large=1), "balanced_accuracy", Settings(), seed=0)
    assert few.power == 0
    assert few.thresholds.tolist() == pytest.approx([1 / 3] * 3)
    tuned = tune(three_classes(6000, too_large=3), "balanced_accuracy", Settings(), seed=0)
    assert tuned.power is None
    assert tuned.thresholds[2] > 1.5 * tuned.thresholds[:2].max()


def test_a_measure_that_cannot_be_told_moves_no_threshold() -> None:
    """All is one class and called so: kappa is 0 / 0, and no worse where everything is called the other."""
    probabilities = np.array([[0.9, 0.1]] * 20)
    given = Predictions(
        "made", ("a", "b"), tuple(map(str, range(20))), np.zeros(20, int), np.zeros(20, int), probabilities
    )
    assert tune(given, "cohen_kappa", Settings(), seed=0).thresholds.tolist() == [0.5, 0.5]


def test_a_class_without_validation_images_keeps_a_threshold() -> None:
    given = lopsided(50, 6)
    tuned = tune(given.renamed(["absent", "common", "rare"]), "macro_f1", Settings(), seed=0)
    assert np.isfinite(tuned.thresholds).all()
    assert (tuned.thresholds > 0).all()
