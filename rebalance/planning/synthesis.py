"""Where synthetic samples lie: imbalanced-learn's over-samplers, asked for recipes instead of vectors.

A sampler is given the identity matrix, a row an image, and a neighbors estimator that looks at the embeddings of these
rows. What it interpolates then says itself between which two images it lies, and where.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebalance.drawing import draw_key
from rebalance.errors import UsageError, did_you_mean
from rebalance.planning.likeness import Indices, nearest
from rebalance.planning.methods import SMOTE_METHODS
from rebalance.vectors import RowSource, picked

STEP_DECIMALS = 6
_REFUSED = {
    "svm": "it extrapolates, so no picture lies where its samples do",
    "svm-smote": "it extrapolates, so no picture lies where its samples do",
    "kmeans": "it would cluster the rows of an identity matrix",
    "kmeans-smote": "it would cluster the rows of an identity matrix",
}


class Asked(NamedTuple):
    """What is asked of a sampler."""

    method: str = "smote"
    k_neighbors: int = 5
    m_neighbors: int = 10
    seed: int = 0

    @property
    def random_state(self) -> int:
        """Return the seed as scikit-learn takes one."""
        return self.seed % 2**32


class Points(NamedTuple):
    """Images as points, class after class."""

    rows: RowSource
    labels: Indices
    names: Sequence[str]
    paths: Sequence[str]


class Synthetic(NamedTuple):
    """The synthetic samples of one class: (1 - step) of a base and step of a neighbor, points both."""

    bases: Indices
    neighbors: Indices
    steps: NDArray[np.float64]

    def taken(self, places: Indices) -> "Synthetic":
        """Return some of them."""
        return Synthetic(self.bases[places], self.neighbors[places], self.steps[places])


NOTHING = Synthetic(np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0))
"""No samples."""


def check_method(method: str) -> None:
    """Raise UsageError for what is no method here."""
    if method in _REFUSED:
        raise UsageError(f"--method {method} is not done: {_REFUSED[method]}; take one of: {', '.join(SMOTE_METHODS)}")
    if method not in SMOTE_METHODS:
        hint = did_you_mean(method, [*SMOTE_METHODS, *_REFUSED])
        raise UsageError(f"--method {method!r} is none of: {', '.join(SMOTE_METHODS)}{hint}")


def synthesize(points: Points, n_wanted: Mapping[int, int], asked: Asked) -> tuple[dict[int, Synthetic], list[str]]:
    """Return so many samples of each class, and what there is to say of how they came about.

    Each class has two images or more. Where a sampler makes too few, plain SMOTE makes the rest; where it makes too
    many, those with the smallest keys are left out. Classes with fewer images have fewer neighbors.
    """
    counts = np.bincount(points.labels, minlength=len(points.names))
    by_k: dict[int, dict[int, int]] = {}
    for label, n_samples in n_wanted.items():
        if n_samples:
            by_k.setdefault(min(asked.k_neighbors, int(counts[label]) - 1), {})[label] = n_samples
    made: dict[int, Synthetic] = {}
    remarks = []
    for k, group in sorted(by_k.items(), reverse=True):
        search = _Search(points, k)
        found, why = _sampled(points, group, asked, search)
        for label, n_samples in group.items():
            name, own = points.names[label], found[label]
            if k < asked.k_neighbors:
                remarks.append(f"class {name!r} has {counts[label]} images: k_neighbors is {k} there")
            n_missing = n_samples - len(own.steps)
            if n_missing > 0:
                plain, _ = _sampled(points, {label: n_missing}, asked._replace(method="smote"), search)
                own = Synthetic(*(np.concatenate(parts) for parts in zip(own, plain[label], strict=True)))
                remarks.append(
                    f"class {name!r}: {asked.method} makes {n_samples - n_missing} of {n_samples} samples, "
                    f"{why.get(label, 'as it rounds')}; plain SMOTE makes {n_missing}"
                )
            elif n_missing < 0:
                remarks.append(f"class {name!r}: {asked.method} makes {-n_missing} more than {n_samples}: left out")
            made[label] = own.taken(_with_largest_keys(points, own, n_samples, asked.seed))
    return made, remarks


def numbered(bases: Indices) -> Indices:
    """Return the number, from 1, of each sample among those of the same base."""
    seen: dict[int, int] = {}
    numbers = np.empty(len(bases), np.intp)
    for place, base in enumerate(bases.tolist()):
        numbers[place] = seen[base] = seen.get(base, 0) + 1
    return numbers


def aims(rows: RowSource, synthetic: Synthetic, lengths: NDArray[np.float64] | None = None) -> NDArray[np.float32]:
    """Return where samples lie: float32, shape (n_samples, n_dimensions); between rows of these lengths, if given."""
    shares = np.stack([1 - synthetic.steps, synthetic.steps])
    if lengths is not None:
        shares *= lengths[np.stack([synthetic.bases, synthetic.neighbors])]
    bases, neighbors = shares[..., None]
    return np.asarray(bases * rows[synthetic.bases] + neighbors * rows[synthetic.neighbors], np.float32)


def _with_largest_keys(points: Points, synthetic: Synthetic, n_samples: int, seed: int) -> Indices:
    """Return the places of so many samples, in their order."""
    n_made = len(synthetic.steps)
    if n_made <= n_samples:
        return np.arange(n_made)
    named = zip(synthetic.bases.tolist(), numbered(synthetic.bases).tolist(), strict=True)
    keys = [draw_key(seed, points.paths[base], number) for base, number in named]
    by_key = sorted(range(n_made), key=keys.__getitem__)
    return np.sort(np.array(by_key[n_made - n_samples :], np.intp))


def _sampled(
    points: Points, n_wanted: Mapping[int, int], asked: Asked, search: "_Search"
) -> tuple[dict[int, Synthetic], dict[int, str]]:
    """Return what the sampler makes of each class, and of a class that it makes nothing of, why."""
    from scipy import sparse  # noqa: PLC0415  takes long to import

    why = _unsuited(points, n_wanted, search) if asked.method == "adasyn" else {}
    made = dict.fromkeys(n_wanted, NOTHING)
    counts = np.bincount(points.labels)
    strategy = {label: int(counts[label]) + n for label, n in n_wanted.items() if label not in why}
    if strategy:
        sampler = _SAMPLERS[asked.method](points, asked, search, strategy)
        identity = sparse.eye_array(len(points.labels), format="csr")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            weights, labels = sampler.fit_resample(identity, points.labels)
        n_real = len(points.labels)
        weights, labels = weights.tocsr()[n_real:], labels[n_real:]
        for label in strategy:
            made[label] = _recipes(weights[np.flatnonzero(labels == label)], search.tables.get(label))
            if not len(made[label].steps):
                why[label] = "none of its images is in danger"
    return made, why


def _unsuited(points: Points, n_wanted: Mapping[int, int], search: "_Search") -> dict[int, str]:
    """Return the classes that ADASYN raises an error for, and why (He et al. 2008)."""
    why = {}
    for label, n_samples in n_wanted.items():
        own = np.flatnonzero(points.labels == label)
        theirs = points.labels[search.among(np.arange(len(points.labels)), own)]
        ratio = (theirs != label).mean(axis=1)
        if not ratio.any():
            why[label] = "all neighbors of its images are of it"
        elif not np.rint(ratio / ratio.sum() * n_samples).any():
            why[label] = "its share of them is less than one half for each image"
    return why


def _recipes(weights: Any, table: "tuple[Indices, Indices] | None") -> Synthetic:
    """Return what rows of weights say; of two images that are each other's neighbors, the nearer one is the base."""
    weights.sum_duplicates()
    weights.eliminate_zeros()
    if table is None or not weights.shape[0]:
        return NOTHING
    queries, neighbors = table
    place_of = np.full(weights.shape[1], -1)
    place_of[queries] = np.arange(len(queries))
    last = weights.indptr[1:] - 1
    first, second = weights.indices[weights.indptr[:-1]], weights.indices[last]
    is_one = first == second
    second = np.where(is_one, neighbors[place_of[first], 0], second)
    first_weight, second_weight = weights.data[weights.indptr[:-1]], np.where(is_one, 0.0, weights.data[last])
    is_forward = _has(neighbors, place_of[first], second)
    is_backward = _has(neighbors, place_of[second], first)
    is_swapped = is_backward & (~is_forward | (second_weight > first_weight))
    steps: NDArray[np.float64] = np.where(is_swapped, first_weight, second_weight).round(STEP_DECIMALS)
    return Synthetic(np.where(is_swapped, second, first), np.where(is_swapped, first, second), steps)


