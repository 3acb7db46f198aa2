"""What the request of a manifest says of the files it asks for."""

from collections.abc import Mapping
from typing import Any

from rebalance.plan import Recipe, Rendering
from rebalance.storage.names import encode_key

Request = Mapping[str, Any]


def recipe_of(request: Request, class_name: str) -> Recipe:
    """Return the recipe of a class: its own, or that of all."""
    own: Recipe | None = request.get("class_recipes", {}).get(encode_key(class_name))
    return request.get("recipe", {}) if own is None else own


def rendering_of(request: Request) -> Rendering:
    """Return how the files were rendered."""
    fields = dict(request.get("rendering", {}))
    size = fields.pop("size", None)
    return Rendering(size=size and (size[0], size[1]), **fields)
