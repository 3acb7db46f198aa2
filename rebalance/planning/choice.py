"""What is chosen of every class, and of each image that is not, why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rebalance.dataset import ImageFile

Images = Mapping[str, Sequence[ImageFile]]
"""The images that there are, by class, in index order."""


class LeftOut(NamedTuple):
    """Why an image is not kept, and the path of the one that speaks for or against it."""

    reason: str
    counterpart: str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The images that are kept of each class, in the order of their paths."""

    kept: Mapping[str, tuple[ImageFile, ...]]
    otherwise: LeftOut
    """Why an image is not kept for which nothing else is said."""
    left_out: Mapping[str, LeftOut] = field(default_factory=dict)
    """By path, of those that a method looked at and that are not kept."""
    remarks: tuple[str, ...] = ()
    """What a method found too few or too many of, and how that was settled."""
