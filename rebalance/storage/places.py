"""Where the rows of a file lie, by the names they are of: some 20 bytes of memory each, however long the names are."""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from math import isqrt
from typing import Any

_RECENT = 2**16
"""Places that are kept in a dictionary until they are sorted in."""
_SHARE = 8
"""A sorted run is merged into the one below it when it has grown to this part of it."""
_GONE = -1
_ALL_BITS = 2**64 - 1


def hash_of(name: bytes) -> int:
    """Return 64 bits of a name: Python's own hash, keyed anew for every process, which nothing outlasts."""
    return hash(name) & _ALL_BITS


class Places:
    """A map from names to places, of which it keeps but hashes: the row at a place says whose it is.

    Names that hash to what another has are kept themselves, so that no two are ever taken for one.
    """

    def __init__(self, name_at: Callable[[int], bytes | None]) -> None:
        """Begin with none; `name_at` reads the name of the row at a place, None where there is none."""
        self._name_at = name_at
        self._recent: dict[int, int] = {}
        self._late, self._early = _Run(), _Run()
        """What came lately, and all before; what comes later hides what is gone."""
        self._alike: dict[bytes, int] = {}
        """The names whose hash another has."""

    def get(self, name: bytes) -> int | None:
        """Return where the row of a name lies, if it has one; where it has none, it may be that of a name alike."""
        if name in self._alike:
            return self._alike[name]
        return self._place(hash_of(name))

    def __contains__(self, name: object) -> bool:
        """Return whether a name has a row; where it seems to, the row is read."""
        place = self.get(name) if isinstance(name, bytes) else None
        return place is not None and (name in self._alike or self._name_at(place) == name)

    def set(self, name: bytes, place: int) -> None:
        """Note where the row of a name lies, instead of any earlier one."""
        hashed = hash_of(name)
        earlier = None if name in self._alike else self._place(hashed)
        if name in self._alike or (earlier is not None and self._name_at(earlier) != name):
            self._alike[name] = place
        elif earlier is None:
            self._add(hashed, place)
        else:
            self._change(hashed, place)

    def remove(self, name: bytes) -> None:
        """Forget where the row of a name lies, if it has one."""
        if self._alike.pop(name, None) is None and name in self:
            self._change(hash_of(name), _GONE)

    def _place(self, hashed: int) -> int | None:
        place = self._recent.get(hashed)
        if place is None:
            place = self._late.find(hashed)
        if place is None:
            place = self._early.find(hashed)
        return None if place == _GONE else place

    def _change(self, hashed: int, place: int) -> None:
        """Give a hash that is there another place."""
        if hashed in self._recent:
            self._recent[hashed] = place
        elif not self._late.change(hashed, place):
            self._early.change(hashed, place)

    def _add(self, hashed: int, place: int) -> None:
        self._recent[hashed] = place
        if len(self._recent) >= _RECENT:
            self._sort_in()

    def _sort_in(self) -> None:
        self._late.take_in(_Run.of(self._recent))
        self._recent = {}
        if len(self._late.hashes) * _SHARE >= len(self._early.hashes):
            self._early.take_in(self._late)
            self._late = _Run()


class _Run:
    """Hashes in ascending order, and the places that go with them."""

    def __init__(self, hashes: Iterable[int] = (), places: Iterable[int] = ()) -> None:
        self.hashes: array[int] = hashes if isinstance(hashes, array) else array("Q", hashes)
        self.places: array[int] = places if isinstance(places, array) else array("q", places)
        self._reach = _reach_in(len(self.hashes))

    @classmethod
    def of(cls, places: Mapping[int, int]) -> "_Run":
        """Return what a dictionary holds."""
        hashes = sorted(places)
        return cls(hashes, map(places.__getitem__, hashes))

    def find(self, hashed: int) -> int | None:
        """Return the place of a hash, or None."""
        index = self.index(hashed)
        return None if index is None else self.places[index]

    def change(self, hashed: int, place: int) -> bool:
        """Give a hash another place; return whether it is here."""
        index = self.index(hashed)
        if index is not None:
            self.places[index] = place
        return index is not None

    def index(self, hashed: int) -> int | None:
        """Return which of the hashes one is, or None."""
        hashes = self.hashes
        n_hashes = len(hashes)
        if not n_hashes:
            return None
        middle = hashed * n_hashes >> 64
        low, high = max(0, middle - self._reach), min(n_hashes, middle + self._reach)
        if low and hashes[low] > hashed:
            low = 0
        if high < n_hashes and hashes[high] <= hashed:
            high = n_hashes
        index = bisect_left(hashes, hashed, low, high)
        return index if index < n_hashes and hashes[index] == hashed else None

    def take_in(self, other: "_Run") -> None:
        """Take in another run; of a hash that both have, what is said there hides what is said here."""
        import numpy as np  # noqa: PLC0415  nothing that few files need

        is_own = np.ones(len(self.hashes) + len(other.hashes), np.bool_)
        is_own[np.searchsorted(self.hashes, other.hashes) + np.arange(len(other.hashes))] = False
        self.hashes = _joined(self.hashes, other.hashes, is_own)
        self.places = _joined(self.places, other.places, is_own)
        self._reach = _reach_in(len(self.hashes))


def _reach_in(n_hashes: int) -> int:
    """Return how far hashes, which are spread evenly, nearly all lie from where that would have them."""
    return 2 * isqrt(n_hashes) + 1


def _joined(own: "array[int]", others: "array[int]", is_own: Any) -> "array[int]":
    """Return two arrays as one; `is_own` says of each place whether it is for one of the first."""
    import numpy as np  # noqa: PLC0415  the same

    joined = array(own.typecode, bytes(own.itemsize)) * len(is_own)
    view = np.asarray(joined)
    view[is_own], view[~is_own] = own, others
    return joined


class NameHashes:
    """Names of which nothing is kept but hashes: one that is not among them may seem to be, once in 2**64."""

    def __init__(self, names: Iterable[bytes]) -> None:
        """Take the names, in any order."""
        self._run = _Run(_sorted(map(hash_of, names)))

    def __len__(self) -> int:
        """Return how many names were taken."""
        return len(self._run.hashes)

    def __contains__(self, name: object) -> bool:
        """Return whether a name hashes to what one of them does."""
        return isinstance(name, bytes) and self._run.index(hash_of(name)) is not None


def hashes_twice(hashes: Iterable[int]) -> set[int]:
    """Return the hashes that are there more than once."""
    return {first for first, second in pairwise(_sorted(hashes)) if first == second}


def _sorted(hashes: Iterable[int]) -> "array[int]":
    """Return hashes in ascending order, 8 bytes each."""
    ordered = array("Q", hashes)
    if len(ordered) <= _RECENT:
        return array("Q", sorted(ordered))
    import numpy as np  # noqa: PLC0415  the same

    np.asarray(ordered).sort()
    return ordered
