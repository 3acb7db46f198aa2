"""Vectors by any ONNX model that takes images: how its input is filled, and one vector a picture.

A model comes as bytes, with the bytes of the files that its weights lie in, if they lie in files of their own.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from rebalance.errors import UsageError
from rebalance.images.model_settings import LONGEST, MEAN, STD, ModelSettings
from rebalance.images.pixels import Pixels, Size, size_of
from rebalance.images.runtime import Files, choose_output, failures_told, model_sums, open_session, wanted_files

Vector = npt.NDArray[np.float32]

_ORDINARY = 224
"""Pixels of a side that neither the model nor the settings say."""
_DTYPES: Mapping[str, npt.DTypeLike] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}


class ImageInput(NamedTuple):
    """What a model takes."""

    name: str
    dtype: npt.DTypeLike
    n_pictures: int
    """At one time."""
    size: Size
    n_channels: int
    """3, or 1 for gray."""
    is_channels_last: bool


@dataclass(frozen=True, slots=True)
class Model:
    """A model that is open; it does not go from one process to another."""

    session: Any
    image_input: ImageInput
    output: str
    settings: ModelSettings
    sums: Mapping[str, Any]
    """sha256 of the model, and of each file its weights lie in."""
    where: str
    """What messages call it."""
    n_dimensions: int | None = None

    def embed(self, pictures: Sequence[Pixels]) -> Vector:
        """Return vectors [n_pictures, n_dimensions], as the model gives them, of upright RGB [height, width, 3] uint8.

        Each picture is run alone, so that no other has a say in its vector: with one thread that takes no longer.
        Raises UsageError where the model fails.
        """
        vectors = np.empty((len(pictures), self.n_dimensions or 0), np.float32)
        for index, picture in enumerate(pictures):
            vectors[index] = self.embed_one(picture)
        return vectors

    def embed_one(self, picture: Pixels) -> Vector:
        """Return the vector [n_dimensions] of one picture. A model for several at once is given it several times."""
        ready = prepare(picture, self.image_input, self.settings)
        batch = np.repeat(ready[None], self.image_input.n_pictures, axis=0)
        with failures_told(self.where, f"fails on a picture of {_as_text(self.image_input.size)}"):
            made = self.session.run([self.output], {self.image_input.name: batch})[0]
        vector = self._pooled(made)
        if self.n_dimensions not in (None, len(vector)):
            raise self._refused(f"has {self.n_dimensions} numbers for one picture and {len(vector)} for another")
        return vector

    def described(self) -> dict[str, Any]:
        """Return what it takes to place further pictures in the same space, ready for JSON."""
        is_raw = self.image_input.dtype is np.uint8
        mean, std = _statistics(self.image_input, self.settings)
        return {
            **self.sums,
            "size": list(self.image_input.size),
            "mean": None if is_raw else mean,
            "std": None if is_raw else std,
            "channels": self.settings.channels if self.image_input.n_channels == 3 else "gray",
            "fit": self.settings.fit,
            "output": self.output,
        }

    def _pooled(self, made: Any) -> Vector:
        """Return the vector of the first picture, averaged over space or tokens; not finite where the output is not."""
        if not isinstance(made, np.ndarray) or made.dtype.kind not in "fiu":
            raise self._refused("holds no numbers")
        if made.ndim not in (2, 3, 4) or len(made) != self.image_input.n_pictures or 0 in made.shape:
            n_pictures = self.image_input.n_pictures
            raise self._refused(f"has shape {made.shape} for {n_pictures}: ({n_pictures}, numbers) is needed")
        is_last = made.ndim == 3 or self.image_input.is_channels_last
        first = made[0] if made.ndim == 2 or is_last else np.moveaxis(made[0], 0, -1)
        with np.errstate(all="ignore"):
            vector: Vector = first.reshape(-1, first.shape[-1]).astype(np.float64).mean(axis=0).astype(np.float32)
        if len(vector) == 1:
            raise self._refused("is one number for each picture, which tells no two apart")
        return vector

    def _refused(self, reason: str) -> UsageError:
        return UsageError(f"{self.where}: the output {self.output!r} {reason}: name another as output")


def open_model(data: bytes, files: Files, settings: ModelSettings, where: str) -> Model:
    """Return a model that has been tried on a picture; `files` are at least those of `weight_files`.

    Raises UsageError where onnxruntime is missing, the model is broken or the settings do not fit it.
    """
    files = wanted_files(data, files, where)
    session = open_session(data, files, where)
    image_input = _image_input(session.get_inputs(), settings, where)
    _check_settings(image_input, settings, where)
    output = choose_output([output.name for output in session.get_outputs()], settings, where)
    model = Model(session, image_input, output, settings, model_sums(data, files), where)
    once, again = model.embed_one(_SAMPLE), model.embed_one(_SAMPLE)
    if once.tobytes() != again.tobytes():
        raise UsageError(f"{where}: gives one picture two vectors: export the model for inference, without dropout")
    return replace(model, n_dimensions=len(once))


def prepare(picture: Pixels, image_input: ImageInput, settings: ModelSettings) -> Pixels:
    """Return upright RGB [height, width, 3] uint8 as the model takes one picture, in its size, order and dtype."""
    box = _middle(size_of(picture), image_input.size) if settings.fit == "crop" else None
    image = Image.fromarray(picture).resize(image_input.size, Image.Resampling.BICUBIC, box, reducing_gap=3.0)
    levels = np.asarray(image if image_input.n_channels == 3 else image.convert("L"))
    levels = levels.reshape(*levels.shape[:2], image_input.n_channels)
    if image_input.dtype is not np.uint8:
        mean, std = (np.array(part, np.float32) for part in _statistics(image_input, settings))
        levels = ((levels.astype(np.float32) / np.float32(255) - mean) / std).astype(image_input.dtype)
    if settings.channels == "bgr":
        levels = levels[:, :, ::-1]
    return levels if image_input.is_channels_last else levels.transpose(2, 0, 1)


def _image_input(inputs: Sequence[Any], settings: ModelSettings, where: str) -> ImageInput:
    """Return what the one input of a model takes."""
    if len(inputs) != 1:
        listed = ", ".join(_name_input(one) for one in inputs) or "none"
        raise UsageError(f"{where}: has {len(inputs)} inputs ({listed}): export the part that takes images alone")
    name, shape = inputs[0].name, inputs[0].shape
    if inputs[0].type not in _DTYPES:
        raise UsageError(f"{where}: the input {_name_input(inputs[0])} is none of: {', '.join(_DTYPES)}")
    channels_axis = _channels_axis(shape)
    if channels_axis is None:
        needed = "(N, 3, H, W) or (N, H, W, 3), or 1 for 3, is needed"
        raise UsageError(f"{where}: the input {_name_input(inputs[0])} takes no images: {needed}")
    n_channels = shape[channels_axis] if _is_fixed(shape[channels_axis]) else 3
    is_last = channels_axis == 3
    height, width = shape[1:3] if is_last else shape[2:]
    size = _size_for((width, height), settings.size, f"{where}: the input {_name_input(inputs[0])}")
    n_pictures = shape[0] if _is_fixed(shape[0]) else 1
    return ImageInput(name, _DTYPES[inputs[0].type], n_pictures, size, n_channels, is_last)


def _channels_axis(shape: Sequence[object]) -> int | None:
    """Return which axis of an input has the channels; where none is known to be 3 or 1, the one that is usual."""
    if len(shape) != 4:
        return None
    for n_channels in (3, 1):
        for axis in (1, 3):
            if shape[axis] == n_channels:
                return axis
    return None if _is_fixed(shape[1]) or shape[3] in (2, 4) else 1


def _size_for(sides: Sequence[Any], asked: Size | None, what: str) -> Size:
    """Return width and height: the model's own, else those asked for."""
    own = tuple(
        side if _is_fixed(side) else other for side, other in zip(sides, asked or (_ORDINARY,) * 2, strict=True)
    )
    if asked not in (None, own):
        raise UsageError(f"{what} is of {_as_text(own)}: leave the size {_as_text(asked)} out")
    if max(own) > LONGEST:
        raise UsageError(f"{what} is of {_as_text(own)}: sides of at most {LONGEST} pixels are taken")
    return own[0], own[1]


