"""What the lines of a manifest add up to, class by class, with some pictures of each."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import groupby
from typing import Any, NamedTuple

from rebalance.dataset import to_bytes
from rebalance.finished import NOTES
from rebalance.page.content import Picture, Strip
from rebalance.recipes import told_values

N_SHOWN = 6
"""Pictures of a strip."""

Line = Mapping[str, Any]
Told = dict[str, tuple[int, list[str]]]
"""A reason or note -> how many files it is of, and the first of them."""
_N_NAMED = 20


class Chosen(NamedTuple):
    """A picture that may be shown, by what decides that."""

    order: int
    hashed: bytes
    source: str
    picture: Picture


@dataclass(slots=True)
class Fewest:
    """The pictures that come first of however many there are: by an order, then by a hash of their source."""

    chosen: list[Chosen] = field(default_factory=list)

    def add(self, order: int, source: str, picture: Picture) -> None:
        """Take one."""
        self.chosen.append(Chosen(order, blake2b(to_bytes(source), digest_size=8).digest(), source, picture))
        if len(self.chosen) > 8 * N_SHOWN:
            self.first()

    def first(self) -> list[Chosen]:
        """Return the first, and forget the others."""
        self.chosen = sorted(self.chosen)[:N_SHOWN]
        return self.chosen


@dataclass(slots=True)
class Tally:
    """The lines of one class."""

    class_name: str
    split: str | None
    n_originals: int = 0
    n_generated: int = 0
    n_listed: int = 0
    n_vectors: int = 0
    n_left_out: int = 0
    copies: Counter[str] = field(default_factory=Counter)
    """Path of a source that is used -> files, or repetitions, made of it beside itself."""
    original_of: dict[str, Picture] = field(default_factory=dict)
    """Path of a source -> its own picture in OUTPUT."""
    originals: Fewest = field(default_factory=Fewest)
    generated: Fewest = field(default_factory=Fewest)
    left_out: Fewest = field(default_factory=Fewest)

    @property
    def n_after(self) -> int:
        """What stands for the class in OUTPUT."""
        return self.n_originals + self.n_generated + self.n_listed + self.n_vectors

    @property
    def n_made(self) -> int:
        """What of it is no original."""
        return self.copies.total()

    @property
    def most_copies(self) -> int:
        """How often the image that is copied most is."""
        return max(self.copies.values(), default=0)

    def strips(self) -> tuple[Strip, ...]:
        """Return the pictures that are shown: over what is generated, what it is generated from."""
        generated = self.generated.first()
        sources = {one.source: self.original_of[one.source] for one in generated if one.source in self.original_of}
        sources |= {one.source: one.picture for one in self.originals.first() if one.source not in sources}
        strips = (
            Strip("originals", tuple(sources.values())[:N_SHOWN]),
            Strip("generated", tuple(one.picture for one in generated)),
            Strip("left out", tuple(one.picture for one in self.left_out.first())),
        )
        return tuple(strip for strip in strips if strip.pictures)

    def add(self, row: Line) -> None:
        """Count a line."""
        source = row["source"]
        match row["kind"]:
            case "removed":
                self.n_left_out += 1
                self.left_out.add(0, source, Picture("source", source, told=(row["reason"],)))
            case "original":
                self.n_originals += 1
                self.copies[source] += 0
                self.original_of[source] = Picture("output", row["path"])
                self.originals.add(0, source, self.original_of[source])
            case "listed":
                self.n_listed += row["repetitions"]
                self.copies[source] += row["repetitions"] - 1
                told = f"counts {row['repetitions']} times"
                self.originals.add(0, source, Picture("source", source, told=(told,)))
            case "vector":
                self.n_vectors += 1
                self.copies[source] += "copy_number" in row
            case _:
                self.n_generated += 1
                self.copies[source] += 1
                made = Picture("output", row["path"], _named(row), tuple(_told(row)))
                self.generated.add(row["copy_number"], source, made)


def _named(row: Line) -> tuple[str, ...]:
    """Return what a file was made of."""
    return (f"from {row['source']}", *([f"to {row['neighbor']}"] if "neighbor" in row else []))


def _told(row: Line) -> Iterator[str]:
    """Yield how a file was made."""
    yield f"{row['step']:.0%} of the way" if row["kind"] == "synthetic" else f"copy {row['copy_number']}"
    yield from [f"shows the {row['shows']}"] if "shows" in row else []
    yield from told_values(row.get("values", {}))
    yield from ["byte for byte"] if row["kind"] == "duplicate" else []
    yield from row["note"].split(NOTES) if row.get("note") else []


def tallied(rows: Iterable[Line], reasons: Told, notes: Told) -> Iterator[Tally]:
    """Yield the classes of a manifest, one after the other as their lines go; gather what is told of single files."""
    for (split, class_name), of_class in groupby(rows, key=lambda row: (row.get("split"), row["class"])):
        tally = Tally(class_name, split)
        for row in of_class:
            tally.add(row)
            if row["kind"] == "removed":
                _gather(reasons, row["reason"], row["source"])
            for note in row["note"].split(NOTES) if row.get("note") else ():
                _gather(notes, note, row["path"])
        yield tally


def _gather(told: Told, text: str, path: str) -> None:
    count, paths = told.get(text, (0, []))
    told[text] = count + 1, paths if len(paths) >= _N_NAMED else [*paths, path]
