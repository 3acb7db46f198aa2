"""From a sampling strategy and class counts to how many files each class will have, in exact arithmetic."""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from rebalance.errors import TargetError, UsageError, did_you_mean

WORDS = ("auto", "minority", "majority", "not minority", "not majority", "all", "sqrt", "median", "mean")
LEGAL = f"{', '.join(WORDS)}; a decimal in (0, 1]; a number of files; NAME=COUNT; @targets.json"

_NAMING = ("not minority", "majority", "not majority", "all")
"""Words that say which classes are cut without saying to what number."""

_DECIMAL = re.compile(r"\d*\.\d+|\d+\.\d*")
_INTEGER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class SamplingStrategy:
    """One of: a word, a least share smallest / largest, a number of files, or exact counts of named classes."""

    word: str | None = None
    share: Fraction | None = None
    count: int | None = None
    exact: Mapping[str, int] | None = None

    def described(self) -> object:
        """Return the strategy as a request records it, the same for every way of writing it."""
        if self.exact is not None:
            return dict(sorted(self.exact.items()))
        if self.share is not None:
            return f"{self.share.numerator}/{self.share.denominator}"
        return self.count if self.count is not None else self.word


def parse_strategy(
    texts: Sequence[str], read_file: Callable[[str], str], *, auto: str = "not majority", every: str | None = None
) -> SamplingStrategy:
    """Return the strategy of one or more `--sampling-strategy`; `read_file` gives the text behind `@FILE`.

    `auto` is the word that the words auto and all stand for: not majority for over-sampling, else not minority; `every`
    is another that all stands for, where a class need not have too many or too few to be touched.
    """
    if any("=" in text and not text.startswith("@") for text in texts):
        return SamplingStrategy(exact=_exact(texts))
    if len(texts) != 1:
        raise UsageError(
            f"--sampling-strategy {texts[0]!r} and {texts[1]!r} exclude each other: only NAME=COUNT repeats"
        )
    text = texts[0].strip()
    if text.startswith("@"):
        return SamplingStrategy(exact=_targets_file(text[1:], read_file))
    word = text.replace("-", " ")
    if word in WORDS:
        return SamplingStrategy(word={"auto": auto, "all": every or auto}.get(word, word))
    if _DECIMAL.fullmatch(text) and 0 < Fraction(text) <= 1:
        return SamplingStrategy(share=Fraction(text))
    if text == "1":
        raise UsageError(
            "--sampling-strategy 1 has two readings: write 1.0 for classes that are all equal, "
            "or NAME=1 for one file of a class"
        )
    if _INTEGER.fullmatch(text) and len(text) < 16 and int(text) > 0:
        return SamplingStrategy(count=int(text))
    raise UsageError(f"--sampling-strategy {text!r} is none of: {LEGAL}{did_you_mean(word, WORDS)}")


def over_sampling_targets(strategy: SamplingStrategy, counts: Mapping[str, int]) -> dict[str, int]:
    """Return the files each class will have, never fewer than now.

    Raises TargetError for a class without images and for an exact count below the present one.
    """
    _check_sources(counts)
    if strategy.exact is not None:
        return _exact_targets(strategy.exact, counts, _check_added)
    if strategy.word == "majority":
        raise UsageError("--sampling-strategy majority is for undersample: over-sampling adds to the smaller classes")
    goal = _goal(strategy, counts, is_over=True)
    included = _included(strategy.word, counts)
    return {name: max(count, goal(count)) if name in included else count for name, count in counts.items()}


def under_sampling_targets(strategy: SamplingStrategy, counts: Mapping[str, int]) -> dict[str, int]:
    """Return the files each class will have, never more than now and never none.

    Raises TargetError for a class without images and for an exact count that is none or above the present one.
    """
    _check_sources(counts)
    if strategy.exact is not None:
        return _exact_targets(strategy.exact, counts, _check_removed)
    if strategy.word == "minority":
        raise UsageError("--sampling-strategy minority is for augment: under-sampling takes from the larger classes")
    limit = _goal(strategy, counts, is_over=False)
    included = _included(strategy.word, counts)
    return {name: max(1, min(count, limit(count))) if name in included else count for name, count in counts.items()}


def classes_to_clean(strategy: SamplingStrategy, counts: Mapping[str, int], method: str) -> set[str]:
    """Return the classes from which a method that removes what it finds takes.

    Raises TargetError for a class without images, UsageError where the strategy asks for a number.
    """
    _check_sources(counts)
    if strategy.word == "minority":
        raise UsageError("--sampling-strategy minority is for augment: under-sampling takes from the larger classes")
    if strategy.word not in _NAMING:
        raise UsageError(
            f"--method {method} removes what it finds and reaches no number: chain one that does ({method},random), "
            f"or name classes: -s {', '.join(_NAMING)}"
        )
    return _included(strategy.word, counts)


