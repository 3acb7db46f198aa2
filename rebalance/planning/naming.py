"""Names of generated files: a function of seed, source path and copy number alone."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from posixpath import splitext
from typing import NamedTuple, Self

from rebalance.dataset import ClassFolder, ImageFile, directory_of, to_bytes, to_text
from rebalance.drawing import draw_key

_KEPT_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".ppm", ".tif", ".tiff"})
NAME_MAX = 255
"""Bytes that a name may have on the disks of today."""
_NEVER_CUT = 150
"""Bytes of a stem, and of the suffix together, that no name is cut below."""
_SUFFIXES = {"jpeg": (".jpg", ".jpeg"), "png": (".png",), "webp": (".webp",)}
"""What may end the names of each --output-format; the first is taken where a source has none of them."""
_FORMATS = {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
KINDS = {"augmented": "aug", "duplicate": "dup", "synthetic": "smote"}
"""Kind of an operation -> what the names of its files say."""
_GENERATED = re.compile(r"_(?:aug|dup|smote)\d+-[0-9a-f]{12}\.[^./]*$")
_WINDOWS_NAMES = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
)
_WINDOWS_STARTS = frozenset(name[:3] for name in _WINDOWS_NAMES)
_WINDOWS_CHARACTERS = frozenset('<>:"\\|?*')
_NOT_IN_WINDOWS = b'<>:"\\|?*' + bytes(range(1, 32))


class Place(NamedTuple):
    """Where the files of one source lie in OUTPUT: the folder of its class, and the name of its original."""

    source: str
    directory: str
    name: str

    @classmethod
    def of(cls, source: str, class_name: str, split: str | None = None, prefix: str = "") -> Self:
        """Return the place of a source: folders of its path that say neither split nor class go into the name.

        `Hat/a.jpg` stays so; `scans/p7/a.jpg`, which a list calls Hat, becomes `Hat/scans_p7_a.jpg`. `prefix` is what
        says the split in the path, if anything does.
        """
        name = source.removeprefix(prefix).removeprefix(f"{class_name}/").replace("/", "_")
        return cls(source, directory_of(class_name, split), name)

    @classmethod
    def in_folder(cls, folder: ClassFolder, image: ImageFile) -> Self:
        """Return the place of an image of a class."""
        return cls.of(image.path, folder.name, folder.split, folder.prefix)


def generated_path(place: Place, kind: str, seed: int, copy_number: int, output_format: str | None = "same") -> str:
    """Return where a generated file lies: beside its original, stem cut so that the name fits 255 bytes.

    What is not encoded anew (`output_format` None) has its source's suffix, whatever that is.
    """
    stem, suffix = splitext(place.name)
    suffix = _made_suffix(suffix, output_format)
    ending = f"_{KINDS[kind]}{copy_number}-{draw_key(seed, place.source, copy_number).hex()[:12]}{suffix}"
    return f"{place.directory}/{_cut(stem, NAME_MAX - len(to_bytes(ending)))}{ending}"


def common_start(place: Place) -> str:
    """Return what the paths of all files begin with that are made of one source."""
    stem, suffix = splitext(place.name)
    return f"{place.directory}/{_cut(stem, max(0, _NEVER_CUT - len(to_bytes(suffix))))}"


def original_path(place: Place, output_format: str | None) -> str:
    """Return where an original lies in OUTPUT: under its own name, but for a suffix that is encoded as another."""
    if output_format is None:
        return f"{place.directory}/{place.name}"
    stem, suffix = splitext(place.name)
    return f"{place.directory}/{stem}{_made_suffix(suffix, output_format)}"


def format_of(path: str, source: str) -> str | None:
    """Return the format that a suffix asks for where it is not that of the source, else None."""
    suffix = splitext(path)[1]
    return None if suffix == splitext(source)[1] else _FORMATS[suffix]


def _made_suffix(suffix: str, output_format: str | None) -> str:
    """Return the suffix of what is made, a function of the source's suffix and the format asked for alone."""
    if output_format is None:
        return suffix
    if output_format != "same":
        return suffix if suffix.lower() in _SUFFIXES[output_format] else _SUFFIXES[output_format][0]
    if suffix.lower() == ".mpo":
        return ".jpg"
    return suffix if suffix.lower() in _KEPT_SUFFIXES else ".png"


def looks_generated(path: str) -> bool:
    """Return whether a file has a name as generated ones have."""
    return _GENERATED.search(path) is not None


def _cut(stem: str, n_bytes: int) -> str:
    """Return a stem of at most so many bytes that ends with a whole character."""
    raw = to_bytes(stem)
    if len(raw) <= n_bytes:
        return stem
    while n_bytes and raw[n_bytes] & 0xC0 == 0x80:
        n_bytes -= 1
    return to_text(raw[:n_bytes])


def folded_name(name: str) -> str:
    """Return a name as a file system sees it that tells neither case nor Unicode form apart."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def look_alikes(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield pairs of names that differ by case or Unicode form alone."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(folded_name(name), name)
        if other != name:
            yield other, name


def all_differ(names: Sequence[str]) -> bool:
    """Return whether names differ by more than case or Unicode form; fast, and False where that is not plain."""
    joined = "\0".join(names)
    return joined.isascii() and len(set(joined.lower().split("\0"))) == len(names)


def all_portable(names: Sequence[str]) -> bool:
    """Return whether Windows takes names too; fast, and False where that is not plain."""
    joined = to_bytes("\0".join(names)) + b"\0"
    starts = {start.lower() for start in set(map(itemgetter(slice(3)), names))}
    is_odd = b".\0" in joined or b" \0" in joined or not starts.isdisjoint(_WINDOWS_STARTS)
    return not is_odd and len(joined.translate(None, _NOT_IN_WINDOWS)) == len(joined)


def is_portable(name: str) -> bool:
    """Return whether Windows takes a name too."""
    stem = name.partition(".")[0].lower()
    is_odd = stem in _WINDOWS_NAMES or name.endswith((".", " "))
    return not is_odd and not any(character in _WINDOWS_CHARACTERS or character < " " for character in name)