def _has(neighbors: Indices, places: Indices, others: Indices) -> NDArray[np.bool_]:
    """Return whether others are among the neighbors at these places; there are none at -1."""
    is_there: NDArray[np.bool_] = (neighbors[places] == others[:, None]).any(axis=1) & (places >= 0)
    return is_there


class _Search:
    """A neighbors estimator for samplers that hold rows of an identity matrix; each image is its own first neighbor."""

    def __init__(self, points: Points, n_neighbors: int) -> None:
        self.points = points
        self.n_neighbors = n_neighbors + 1
        self.tables: dict[int, tuple[Indices, Indices]] = {}
        """By class, the images whose neighbors were asked for last, and these."""
        self._fitted = np.empty(0, np.intp)
        self._found: dict[tuple[bytes, bytes], Indices] = {}

    def __sklearn_clone__(self) -> "_Search":
        return self

    def fit(self, identity: Any, _y: Any = None) -> "_Search":
        self._fitted = np.asarray(identity.indices, np.intp)
        return self

    def kneighbors(self, identity: Any, *, return_distance: bool = True) -> Indices:
        """Return places among the rows that were fitted. Distances are never asked for."""
        if return_distance:
            raise NotImplementedError
        queries = np.asarray(identity.indices, np.intp)
        neighbors = self.among(self._fitted, queries)
        self.tables[int(self.points.labels[queries[0]])] = (queries, neighbors)
        places = np.full(len(self.points.labels), -1)
        places[self._fitted] = np.arange(len(self._fitted))
        return places[np.column_stack([queries, neighbors])]

    def kneighbors_graph(self, *_: Any) -> None:
        """Raise NotImplementedError; that there is one makes it an estimator of neighbors."""
        raise NotImplementedError

    def among(self, others: Indices, queries: Indices) -> Indices:
        """Return the nearest of some images to each query, which is one of them."""
        key = (others.tobytes(), queries.tobytes())
        if key not in self._found:
            rows = self.points.rows if len(others) == len(self.points.labels) else picked(self.points.rows, others)
            own = np.searchsorted(others, queries)
            n_neighbors = min(self.n_neighbors, len(others)) - 1
            self._found[key] = others[nearest(rows, picked(self.points.rows, queries), n_neighbors, own=own).indices]
        return self._found[key]


