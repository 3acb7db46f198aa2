"""Choosing images of every class at once, with or without a look at them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rebalance.planning.choice import Choice, Images, LeftOut
from rebalance.planning.selection import Selection, select_images

if TYPE_CHECKING:
    from rebalance.vectors import Vectors


def choose(
    images: Images, n_kept: Mapping[str, int | None], selection: Selection, vectors: "Vectors | None", *, seed: int
) -> Choice:
    """Return the choice; `n_kept` is the number of each class, or None for what cleaning leaves of it.

    A class of which all are to be kept is left alone. Raises TargetError where there is too little to look at.
    """
    if selection.is_looking and vectors is not None:
        from rebalance.planning.looking import choose_by_looks  # noqa: PLC0415  with numpy, nothing for --help

        return choose_by_looks(images, n_kept, selection, vectors, seed=seed)
    kept = {name: select_images(of_class, n_kept[name] or 0, selection, seed=seed) for name, of_class in images.items()}
    return Choice(kept, LeftOut(selection.told()))
