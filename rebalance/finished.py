"""What a worker hands back: a finished file, or why there is none."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from rebalance.dataset import Stamp

NOTES = "; "


@dataclass(frozen=True, slots=True)
class Written:
    """One finished file."""

    output: str
    class_name: str
    kind: str
    source: str
    source_sha256: str
    sha256: str
    n_bytes: int
    width: int | None
    height: int | None
    mode: str | None
    format: str | None
    copy_number: int | None = None
    neighbor: str | None = None
    """Of a synthetic sample, the other image that it lies between."""
    neighbor_sha256: str | None = None
    step: float | None = None
    shows: str | None = None
    """Which of both a synthetic sample shows, where it is a copy of one: base or neighbor."""
    candidate: int | None = None
    """The number of that copy among those that were made, from 1."""
    key: str | None = None
    """Names all that a synthetic sample depends on, so that another run can tell whether it is the same."""
    values: Mapping[str, Any] | None = None
    attempt: int | None = None
    """Times that values were drawn again, where they were."""
    is_reencoded: bool | None = None
    """True for what has gone through decoder and encoder with nothing drawn for it."""
    source_bytes: int | None = None
    """Bytes of the source, where the file is not byte for byte its source."""
    is_unusable: bool | None = None
    """True for an original that nothing can be made of; the note says why."""
    note: str | None = None
    """For people; several are joined by NOTES."""
    split: str | None = None
    group: str | None = None


class Failed(NamedTuple):
    """A source that could not be used, and why; one that is merely unfit is a sound original."""

    source: str
    reason: str
    is_unfit: bool
    sha256: str | None
    is_of_machine: bool = False
    """Whether the disk is to blame and not what the file holds: such a source is never left out."""


class Finished(NamedTuple):
    """A finished file with what makes it valid again: its key and the source as it was read."""

    written: Written
    key: str
    stamp: Stamp
    is_reused: bool = False
    """Whether an earlier run made it."""
    neighbor_stamp: Stamp | None = None
    """Of the second image, where a file is made of two."""
