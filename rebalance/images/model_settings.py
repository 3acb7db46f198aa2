"""How pictures are made ready for a model, as a TOML table or the command line says it."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

from rebalance.errors import UsageError, did_you_mean
from rebalance.images.pixels import Size

Triple = tuple[float, float, float]

CHANNELS = ("rgb", "bgr")
FITS = ("crop", "squash")
LONGEST = 4096
_NUMBER = r"\s*-?\d*\.?\d+\s*"
MEAN: Triple = (0.485, 0.456, 0.406)
STD: Triple = (0.229, 0.224, 0.225)
"""Those of ImageNet, which most models were trained with."""


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """How pictures are made ready for a model."""

    size: Size | None = None
    """Width and height in pixels; None is what the model says, else 224."""
    mean: Triple = MEAN
    """Of red, green and blue on levels of 0 to 1, whatever the order the model takes them in."""
    std: Triple = STD
    """Likewise."""
    channels: str = "rgb"
    output: str | None = None
    """Name of the output; None is the first."""
    fit: str = "crop"
    """Whether the middle is taken in the shape of the input, or all of the picture is squashed into it."""


def parse_settings(content: Mapping[str, object], where: str, base: ModelSettings = ModelSettings()) -> ModelSettings:
    """Return `base` with what a TOML table or the command line says instead. Raises UsageError with `where` and key."""
    known = [field.name for field in fields(ModelSettings)]
    parsed: dict[str, Any] = {}
    for key, value in content.items():
        if key not in known:
            raise UsageError(f"{where}: {key!r} is no setting of a model{did_you_mean(key, known)}")
        try:
            parsed[key] = _PARSERS[key](value)
        except ValueError as error:
            raise UsageError(f"{where}: {key} = {value!r} is not {error}") from None
    return replace(base, **parsed)


def _parse_size(value: object) -> Size:
    match = re.fullmatch(r"(\d{1,5})(?:[xX](\d{1,5}))?", value) if isinstance(value, str) else None
    sides: list[Any] = value if isinstance(value, list) else [value, value]
    if match:
        sides = [int(match[1]), int(match[2] or match[1])]
    if len(sides) != 2 or not all(type(side) is int and 1 <= side <= LONGEST for side in sides):
        raise ValueError(f"pixels from 1 to {LONGEST}: of both sides, or [width, height], or 'WxH'")
    return sides[0], sides[1]


def _parse_triple(value: object, least: float, most: float) -> Triple:
    if isinstance(value, str):
        value = [float(part) if re.fullmatch(_NUMBER, part) else part for part in value.split(",")]
    parts: list[Any] = value if isinstance(value, list) else [value]
    parts = parts * 3 if len(parts) == 1 else parts
    if len(parts) != 3 or not all(type(part) in (int, float) and least <= part <= most for part in parts):
        levels = "for levels of 0 to 1: divide those for 255 by 255"
        raise ValueError(f"a number from {least} to {most}, or three of red, green and blue, {levels}")
    return float(parts[0]), float(parts[1]), float(parts[2])


def _parse_choice(value: object, choices: Sequence[str]) -> str:
    if value not in choices:
        raise ValueError(f"one of: {', '.join(choices)}{did_you_mean(str(value), choices)}")
    return str(value)


def _parse_name(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("the name of an output")
    return value


_PARSERS: Mapping[str, Callable[[object], Any]] = {
    "size": _parse_size,
    "mean": partial(_parse_triple, least=-1, most=1),
    "std": partial(_parse_triple, least=0.0001, most=10),
    "channels": partial(_parse_choice, choices=CHANNELS),
    "output": _parse_name,
    "fit": partial(_parse_choice, choices=FITS),
}
