"""imbalanced-learn's under-samplers by our names, called as anyone calls them: what each keeps, and how it ranks."""

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebalance.errors import TargetError
from rebalance.planning.likeness import Indices, on_one_processor
from rebalance.vectors import Rows

Labels = NDArray[np.intp]

_NEIGHBORS = 3
"""imbalanced-learn's default; fewer where there are fewer."""
_FOLDS = 5
"""Of the cross-validation of `iht`, likewise."""


class Pictures(NamedTuple):
    """What a method looks at, class after class."""

    rows: Rows
    labels: Labels
    order: Indices
    """What decides where nothing else does: a rank for each row."""
    seed: int

    @property
    def random_state(self) -> int:
        """Return the seed as scikit-learn takes one."""
        return self.seed % 2**32

    @property
    def rarest(self) -> int:
        """Return the class with the fewest images."""
        names, counts = np.unique(self.labels, return_counts=True)
        return int(names[counts.argmin()])


class _Cleaner(NamedTuple):
    sampler: str
    has_neighbors: bool = False
    is_seeded: bool = False


_CLEANERS = {
    "tomek": _Cleaner("TomekLinks"),
    "enn": _Cleaner("EditedNearestNeighbours", has_neighbors=True),
    "renn": _Cleaner("RepeatedEditedNearestNeighbours", has_neighbors=True),
    "allknn": _Cleaner("AllKNN", has_neighbors=True),
    "ncr": _Cleaner("NeighbourhoodCleaningRule", has_neighbors=True),
    "oss": _Cleaner("OneSidedSelection", is_seeded=True),
    "cnn": _Cleaner("CondensedNearestNeighbour", is_seeded=True),
}


def clean(method: str, pictures: Pictures, classes: Sequence[int]) -> tuple[Indices, int | None]:
    """Return the rows that a cleaning method keeps, and to how many neighbors it looked where those are too few."""
    from imblearn import under_sampling  # noqa: PLC0415  takes seconds to import

    cleaner = _CLEANERS[method]
    settings: dict[str, Any] = {"sampling_strategy": list(classes)}
    if cleaner.is_seeded:
        settings["random_state"] = pictures.random_state
    make: Callable[..., Any] = getattr(under_sampling, cleaner.sampler)
    if not cleaner.has_neighbors:
        return _kept(make(**settings), pictures), None
    most = min(_NEIGHBORS, len(pictures.rows) - 1)
    for n_neighbors in range(most, 0, -1):
        with contextlib.suppress(ValueError):  # what is left on the way may be fewer than there were
            kept = _kept(make(n_neighbors=n_neighbors, **settings), pictures)
            return kept, n_neighbors if n_neighbors < _NEIGHBORS else None
    raise TargetError(f"--method {method}: {len(pictures.rows)} images are too few to look at neighbors: it takes 4")


class Ranking(NamedTuple):
    """One class from the first image that is kept to the last."""

    rows: Indices
    n_found: int
    """How many the library keeps: it may be more or fewer than it was asked for."""


def rank(method: str, pictures: Pictures, n_kept: Mapping[int, int]) -> dict[int, Ranking]:
    """Return the ranking of each class of which so many are to be kept.

    First what the library keeps, then the rest, each by the method's own measure and then by `order`.
    """
    with _undisturbed():
        found, measure = _RANKERS[method](pictures, n_kept)
    is_found = np.zeros(len(pictures.rows), bool)
    is_found[found] = True
    rankings = {}
    for label in n_kept:
        members = np.flatnonzero(pictures.labels == label)
        sequence = np.lexsort((pictures.order[members], measure[members], ~is_found[members]))
        rankings[label] = Ranking(members[sequence], int(is_found[members].sum()))
    return rankings


def _kept(sampler: Any, pictures: Pictures) -> Indices:
    with _undisturbed():
        sampler.fit_resample(pictures.rows, pictures.labels)
    return np.sort(sampler.sample_indices_)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep what is found from depending on the number of processors, and warnings to ourselves."""
    with warnings.catch_warnings(), on_one_processor():
        warnings.simplefilter("ignore")
        yield


Found = tuple[Indices, NDArray[np.float64]]
"""The rows that are kept, and each row's measure, the smaller the sooner it is kept."""