def _goal(strategy: SamplingStrategy, counts: Mapping[str, int], *, is_over: bool) -> Callable[[int], int]:
    """Return what a class of n images is brought to: at least, by the largest class; or at most, by the smallest."""
    extreme = max(counts.values()) if is_over else min(counts.values())
    whole = math.ceil if is_over else math.floor
    if (share := strategy.share) is not None:
        return lambda _count: whole(extreme * (share if is_over else 1 / share))
    if (n_files := strategy.count) is not None:
        return lambda _count: n_files
    if strategy.word == "sqrt":
        return lambda count: _ceil_sqrt(count * extreme) if is_over else math.isqrt(count * extreme)
    if strategy.word == "median":
        return lambda _count: whole(_median(counts))
    if strategy.word == "mean":
        return lambda _count: whole(Fraction(sum(counts.values()), len(counts)))
    return lambda _count: extreme


def _included(word: str | None, counts: Mapping[str, int]) -> set[str]:
    """Return the classes a word speaks of; tied classes are all smallest, or all largest."""
    smallest, largest = min(counts.values()), max(counts.values())
    match word:
        case "minority":
            return {name for name, count in counts.items() if count == smallest}
        case "not minority":
            return {name for name, count in counts.items() if count != smallest}
        case "majority":
            return {name for name, count in counts.items() if count == largest}
        case "not majority":
            return {name for name, count in counts.items() if count != largest}
    return set(counts)


def _ceil_sqrt(square: int) -> int:
    root = math.isqrt(square)
    return root + (root * root < square)


def _median(counts: Mapping[str, int]) -> Fraction:
    ordered = sorted(counts.values())
    middle = len(ordered) // 2
    return Fraction(ordered[middle] + ordered[~middle], 2)


def _exact_targets(
    exact: Mapping[str, int], counts: Mapping[str, int], check: Callable[[str, int, int], None]
) -> dict[str, int]:
    for name, target in exact.items():
        if name not in counts:
            raise UsageError(
                f"--sampling-strategy names class {name!r}, which is not in the source{did_you_mean(name, counts)}"
            )
        check(name, counts[name], target)
    return {name: exact.get(name, count) for name, count in counts.items()}


def _check_added(name: str, count: int, target: int) -> None:
    if target < count:
        way_out = f"lower it with augment --cap {target}" if target else "a class never vanishes"
        raise TargetError(
            f"class {name!r} has {count} images and {target} are asked for: over-sampling never removes; {way_out}"
        )


def _check_removed(name: str, count: int, target: int) -> None:
    if not target:
        raise TargetError(f"class {name!r} would have no image left: a class never vanishes; --exclude {name!r} it")
    if target > count:
        raise TargetError(
            f"class {name!r} has {count} images and {target} are asked for: undersample never adds; use augment"
        )


def _check_sources(counts: Mapping[str, int]) -> None:
    if not counts:
        raise TargetError("the source has no class folders with images")
    for name, count in counts.items():
        if not count:
            raise TargetError(f"class {name!r} has no images: add some, remove the folder, or --exclude {name!r}")


def _exact(texts: Sequence[str]) -> dict[str, int]:
    """Return NAME=COUNT settings, each split at its last `=`."""
    exact: dict[str, int] = {}
    for text in texts:
        name, separator, count = text.rpartition("=")
        if not separator or not name or not _INTEGER.fullmatch(count) or len(count) > 15:
            raise UsageError(f"--sampling-strategy {text!r} is not NAME=COUNT with a whole number of files")
        if exact.setdefault(name, int(count)) != int(count):
            raise UsageError(f"--sampling-strategy names class {name!r} twice: {exact[name]} and {count}")
    return exact


def _targets_file(path: str, read_file: Callable[[str], str]) -> dict[str, int]:
    text = read_file(path)
    try:
        targets = json.loads(text, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise UsageError(f'{path}: not JSON of the form {{"CLASS": COUNT}}: {error}') from None
    if not isinstance(targets, dict) or not all(type(count) is int and count >= 0 for count in targets.values()):
        raise UsageError(f'{path}: not JSON of the form {{"CLASS": COUNT}} with whole numbers of files')
    return targets


def _without_repeats(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    settings = dict(pairs)
    if len(settings) != len(pairs):
        repeated = next(name for name in settings if sum(name == other for other, _ in pairs) > 1)
        message = f"{repeated!r} stands there twice"
        raise ValueError(message)
    return settings
