"""What was asked for, as the plan takes it: options that go together, and those that do not."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from rebalance.cli.embeddings import Look
from rebalance.cli.options import read_text
from rebalance.dataset import Dataset
from rebalance.errors import UsageError, did_you_mean
from rebalance.images.choice import choose_engine
from rebalance.plan import Recipe, Rendering
from rebalance.planning.augment import MAX_COPIES, AugmentOptions
from rebalance.planning.selection import Selection, parse_methods
from rebalance.planning.targets import parse_strategy
from rebalance.planning.undersample import UndersampleOptions
from rebalance.recipes import FILL_SETTINGS, make_recipe
from rebalance.storage.manifest import digest
from rebalance.transforms import BY_KEY

if TYPE_CHECKING:
    from rebalance.planning.smote import Showing, SmoteOptions

Given = Mapping[str, Any]
_NEUTRAL = {"size": None, "output_format": "same", "quality": "source", "orientation": "keep"}
"""What leaves originals as they are."""
_OF_FILES = (
    "originals", "identity_share", "size", "output_format", "quality", "orientation", "interpolation", "engine",
    "link", "check",
)  # fmt: skip
"""Options that have no meaning for a list, the transforms and fills aside."""


def augment_options(given: Given, dataset: Dataset, seen: Look) -> AugmentOptions:
    """Return what decides what `augment` makes of a dataset. Raises UsageError where options contradict each other."""
    if (given["cap_method"], given["window"], given["order"]) != ("random", 0, "key") and given["cap"] is None:
        raise UsageError("--cap-method, --window and --order choose what --cap N keeps: give it, too")
    options = AugmentOptions(
        strategy=parse_strategy(given["sampling_strategy"], read_text),
        seed=given["seed"],
        recipe={},
        cap=given["cap"],
        selection=selection_asked(given, "cap_method"),
        vectors=seen.vectors,
        max_copies=given["max_copies"] or MAX_COPIES,
        others=_others(given, seen.described),
    )
    if given["write"] == "list":
        return options
    recipe = make_recipe(given)
    return replace(
        options,
        recipe=recipe,
        class_recipes=class_recipes_asked(given, recipe, dataset),
        identity_share=given["identity_share"] or Fraction(0),
        rendering=_rendering_asked(given),
    )


def smote_options(given: Given, dataset: Dataset, seen: Look) -> "SmoteOptions":
    """Return what decides what `smote` makes of a dataset. Raises UsageError likewise."""
    from rebalance.planning.smote import Showing, SmoteOptions  # noqa: PLC0415  NumPy, nothing for --help
    from rebalance.planning.synthesis import Asked, check_method  # noqa: PLC0415  the same

    check_method(given["method"])
    is_borderline = given["method"].startswith("borderline")
    options = SmoteOptions(
        strategy=parse_strategy(given["sampling_strategy"], read_text),
        asked=Asked(given["method"], given["k_neighbors"], given["m_neighbors"] if is_borderline else 0, given["seed"]),
        vectors=seen.vectors,
        singletons=given["singletons"],
        clean=given["clean"],
        max_copies=given["max_copies"] or MAX_COPIES,
    )
    if given["write"] == "vectors":
        others = {"bad_images": given["bad_images"], **seen.described}
        return replace(
            options,
            singletons="error" if given["singletons"] == "error" else "copy",
            showing=Showing("none", 0),
            others=others,
        )
    rendering = _rendering_asked(given)
    if rendering.originals == "transform":
        raise UsageError("--originals transform replaces what samples lie between: take reencode, or augment")
    showing, recipe = _showing_asked(given, seen), make_recipe(given)
    class_recipes = class_recipes_asked(given, recipe, dataset)
    if showing.render != "nearest" and all(len(folder.images) > 1 for folder in dataset.classes):
        recipe, class_recipes = {}, {}  # nothing is drawn
    return replace(
        options,
        showing=showing,
        recipe=recipe,
        class_recipes=class_recipes,
        rendering=rendering,
        others=_others(given, seen.described),
    )


def _showing_asked(given: Given, seen: Look) -> "Showing":
    """Return how samples are to be shown."""
    from rebalance.planning.smote import Showing  # noqa: PLC0415  the same

    kind = given["render"].partition(":")[0]
    vectors = seen.vectors
    if kind == "nearest":
        return Showing(kind, given["candidates"], space=digest(vectors.embedder) if vectors else None)
    if kind == "blend" or vectors is None or vectors.lengths is None:
        return Showing(kind, 0, decoder=given["decoder"] and given["decoder"].told())
    lengths = hashlib.sha256(vectors.lengths.astype("<f8").tobytes()).hexdigest()
    return Showing(kind, 0, decoder={**given["decoder"].told(), "lengths": lengths})


def undersample_options(given: Given, seen: Look) -> UndersampleOptions:
    """Return what decides what `undersample` makes of a dataset. Raises UsageError likewise."""
    selection = selection_asked(given, "method")
    every = None if selection.method else "all"
    return UndersampleOptions(
        strategy=parse_strategy(given["sampling_strategy"], read_text, auto="not minority", every=every),
        seed=given["seed"],
        selection=selection,
        vectors=seen.vectors,
        others=_others(given, seen.described),
    )


def _others(given: Given, described: Mapping[str, object]) -> dict[str, object]:
    """Return what the plan need not know: how images are read, and checked where they are opened."""
    checks = {} if given["write"] == "list" else {key: given[key] for key in ("bad_images", "check")}
    return {**checks, **described}


def check_list_options(
    given: Given, write: str = "--write list", more: Sequence[str] = ("bad_images", "max_pixels")
) -> None:
    """Raise UsageError where `--write list` meets an option of files on the command line, which would do nothing."""
    for name in (*BY_KEY, *FILL_SETTINGS, *_OF_FILES, *more):
        if name in given and is_on_command_line(name):
            raise UsageError(
                f"--{name.replace('_', '-')} is for files that are made, and {write} makes none: leave one of them out"
            )


def is_on_command_line(name: str) -> bool:
    """Return whether someone asked for an option, and neither a file nor its default did."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def selection_asked(given: Given, method: str) -> Selection:
    """Return which images are to be kept. Raises UsageError."""
    selection = parse_methods(given[method])
    option = f"--{method.replace('_', '-')}"
    if (given["window"], given["order"]) != (0, "key") and selection.method != "window":
        raise UsageError(f"--window and --order go with {option} window")
    if method == "cap_method" and selection.method is None:
        raise UsageError(
            f"{option} {given[method]} removes what it finds and keeps no number: chain one that does "
            f"({given[method]},random)"
        )
    if given["similarity"] is not None and selection.method != "diverse":
        raise UsageError(f"--similarity goes with {option} diverse")
    return replace(selection, window=given["window"], order=given["order"], similarity=given["similarity"])


