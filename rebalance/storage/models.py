"""Reading a model: its file, the files of its weights, and the settings beside it."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rebalance.dataset import to_bytes
from rebalance.errors import UsageError
from rebalance.images.weights import weight_files


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model as it lies on disk."""

    data: bytes
    weights: Mapping[str, bytes]
    """By the name that the model has for the file."""


def read_model(path: str) -> StoredModel:
    """Return an ONNX model with the files its weights lie in, which are in its folder. Raises UsageError."""
    data = _read(path)
    folder = os.path.dirname(path)
    names = weight_files(data, path)
    return StoredModel(data, {name: _read(os.path.join(folder, name), f"{path}: its weights: ") for name in names})


def settings_path(model: str) -> str:
    """Return where the settings of a model are looked for: beside it."""
    return f"{os.path.splitext(model)[0]}.toml"


def read_settings(model: str) -> Mapping[str, Any]:
    """Return what the TOML file beside a model says; nothing where there is none. Raises UsageError."""
    place = settings_path(model)
    try:
        return tomllib.loads(_read(place).decode("utf-8-sig")) if os.path.lexists(to_bytes(place)) else {}
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{place}: is not TOML: {error}") from None


def _read(path: str, what: str = "") -> bytes:
    if os.path.exists(to_bytes(path)) and not os.path.isfile(to_bytes(path)):
        raise UsageError(f"{what}{path}: is not a file")
    try:
        with open(to_bytes(path), "rb") as file:
            return file.read()
    except OSError as error:
        raise UsageError(f"{what}{path}: cannot be read: {error.strerror}") from None
