"""Choosing by what the pictures show: the same ones settled, then a chain of methods, then the exact number."""

from collections.abc import Mapping, Sequence

import numpy as np

from rebalance.errors import TargetError
from rebalance.planning.choice import Choice, Images, LeftOut
from rebalance.planning.likeness import leaders, nearest
from rebalance.planning.samplers import clean, rank
from rebalance.planning.selection import Selection, select_images
from rebalance.planning.spreading import spread_out
from rebalance.planning.view import View, choice_of, view_of
from rebalance.vectors import Vectors

_NAMED = 20
"""Pictures in two classes that are named one by one."""


def choose_by_looks(
    images: Images, n_kept: Mapping[str, int | None], selection: Selection, vectors: Vectors, *, seed: int
) -> Choice:
    """Return the choice of images by methods that look at vectors.

    Images without a vector are kept before all others. The same pictures are settled before any search: of those in
    one class, the one with the smallest key is a candidate; those in two classes are left out of each that is cut.
    A number that the methods miss is made up for from what was left out: last what was left out first.
    """
    view = view_of(images, n_kept, vectors, seed)
    _settle_same_pictures(view)
    for method in selection.cleaning:
        _clean(view, method)
    if selection.method is not None:
        _keep_numbers(view, selection, vectors.near_duplicate_from(selection.similarity))
    _make_up(view, selection)
    _find_counterparts(view)
    return choice_of(view, LeftOut(selection.told()))


def _settle_same_pictures(view: View) -> None:
    """Take away from the classes that are cut what stands in another one too, then all but one of each picture."""
    across: list[int] = []
    within: dict[int, int] = {}
    told: list[str] = []
    for of_class in _same_pictures_by_class(view):
        if len(of_class) > 1:
            told.append(_told_across(view, of_class))
            for label in of_class.keys() & view.n_kept.keys():
                across += of_class[label]
                other = next(members[0] for another, members in of_class.items() if another != label)
                view.counterparts |= dict.fromkeys(of_class[label], other)
        for first, *others in of_class.values():
            within |= {index: first for index in others if index not in view.counterparts}
    view.leave_out(view.by_key(across), "the same picture in another class")
    view.is_searched[list(within)] = False
    of_cut = view.by_key(index for index in within if int(view.labels[index]) in view.n_kept)
    view.counterparts |= {index: within[index] for index in of_cut}
    view.leave_out(of_cut, "the same picture in its class")
    view.remarks += told[:_NAMED]
    if len(told) > _NAMED:
        view.remarks.append(f"{len(told) - _NAMED} more pictures stand in two classes")
    for label, name in enumerate(view.names):
        if n_same := int((view.labels[of_cut] == label).sum()):
            view.remarks.append(f"class {name!r}: {n_same} images are the same picture as another of it and go first")


def _same_pictures_by_class(view: View) -> list[dict[int, list[int]]]:
    """Return every picture that there is more than once: by class, its images in the order of their keys."""
    groups: dict[int, list[int]] = {}
    for index, first in enumerate(view.firsts.tolist()):
        groups.setdefault(first, []).append(index)
    pictures = []
    for group in (group for group in groups.values() if len(group) > 1):
        of_class: dict[int, list[int]] = {}
        for index in view.by_key(group):
            of_class.setdefault(int(view.labels[index]), []).append(index)
        pictures.append(dict(sorted(of_class.items())))
    return pictures


def _told_across(view: View, of_class: Mapping[int, Sequence[int]]) -> str:
    paths = " and ".join(repr(view.images[members[0]].path) for members in of_class.values())
    cut = ", ".join(repr(view.names[label]) for label in of_class if label in view.n_kept)
    return f"the same picture in {len(of_class)} classes: {paths}{f': left out of {cut}' if cut else ''}"


def _clean(view: View, method: str) -> None:
    """Take away what a cleaning method finds."""
    classes = [label for label in view.n_kept if len(view.members(label)) > 1]
    if not classes or not _can_compare(view, method, "nothing is removed"):
        return
    searched, pictures = view.searched()
    kept, n_neighbors = clean(method, pictures, classes)
    if n_neighbors is not None:
        view.remarks.append(f"{method} looks at {n_neighbors} neighbors, as there are {len(searched)} images")
    is_removed = np.ones(len(searched), bool)
    is_removed[kept] = False
    removed = np.flatnonzero(is_removed)
    if method == "tomek" and len(removed):
        partners = nearest(pictures.rows, pictures.rows[removed], 1, own=removed).indices[:, 0]
        view.counterparts |= dict(zip(searched[removed].tolist(), searched[partners].tolist(), strict=True))
    view.leave_out(view.by_key(searched[removed].tolist()), method)


