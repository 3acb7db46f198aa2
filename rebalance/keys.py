"""What names the bytes and the line of a file, so that earlier work can be told from other work."""

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

from rebalance import __version__
from rebalance.drawing import draw_key
from rebalance.plan import Augment, Interpolate, Keep, Made, Recipe, Rendering
from rebalance.recipes import closest_of
from rebalance.storage.manifest import digest


class Conditions(NamedTuple):
    """What decides, besides operation and source, what a file comes to be."""

    seed: int
    drawn_by: str
    """Names versions, rendering and recipe."""
    encoded_by: str
    """Names versions and rendering."""
    link: str
    check: str
    rendering: Rendering
    shown_by: str = ""
    """Names how synthetic samples are made visible, with all that this depends on."""


def fingerprint_of(
    recipe: Recipe, rendering: Rendering, versions: Mapping[str, str], program: str = __version__
) -> str:
    """Return what names versions, rendering and recipe: what a source becomes depends on nothing else."""
    made_by = {"rebalance": program, "versions": versions, "rendering": rendering._asdict()}
    return digest({**made_by, "recipe": recipe})


def plain_fingerprint(
    recipe: Recipe, rendering: Rendering, versions: Mapping[str, str], program: str = __version__
) -> str:
    """Return what names versions and rendering, for files for which nothing is drawn of the recipe of their class.

    Where a size is asked for, the recipe decides how large a source is decoded.
    """
    seen = {} if rendering.size is None else {"closest": closest_of(recipe)}
    return fingerprint_of(seen, rendering, versions, program)


def is_encoded(operation: Made, rendering: Rendering, unusable: str | None) -> bool:
    """Return whether a file goes through decoder and encoder; what nothing can be made of stays as it is."""
    return isinstance(operation, Augment | Interpolate) or (rendering.originals != "keep" and unusable is None)


def key_of(
    operation: Made, conditions: Conditions, unusable: str | None, source_sha256: str, neighbor_sha256: str | None
) -> str:
    """Return what names the bytes and the line of an output: equal keys, equal both."""
    if isinstance(operation, Interpolate):
        copy = draw_key(conditions.seed, operation.source.path, operation.copy_number)
        lies = [operation.neighbor.path, str(neighbor_sha256), repr(operation.step), operation.aim.hex()]
        made_by = [conditions.shown_by, copy.hex(), *lies]
    elif isinstance(operation, Augment):
        copy = draw_key(conditions.seed, operation.source.path, operation.copy_number)
        made_by = [conditions.drawn_by, copy.hex()]
    elif is_encoded(operation, conditions.rendering, unusable):
        made_by = [conditions.encoded_by]
    else:
        link = conditions.link if isinstance(operation, Keep) else ""
        made_by = [conditions.encoded_by, link, conditions.check, str(unusable)]
    content = "\0".join([operation.kind, operation.source.path, operation.output, source_sha256, *made_by])
    return hashlib.sha256(content.encode("utf-8", "surrogateescape")).hexdigest()[:32]
