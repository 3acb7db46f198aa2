"""Which files of a tree an audit looks at: some of each class, what of them is generated, and of what."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from heapq import heappush, heappushpop
from typing import NamedTuple

from rebalance.dataset import to_bytes
from rebalance.planning.selection import selection_key
from rebalance.storage.manifest import Manifest, has_manifest, read_manifest
from rebalance.storage.request import Request
from rebalance.storage.scan import check_folder, scan

_MOST_FILES, _MOST_CLASSES = 12_000, 50
"""What a minute is enough for."""


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
class Counts:
    """How many files each class has, in the order of their names."""

    n_files: Mapping[str, int]
    n_generated: Mapping[str, int]
    n_later: Mapping[str, int]
    """Files beyond the first one of their source."""

    @property
    def has_originals(self) -> bool:
        """Whether some file is an original; else each is a draw, and the first one of a source stands for it."""
        return any(self.n_files[name] > self.n_generated[name] for name in self.n_files)

    def made_shares(self) -> dict[str, float]:
        """Return the share of each class that more of was made: generated, or beyond the first of its source."""
        return self._shares(self.n_generated if self.has_originals else self.n_later)

    @property
    def exposure(self) -> float:
        """The spread of the generated share over the classes, from 0 to 1: what telling it apart says of the class."""
        shares = self._shares(self.n_generated).values()
        return max(shares) - min(shares) if shares else 0.0

    def _shares(self, of: Mapping[str, int]) -> dict[str, float]:
        return {name: of[name] / count for name, count in self.n_files.items() if count}


@dataclass(frozen=True, slots=True)
class Audited:
    """What a tree holds, and some of it."""

    counts: Counts
    classes: tuple[str, ...]
    """Those that are looked at."""
    files: tuple[Seen, ...]
    """Some of each of these classes, by lot."""
    originals: tuple[Seen, ...]
    """Some of the originals among all files, by lot of their own."""
    sources: tuple[Seen, ...]
    """Some of the images of SOURCE that the files were made of."""
    request: Request | None
    """Of the manifest; None without."""


def read_audited(output: str, source: str | None, n_sampled: int, seed: int) -> Audited:
    """Return what there is to look at in a tree, at most so many files of a class.

    Of very many classes some are looked at, from those of which least was made to those of which most was. The sources
    are those that the manifest names; without a manifest every file stands for itself, and SOURCE is scanned. Raises
    ManifestError where a manifest contradicts itself, SourceTreeError where there is no tree.
    """
    if source is not None:
        check_folder(source)
    tree = _opened(output)
    counts = _counted(tree)
    classes = _spread(counts.made_shares())
    n_sampled = max(2, min(n_sampled, _MOST_FILES // max(len(classes), 1)))
    files, originals, sources = (_Lots(classes, n_sampled, seed) for _ in range(3))
    for seen, of in tree.rows():
        files.add(seen)
        if seen.is_original:
            originals.add(seen)
        if of is not None:
            sources.add(of)
    if tree.request is None and source is not None:
        for seen, _ in _opened(source).rows():
            sources.add(seen)
    return Audited(counts, tuple(sorted(classes)), files.all(), originals.all(), sources.all(), tree.request)


def _spread(shares: Mapping[str, float]) -> frozenset[str]:
    """Return some of very many classes, at even distances from the least share to the largest."""
    names = sorted(shares, key=lambda name: (shares[name], name))
    if len(names) <= _MOST_CLASSES:
        return frozenset(names)
    return frozenset(names[place * (len(names) - 1) // (_MOST_CLASSES - 1)] for place in range(_MOST_CLASSES))


def by_lot(files: Sequence[Seen], seed: int) -> list[Seen]:
    """Return files in the order of their lots."""
    return sorted(files, key=lambda seen: selection_key(seed, seen.path))


class _Tree(NamedTuple):
    """A tree as it is read, as often as it takes."""

    names: Sequence[str]
    rows: Callable[[], Iterator[Row]]
    request: Request | None


def _opened(root: str) -> _Tree:
    """Return what the manifest says of a tree; without one, what is found there."""
    if has_manifest(to_bytes(root)):
        manifest = read_manifest(to_bytes(root))
        return _Tree(manifest.class_names, partial(_rows, manifest), manifest.head["request"])
    dataset = scan(root)
    images = [(folder.name, image.path) for folder in dataset.classes for image in folder.images]
    rows = [(Seen(path, name, path, is_original=True), None) for name, path in images]
    return _Tree(list(dataset.class_counts), lambda: iter(rows), None)


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


def _counted(tree: _Tree) -> Counts:
    n_files, n_generated, n_later = (dict.fromkeys(tree.names, 0) for _ in range(3))
    for seen, _ in tree.rows():
        n_files[seen.class_name] += 1
        n_generated[seen.class_name] += not seen.is_original
        n_later[seen.class_name] += not seen.is_original and (seen.copy_number or 0) > 1
    return Counts(n_files, n_generated, n_later)


class _Lots:
    """Of each of some classes the files with the smallest keys; a file that comes again counts once."""

    def __init__(self, classes: Collection[str], n_sampled: int, seed: int) -> None:
        self.classes, self.n_sampled, self.seed = classes, n_sampled, seed
        self.heaps: dict[str, list[tuple[int, str]]] = {}
        self.kept: dict[tuple[str, str], Seen] = {}

    def add(self, seen: Seen) -> None:
        """Take a file, and let go of the one whose key is the largest then."""
        name = seen.class_name, seen.path
        if name in self.kept or seen.class_name not in self.classes:
            return
        heap = self.heaps.setdefault(seen.class_name, [])
        entry = -int.from_bytes(selection_key(self.seed, seen.path)[:8]), seen.path
        self.kept[name] = seen
        if len(heap) < self.n_sampled:
            heappush(heap, entry)
        else:
            del self.kept[seen.class_name, heappushpop(heap, entry)[1]]

    def all(self) -> tuple[Seen, ...]:
        """Return what is kept, class by class, by path."""
        return tuple(self.kept[name] for name in sorted(self.kept, key=lambda name: (name[0], to_bytes(name[1]))))