def _can_compare(view: View, method: str, otherwise: str) -> bool:
    """Return whether two classes are left that a method of imbalanced-learn can look at; where not, say so.

    Raises TargetError where there never were two.
    """
    if len(np.unique(view.labels)) < 2:
        raise TargetError(f"{method} compares classes, and there is one that it can look at: take random or spread")
    _, pictures = view.searched()
    can_compare = len(np.unique(pictures.labels)) > 1
    if not can_compare:
        view.remarks.append(f"{method} compares classes, and one is left that it can look at by then: {otherwise}")
    return can_compare


def _keep_numbers(view: View, selection: Selection, similarity: float) -> None:
    """Take away from each class that has more than its number what the last method ranks last."""
    over = {
        label: n_kept
        for label, n_kept in view.n_kept.items()
        if n_kept is not None and len(view.members(label)) > n_kept
    }
    none_kept = [label for label, n_kept in over.items() if not n_kept]
    for label in none_kept:
        view.leave_out(view.by_key(view.members(label).tolist()), str(selection.method))
        del over[label]
    if not over:
        return
    match selection.method:
        case "random" | "window":
            _select(view, over, selection)
        case "diverse":
            _keep_leaders(view, over, similarity)
        case "spread":
            for label, n_kept in over.items():
                members = view.members(label)
                taken = members[spread_out(view.rows[members], n_kept, view.order[members].tolist())]
                gone = set(members.tolist()) - set(taken.tolist())
                view.leave_out(view.by_key(gone), "spread")
        case method:
            _keep_first(view, over, str(method))


def _select(view: View, over: Mapping[int, int], selection: Selection) -> None:
    for label, n_kept in over.items():
        at = {view.images[index].path: index for index in view.members(label).tolist()}
        images = [view.images[index] for index in at.values()]
        for image in select_images(images, n_kept, selection, seed=view.seed):
            del at[image.path]
        view.leave_out(view.by_key(at.values()), str(selection.method))


def _keep_leaders(view: View, over: Mapping[int, int], similarity: float) -> None:
    """Take away what is nearly the same as an image with a smaller key that stays; then the largest keys."""
    for label, n_kept in over.items():
        members = view.by_key(view.members(label).tolist())
        led_by = leaders(view.rows[members], similarity)
        followers = np.flatnonzero(led_by != np.arange(len(members)))
        n_given_up = min(len(followers), len(members) - n_kept)
        n_put_back = len(followers) - n_given_up
        gone = [members[index] for index in followers[n_put_back:].tolist()]
        view.counterparts |= {members[index]: members[led_by[index]] for index in followers[n_put_back:].tolist()}
        view.leave_out(gone, "nearly the same picture")
        view.leave_out(view.by_key(view.members(label).tolist())[n_kept:], "diverse")
        if len(followers):
            view.remarks.append(
                f"class {view.names[label]!r}: {len(followers)} images are nearly the same picture as another of it"
                + (f"; {n_put_back} of them are kept to reach {n_kept}" if n_put_back else "")
            )


def _keep_first(view: View, over: Mapping[int, int], method: str) -> None:
    """Take away what an under-sampler of imbalanced-learn does not keep."""
    if not _can_compare(view, method, "the smallest keys are kept"):
        for label, n_kept in over.items():
            view.leave_out(view.by_key(view.members(label).tolist())[n_kept:], method)
        return
    searched, pictures = view.searched()
    for label, ranking in rank(method, pictures, over).items():
        n_kept = over[label]
        view.leave_out(searched[ranking.rows[n_kept:]].tolist(), method)
        if ranking.n_found != n_kept:
            what = "the rest is taken" if ranking.n_found < n_kept else "what is too many is left out"
            view.remarks.append(
                f"class {view.names[label]!r}: {method} finds {ranking.n_found} where {n_kept} are to be kept: {what} "
                "by its own measure"
            )


def _make_up(view: View, selection: Selection) -> None:
    """Put back what is missing from the numbers, and one image where a class would vanish."""
    for label, n_kept in view.n_kept.items():
        name, n_left = view.names[label], len(view.members(label))
        n_least = n_kept if n_kept is not None else 0 if view.unseen[name] else 1
        if n_left >= n_least:
            continue
        view.put_back(label, n_least - n_left)
        told = f"{n_kept} are to be kept" if n_kept is not None else "a class never vanishes"
        view.remarks.append(
            f"class {name!r}: {selection.told()} leaves {n_left} images, and {told}: {n_least - n_left} of those left "
            "out are put back"
        )


def _find_counterparts(view: View) -> None:
    """Find for what is left out, and has no counterpart yet, the nearest image that its class keeps."""
    lonely = view.reasons.keys() - view.counterparts.keys()
    for label in view.n_kept:
        kept = view.members(label)
        gone = [index for index in view.lost.get(label, ()) if index in lonely]
        if len(kept) and gone:
            found = nearest(view.rows[kept], view.rows[gone], 1).indices[:, 0]
            view.counterparts |= dict(zip(gone, kept[found].tolist(), strict=True))
