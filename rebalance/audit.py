"""Whether a tree gives its classes away: by the headers of its files, or by the traces of what was done to some."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from rebalance.audited import Audited, Seen, by_lot, read_audited
from rebalance.dataset import to_bytes
from rebalance.errors import UsageError
from rebalance.images.statistics import KINDS, STATISTICS
from rebalance.planning.estimates import Estimate, Families, families_of
from rebalance.planning.shortcuts import Header, Leak, Sides, find_header, find_leak
from rebalance.planning.tell import Tell, find_tell
from rebalance.traces import Look, Measured, measure_files
from rebalance.twins import Treatment, treatment_of

_ORIGINAL = 3
_DRAWN, _DRAWN_IN_ALL = 100, 2000
"""Originals of a class, and of all, that are drawn as generated files are: what a minute is enough for."""


class AuditOptions(NamedTuple):
    """How a tree is looked at."""

    sample: int
    """Files of each class at most."""
    at: int
    """Pixels a side that training brings pictures to."""
    seed: int
    n_workers: int
    max_pixels: int


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found."""

    audited: Audited
    n_files: int
    """How many of OUTPUT were looked at."""
    n_originals: int
    originals: str
    """Where these come from: SOURCE, OUTPUT or nowhere."""
    unread: Mapping[str, str]
    """Path -> why it was not."""
    header: Header | None
    tells: Mapping[str, Tell | None]
    """By size: native, or pixels a side."""
    leaks: Mapping[str, Leak | None]

    @property
    def risks(self) -> dict[str, tuple[float, Estimate]]:
        """Return what may give the class away, each as a number from 0 to 1 and the estimate that it rests on.

        How much more headers tell than those of originals do, of what there is to be told; exposure times how well
        generated files are told (2 AUC - 1); the share of majority originals that traces make a minority of.
        """
        found: dict[str, tuple[float, Estimate]] = {}
        if self.header and self.header.rise:
            rise = self.header.rise
            found["header"] = rise.value / (1 - self.header.output.chance), rise
        for size, tell in self.tells.items():
            if tell:
                found[f"tell, {size}"] = self.audited.counts.exposure * (2 * tell.overall.value - 1), tell.overall
        for size, leak in self.leaks.items():
            if leak and leak.moved:
                found[f"leak, {size}"] = leak.moved.value, leak.moved
        return found

    @property
    def found(self) -> dict[str, float]:
        """Return the risks that are beyond chance at the 5 % level, all looks taken together; the largest first."""
        risks = self.risks
        found = {name: risk for name, (risk, estimate) in risks.items() if risk > 0 and estimate.is_found(len(risks))}
        return dict(sorted(found.items(), key=lambda item: -item[1]))