def _rendering_asked(given: Given) -> Rendering:
    """Return how files are to be made."""
    return Rendering(
        originals=_originals_asked(given),
        engine=choose_engine(given["engine"]),
        interpolation=given["interpolation"],
        size=given["size"],
        output_format=given["output_format"],
        quality=None if given["quality"] == "source" else given["quality"],
        orientation=given["orientation"],
        max_pixels=given["max_pixels"],
    )


def _originals_asked(given: Given) -> str:
    """Return what becomes of originals. Raises UsageError where something for all files meets originals to keep."""
    implied = [key for key, neutral in _NEUTRAL.items() if given[key] != neutral]
    originals: str = given["originals"] or ("reencode" if implied else "keep")
    if originals == "keep" and implied:
        name = implied[0].replace("_", "-")
        raise UsageError(
            f"--{name} is for every file, and --originals keep leaves some as they are: leave one of them out"
        )
    if given["identity_share"] is not None and originals != "transform":
        raise UsageError("--identity-share goes with --originals transform")
    return originals


def class_recipes_asked(given: Given, recipe: Recipe, dataset: Dataset) -> dict[str, Recipe]:
    """Return the recipes of classes that have another one. Raises UsageError for a class that is not there."""
    settings: Mapping[str, Mapping[str, Any]] = given["configuration"].class_settings
    for name in settings:
        if name not in dataset.class_counts:
            raise UsageError(
                f"[augment.class] names {name!r}, which is no class of SOURCE{did_you_mean(name, dataset.class_counts)}"
            )
    recipes = {name: make_recipe({**given, **own}) for name, own in settings.items()}
    return {name: own for name, own in recipes.items() if own != recipe}