def _smote(_points: Points, asked: Asked, search: _Search, strategy: Mapping[int, int]) -> Any:
    from imblearn.over_sampling import SMOTE  # noqa: PLC0415  takes seconds to import

    return SMOTE(sampling_strategy=strategy, random_state=asked.random_state, k_neighbors=search)


def _borderline(points: Points, asked: Asked, search: _Search, strategy: Mapping[int, int]) -> Any:
    from imblearn.over_sampling import BorderlineSMOTE  # noqa: PLC0415  the same

    danger = _Search(points, min(asked.m_neighbors, len(points.labels) - 1))
    return BorderlineSMOTE(
        sampling_strategy=strategy,
        random_state=asked.random_state,
        k_neighbors=search,
        m_neighbors=danger,
        kind=asked.method,
    )


def _adasyn(_points: Points, asked: Asked, search: _Search, strategy: Mapping[int, int]) -> Any:
    from imblearn.over_sampling import ADASYN  # noqa: PLC0415  the same

    return ADASYN(sampling_strategy=strategy, random_state=asked.random_state, n_neighbors=search)


_SAMPLERS: Mapping[str, Callable[[Points, Asked, _Search, Mapping[int, int]], Any]] = {
    "smote": _smote,
    "borderline-1": _borderline,
    "borderline-2": _borderline,
    "adasyn": _adasyn,
}
