"""What a plan that generates files is refused for: too many copies of one image, and names that are taken."""

from collections.abc import Callable, Collection, Iterator, Mapping

from rebalance.dataset import ClassFolder
from rebalance.errors import TargetError
from rebalance.plan import Drop, Keep, Operation, Repeat, Row
from rebalance.planning.naming import Place, looks_generated, original_path


def check_copies(
    copies: Mapping[str, tuple[int, int]], max_copies: int, *, less: str, grouped: Collection[str] = ()
) -> None:
    """Raise TargetError where more files than allowed are made of one image.

    By class, how many images can be copied and how often the most used one is; `less` are options that ask for less,
    `grouped` the classes with groups.
    """
    name, (n_sources, n_most) = max(copies.items(), key=lambda item: item[1][1])
    if n_most > max_copies:
        of_what = "one" if name in grouped else "each"
        raise TargetError(
            f"class {name!r} would need {n_most} copies of {of_what} of its {n_sources} usable images "
            f"({max_copies} are allowed), and copies are no information: ask for less ({less}), "
            f"weight the loss instead (rebalance inspect), or allow it with --max-copies {n_most}"
        )


def check_names(folder: ClassFolder, operations: Callable[[str], Iterator[Operation]], *, is_renaming: bool) -> None:
    """Raise TargetError where a file would take the name of another.

    That can only be where originals get other suffixes, or have names as generated files have.
    """
    if not (is_renaming or any(looks_generated(image.path) for image in folder.images)):
        return
    originals = {original_path(Place.in_folder(folder, image), None) for image in folder.images}
    last = ("", "")
    for operation in operations(folder.directory):
        if isinstance(operation, Drop | Repeat | Row):
            continue
        if not isinstance(operation, Keep) and operation.output in originals:
            raise TargetError(
                f"{operation.output!r} would be generated and is there already: SOURCE looks like an output of "
                "rebalance; start from its source, or take another --seed"
            )
        (name, other), last = last, (operation.output, operation.source.path)
        if name == operation.output and other != operation.source.path:
            raise TargetError(
                f"{other!r} and {operation.source.path!r} would both become {operation.output!r}: rename one of them"
            )
