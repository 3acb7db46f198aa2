"""Pictures of vectors by any ONNX model that makes them, such as the decoder of an autoencoder."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from rebalance.errors import UsageError
from rebalance.images.model_settings import ModelSettings
from rebalance.images.pixels import Pixels
from rebalance.images.runtime import Files, choose_output, failures_told, open_session, wanted_files
from rebalance.vectors import Rows

PLAIN = ModelSettings(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
"""A decoder gives levels of 0 to 1 where nothing else is said."""
_MUCH = 0.01
"""Share of the levels that may lie outside of what a picture holds without a word."""


class Decoded(NamedTuple):
    """A picture, uint8 [height, width, 3 or 1], and what there is to say of it."""

    pixels: Pixels
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decoder:
    """A model that is open; it does not go from one process to another."""

    session: Any
    input_name: str
    n_pictures: int
    output: str
    settings: ModelSettings
    where: str
    """What messages call it."""

    def decode(self, vector: Rows) -> Decoded:
        """Return the picture of a vector [n_dimensions]. Raises UsageError where the model does not make one."""
        batch = np.repeat(vector[None].astype(np.float32), self.n_pictures, axis=0)
        with failures_told(self.where, f"fails on a vector of {len(vector)} numbers"):
            made = self.session.run([self.output], {self.input_name: batch})[0]
        levels = self._channels_last(made)
        n_channels = levels.shape[2]
        if self.settings.channels == "bgr" and n_channels == 3:
            levels = levels[:, :, ::-1]
        mean, std = (np.array(part[:n_channels]) for part in (self.settings.mean, self.settings.std))
        scaled = (levels.astype(np.float64) * std + mean) * 255
        if not np.isfinite(scaled).all():
            raise UsageError(f"{self.where}: makes numbers that are not finite of a vector")
        is_off = (scaled < -1) | (scaled > 256)
        notes = ("decoded levels outside of 0 to 1 were cut off",) if is_off.mean() > _MUCH else ()
        return Decoded(np.rint(scaled.clip(0, 255)).astype(np.uint8), notes)

    def _channels_last(self, made: Any) -> Pixels:
        """Return the first picture [height, width, channels] of an output."""
        if isinstance(made, np.ndarray) and made.ndim == 4 and made.dtype.kind in "fiu" and 0 not in made.shape:
            if made.shape[1] in (1, 3):
                return np.asarray(np.moveaxis(made[0], 0, -1))
            if made.shape[3] in (1, 3):
                return np.asarray(made[0])
        shape = getattr(made, "shape", "no")
        raise UsageError(
            f"{self.where}: the output {self.output!r} has shape {shape}: (N, 3, H, W) or (N, H, W, 3), or 1 for 3, "
            "is needed: name another as output"
        )


def open_decoder(data: bytes, files: Files, settings: ModelSettings, where: str) -> Decoder:
    """Return a decoder; `files` are those its weights lie in.

    Raises UsageError where onnxruntime is missing, the model is broken, takes no vectors, or a setting has no effect.
    """
    if (settings.size, settings.fit) != (None, ModelSettings().fit):
        raise UsageError(f"{where}: a decoder makes pictures of its own size: leave size and fit out")
    session = open_session(data, wanted_files(data, files, where), where)
    inputs = session.get_inputs()
    shapes = ", ".join(f"{one.name!r} {one.shape} {one.type}" for one in inputs) or "none"
    if len(inputs) != 1 or len(inputs[0].shape) != 2 or inputs[0].type != "tensor(float)":
        raise UsageError(f"{where}: has the inputs {shapes}: one of (N, numbers), tensor(float), is needed")
    first = inputs[0].shape[0]
    output = choose_output([output.name for output in session.get_outputs()], settings, where)
    n_pictures = first if isinstance(first, int) and first > 0 else 1
    return Decoder(session, inputs[0].name, n_pictures, output, settings, where)
