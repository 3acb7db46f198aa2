"""What a page tells, before it is HTML."""

from dataclasses import dataclass
from typing import NamedTuple


class Picture(NamedTuple):
    """One picture of a strip."""

    tree: str
    """Which tree its file lies in: output or source."""
    path: str
    named: tuple[str, ...] = ()
    """Lines that name other files, cut where they are long."""
    told: tuple[str, ...] = ()
    """What else is to be known of it, line by line."""


class Strip(NamedTuple):
    """Pictures of one kind."""

    title: str
    pictures: tuple[Picture, ...]


class Row(NamedTuple):
    """One class, or label, in the table."""

    name: str
    before: int
    after: int | None
    """None where nothing was made."""
    cells: tuple[str, ...]


class Album(NamedTuple):
    """The pictures of a class."""

    title: str
    strips: tuple[Strip, ...]
    growth: float = 1.0
    """Files after / images before: where there is not room for all, classes that grow most are shown."""


class Section(NamedTuple):
    """Lines under a heading."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """What a page tells, in its order."""

    title: str
    lead: str
    """What was done, in a sentence or two."""
    warnings: tuple[str, ...]
    what: str
    """What a row is: class or label."""
    columns: tuple[str, ...]
    """Titles of the cells of a row, after its name, its bar and its counts."""
    rows: tuple[Row, ...]
    albums: tuple[Album, ...]
    sections: tuple[Section, ...]
    command: str
    """What makes the same again in a shell; empty where nothing was made."""
    facts: tuple[tuple[str, str], ...]
