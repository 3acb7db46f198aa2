"""What someone should know of a tree, of settings or of a plan before going on."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from rebalance.cli.report import class_rows
from rebalance.dataset import Dataset, Leak
from rebalance.plan import Plan
from rebalance.planning.augment import MANY_COPIES, UNEVEN
from rebalance.planning.groups import count_groups, has_groups
from rebalance.planning.naming import all_differ, all_portable, is_portable, look_alikes
from rebalance.recipes import told_recipe
from rebalance.storage.manifest import NAME as MANIFEST_NAME

_SHOWN = 3
"""Groups of a class that are named where they are cut."""


def dataset_remarks(dataset: Dataset) -> Iterator[str]:
    """Yield what is odd about a tree and no reason to refuse it."""
    if dataset.ignored:
        first = dataset.ignored[0]
        what = "1 entry of SOURCE is" if len(dataset.ignored) == 1 else f"{len(dataset.ignored)} entries of SOURCE are"
        yield f"note: {what} ignored: {first.path!r} ({first.reason}) first"
    for first_name, second_name in islice(_look_alikes(dataset), 1):
        yield f"warning: {first_name!r} and {second_name!r} are one name on a disk that ignores case or Unicode form"
    for name in islice(_unportable(dataset), 1):
        yield f"note: {name!r} is no legal name on Windows"
    if any(remark.path == MANIFEST_NAME for remark in dataset.ignored):
        yield f"warning: SOURCE holds a {MANIFEST_NAME}: it is an output of rebalance; copies of copies would be made"
    yield from split_remarks(dataset)
    yield from _ungrouped(dataset)


def _ungrouped(dataset: Dataset) -> Iterator[str]:
    if any(has_groups(folder.images) for folder in dataset.folders):
        alone = [image.path for image in dataset.images() if image.group is None]
        if alone:
            yield f"note: {len(alone)} images belong to no group and stand for themselves: {alone[0]!r} first"


def _look_alikes(dataset: Dataset) -> Iterator[tuple[str, str]]:
    yield from look_alikes(folder.directory for folder in dataset.folders)
    for folder in dataset.folders:
        if not all_differ(folder.image_names):
            yield from look_alikes(image.path for image in folder.images)


def _unportable(dataset: Dataset) -> Iterator[str]:
    for folder in dataset.folders:
        if all_portable([folder.name, *folder.image_names]):
            continue
        for path in (folder.name, *(image.path for image in folder.images)):
            if not is_portable(path.rpartition("/")[2]):
                yield path


def told_settings(plan: Plan) -> str:
    """Return what a run is made with, in a line."""
    request = plan.request
    n_own = len(request["class_recipes"])
    classes = f"; {n_own} {'class' if n_own == 1 else 'classes'} with other settings" if n_own else ""
    engine, originals = request["rendering"]["engine"], request["rendering"]["originals"]
    return f"seed {request['seed']}, engine {engine}, originals {originals}; {told_recipe(request['recipe'])}{classes}"


_ORDINARY = {"fill_mode": "reflect", "cval": 0, "erasing_fill": "noise"}
"""Settings that say how something is drawn, where nobody has said otherwise."""


_LOSSY_SUFFIXES = (".jpg", ".jpeg", ".mpo", ".webp")


def rendering_remarks(given: Mapping[str, Any], plan: Plan, dataset: Dataset) -> Iterator[str]:
    """Yield what of the rendering has no effect."""
    recipes = [plan.request["recipe"], *plan.request["class_recipes"].values()]
    is_sampling = given["size"] or given["orientation"] != "keep" or any("fill_mode" in recipe for recipe in recipes)
    if given["interpolation"] != "bicubic" and not is_sampling:
        yield f"note: --interpolation {given['interpolation']} has no effect: nothing is drawn that samples pixels"
    if given["quality"] != "source" and given["output_format"] in ("same", "png"):
        is_lossy = any(image.path.lower().endswith(_LOSSY_SUFFIXES) for image in dataset.images())
        if given["output_format"] == "png" or not is_lossy:
            yield f"note: --quality {given['quality']} has no effect on what is no JPEG or WebP"


def setting_remarks(given: Mapping[str, Any], plan: Plan) -> Iterator[str]:
    """Yield what is easily mistaken about the settings, or has no effect."""
    recipes = [plan.request["recipe"], *plan.request["class_recipes"].values()]
    originals = plan.request["rendering"]["originals"]
    if given["link"] in ("hardlink", "symlink") and originals != "keep":
        yield f"note: --link {given['link']} has no effect on originals that are encoded (--originals {originals})"
    for shear in sorted({recipe["shear_range"] for recipe in recipes if 0 < recipe.get("shear_range", 0) < 1}):
        yield (
            f"note: shear_range is in degrees, as Keras reads it since 2017: {shear:g} is next to nothing "
            "(0.2 radians are 11.5 degrees)"
        )
    for key, ordinary in _ORDINARY.items():
        if given[key] != ordinary and not any(key in recipe for recipe in recipes):
            yield f"note: --{key.replace('_', '-')} {given[key]} has no effect: nothing is drawn that uses it"


def told_leak(leak: Leak) -> str:
    """Return what leaks where, as a sentence."""
    if leak.kind == "group":
        return f"group {leak.group!r} is on both sides: {leak.path!r}, and in {leak.split} {leak.other!r}"
    return f"{leak.path!r} also stands in {leak.split}: {leak.other!r}"


def told_leaks(n_leaks: int) -> str:
    """Return how much leaks, or nothing."""
    if n_leaks <= 1:
        return "1 image or group stands in two splits" if n_leaks else ""
    return f"{n_leaks} images or groups stand in two splits"


def told_unread(paths: Sequence[str]) -> str:
    """Return what could not be looked at for leaks, or nothing."""
    if not paths:
        return ""
    what = "1 file or folder" if len(paths) == 1 else f"{len(paths)} files or folders"
    return f"{what} cannot be read and so not compared, {paths[0]!r} first"


def split_remarks(dataset: Dataset) -> Iterator[str]:
    """Yield what is odd about the splits of a tree."""
    names = dataset.class_counts.keys()
    for split in dict.fromkeys(folder.split for folder in dataset.carried):
        there = {folder.name for folder in dataset.carried if folder.split == split and folder.images}
        if unknown := sorted(there - names):
            yield f"warning: {split} has classes that {dataset.split} does not have: {unknown[0]!r} first"
        if missing := sorted(names - there):
            yield f"note: {split} has no image of {len(missing)} classes of {dataset.split}: {missing[0]!r} first"


def group_remarks(plan: Plan) -> Iterator[str]:
    """Yield how many groups stay whole, and which are cut and why."""
    counts = list(count_groups(plan))
    n_groups, n_whole = sum(count.n_groups for count in counts), sum(count.n_whole for count in counts)
    n_cut = sum(len(count.cut) for count in counts)
    if n_whole < n_groups:
        yield f"groups, class by class: {n_whole} of {n_groups} stay whole, {n_cut} are cut, the others are left out"
    selection = plan.request.get("selection") or plan.request.get("cap") or {}
    for count in counts:
        n_kept = next(target.n_current for target in plan.targets if target.class_name == count.class_name)
        reason = f"no whole groups make up {n_kept}"
        if "vectors" in plan.request:
            reason = "the method looks at single images"
        elif selection.get("method") == "window":
            reason = "the order is by name" if selection["order"] == "name" else "the window ends in it"
        for cut in count.cut[:_SHOWN]:
            yield (
                f"note: class {count.class_name!r}: {cut.n_kept} of the {cut.n_images} images of group {cut.group!r} "
                f"stay: {reason}"
            )
        if len(count.cut) > _SHOWN:
            yield f"note: class {count.class_name!r}: {len(count.cut) - _SHOWN} more groups are cut: {reason}"


def plan_remarks(plan: Plan) -> Iterator[str]:
    """Yield what someone should know before training on what a plan makes."""
    for remark in plan.remarks:
        yield f"note: {remark}"
    shares = [row["generated_share"] for row in class_rows(plan) if not plan.is_list]
    for target in plan.targets:
        if plan.most_copies[target.class_name] > MANY_COPIES:
            yield (
                f"warning: class {target.class_name!r}: {target.n_current} sources -> {target.n_target} files, "
                f"{plan.most_copies[target.class_name]} copies of one image: copies multiply pictures, not information"
            )
    if shares and max(shares) - min(shares) > UNEVEN:
        yield (
            f"note: {min(shares):.0%} to {max(shares):.0%} of a class is generated: a network may learn what generated "
            "files look like instead of the class: see `rebalance audit`, or augment all classes alike while training"
        )
