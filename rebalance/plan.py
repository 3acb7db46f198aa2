"""What an output tree will hold."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from rebalance.dataset import ImageFile, directory_of, to_bytes
from rebalance.labels import LabelForm, Labels

Recipe = Mapping[str, Any]
"""Settings that are not neutral and say what a copy may be, by configuration key."""

MAX_PIXELS = 89_478_485
"""Width x height above which an image is refused before it is decoded (Pillow's own warning level)."""
INDEX_NAME = "vectors.csv"
"""What says which row of which array of vectors is which image or sample."""
INTERPOLATIONS = ("nearest", "bilinear", "bicubic")
OUTPUT_FORMATS = ("same", "jpeg", "png", "webp")
ORIGINALS = ("keep", "reencode", "transform")
"""Byte for byte, through decoder and encoder like all that is made, or replaced by draws like all that is made."""


class Rendering(NamedTuple):
    """How every file that is encoded is made, whatever is drawn for it, and which files are."""

    originals: str = "keep"

    engine: str = "pillow"
    """What samples the pixels: pillow or opencv."""
    interpolation: str = "bicubic"
    size: tuple[int, int] | None = None
    """Width and height of every file, upright; None: its source's."""
    output_format: str = "same"
    """jpeg, png, webp, or the source's."""
    quality: int | None = None
    """Of JPEG and WebP, 1 to 100; None: the tables of the source."""
    orientation: str = "keep"
    """keep: pixels and EXIF orientation as the source has them stored; upright: turned, and no tag."""
    max_pixels: int = MAX_PIXELS


SOURCE_LIKE = Rendering()


class ClassTarget(NamedTuple):
    """How many images of a class are in use and how many files it will have: totals, never increments."""

    class_name: str
    n_current: int
    n_target: int
    split: str | None = None
    """Whose part of the class it is, where OUTPUT has splits."""

    @property
    def directory(self) -> str:
        """Where the files lie in OUTPUT."""
        return directory_of(self.class_name, self.split)


class LabelTarget(NamedTuple):
    """How many images have a label, should have it and will have it, where an image has several."""

    name: str
    n_before: int
    n_target: int | None
    """None: no number was asked for."""
    n_after: int
    reason: str = ""
    """Why that is not the target."""


class Labeling(NamedTuple):
    """The labels of images that have several each, and what becomes of them."""

    labels: Labels
    """Of the images of the source."""
    targets: tuple[LabelTarget, ...]
    form: LabelForm
    """Of the file of labels that OUTPUT has."""


@dataclass(frozen=True, slots=True)
class Keep:
    """An original, under its own name where its format stays."""

    kind: ClassVar[str] = "original"
    source: ImageFile
    output: str


@dataclass(frozen=True, slots=True)
class Augment:
    """Copy number `copy_number` (from 1) of a source, with values drawn for it alone."""

    kind: ClassVar[str] = "augmented"
    source: ImageFile
    output: str
    copy_number: int


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Copy number `copy_number` of a source, for which nothing is drawn."""

    kind: ClassVar[str] = "duplicate"
    source: ImageFile
    output: str
    copy_number: int


@dataclass(frozen=True, slots=True)
class Interpolate:
    """Synthetic sample number `copy_number` of a source, its base: so much of the way from there to a neighbor."""

    kind: ClassVar[str] = "synthetic"
    source: ImageFile
    output: str
    copy_number: int
    neighbor: ImageFile
    step: float
    """0 at the base, 1 at the neighbor."""
    aim: bytes = b""
    """Where it lies, as little-endian float32; empty where nothing that is made of it depends on that."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """A source in a list instead of a tree, and how many files a tree would have of it."""

    kind: ClassVar[str] = "listed"
    source: ImageFile
    repetitions: int


@dataclass(frozen=True, slots=True)
class Row:
    """A vector instead of a file: that of a source, of a copy of it, or of a synthetic sample."""

    kind: ClassVar[str] = "vector"
    source: ImageFile
    copy_number: int | None = None
    neighbor: ImageFile | None = None
    step: float | None = None


@dataclass(frozen=True, slots=True)
class Drop:
    """An original that the output leaves out, and why."""

    kind: ClassVar[str] = "removed"
    source: ImageFile
    reason: str
    counterpart: str | None = None
    """The path of the image that speaks for or against it: a partner, a near-duplicate, what stands for it."""
    is_bad: bool = False
    """Whether the image itself is the reason."""
    sha256: str | None = None
    """Of the source, where it could be read and is the reason."""


Made = Keep | Augment | Duplicate | Interpolate
"""The operations that put a file into OUTPUT."""
Operation = Made | Repeat | Row | Drop


class Unusable(NamedTuple):
    """Why an image is no source of generated ones, and whether its original still stands in OUTPUT."""

    reason: str
    is_kept: bool
    sha256: str | None = None
    """Of the bytes that were found unusable, where they could be read."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What OUTPUT will hold; the operations of a class are made when they are asked for."""

    command: str
    request: Mapping[str, Any]
    """Everything that decides what is made, ready for JSON; `storage.manifest.digest` names it."""
    targets: tuple[ClassTarget, ...]
    """Of the classes that are balanced."""
    class_counts: Mapping[str, int]
    """Images of each of them in the source."""
    most_copies: Mapping[str, int]
    """Copies of the most used source of each class."""
    n_generated: Mapping[str, int]
    """Files of each class that are no originals."""
    operations: Callable[[str], Iterator[Operation]]
    """By the directory of a target: first what stands in OUTPUT, by the bytes of its path, then what is left out."""
    recipe: Callable[[str], Recipe]
    """One class's recipe."""
    by_source: Callable[[str], Iterator[Made]] | None = None
    """By the directory of a target, what stands in OUTPUT, by the bytes of the paths of its sources; None: sorted."""
    carried: tuple[ClassTarget, ...] = ()
    """Of the classes of other splits, which go over as they are."""
    remarks: tuple[str, ...] = ()
    """What there is to say of how images were chosen."""
    aimed: Callable[[Made], Made] = lambda operation: operation
    """Adds to a synthetic sample where it lies, if that decides what is made of it."""

    labeling: Labeling | None = None
    """Where images have several labels."""
    rows: Callable[[str], Iterator[Any]] | None = None
    """By the directory of a target, the vectors of its files or lines, float32, in blocks; None: not written."""

    @property
    def has_images(self) -> bool:
        """Return whether OUTPUT holds images."""
        return self.request.get("write") not in ("list", "vectors")

    @property
    def all_targets(self) -> tuple[ClassTarget, ...]:
        """Return every directory of OUTPUT that holds files."""
        return (*self.targets, *self.carried)

    @property
    def is_list(self) -> bool:
        """Return whether OUTPUT is a list of images instead of a tree."""
        return self.request.get("write") == "list"

    @property
    def n_outputs(self) -> int:
        """Files that OUTPUT will hold, the manifest aside; of a list: repetitions."""
        return sum(target.n_target for target in self.all_targets)

    def made(self, target: ClassTarget) -> Iterator[Made]:
        """Yield the operations that put a file into a directory of OUTPUT."""
        return self._made_in(target.directory)

    def made_by_source(self, directory: str) -> Iterator[Made]:
        """Yield the same of a directory source by source, these by the bytes of their paths."""
        if self.by_source is not None:
            return self.by_source(directory)
        return iter(sorted(self._made_in(directory), key=lambda operation: to_bytes(operation.source.path)))

    def _made_in(self, directory: str) -> Iterator[Made]:
        for operation in self.operations(directory):
            if not isinstance(operation, Drop | Repeat | Row):
                yield operation
