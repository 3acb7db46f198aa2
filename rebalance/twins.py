"""Two copies of a picture that look alike: one as the originals of a tree, one with the traces of what is generated."""

from posixpath import basename, dirname
from typing import Any, NamedTuple

from rebalance.drawing import draw_key
from rebalance.images.codec import Picture, load_image
from rebalance.images.pipeline import Making, remake
from rebalance.plan import SOURCE_LIKE, Recipe, Rendering
from rebalance.planning.naming import Place, format_of, original_path
from rebalance.recipes import draw_values, unseen_recipe
from rebalance.storage.request import Request, recipe_of, rendering_of

_COPY = 1


class Treatment(NamedTuple):
    """What the files of a tree have gone through, toned down so far that nobody sees it."""

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
    recipe: dict[str, Any] = dict(unseen_recipe(recipe_of(request, class_name)))
    return Treatment(recipe, rendering_of(request), int(request["seed"]))


NEUTRAL = Treatment(
    {
        "rotation_range": 0.5, "width_shift_range": 0.0025, "height_shift_range": 0.0025, "zoom_range": (0.99, 1.01),
        "brightness_range": (0.98, 1.02), "fill_mode": "reflect",
    },
    SOURCE_LIKE,
    seed=0,
)  # fmt: skip
"""What files have gone through that are made by the settings that hold where nothing else is asked for."""


def untouched(path: str, data: bytes, treatment: Treatment) -> Twin:
    """Return a picture as an original would be. Raises BadImageError."""
    if not treatment.is_encoding_originals:
        return Twin(path, data)
    return _made(path, data, treatment, is_drawn=False)


def drawn(path: str, data: bytes, treatment: Treatment) -> Twin:
    """Return a picture through sampling, light and encoder, by values that change nothing to the eye.

    Raises BadImageError, UnfitImageError where nothing can be made of it.
    """
    return _made(path, data, treatment, is_drawn=True)


def drawn_path(path: str, treatment: Treatment) -> str:
    """Return where a picture lies once it has been drawn: under its own name, but for a suffix that is written anew."""
    return original_path(Place(path, dirname(path), basename(path)), treatment.rendering.output_format)


def _made(path: str, data: bytes, treatment: Treatment, *, is_drawn: bool) -> Twin:
    rendering, name = treatment.rendering, drawn_path(path, treatment)
    making = Making(treatment.recipe if is_drawn else {}, rendering, format_of(name, path))
    values = draw_values(making.recipe, treatment.seed, path, _COPY)
    made = remake(_loaded(data, rendering), making, values, draw_key(treatment.seed, path, _COPY))
    return Twin(name, data if made.data is None else made.data)


def _loaded(data: bytes, rendering: Rendering) -> Picture:
    return load_image(data, engine=rendering.engine, max_pixels=rendering.max_pixels)