def _near_miss(version: int) -> Callable[[Pictures, Mapping[int, int]], Found]:
    """Return NearMiss of a version (Mani and Zhang 2003): by the mean distance to images of the rarest class.

    1: to the 3 nearest, small first; 2: to the 3 farthest, small first; 3: as 1, large first, of the nearest to each.
    """

    def find(pictures: Pictures, n_kept: Mapping[int, int]) -> Found:
        from imblearn.under_sampling import NearMiss  # noqa: PLC0415  as above
        from sklearn.neighbors import NearestNeighbors  # noqa: PLC0415

        rare = pictures.rows[pictures.labels == pictures.rarest]
        n_neighbors = min(_NEIGHBORS, len(rare))
        n_others = min(_NEIGHBORS, *(int((pictures.labels == label).sum()) for label in n_kept))
        sampler = NearMiss(
            sampling_strategy=dict(n_kept), version=version, n_neighbors=n_neighbors, n_neighbors_ver3=n_others
        )
        search = NearestNeighbors(n_neighbors=len(rare) if version == 2 else n_neighbors).fit(rare)
        distances, _ = search.kneighbors(pictures.rows)
        mean = distances[:, -n_neighbors:].mean(axis=1)
        return _kept(sampler, pictures), -mean if version == 3 else mean

    return find


def _instance_hardness(pictures: Pictures, n_kept: Mapping[int, int]) -> Found:
    """Rank by how probable a random forest finds the image's own class (Smith et al. 2014).

    The library's threshold keeps all that are as probable as the last that is to be kept: so these are counted.
    """
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415  as above
    from sklearn.model_selection import StratifiedKFold, cross_val_predict  # noqa: PLC0415

    seed, labels = pictures.random_state, np.unique(pictures.labels, return_inverse=True)[1]
    folds = StratifiedKFold(n_splits=min(_FOLDS, int(np.bincount(labels).max())), shuffle=True, random_state=seed)
    forest = RandomForestClassifier(n_estimators=100, random_state=seed)
    probable = cross_val_predict(forest, pictures.rows, labels, cv=folds, method="predict_proba")
    hardness = 1.0 - probable[np.arange(len(labels)), labels]
    found = [
        members[hardness[members] <= np.sort(hardness[members])[n_images - 1]]
        for label, n_images in n_kept.items()
        for members in [np.flatnonzero(pictures.labels == label)]
    ]
    return np.concatenate(found), hardness


def _cluster(pictures: Pictures, n_kept: Mapping[int, int]) -> Found:
    """Keep the image nearest to each centroid of k-means; rank by the distance to the nearest one."""
    from imblearn.under_sampling import ClusterCentroids  # noqa: PLC0415  as above

    measure = np.zeros(len(pictures.rows))
    found: list[int] = []
    for label, n_clusters in n_kept.items():
        members = np.flatnonzero(pictures.labels == label)
        sampler = ClusterCentroids(
            sampling_strategy={label: n_clusters}, voting="hard", random_state=pictures.random_state
        )
        rows, labels = sampler.fit_resample(pictures.rows, pictures.labels)
        at = {pictures.rows[index].tobytes(): int(index) for index in members}
        found += {at[row.tobytes()] for row in rows[labels == label]}
        centers = sampler.estimator_.cluster_centers_
        measure[members] = [np.linalg.norm(centers - pictures.rows[index], axis=1).min() for index in members]
    return np.array(found, np.intp), measure


_RANKERS: Mapping[str, Callable[[Pictures, Mapping[int, int]], Found]] = {
    "nearmiss-1": _near_miss(1),
    "nearmiss-2": _near_miss(2),
    "nearmiss-3": _near_miss(3),
    "iht": _instance_hardness,
    "cluster": _cluster,
}
