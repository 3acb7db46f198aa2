"""What is asked of the disk of OUTPUT before any file is made: does it take the names, and has it the room."""

from collections.abc import Iterator
from itertools import chain
from posixpath import splitext
from typing import NamedTuple

from rebalance.dataset import Dataset, to_bytes
from rebalance.errors import TargetError, listed
from rebalance.keys import is_encoded
from rebalance.plan import ClassTarget, Made, Plan, Rendering
from rebalance.planning.naming import folded_name, is_portable, look_alikes
from rebalance.storage.places import hash_of, hashes_twice
from rebalance.storage.request import rendering_of
from rebalance.storage.stage import Stage

_ROWS = 1200
"""Bytes that a file takes in journal and manifest together."""
_BYTES_A_PIXEL = {".png": 1.5, ".bmp": 3.0, ".ppm": 3.0, ".tif": 3.0, ".tiff": 3.0}
"""Of photographs of some 200 pixels a side, by suffix."""
_OF_A_JPEG = 0.25


def check_disk(plan: Plan, dataset: Dataset, staging: Stage, link: str) -> None:
    """Raise TargetError where the disk of OUTPUT takes not all planned names, StorageError where it has no room."""
    needed = _estimate(plan, dataset, staging, link)
    staging.check_length(needed.longest)
    if not staging.takes_any_name():
        _check_taken(plan, staging)
    if not staging.tells_names_apart():
        _check_apart(plan)
    staging.room().check(needed.n_files, needed.n_bytes)


class _Needed(NamedTuple):
    """What is still to be written."""

    longest: int
    """Bytes of the longest path."""
    n_files: int
    n_bytes: int


def _estimate(plan: Plan, dataset: Dataset, staging: Stage, link: str) -> _Needed:
    """Return what a plan needs beyond what is staged; an estimate, since no source has been opened."""
    rendering, block = rendering_of(plan.request), staging.room().block
    is_linked = link in ("hardlink", "symlink") or (link == "auto" and staging.clones(dataset))
    longest, n_files, n_bytes = 0, 0, 0
    for target in plan.all_targets:
        for made in plan.made(target):
            longest = max(longest, len(to_bytes(made.output)))
            if staging.journal.may_have(made.output):
                continue
            is_made = is_encoded(made, rendering, None)
            n_files += is_made or link != "hardlink"
            n_bytes += _ROWS
            if is_made or not is_linked:
                size = _encoded_size(made, rendering) if is_made else made.source.stamp.size
                n_bytes += -(-size // block) * block
    return _Needed(longest, n_files, n_bytes)


def _encoded_size(made: Made, rendering: Rendering) -> int:
    """Return the bytes of a file that goes through the encoder: as many as its source has, unless made smaller."""
    if rendering.size is None:
        return made.source.stamp.size
    width, height = rendering.size
    a_pixel = _BYTES_A_PIXEL.get(splitext(made.output)[1].lower(), _OF_A_JPEG)
    return min(made.source.stamp.size, round(a_pixel * width * height))


def _check_taken(plan: Plan, staging: Stage) -> None:
    folders = (target.directory for target in plan.all_targets)
    paths = chain(folders, (made.output for target in plan.all_targets for made in plan.made(target)))
    if refused := [repr(path) for path in paths if not _is_taken(path.rpartition("/")[2], staging)]:
        raise TargetError(f"the disk of OUTPUT takes nothing named {listed(refused)}: rename or --exclude it")


def _is_taken(name: str, staging: Stage) -> bool:
    return (name.isascii() and is_portable(name)) or staging.takes(name)


def _check_apart(plan: Plan) -> None:
    alike = [look_alikes(target.directory for target in plan.all_targets)]
    alike += (_alike_in(plan, target) for target in plan.all_targets)
    if pairs := [f"{first!r} and {second!r}" for first, second in chain.from_iterable(alike)]:
        which = "are one name" if len(pairs) == 1 else "are each one name"
        raise TargetError(f"{listed(pairs)} {which} on the disk of OUTPUT: rename one of them")


def _alike_in(plan: Plan, target: ClassTarget) -> Iterator[tuple[str, str]]:
    """Yield the pairs of files in a directory that are alike; only of what hashes alike are names kept."""
    hashes = (hash_of(to_bytes(folded_name(made.output))) for made in plan.made(target))
    if twice := hashes_twice(hashes):
        suspects = (made.output for made in plan.made(target))
        yield from look_alikes(name for name in suspects if hash_of(to_bytes(folded_name(name))) in twice)
