from collections.abc import Callable
from dataclasses import replace

import pytest

from rebalance.dataset import ImageFile, Stamp
from rebalance.keys import Conditions, key_of
from rebalance.plan import SOURCE_LIKE, Interpolate

STAMP = Stamp(1, 2, 3, 4)
SAMPLE = Interpolate(ImageFile("c/a.png", STAMP), "c/a_smote1-0.png", 1, ImageFile("c/b.png", STAMP), 0.25, b"aim")
CONDITIONS = Conditions(7, "drawn", "encoded", "auto", "header", SOURCE_LIKE, "shown")


def key(sample: Interpolate = SAMPLE, conditions: Conditions = CONDITIONS, sums: tuple[str, str] = ("1", "2")) -> str:
    return key_of(sample, conditions, None, *sums)


@pytest.mark.parametrize(
    "other",
    [
        lambda: key(replace(SAMPLE, aim=b"aix")),
        lambda: key(replace(SAMPLE, step=0.250001)),
        lambda: key(replace(SAMPLE, neighbor=ImageFile("c/d.png", STAMP))),
        lambda: key(replace(SAMPLE, copy_number=2)),
        lambda: key(replace(SAMPLE, output="c/a_smote1-0.jpg")),
        lambda: key(conditions=CONDITIONS._replace(shown_by="other")),
        lambda: key(conditions=CONDITIONS._replace(seed=8)),
        lambda: key(sums=("1", "3")),
        lambda: key(sums=("3", "2")),
    ],
)
def test_all_that_a_sample_depends_on_is_in_its_key(other: Callable[[], str]) -> None:
    assert other() != key()


@pytest.mark.parametrize(
    "other",
    [
        lambda: key(replace(SAMPLE, source=ImageFile("c/a.png", Stamp(9, 9, 9, 9)))),
        lambda: key(conditions=CONDITIONS._replace(link="copy", check="full", drawn_by="x", encoded_by="y")),
    ],
)
def test_nothing_else_is(other: Callable[[], str]) -> None:
    assert other() == key()
