"""Which files of a tree an audit looks at: some of each class, what of them is generated, and of what."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappush, heappushpop
from typing import NamedTuple

from rebalance.dataset import to_bytes
from rebalance.drawing import draw_key
from rebalance.errors import SourceTreeError
from rebalance.storage.manifest import Manifest, has_manifest, read_manifest
from rebalance.storage.request import Request
from rebalance.storage.scan import scan

_MOST_FILES = 12_000
"""Files of all classes: what a minute is enough for."""


class Seen(NamedTuple):
    """A file of OUTPUT, or one of what it was made of."""

    path: str
    class_name: str
    family: str
    """What it shares its picture with: the path of its source, or the group of that."""
    is_original: bool
    copy_number: int | None = None


Row = tuple[Seen, Seen | None]
"""A file, and the source that it shows, where one is known."""


@dataclass(frozen=True, slots=True)
class Audited:
    """What a tree holds, and some of it."""

    counts: Mapping[str, int]
    """Files of each class, in the order of their names."""
    n_generated: Mapping[str, int]
    n_later: Mapping[str, int]
    """Files beyond the first one of their source."""
    files: tuple[Seen, ...]
    """Some of each class, by lot."""
    originals: tuple[Seen, ...]
    """Some of the originals among all files, by lot of their own."""
    sources: tuple[Seen, ...]
    """Some of the images of SOURCE that the files were made of."""
    request: Request | None
    """Of the manifest; None without."""

    @property
    def has_originals(self) -> bool:
        """Whether some file is an original; else each is a draw, and the first one of a source stands for it."""
        return any(self.counts[name] > self.n_generated[name] for name in self.counts)

    def made_shares(self) -> dict[str, float]:
        """Return the share of each class that more of was made: generated, or beyond the first of its source."""
        made = self.n_generated if self.has_originals else self.n_later
        return {name: made[name] / count for name, count in self.counts.items() if count}

    @property
    def exposure(self) -> float:
        """The spread of the generated share over the classes, from 0 to 1: what telling it apart says of the class."""
        shares = [self.n_generated[name] / count for name, count in self.counts.items() if count]
        return max(shares) - min(shares) if shares else 0.0


def read_audited(output: str, source: str | None, n_sampled: int, seed: int) -> Audited:
    """Return what there is to look at in a tree, at most so many files of a class.

    The sources are those that its manifest names; without a manifest every file stands for itself, and SOURCE is
    scanned. Raises ManifestError where a manifest contradicts itself, SourceTreeError where there is no tree.
    """
    root = to_bytes(output)
    if source is not None and not os.path.isdir(to_bytes(source)):
        raise SourceTreeError(f"{source}: no such folder: --source is to be what OUTPUT was made from")
    if has_manifest(root):
        manifest = read_manifest(root)
        names, rows, request = manifest.class_names, _rows(manifest), manifest.head["request"]
    else:
        (names, rows), request = _scanned(output), None
    n_sampled = max(2, min(n_sampled, _MOST_FILES // max(len(names), 1)))
    found = _Found(n_sampled, seed)
    for seen, of in rows:
        found.add(seen, of)
    if request is None and source is not None:
        for seen, _ in _scanned(source)[1]:
            found.sources.add(seen)
    return Audited(
        {name: found.counts[name] for name in names}, found.n_generated, found.n_later,
        found.files.all(), found.originals.all(), found.sources.all(), request,
    )  # fmt: skip


def by_lot(files: Sequence[Seen], seed: int) -> list[Seen]:
    """Return files in the order of their lots."""
    return sorted(files, key=lambda seen: draw_key(seed, seen.path, 0))


def _rows(manifest: Manifest) -> Iterator[Row]:
    """Yield the files of the balanced split, each with the source that it shows."""
    for row in manifest.rows():
        if "path" not in row or row.get("split") != manifest.split:
            continue
        source = row["neighbor"] if row.get("shows") == "neighbor" else row["source"]
        family = row.get("group") or source
        is_original = row["kind"] == "original"
        of = Seen(source, row["class"], family, is_original=True)
        yield Seen(row["path"], row["class"], family, is_original, row.get("copy_number")), of


def _scanned(root: str) -> tuple[list[str], Iterator[Row]]:
    dataset = scan(root)
    images = ((folder.name, image.path) for folder in dataset.classes for image in folder.images)
    rows = ((Seen(path, name, path, is_original=True), None) for name, path in images)
    return list(dataset.class_counts), rows


@dataclass(slots=True)
class _Found:
    """Counts and lots of what has been read."""

    n_sampled: int
    seed: int
    counts: Counter[str] = field(default_factory=Counter)
    n_generated: Counter[str] = field(default_factory=Counter)
    n_later: Counter[str] = field(default_factory=Counter)
    files: "_Lots" = field(init=False)
    originals: "_Lots" = field(init=False)
    sources: "_Lots" = field(init=False)

    def __post_init__(self) -> None:
        self.files, self.originals, self.sources = (_Lots(self.n_sampled, self.seed) for _ in range(3))

    def add(self, seen: Seen, of: Seen | None) -> None:
        self.counts[seen.class_name] += 1
        self.files.add(seen)
        if seen.is_original:
            self.originals.add(seen)
        else:
            self.n_generated[seen.class_name] += 1
            self.n_later[seen.class_name] += (seen.copy_number or 0) > 1
        if of is not None:
            self.sources.add(of)


class _Lots:
    """Of each class the files with the smallest keys; a file that comes again counts once."""

    def __init__(self, n_sampled: int, seed: int) -> None:
        self.n_sampled, self.seed = n_sampled, seed
        self.heaps: dict[str, list[tuple[int, str]]] = {}
        self.kept: dict[tuple[str, str], Seen] = {}

    def add(self, seen: Seen) -> None:
        """Take a file, and let go of the one whose key is the largest then."""
        name = seen.class_name, seen.path
        if name in self.kept:
            return
        heap = self.heaps.setdefault(seen.class_name, [])
        entry = -int.from_bytes(draw_key(self.seed, seen.path, 0)[:8]), seen.path
        self.kept[name] = seen
        if len(heap) < self.n_sampled:
            heappush(heap, entry)
        else:
            del self.kept[seen.class_name, heappushpop(heap, entry)[1]]

    def all(self) -> tuple[Seen, ...]:
        """Return what is kept, class by class, by path."""
        return tuple(self.kept[name] for name in sorted(self.kept, key=lambda name: (name[0], to_bytes(name[1]))))
