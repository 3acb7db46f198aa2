"""Two copies of a picture that look alike: one as the originals of a tree, one with the traces of what is generated."""

from functools import partial
from posixpath import basename, dirname
from typing import NamedTuple

from rebalance.images.codec import Picture, load_image
from rebalance.images.pipeline import Making, make_copy, remake
from rebalance.plan import SOURCE_LIKE, Recipe, Rendering
from rebalance.planning.naming import Place, format_of, original_path
from rebalance.recipes import draw_attempt, unseen_recipe
from rebalance.storage.request import Request, recipe_of, rendering_of

_COPY = 1_000_000
"""A number that no copy in a tree has."""


class Treatment(NamedTuple):
    """What the generated files of a tree have gone through."""

    recipe: Recipe
    rendering: Rendering
    seed: int

    @property
    def is_encoding_originals(self) -> bool:
        """Whether an original is encoded anew although nothing is drawn for it: pictures of natural size are not."""
        return self.rendering.originals == "reencode" or self.rendering.size is not None


class Twin(NamedTuple):
    """One of both: its path and its file."""

    path: str
    data: bytes


def treatment_of(request: Request, class_name: str) -> Treatment:
    """Return what the generated files of a class have gone through, as a manifest says it."""
    return Treatment(recipe_of(request, class_name), rendering_of(request), int(request["seed"]))


USUAL = Treatment(
    {
        "rotation_range": 7.0, "width_shift_range": 0.05, "height_shift_range": 0.05, "zoom_range": (0.95, 1.05),
        "brightness_range": (0.9, 1.1), "fill_mode": "reflect",
    },
    SOURCE_LIKE,
    seed=0,
)  # fmt: skip
"""What files have gone through that are made by the settings that hold where nothing else is asked for."""


def untouched(path: str, data: bytes, treatment: Treatment) -> Twin:
    """Return a picture as an original would be. Raises BadImageError."""
    if not treatment.is_encoding_originals:
        return Twin(path, data)
    return _made(path, data, treatment, {})


def drawn(path: str, data: bytes, treatment: Treatment) -> Twin:
    """Return a picture through sampling, light and encoder, by values toned down so far that nobody sees them.

    Raises BadImageError, UnfitImageError where nothing can be made of it.
    """
    return _made(path, data, treatment, unseen_recipe(treatment.recipe))


def redrawn(path: str, data: bytes, treatment: Treatment) -> Twin:
    """Return a picture as a generated file would be, by a draw that no copy has. Raises likewise."""
    making = _making(path, treatment, treatment.recipe)
    draw = partial(draw_attempt, treatment.recipe, treatment.seed, path, _COPY)
    made = make_copy(_loaded(data, treatment.rendering), making, draw)
    return Twin(drawn_path(path, treatment), data if made.data is None else made.data)


def drawn_path(path: str, treatment: Treatment) -> str:
    """Return where a picture lies once it has been drawn: under its own name, but for a suffix that is written anew."""
    return original_path(Place(path, dirname(path), basename(path)), treatment.rendering.output_format)


def _made(path: str, data: bytes, treatment: Treatment, recipe: Recipe) -> Twin:
    """Return a picture by the first draw of a recipe, whatever that shows."""
    values, key = draw_attempt(recipe, treatment.seed, path, _COPY, 0)
    made = remake(_loaded(data, treatment.rendering), _making(path, treatment, recipe), values, key)
    return Twin(drawn_path(path, treatment), data if made.data is None else made.data)


def _making(path: str, treatment: Treatment, recipe: Recipe) -> Making:
    return Making(recipe, treatment.rendering, format_of(drawn_path(path, treatment), path))


def _loaded(data: bytes, rendering: Rendering) -> Picture:
    return load_image(data, engine=rendering.engine, max_pixels=rendering.max_pixels)
