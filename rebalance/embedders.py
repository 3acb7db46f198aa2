"""The embedder that is asked for, opened once in each process."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from rebalance.errors import StorageError, UsageError
from rebalance.images.decoder import PLAIN, Decoded, Decoder, open_decoder
from rebalance.images.embedding import EMBEDDERS, VERSION, Embedder, embedder_of
from rebalance.images.model import open_model
from rebalance.images.model_settings import ModelSettings, parse_settings
from rebalance.images.pixels import Pixels
from rebalance.images.runtime import model_sums, onnxruntime_version
from rebalance.storage.manifest import digest
from rebalance.storage.models import StoredModel, read_model, read_settings, settings_path
from rebalance.vectors import Rows


class ModelFile(NamedTuple):
    """A model as it goes to workers: each of them opens its own."""

    path: str
    digest: str
    """Of the model and its weights, as they were when it was asked for."""
    settings: ModelSettings

    def told(self) -> dict[str, Any]:
        """Return what names it, ready for JSON."""
        return {"sha256": self.digest, "settings": asdict(self.settings)}


AskedEmbedder = str | ModelFile
"""One of EMBEDDERS by its name, or a model."""


class Visible(NamedTuple):
    """How synthetic samples are made visible."""

    render: str
    """nearest: the nearest copy of either image; blend: one over the other; decoder: what a model makes of it."""
    n_candidates: int = 0
    """Copies among which the nearest is chosen."""
    embedder: AskedEmbedder = ""
    space: Mapping[str, Any] = {}
    """What places further images among the vectors, as the embedder said it."""
    decoder: ModelFile | None = None

    def digest(self) -> str:
        """Return what names it: a sample depends on nothing else of it."""
        identity = open_embedder(self.embedder).identity if self.embedder else None
        told = self.decoder and self.decoder.told()
        return digest([self.render, self.n_candidates, identity, self.space, told, self.versions()])

    def versions(self) -> dict[str, str]:
        """Return those of the libraries that it takes beside those that all files take."""
        own = dict(open_embedder(self.embedder).versions) if self.embedder else {}
        return own | ({"onnxruntime": onnxruntime_version()} if self.decoder else {})

    def embed(self, rgb: Pixels) -> Rows:
        """Return the vector of upright 8-bit colors [height, width, 3]."""
        embedder = open_embedder(self.embedder)
        vector: Rows = embedder.place_further(embedder.describe(rgb)[None], self.space)[0]
        return vector

    def fits(self, n_dimensions: int) -> bool:
        """Return whether images are placed among vectors of so many numbers."""
        try:
            return bool(self.embed(_SAMPLE).shape == (n_dimensions,))
        except (KeyError, ValueError, TypeError):
            return False

    def decode(self, vector: Rows) -> Decoded:
        """Return what the decoder makes of a vector of the length that images' vectors had."""
        assert self.decoder is not None
        return _open_decoder(self.decoder).decode(vector)


_SAMPLE: Pixels = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
"""A picture that an embedder is tried on."""


def find_model(path: str, given: Sequence[str]) -> ModelFile:
    """Return the model of a file, with the settings of the TOML beside it and those `given` as KEY=VALUE over them.

    Raises UsageError where the model or a setting is wrong.
    """
    beside = parse_settings(read_settings(path), settings_path(path))
    settings = parse_settings(dict(map(_split_setting, given)), "--model-setting", beside)
    return ModelFile(path, _digest_of(read_model(path)), settings)


@lru_cache(maxsize=1)
def open_embedder(asked: AskedEmbedder) -> Embedder:
    """Return what was asked for. Raises UsageError where a model does not run, StorageError where it has changed."""
    if isinstance(asked, str):
        return EMBEDDERS[asked]
    stored = _unchanged(asked)
    return embedder_of(open_model(stored.data, stored.weights, asked.settings, asked.path))


def embedder_at_hand(space: Mapping[str, Any]) -> str | None:
    """Return the embedder that made the vectors of a file, where it is one that needs no model."""
    name = str(space.get("name"))
    return name if name in EMBEDDERS and space.get("version") == VERSION else None


def find_decoder(path: str) -> ModelFile:
    """Return the decoder of a file, with the settings of the TOML beside it, opened once to see that it is one.

    Raises UsageError where it is not.
    """
    settings = parse_settings(read_settings(path), settings_path(path), PLAIN)
    asked = ModelFile(path, _digest_of(read_model(path)), settings)
    _open_decoder(asked)
    return asked


@lru_cache(maxsize=1)
def _open_decoder(asked: ModelFile) -> Decoder:
    stored = _unchanged(asked)
    return open_decoder(stored.data, stored.weights, asked.settings, asked.path)


def _unchanged(asked: ModelFile) -> StoredModel:
    """Return a model as it was when it was asked for. Raises StorageError where it is another."""
    stored = read_model(asked.path)
    if _digest_of(stored) != asked.digest:
        raise StorageError(f"{asked.path}: was changed while it was used: run again")
    return stored


def _digest_of(stored: StoredModel) -> str:
    return digest(model_sums(stored.data, stored.weights))


def _split_setting(text: str) -> tuple[str, str]:
    key, is_setting, value = text.partition("=")
    if not is_setting:
        raise UsageError(f"--model-setting {text!r} is not KEY=VALUE: size=224 for one")
    return key, value
