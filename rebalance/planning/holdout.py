"""Holding a part of every class back for validation: stratified, by key, what belongs together on one side."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from hashlib import blake2b

from rebalance.dataset import ClassFolder, Dataset, ImageFile
from rebalance.drawing import draw_key
from rebalance.errors import TargetError

TRAIN, VAL = "train", "val"
_SWEEPS = 16
"""More than are needed in practice; every one makes the distance smaller, so that there is an end anyway."""
_ATTEMPTS = 1000
"""Moves that may be needed to have every class on both sides; more than enough where it can be done at all."""


def hold_out(dataset: Dataset, share: Fraction, content: Mapping[str, str], *, seed: int) -> Dataset:
    """Return the dataset with splits: what is balanced, and about `share` of every class beside it as it is.

    `content` says of images that stand there more than once, by path, what their bytes hash to. Those with the same
    bytes, and those of a group, are a unit that stays on one side; all else is a unit by itself. In the order of the
    units' keys, those go to val that its goals, `share` of each class, have room for. Then, in the same order again and
    again until none does, units change sides where that brings the counts of val nearer to the goals: where the sum
    over the classes of (count - goal)^2 / n falls. Where nothing belongs together, the smallest keys of each class are
    held back.
    Raises TargetError where a class cannot have an image on both sides.
    """
    held = _Held({folder.name: len(folder.images) for folder in dataset.classes}, share)
    units = sorted(_units(dataset, content), key=lambda unit: _key(unit, seed))
    for unit in units:
        if held.has_room_for(unit):
            held.move(unit, +1)
    for _sweep in range(_SWEEPS):
        n_moved = sum(held.improve(unit) for unit in units)
        if not n_moved:
            break
    _put_every_class_on_both_sides(held, units)
    paths = {image.path for unit in held.units for image in unit.images}
    return replace(
        dataset,
        classes=tuple(_part(folder, paths, is_held=False) for folder in dataset.classes),
        carried=tuple(_part(folder, paths, is_held=True) for folder in dataset.classes),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Unit:
    """Images that stay on one side, and how many of them each class has."""

    images: tuple[ImageFile, ...]
    counts: Mapping[str, int]


class _Held:
    """The units that are held back so far, and how many images of each class."""

    def __init__(self, n_images: Mapping[str, int], share: Fraction) -> None:
        """Begin with none."""
        self.n_images = n_images
        self.goals = {name: min(max(1, math.floor(n * share + Fraction(1, 2))), n - 1) for name, n in n_images.items()}
        self.counts = dict.fromkeys(n_images, 0)
        self.units: dict[_Unit, None] = {}

    def move(self, unit: _Unit, sign: int) -> None:
        """Take a unit in (+1), or give it back (-1)."""
        for name, count in unit.counts.items():
            self.counts[name] += sign * count
        if sign > 0:
            self.units[unit] = None
        else:
            del self.units[unit]

    def has_room_for(self, unit: _Unit) -> bool:
        """Return whether a unit more passes no goal."""
        return all(self.counts[name] + count <= self.goals[name] for name, count in unit.counts.items())

    def improve(self, unit: _Unit) -> bool:
        """Let a unit change sides where that brings the counts nearer to the goals; return whether it did."""
        sign = -1 if unit in self.units else +1
        is_nearer = self._change_of_one(unit, sign) < 0 if len(unit.counts) == 1 else self.distance_if(unit, sign) < 0
        if is_nearer:
            self.move(unit, sign)
        return is_nearer

    def _change_of_one(self, unit: _Unit, sign: int) -> int:
        """Return what has the sign of `distance_if` for a unit of one class, as nearly all are, in integers."""
        ((name, count),) = unit.counts.items()
        return 2 * sign * (self.counts[name] - self.goals[name]) + count

    def distance_if(self, unit: _Unit, sign: int) -> Fraction | int:
        """Return by how much the distance from the goals grows with a unit more, or less."""
        return sum(
            Fraction(count * (2 * sign * (self.counts[name] - self.goals[name]) + count), self.n_images[name])
            for name, count in unit.counts.items()
        )

    def is_all_of(self, unit: _Unit, class_name: str) -> bool:
        """Return whether a class has no image outside of a unit."""
        return unit.counts[class_name] == self.n_images[class_name]


_Node = tuple[str, str]


class _Together:
    """What belongs together, also by way of others (union-find, with paths halved)."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._parents: dict[_Node, _Node] = {}

    def root_of(self, node: _Node) -> _Node:
        """Return what stands for all that a node belongs together with."""
        parents = self._parents
        parents.setdefault(node, node)
        while parents[node] != node:
            parents[node] = node = parents[parents[node]]
        return node

    def join(self, first: _Node, second: _Node) -> None:
        """Let two nodes belong together."""
        self._parents[self.root_of(second)] = self.root_of(first)


