"""Two copies of a picture that look alike: one as the originals of a tree, one with the traces of what is generated."""

from dataclasses import dataclass
from functools import cached_property, partial
from posixpath import basename, dirname
from typing import NamedTuple

from rebalance.images.picture import Picture, load_source
from rebalance.images.pipeline import MadeFile, Making, make_copy, remake
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


@dataclass(frozen=True)
class Original:
    """A picture that may have twins; it is decoded once, when the first of them needs that."""

    path: str
    data: bytes
    treatment: Treatment

    def untouched(self) -> Twin:
        """Return it as an original would be. Raises BadImageError."""
        return self._made({}) if self.treatment.is_encoding_originals else Twin(self.path, self.data)

    def drawn(self) -> Twin:
        """Return it through sampling, light and encoder, by values toned down so far that nobody sees them.

        Raises BadImageError, UnfitImageError where nothing can be made of it.
        """
        return self._made(unseen_recipe(self.treatment.recipe))

    def redrawn(self) -> Twin:
        """Return it as a generated file would be, by a draw that no copy has. Raises likewise."""
        recipe = self.treatment.recipe
        draw = partial(draw_attempt, recipe, self.treatment.seed, self.path, _COPY)
        return self._twin(make_copy(self._picture, self._making(recipe), draw))

    def _made(self, recipe: Recipe) -> Twin:
        """Return it by the first draw of a recipe, whatever that shows."""
        values, key = draw_attempt(recipe, self.treatment.seed, self.path, _COPY, 0)
        return self._twin(remake(self._picture, self._making(recipe), values, key))

    def _making(self, recipe: Recipe) -> Making:
        name = drawn_path(self.path, self.treatment)
        return Making(recipe, self.treatment.rendering, format_of(name, self.path))

    def _twin(self, made: MadeFile) -> Twin:
        return Twin(drawn_path(self.path, self.treatment), self.data if made.data is None else made.data)

    @cached_property
    def _picture(self) -> Picture:
        return load_source(self.data, self.treatment.rendering, self.treatment.recipe)


def drawn_path(path: str, treatment: Treatment) -> str:
    """Return where a picture lies once it has been drawn: under its own name, but for a suffix that is written anew."""
    return original_path(Place(path, dirname(path), basename(path)), treatment.rendering.output_format)
