"""The embedders: from the bytes of images to vectors that say which are alike."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rebalance.images.descriptor import SIDE, describe, fit_space, placed
from rebalance.images.eye import view_image
from rebalance.images.model import Model
from rebalance.images.pixels import Pixels
from rebalance.images.runtime import onnxruntime_version
from rebalance.vectors import BLOCK, Rows

VERSION = 1
"""Of the embedders here; another one makes other vectors."""
_THUMBNAIL = 32
"""Width and height of the picture whose pixels are the vector of `pixels`."""


class Embedder(NamedTuple):
    """How one image becomes numbers, and the numbers of a set vectors of unit length."""

    name: str
    least: int
    """Pixels a side that it looks at."""
    describe: Callable[[Pixels], Rows]
    place: Callable[[Rows], tuple[Rows, dict[str, Any]]]
    """Returns the vectors, and what places further images among them."""
    place_further: Callable[[Rows, Mapping[str, Any]], Rows]
    """Returns the vectors of images that such a space was not made from."""
    has_zeros: bool = True
    """Whether it may say nothing but zeros of an image and still place it."""
    settings: Mapping[str, Any] = {}
    """What tells it from others of its name, ready for JSON."""
    versions: Mapping[str, str] = {}
    """Of the libraries that it takes beside those that all take."""

    @property
    def identity(self) -> dict[str, Any]:
        """Return what makes other vectors where it is another."""
        return {"name": self.name, "version": VERSION, **self.settings}


def embed_image(data: bytes, embedder: Embedder, max_pixels: int) -> Rows:
    """Return the numbers of one image, not yet placed. Raises BadImageError."""
    return embedder.describe(view_image(data, embedder.least, max_pixels=max_pixels))


def place_all(described: Rows, embedder: Embedder) -> tuple[Rows, dict[str, Any]]:
    """Return unit vectors of a set of images, and what names their space."""
    rows, space = embedder.place(described)
    return rows, {**embedder.identity, **embedder.versions, **space}


def lengths_of(described: Rows, embedder: Embedder) -> NDArray[np.float64] | None:
    """Return the length of what a model says of each image, which its vector has lost; of others, None."""
    return None if embedder.has_zeros else np.sqrt(np.einsum("ij,ij->i", described, described, dtype=np.float64))


def embedder_of(model: Model) -> Embedder:
    """Return the embedder that gives the vectors of a model."""
    return Embedder(
        "onnx",
        least=max(model.image_input.size),
        describe=model.embed_one,
        place=_scaled,
        place_further=_scaled_too,
        has_zeros=False,
        settings=model.described(),
        versions={"onnxruntime": onnxruntime_version()},
    )


def _place_in_own_space(described: Rows) -> tuple[Rows, dict[str, Any]]:
    space = fit_space(described)
    return placed(described, space), space


def _thumbnail(rgb: Pixels) -> Rows:
    """Return the pixels of an image at 32 x 32, red, green and blue from 0 to 1: float32, shape (3072,)."""
    image = Image.fromarray(rgb).resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BOX)
    return (np.asarray(image).ravel() / np.float32(255)).astype(np.float32)


def _scaled(rows: Rows) -> tuple[Rows, dict[str, Any]]:
    """Return rows at unit length; a black picture lies between all axes, as a gray one does."""
    scaled = np.empty_like(rows)
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK].astype(np.float64)
        block[~block.any(axis=1)] = 1
        scaled[start : start + BLOCK] = block / np.sqrt((block * block).sum(axis=1, keepdims=True))
    return scaled, {}


def _scaled_too(rows: Rows, _space: Mapping[str, Any]) -> Rows:
    return _scaled(rows)[0]


EMBEDDERS = {
    "descriptor": Embedder("descriptor", SIDE, describe, _place_in_own_space, placed),
    "pixels": Embedder("pixels", _THUMBNAIL, _thumbnail, _scaled, _scaled_too),
}
"""Those that need nothing installed."""
