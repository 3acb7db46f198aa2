"""What a configuration makes of one picture: a sheet of its first copies beside it, with the values drawn for each."""

from collections.abc import Mapping
from dataclasses import dataclass

from rebalance.dataset import to_bytes
from rebalance.images.picture import load_source
from rebalance.images.pipeline import Making, make_copy
from rebalance.images.sheet import Cell, render_contact_sheet
from rebalance.plan import Recipe, Rendering
from rebalance.recipes import draw_attempt, told_values
from rebalance.storage.transfer import read_picture


@dataclass(frozen=True, slots=True)
class PreviewOptions:
    """How copies are made, and how many are shown."""

    recipe: Recipe
    rendering: Rendering
    seed: int
    n_copies: int


def render_preview(root: str, path: str, title: str, options: PreviewOptions) -> bytes:
    """Return the sheet of a picture of SOURCE as a PNG; copy k of it is copy k that `augment` makes.

    Raises SourceTreeError where it cannot be read, BadImageError where it does not decode, UnfitImageError where
    nothing can be made of it.
    """
    data = read_picture(to_bytes(root), path)
    recipe, rendering = options.recipe, options.rendering
    picture, making = load_source(data, rendering, recipe), Making(recipe, rendering)
    cells = [Cell(data, "original")]
    for number in range(1, options.n_copies + 1):

        def draw(attempt: int, number: int = number) -> tuple[Mapping[str, float | bool], bytes]:
            return draw_attempt(recipe, options.seed, path, number, attempt)

        made = make_copy(picture, making, draw)
        notes = [note.partition(",")[0] for note in made.notes]
        cells.append(Cell(made.data or data, "\n".join([f"copy {number}", *told_values(made.values), *notes])))
    return render_contact_sheet(title, cells, rendering.max_pixels)
