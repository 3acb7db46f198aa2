"""How well what says nothing of a picture's content tells its class: its file's header, and traces of what was done."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from rebalance.lots import lots
from rebalance.planning.estimates import (
    Estimate,
    Families,
    Features,
    Labels,
    Split,
    Values,
    Which,
    estimate,
    recalls,
)
from rebalance.planning.models import Counts, fit_linear, fit_tree

_MOST_LEVELS = 8
"""Names of one field that have a column each, the most frequent ones."""

Fit = Callable[[Features, Labels, Counts | None], Callable[[Features], Labels]]
"""From files and their classes to what says the class of further files."""
Fields = Sequence[Mapping[str, Any]]
"""Of each file, its fields: numbers, and names of what is no number."""


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
    """Balanced accuracy, fitted to originals."""
    on_output: Estimate
    """The same, fitted to OUTPUT."""
    drop: Estimate
    """From the first to the second."""
    calls: Mapping[str, tuple[float, float]]
    """Share of majority originals that are called a minority class, as they are and with the traces of generated files.

    By what the model was fitted to: OUTPUT, or files alike, originals and the same share of draws of every class.
    Empty where there are no such originals.
    """
    moved: Estimate | None
    """The rise of that share where the model was fitted to OUTPUT, beyond the one where it was fitted to files alike:
    what traces say of the picture itself, in both, is no leak."""


class Sides(NamedTuple):
    """Which files are of OUTPUT, which are originals, and which were made of these for the audit."""

    output: Which
    originals: Which
    paired: Which
    """The originals that have a draw and a twin."""
    drawn: Which
    """Draws by the settings of OUTPUT."""
    twins: Which
    """The same toned down, so that nobody sees it."""

    def picked(self, is_picked: Which) -> Self:
        """Return the same of some of the files."""
        return self._replace(**{name: side[is_picked] for name, side in self._asdict().items()})


def find_header(fields: Fields, families: Families, is_output: Which, seed: int) -> Header | None:
    """Return how well a tree of depth 3 tells the class by headers, in OUTPUT and in what is no OUTPUT: originals.

    It is fitted to one file of each family, so that copies do not make it better, and judged on all files of families
    that it was not fitted to, each class weighing the same. None where fewer than two classes have two families.
    """
    usable = _usable(families, is_output) & (is_output.all() | _usable(families, ~is_output))
    if len(np.unique(families.classes[usable])) < 2:
        return None
    trial = _Trial.of(families.picked(usable), seed)
    columns = _columns([fields[place] for place in np.flatnonzero(usable).tolist()])
    sides = [is_output[usable], ~is_output[usable]][: 1 if is_output.all() else 2]

    def judged(features: Features) -> list[Values]:
        return [trial.accuracies(trial.told(fit_tree, features, side, side, is_one_each=True), side) for side in sides]

    of_all = judged(np.concatenate(list(columns.values()), axis=1))
    by_field = {
        name: [float(np.nanmean(own)) for own in judged(features)]
        if (features != features[0]).any()
        else [trial.chance] * len(sides)
        for name, features in columns.items()
    }
    return Header(
        output=estimate(of_all[0], trial.chance, 0, 1),
        source=estimate(of_all[1], trial.chance, 0, 1) if len(sides) == 2 else None,
        rise=estimate(of_all[0] - of_all[1], 0.0, -1, 1) if len(sides) == 2 else None,
        by_field={name: (shares[0], shares[1] if len(sides) == 2 else None) for name, shares in by_field.items()},
    )


def find_leak(
    features: Features, families: Families, sides: Sides, minority: Collection[int], generated_share: float, seed: int
) -> Leak | None:
    """Return what logistic regression on statistics makes of originals of families that it was not fitted to.

    `minority` are the classes of which more is generated. None where fewer than two classes have two families.
    """
    usable = _usable(families, sides.output) & _usable(families, sides.originals)
    if len(np.unique(families.classes[usable])) < 2:
        return None
    trial, features, sides = _Trial.of(families.picked(usable), seed), features[usable], sides.picked(usable)
    shown = sides.originals | sides.twins
    told = {
        "originals": trial.told(fit_linear, features, sides.originals, sides.originals),
        "OUTPUT": trial.told(fit_linear, features, sides.output, shown),
    }
    on_originals, on_output = (trial.accuracies(labels, sides.originals) for labels in told.values())
    is_minority = np.isin(trial.families.classes, list(minority))
    asked = [sides.paired & ~is_minority, sides.twins & ~is_minority]
    calls = {}
    if is_minority.any() and asked[1].any():
        alike = np.where(sides.drawn, generated_share, 1 - generated_share)
        fitted_to = (sides.paired | sides.drawn) & (alike > 0)
        told["files alike"] = trial.told(fit_linear, features, fitted_to, asked[0] | asked[1], alike)
        calls = {
            name: [trial.shares(told[name], minority, which) for which in asked] for name in ("OUTPUT", "files alike")
        }
    rises = [after - before for before, after in calls.values()]
    return Leak(
        on_originals=estimate(on_originals, trial.chance, 0, 1),
        on_output=estimate(on_output, trial.chance, 0, 1),
        drop=estimate(on_originals - on_output, 0.0, -1, 1),
        calls={name: (float(np.nanmean(before)), float(np.nanmean(after))) for name, (before, after) in calls.items()},
        moved=estimate(rises[0] - rises[1], 0.0, -1, 1) if calls else None,
    )


class _Trial(NamedTuple):
    """Files, the splits in which models are tried on them, and lots by which one of a family is chosen."""

    families: Families
    splits: Sequence[Split]
    seed: int

    @classmethod
    def of(cls, families: Families, seed: int) -> Self:
        return cls(families, families.splits(seed), seed)

    @property
    def chance(self) -> float:
        """Balanced accuracy of whoever guesses."""
        return 1 / len(np.unique(self.families.classes))

    def told(
        self, fit: Fit, features: Features, fitted_to: Which, asked: Which, counts: Counts | None = None,
        *, is_one_each: bool = False,
    ) -> Labels:  # fmt: skip
        """Return the class that files are said to have by a model fitted to others, in each split.

        Shape (n_splits, n_files); -1 of what is not asked there. `counts` says how much a file weighs in its class;
        `is_one_each` fits to one file of each family, another one in each split.
        """
        classes = self.families.classes
        labels = np.full((len(self.splits), len(classes)), -1, np.intp)
        for number, split in enumerate(self.splits):
            known, wanted = split.known & fitted_to, split.asked & asked
            if is_one_each:
                known = self._one_each(known, number)
            if known.any() and wanted.any():
                say = fit(features[known], classes[known], None if counts is None else counts[known])
                labels[number, wanted] = say(features[wanted])
        return labels

    def accuracies(self, told: Labels, side: Which) -> Values:
        """Return the balanced accuracy of what some files are said to be, in each split."""
        classes, found = self.families.classes, np.full(len(told), np.nan)
        for number, labels in enumerate(told):
            asked = side & (labels >= 0)
            if asked.any():
                own = classes[asked]
                found[number] = np.nanmean(recalls(labels[asked] == own, own, int(classes.max()) + 1))
        return found

    @staticmethod
    def shares(told: Labels, among: Collection[int], side: Which) -> Values:
        """Return the share of some files that are said to be of some classes, in each split."""
        asked = (told >= 0) & side
        with np.errstate(invalid="ignore"):
            found: Values = (np.isin(told, list(among)) & asked).sum(axis=1) / asked.sum(axis=1)
        return found

    def _one_each(self, known: Which, number: int) -> Which:
        places = np.flatnonzero(known)
        drawn = lots((self.seed, len(self.splits), number), len(known))
        order = places[np.argsort(drawn[places], kind="stable")]
        ones = np.zeros_like(known)
        ones[order[np.unique(self.families.members[order], return_index=True)[1]]] = True
        return ones


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