def _units(dataset: Dataset, content: Mapping[str, str]) -> Iterator[_Unit]:
    """Yield the units, each in the order of the dataset."""
    together = _Together()
    for image in dataset.images():
        for node in (nodes := _nodes_of(image, content)):
            together.join(nodes[0], node)
    members: dict[_Node, list[tuple[ImageFile, str]]] = {}
    for folder in dataset.classes:
        one = {folder.name: 1}
        for image in folder.images:
            if nodes := _nodes_of(image, content):
                members.setdefault(together.root_of(nodes[0]), []).append((image, folder.name))
            else:
                yield _Unit((image,), one)
    for unit in members.values():
        yield _Unit(tuple(image for image, _ in unit), Counter(name for _, name in unit))


def _nodes_of(image: ImageFile, content: Mapping[str, str]) -> list[_Node]:
    """Return what an image belongs to with others: its group, its bytes."""
    nodes = [] if image.group is None else [("group", image.group)]
    return [*nodes, ("content", content[image.path])] if image.path in content else nodes


def _key(unit: _Unit, seed: int) -> bytes:
    """Return the key of a unit: that of its first image, whatever else is in it."""
    return blake2b(b"holdout", key=draw_key(seed, unit.images[0].path, 0), digest_size=32).digest()


def _put_every_class_on_both_sides(held: _Held, units: Sequence[_Unit]) -> None:
    """Move units wherever a class has images on one side alone. Raises TargetError where that leads nowhere.

    Each time the unit that has been moved least, and of those the one that costs least: what that empties is mended in
    its turn.
    """
    n_moves: Counter[_Unit] = Counter()
    for _attempt in range(_ATTEMPTS):
        lacking = next((name for name, n in held.n_images.items() if n and held.counts[name] in (0, n)), None)
        if lacking is None:
            return
        sign = -1 if held.counts[lacking] else +1
        candidates = [unit for unit in units if lacking in unit.counts and not held.is_all_of(unit, lacking)]
        if not candidates:
            break
        unit = min(candidates, key=lambda unit: (n_moves[unit], held.distance_if(unit, sign)))
        n_moves[unit] += 1
        held.move(unit, sign)
    if lacking is not None:
        raise TargetError(_why_not(lacking, held.n_images[lacking], units))


def _why_not(name: str, n_images: int, units: Sequence[_Unit]) -> str:
    n_units = sum(name in unit.counts for unit in units)
    if n_images == 1:
        reason = "has 1 image, and --holdout needs one for each side"
    elif n_units == 1:
        reason = f"has {n_images} images that belong together, so that they cannot be on both sides of --holdout"
    else:
        reason = f"cannot be on both sides of --holdout with what its {n_units} groups have of other classes"
    return f"class {name!r} {reason}: add images, or --exclude it"


def _part(folder: ClassFolder, held: set[str], *, is_held: bool) -> ClassFolder:
    images = tuple(image for image in folder.images if (image.path in held) == is_held)
    return replace(folder, images=images, split=VAL if is_held else TRAIN)
