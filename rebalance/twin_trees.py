"""Two trees of the same pictures for a model to be tried on: untouched, and with the traces of generated files."""

from collections.abc import Callable, Iterator

from rebalance.dataset import Dataset, to_bytes
from rebalance.errors import TargetError
from rebalance.planning.naming import folded_name
from rebalance.storage.single import write_new_tree
from rebalance.storage.tables import render_table
from rebalance.traces import make_twins
from rebalance.twins import Treatment, drawn_path

KINDS = ("untouched", "drawn")
"""The folders of both, and what a table calls them."""
TABLE_NAME = "twins.csv"


def write_twins(
    dataset: Dataset,
    treatment: Treatment,
    folder: str,
    n_workers: int,
    progress: Callable[[int, int], None] = lambda _n_done, _n_all: None,
) -> dict[str, str]:
    """Write every image twice to a folder that must not exist, and a table of both, whole or not at all.

    Return what is in neither, by path, and why. Raises OutputRefusedError where the folder exists, TargetError where
    two images would have one name, or no image has twins.
    """
    n_images = sum(1 for _ in dataset.images())
    _check_names(dataset, treatment)
    class_of = {image.path: item.name for item in dataset.classes for image in item.images}
    left_out: dict[str, str] = {}

    def files() -> Iterator[tuple[str, bytes]]:
        rows: list[tuple[str, str, str]] = []
        made = make_twins(dataset.root, dataset.images(), treatment, n_workers)
        for number, (path, pair, reason) in enumerate(made, start=1):
            progress(number, n_images)
            if pair is None:
                left_out[path] = str(reason)
                continue
            for kind, twin in zip(KINDS, pair, strict=True):
                rows.append((f"{kind}/{twin.path}", class_of[path], kind))
                yield f"{kind}/{twin.path}", twin.data
        if not rows:
            raise TargetError(f"no image of {dataset.root} can be drawn: {next(iter(left_out.items()), '')}")
        rows.sort(key=lambda row: to_bytes(row[0]))
        yield TABLE_NAME, render_table(("path", "y_true", "kind"), rows)

    write_new_tree(to_bytes(folder), files())
    return left_out


def _check_names(dataset: Dataset, treatment: Treatment) -> None:
    """Raise TargetError where two images would be one file, or two that some disks do not tell apart."""
    seen: dict[str, str] = {}
    for image in dataset.images():
        other = seen.setdefault(folded_name(drawn_path(image.path, treatment)), image.path)
        if other != image.path:
            raise TargetError(f"{other!r} and {image.path!r} would be one file, or nearly: rename one of them")
