"""What someone should know of a tree, of settings or of a plan before going on."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from rebalance.cli.report import class_rows
from rebalance.dataset import Dataset
from rebalance.plan import Plan
from rebalance.planning.augment import MANY_COPIES
from rebalance.planning.naming import is_portable, look_alikes
from rebalance.storage.manifest import NAME as MANIFEST_NAME


def dataset_remarks(dataset: Dataset) -> Iterator[str]:
    """Yield what is odd about a tree and no reason to refuse it."""
    if dataset.ignored:
        first = dataset.ignored[0]
        yield f"note: {len(dataset.ignored)} entries of SOURCE are ignored: {first.path!r} ({first.reason}) first"
    for first_name, second_name in islice(_look_alikes(dataset), 1):
        yield f"warning: {first_name!r} and {second_name!r} are one name on a disk that ignores case or Unicode form"
    for name in islice(_unportable(dataset), 1):
        yield f"note: {name!r} is no legal name on Windows"
    if any(remark.path == MANIFEST_NAME for remark in dataset.ignored):
        yield f"warning: SOURCE holds a {MANIFEST_NAME}: it is an output of rebalance; copies of copies would be made"


def _look_alikes(dataset: Dataset) -> Iterator[tuple[str, str]]:
    yield from look_alikes(folder.name for folder in dataset.classes)
    for folder in dataset.classes:
        yield from look_alikes(image.path for image in folder.images)


def _unportable(dataset: Dataset) -> Iterator[str]:
    for folder in dataset.classes:
        for path in (folder.name, *(image.path for image in folder.images)):
            if not is_portable(path.rpartition("/")[2]):
                yield path


def setting_remarks(given: Mapping[str, Any], originals: str) -> Iterator[str]:
    """Yield what is easily mistaken about the settings."""
    if given["link"] in ("hardlink", "symlink") and originals != "keep":
        yield f"note: --link {given['link']} has no effect on originals that are encoded (--originals {originals})"
    if 0 < (given["shear_range"] or 0) < 1:
        yield (
            f"note: shear_range is in degrees, as Keras reads it since 2017: {given['shear_range']:g} is next to "
            "nothing (0.2 radians are 11.5 degrees)"
        )
    if given["cval"] and "constant" not in (given["fill_mode"], given["erasing_fill"]):
        yield f"note: --cval {given['cval']} has no effect without --fill-mode constant or --erasing-fill constant"


def plan_remarks(plan: Plan) -> Iterator[str]:
    """Yield what someone should know before training on what a plan makes."""
    shares = [row["generated_share"] for row in class_rows(plan)]
    for target in plan.targets:
        if plan.most_copies[target.class_name] > MANY_COPIES:
            yield (
                f"warning: class {target.class_name!r}: {target.n_current} sources -> {target.n_target} files, "
                f"{plan.most_copies[target.class_name]} copies of one image: copies multiply pictures, not information"
            )
    if shares and max(shares) - min(shares) > 0.5:
        yield (
            f"note: {min(shares):.0%} to {max(shares):.0%} of a class is generated: a network may learn what generated "
            "files look like instead of the class; augment all classes alike while training"
        )