def audit(
    output: str,
    source: str | None,
    options: AuditOptions,
    progress: Callable[[int, int], None] = lambda _n_done, _n_all: None,
) -> Audit:
    """Look at some files of OUTPUT and at originals, those of SOURCE where it is given; nothing is written.

    Raises ManifestError where the manifest contradicts itself, SourceTreeError where there is no tree.
    """
    audited = read_audited(output, source, options.sample, options.seed)
    is_of_source = source is not None and bool(audited.sources)
    has_generated = any(audited.counts.n_generated.values())
    originals = audited.sources if is_of_source else audited.originals if has_generated else ()
    root = to_bytes(str(source) if is_of_source else output)
    minority = minority_of(audited.counts.made_shares())
    treatment = _treatment(audited)
    files = [_Item(seen, Look(to_bytes(output), seen.path), is_output=True) for seen in audited.files]
    n_drawn: Counter[str] = Counter()
    for seen in by_lot(originals, options.seed):
        n_drawn[seen.class_name] += 1
        is_drawn = minority and n_drawn[seen.class_name] <= max(2, min(_DRAWN, _DRAWN_IN_ALL // len(audited.classes)))
        look = Look(root, seen.path, treatment, is_of_source, bool(is_drawn))
        files.append(_Item(seen, look, is_output=False))
    measured = _measured_all([item.look for item in files], options, progress)
    good = [(item, one) for item in files if (one := measured[item.look.key]).reason is None]
    table = _Table.of(audited, good, options)
    return Audit(
        audited=audited,
        n_files=int(table.is_output.sum()),
        n_originals=int((~table.is_output).sum()),
        originals=("SOURCE" if is_of_source else "OUTPUT") if originals else "nowhere",
        unread={one.look.path: one.reason for one in measured.values() if one.reason is not None},
        header=table.header(),
        tells={size: table.tell(place) for place, size in enumerate(_names(options))},
        leaks={size: table.leak(place, minority) for place, size in enumerate(_names(options))},
    )


def treatment_by(output: str) -> Treatment:
    """Return what the generated files of a tree have gone through, of the class of which most was made.

    Raises UsageError where nothing was made, or no manifest says so.
    """
    treatment = _treatment(read_audited(output, None, 1, 0))
    if treatment is None:
        raise UsageError(f"{output}: no file of it is generated, so there are no traces to give: leave it out")
    return treatment


def minority_of(shares: Mapping[str, float]) -> frozenset[str]:
    """Return the classes of which more than the middle between the least and the largest share was made."""
    if not shares or max(shares.values()) == min(shares.values()):
        return frozenset()
    middle = (max(shares.values()) + min(shares.values())) / 2
    return frozenset(name for name, share in shares.items() if share > middle)


def most_made(shares: Mapping[str, float]) -> str | None:
    """Return the class of which the largest share was made; None where nothing was."""
    return max(shares, key=lambda name: shares[name]) if any(shares.values()) else None


class _Item(NamedTuple):
    """A file, and how it is looked at."""

    seen: Seen
    look: Look
    is_output: bool


@dataclass(frozen=True, slots=True)
class _Table:
    """What was measured, a row a file."""

    audited: Audited
    items: Sequence[_Item]
    measured: Sequence[Measured]
    labels: Mapping[str, int]
    families: Families
    is_output: NDArray[np.bool_]
    seed: int

    @classmethod
    def of(cls, audited: Audited, measured: Sequence[tuple[_Item, Measured]], options: AuditOptions) -> Self:
        items = [item for item, _ in measured]
        labels = {name: label for label, name in enumerate(audited.classes)}
        families = families_of([(item.seen.family, labels[item.seen.class_name]) for item in items])
        is_output = np.array([item.is_output for item in items], bool)
        return cls(audited, items, [one for _, one in measured], labels, families, is_output, options.seed)

    def header(self) -> Header | None:
        """Return what headers tell."""
        fields = [one.container._asdict() for one in self.measured if one.container is not None]
        return find_header(fields, self.families, self.is_output, self.seed)

    def tell(self, size: int) -> Tell | None:
        """Return how well generated files are told from the others at a size; without originals, later from first."""
        seen = [item.seen for item in self.items if item.is_output]
        has_originals = self.audited.counts.has_originals
        is_made = [not file.is_original if has_originals else (file.copy_number or 0) > 1 for file in seen]
        return find_tell(
            self._values(size)[self.is_output], np.array(is_made, bool), self.families.picked(self.is_output), KINDS,
            self.seed,
        )  # fmt: skip

    def leak(self, size: int, minority: Iterable[str]) -> Leak | None:
        """Return what a model that sees traces alone makes of originals at a size."""
        if self.is_output.all() or not any(self.audited.counts.n_generated.values()):
            return None
        has_twin = np.array([one.twin is not None for one in self.measured], bool)
        drawn = [one.drawn[size] for one in self.measured if one.drawn is not None]
        twins = [one.twin[size] for one in self.measured if one.twin is not None]
        features = np.concatenate([self._values(size), np.reshape([*drawn, *twins], (-1, len(STATISTICS)))])
        kinds = np.repeat([0, 1, 2], [len(self.measured), len(drawn), len(twins)])
        kinds[np.flatnonzero(~self.is_output)] = _ORIGINAL
        sides = Sides(
            output=kinds == 0,
            originals=kinds == _ORIGINAL,
            paired=np.concatenate([has_twin, np.zeros(len(drawn) + len(twins), bool)]),
            drawn=kinds == 1,
            twins=kinds == 2,
        )
        generated_share = sum(self.audited.counts.n_generated.values()) / sum(self.audited.counts.n_files.values())
        small = {self.labels[name] for name in minority if name in self.labels}
        return find_leak(features, self.families.repeated(has_twin, 2), sides, small, generated_share, self.seed)

    def _values(self, size: int) -> NDArray[np.float64]:
        return np.array([one.values[size] for one in self.measured if one.values is not None])


def _treatment(audited: Audited) -> Treatment | None:
    """Return what the generated files of the class of which most was made have gone through; None without any."""
    name = most_made(audited.counts.made_shares())
    return None if audited.request is None or name is None else treatment_of(audited.request, name)


def _measured_all(
    looks: Sequence[Look], options: AuditOptions, progress: Callable[[int, int], None]
) -> dict[tuple[bytes, str, bool], Measured]:
    """Return what there is to say of each look, by its key; what is looked at twice is measured once."""
    wanted = {look.key: look for look in looks}
    measured = {}
    sizes = [None, options.at]
    for one in measure_files(wanted.values(), sizes, options.n_workers, options.max_pixels):
        measured[one.look.key] = one
        progress(len(measured), len(wanted))
    return measured


def _names(options: AuditOptions) -> list[str]:
    """Return what the sizes are called."""
    return ["native", str(options.at)]
