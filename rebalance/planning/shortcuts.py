"""How well what says nothing of a picture's content tells its class: its file's header, and traces of what was done."""

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from rebalance.planning.estimates import (
    N_FOLDS,
    Estimate,
    Families,
    Features,
    Labels,
    Weights,
    balanced_shares,
    estimate,
)
from rebalance.planning.models import Counts, fit_linear, fit_tree

_MOST_LEVELS = 8
"""Names of one field that have a column each, the most frequent ones."""

Fit = Callable[[Features, Labels, Counts | None], Callable[[Features], Labels]]
"""From files and their classes to what says the class of further files."""
Fields = Sequence[Mapping[str, Any]]
"""Of each file, its fields: numbers, and names of what is no number."""
Which = NDArray[np.bool_]
Shares = NDArray[np.float64]


class Header(NamedTuple):
    """How well headers tell the classes of OUTPUT and of SOURCE, in balanced accuracy."""

    output: Estimate
    source: Estimate | None
    rise: Estimate | None
    """From SOURCE to OUTPUT."""
    by_field: Mapping[str, tuple[float, float | None]]
    """With each field alone: of OUTPUT, of SOURCE."""

    @property
    def field(self) -> str:
        """The field that tells the most more of OUTPUT than of SOURCE; without SOURCE, that tells the most."""
        return max(self.by_field, key=lambda name: self.by_field[name][0] - (self.by_field[name][1] or 0))


class Leak(NamedTuple):
    """What a model that sees traces alone makes of held-out originals."""

    on_originals: Estimate
    """Balanced accuracy, fitted on originals."""
    on_output: Estimate
    """The same, fitted on OUTPUT."""
    drop: Estimate
    """From the first to the second."""
    calls: Mapping[str, tuple[float, float]]
    """Share of majority originals that are called a minority class, as they are and with the traces of generated files.

    By what the model was fitted on: OUTPUT, or files alike, originals of every class of which the same share has these
    traces. Empty where there are no such originals.
    """
    moved: Estimate | None
    """The rise of that share where the model was fitted on OUTPUT, beyond the one where it was fitted on files alike:
    what traces say of the picture itself, in both, is no leak."""


class Sides(NamedTuple):
    """Which files are of OUTPUT, which are originals, and which are their twins, with the traces of generated files."""

    output: Which
    originals: Which
    twins: Which

    def picked(self, is_picked: Which) -> Self:
        """Return the same of some of the files."""
        return self._replace(**{name: side[is_picked] for name, side in self._asdict().items()})


def find_header(fields: Fields, families: Families, is_output: Which, seed: int) -> Header | None:
    """Return how well a tree of depth 3 tells the class by headers, in OUTPUT and in what is no OUTPUT: originals.

    It is fitted on one file of each family, so that copies do not make it better, and judged on all files of families
    that it was not fitted on, each class weighing the same. None where fewer than two classes have two families.
    """
    usable = _usable(families, is_output) & (is_output.all() | _usable(families, ~is_output))
    if len(np.unique(families.classes[usable])) < 2:
        return None
    folded = _Folded.of(families.picked(usable), seed)
    columns = _columns([fields[place] for place in np.flatnonzero(usable).tolist()])
    sides = [is_output[usable], ~is_output[usable]][: 1 if is_output.all() else 2]
    known = [(folded.ones(side, seed), side) for side in sides]

    def told(features: Features) -> list[Shares]:
        return [folded.accuracy(folded.predicted(fit_tree, features, ones, side), side) for ones, side in known]

    of_all = told(np.concatenate(list(columns.values()), axis=1))
    alone = {
        name: [float(shares[0]) for shares in told(features)]
        if (features != features[0]).any()
        else [folded.chance] * 2
        for name, features in columns.items()
    }
    return Header(
        output=_estimated(of_all[0], folded.chance),
        source=_estimated(of_all[1], folded.chance) if len(sides) == 2 else None,
        rise=_estimated(of_all[0] - of_all[1], 0.0) if len(sides) == 2 else None,
        by_field={name: (shares[0], shares[1] if len(sides) == 2 else None) for name, shares in alone.items()},
    )


