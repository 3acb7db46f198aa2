import pytest

from rebalance.labels import Labels, LabelSet, labels_of
from rebalance.planning.multilabel import always_together, label_weights, measure_labels, never_without


def labels(names: str, *sets: tuple[int, LabelSet]) -> Labels:
    """So many images of each set."""
    every = [label_set for n_images, label_set in sets for _ in range(n_images)]
    return labels_of(tuple(names), {f"{number}.jpg": label_set for number, label_set in enumerate(every)})


TEN = labels("abc", (3, (0, 1)), (1, (0, 1, 2)), (4, (0,)), (1, (2,)), (1, ()))


def test_two_labels_of_a_hundred_and_ten_by_hand() -> None:
    """IRLbl 1 and 10, mean 5.5, sd 9 / sqrt(2); the image with both: 1 - sqrt(10) / 5.5."""
    given = labels("ab", (99, (0,)), (9, (1,)), (1, (0, 1)))
    found = measure_labels(given)
    assert given.positives == (100, 10)
    assert found.imbalance_ratios == (1, 10)
    assert found.mean_ir == 5.5
    assert found.cvir == pytest.approx(1.157084, abs=5e-7)
    assert found.scumble * 109 == pytest.approx(0.425040, abs=5e-7)


def test_ten_images_by_hand() -> None:
    """Counts 8, 4, 2; sd of 1, 2, 4 is 1.527525; three images 1 - sqrt(2) / 1.5, one 1 - 2 / (7 / 3)."""
    found = measure_labels(TEN)
    assert TEN.positives == (8, 4, 2)
    assert found.imbalance_ratios == (1, 2, 4)
    assert found.mean_ir == pytest.approx(7 / 3)
    assert found.cvir == pytest.approx(0.654654, abs=5e-7)
    assert found.scumble == pytest.approx((3 * 0.0571910 + 0.1428571) / 10, abs=5e-8)
    assert found.cardinality == 1.4
    assert found.density == pytest.approx(1.4 / 3)
    assert found.n_label_sets == 5


def test_a_label_that_never_occurs_is_in_no_measure() -> None:
    given = labels("abcd", *[(1, TEN.sets[place]) for place in TEN.set_of.values()])
    found = measure_labels(given)
    assert found.imbalance_ratios == (1, 2, 4, None)
    assert found.mean_ir == pytest.approx(7 / 3)
    assert found.density == pytest.approx(1.4 / 3)


def test_what_cannot_be_told_is_none() -> None:
    found = measure_labels(labels("a", (3, ())))
    assert (found.mean_ir, found.cvir, found.scumble, found.density) == (None, None, 0, 0)
    assert measure_labels(labels("a", (3, (0,)))).cvir is None
    assert measure_labels(labels("a")).n_label_sets == 0


def test_weights_by_hand() -> None:
    first, second, third = label_weights(TEN)
    assert first == pytest.approx((10 / 16, 10 / 4, 2 / 8))
    assert second == pytest.approx((10 / 8, 10 / 12, 6 / 4))
    assert third == pytest.approx((10 / 4, 10 / 16, 8 / 2))
    assert label_weights(labels("abc", (3, (0,)), (1, (0, 1)))) == [None, pytest.approx((2, 2 / 3, 3)), None]


def test_labels_that_occur_together() -> None:
    given = labels("abcde", (3, (0, 1, 2)), (2, (2,)), (1, (3, 4)))
    assert list(always_together(given)) == [("a", "b"), ("d", "e")]
    assert never_without(given) == [(1, 2), (0, 2), (), (4,), (3,)]


def test_the_published_figures_of_a_known_set() -> None:
    """Counts of `emotions` (593 tracks, six labels); mldr, by the authors of the measures, prints these for it.

    Which labels meet is not published, and with it SCUMBLE: labels are laid around the tracks one after the other.
    """
    counts, n_tracks, start = [173, 166, 264, 148, 168, 189], 593, 0
    of_track: list[list[int]] = [[] for _ in range(n_tracks)]
    for label, count in enumerate(counts):
        for place in range(start, start + count):
            of_track[place % n_tracks].append(label)
        start += count
    found = measure_labels(labels("abcdef", *((1, tuple(sorted(own))) for own in of_track)))
    assert found.imbalance_ratios == pytest.approx((1.526012, 1.590361, 1, 1.783784, 1.571429, 1.396825), abs=5e-7)
    assert found.mean_ir == pytest.approx(1.478068, abs=5e-7)
    assert found.cardinality == pytest.approx(1.868465, abs=5e-7)
    assert found.density == pytest.approx(0.3114109, abs=5e-8)