def _check_settings(image_input: ImageInput, settings: ModelSettings, where: str) -> None:
    """Raise UsageError where a setting would be without effect."""
    if image_input.dtype is np.uint8 and (settings.mean, settings.std) != (MEAN, STD):
        raise UsageError(f"{where}: the input {image_input.name!r} takes levels of 0 to 255: leave mean and std out")
    if image_input.n_channels == 1 and settings.channels != "rgb":
        raise UsageError(f"{where}: the input {image_input.name!r} takes gray: leave channels out")


def _statistics(image_input: ImageInput, settings: ModelSettings) -> tuple[list[float], list[float]]:
    """Return mean and std of each channel, red first; gray has the average of the three."""
    if image_input.n_channels == 1:
        return [math.fsum(settings.mean) / 3], [math.fsum(settings.std) / 3]
    return list(settings.mean), list(settings.std)


def _middle(size: Size, shape: Size) -> tuple[float, float, float, float]:
    """Return the largest part of a picture in this shape, in its middle: left, top, right, bottom in pixels.

    It is cut before it is resized: a strip of 20000 x 10 would not fit into memory with its shorter side enlarged.
    """
    scale = min(size[0] / shape[0], size[1] / shape[1])
    width, height = min(size[0], shape[0] * scale), min(size[1], shape[1] * scale)
    left, top = (size[0] - width) / 2, (size[1] - height) / 2
    return left, top, left + width, top + height


def _is_fixed(side: object) -> bool:
    return isinstance(side, int) and side > 0


def _name_input(one: Any) -> str:
    shape = ", ".join("?" if side is None else str(side) for side in one.shape)
    return f"{one.name!r} ({shape}) {one.type}"


def _as_text(size: Sequence[int]) -> str:
    return f"{size[0]}x{size[1]}"


_SAMPLE: Pixels = (np.arange(48 * 64 * 3) * 31 % 251).astype(np.uint8).reshape(48, 64, 3)
"""A picture that a model is tried on."""