def find_leak(
    features: Features, families: Families, sides: Sides, minority: Collection[int], generated_share: float, seed: int
) -> Leak | None:
    """Return what logistic regression on statistics makes of originals of families that it was not fitted on.

    `minority` are the classes of which more is generated. None where fewer than two classes have two families.
    """
    usable = _usable(families, sides.output) & _usable(families, sides.originals)
    if len(np.unique(families.classes[usable])) < 2:
        return None
    folded, features, sides = _Folded.of(families.picked(usable), seed), features[usable], sides.picked(usable)
    shown = sides.originals | sides.twins
    by_originals = folded.predicted(fit_linear, features, sides.originals, sides.originals)
    by_output = folded.predicted(fit_linear, features, sides.output, shown)
    on_originals, on_output = (folded.accuracy(labels, sides.originals) for labels in (by_originals, by_output))
    calls = {}
    is_minority = np.isin(folded.families.classes, list(minority))
    if is_minority.any() and (sides.twins & ~is_minority).any():
        alike = np.where(sides.twins, generated_share, 1 - generated_share)
        by_alike = folded.predicted(fit_linear, features, shown & (alike > 0), shown & ~is_minority, alike)
        asked = sides.originals & ~is_minority, sides.twins & ~is_minority
        for name, told in (("OUTPUT", by_output), ("files alike", by_alike)):
            before, after = (folded.share(told, minority, which) for which in asked)
            calls[name] = before, after
    rises = [after - before for before, after in calls.values()]
    return Leak(
        on_originals=_estimated(on_originals, folded.chance),
        on_output=_estimated(on_output, folded.chance),
        drop=_estimated(on_originals - on_output, 0.0),
        calls={name: (float(before[0]), float(after[0])) for name, (before, after) in calls.items()},
        moved=_estimated(rises[0] - rises[1], 0.0) if calls else None,
    )


class _Folded(NamedTuple):
    """Files dealt into folds some times, and how often each is there: once, then as often as it is drawn."""

    families: Families
    deals: Labels
    weights: Weights

    @classmethod
    def of(cls, families: Families, seed: int) -> Self:
        once = np.ones((1, len(families.classes)), np.float32)
        return cls(families, families.deals(seed), np.concatenate([once, families.resamples(seed)]))

    @property
    def chance(self) -> float:
        """Balanced accuracy of whoever guesses."""
        return 1 / len(np.unique(self.families.classes))

    def predicted(
        self, fit: Fit, features: Features, fitted_on: Which, asked: Which, counts: Counts | None = None
    ) -> Labels:
        """Return the class that each file that is asked for is said to have, by a model fitted on other folds.

        Shape (n_deals, n_files); -1 of what is not asked for. What it is fitted on may differ from deal to deal;
        `counts` says how much a file weighs in its class.
        """
        fitted_on = np.broadcast_to(fitted_on, self.deals.shape)
        labels = np.full(self.deals.shape, -1, np.intp)
        for deal, fold in product(range(len(labels)), range(N_FOLDS)):
            is_out = self.deals[deal] == fold
            known, wanted = fitted_on[deal] & ~is_out, asked & is_out
            if wanted.any() and known.any():
                own = None if counts is None else counts[known]
                labels[deal, wanted] = fit(features[known], self.families.classes[known], own)(features[wanted])
        return labels

    def ones(self, side: Which, seed: int) -> Which:
        """Return one file of each family of some files, by lot, shape (n_deals, n_files): another in each deal."""
        found = np.zeros(self.deals.shape, bool)
        for is_one, of_deal in zip(found, self.families.lots(seed), strict=True):
            order = np.flatnonzero(side)[np.argsort(of_deal[side], kind="stable")]
            is_one[order[np.unique(self.families.members[order], return_index=True)[1]]] = True
        return found

    def accuracy(self, labels: Labels, side: Which) -> Shares:
        """Return the balanced accuracy of labels of some files: once, then as they are drawn."""
        is_right = (labels == self.families.classes).mean(axis=0)
        return balanced_shares(is_right[side], self.families.classes[side], self.weights[:, side])

    def share(self, labels: Labels, among: Collection[int], side: Which) -> Shares:
        """Return the share of some files whose labels are among some: once, then as they are drawn."""
        own, holds = self.weights[:, side], np.isin(labels, list(among)).mean(axis=0)
        with np.errstate(invalid="ignore"):
            shares: Shares = own @ holds[side] / own.sum(axis=1, dtype=np.float64)
        return shares


def _estimated(shares: Shares, chance: float) -> Estimate:
    """Return the first of some shares with what the others, resampled, say of it."""
    return estimate(float(shares[0]), shares[1:], chance)


def _usable(families: Families, side: Which) -> Which:
    """Return which files are of a class that has two families on one side, so that one can be held out."""
    pairs = np.unique(np.stack([families.classes[side], families.members[side]]), axis=1)
    labels, counts = np.unique(pairs[0], return_counts=True)
    return np.isin(families.classes, labels[counts > 1])


def _columns(fields: Fields) -> dict[str, Features]:
    """Return the columns of each field: one of numbers, or one for each of its most frequent names."""
    columns = {}
    for name, first in fields[0].items():
        values = [row[name] for row in fields]
        if not isinstance(first, str):
            columns[name] = np.array(values, np.float64)[:, None]
            continue
        levels, counts = np.unique(values, return_counts=True)
        frequent = levels[np.argsort(-counts, kind="stable")][:_MOST_LEVELS]
        columns[name] = (np.array(values)[:, None] == frequent).astype(np.float64)
    return columns
