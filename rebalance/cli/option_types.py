"""What the values of options may be."""

import math
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click

from rebalance.dataset import is_address
from rebalance.errors import UsageError, did_you_mean
from rebalance.planning.selection import parse_methods
from rebalance.transforms import Transform

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class Path(click.ParamType[str]):
    """A path; arguments are in the form of `rebalance.dataset.to_text` before click sees them."""

    name = "path"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem[Any]]":
        """Return that the shell knows what there is."""
        return click.Path().shell_complete(ctx, param, incomplete)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the path."""
        if not value or "\0" in value:
            self.fail(f"{value!r} is no path", param, ctx)
        path = str(value).removeprefix("file://")
        if _OF_ADDRESSES.match(path) and not is_address(path):
            self.fail(f"{path!r} is no address: s3://BUCKET/PREFIX", param, ctx)
        return path


_OF_ADDRESSES = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class SettingType(click.ParamType[Any]):
    """The setting of a transform, from the command line or from a configuration file."""

    def __init__(self, transform: Transform) -> None:
        """Take what the table says of the transform."""
        self.transform = transform
        self.name = transform.key

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the parsed setting."""
        try:
            return self.transform.parse(value)
        except ValueError as error:
            self.fail(f"{value!r} is not {error}", param, ctx)


def _number(value: Any) -> float:
    """Return a number, NaN where it is none."""
    try:
        return float(value)
    except ValueError:
        return math.nan


class Positive(click.ParamType[float]):
    """A finite number above 0."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number."""
        number = _number(value)
        if not (math.isfinite(number) and number > 0):
            self.fail(f"{value!r} is not a number above 0", param, ctx)
        return number


class Between(click.FloatRange):
    """A number in a range, which NaN is not."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is no number", param, ctx)
        return number


class Unit(click.ParamType[float]):
    """A number from 0 to below 1."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number."""
        number = _number(value)
        if not 0 <= number < 1:
            self.fail(f"{value!r} is not a number from 0 to below 1", param, ctx)
        return number


class Cosine(click.ParamType[float]):
    """A cosine above 0."""

    name = "cosine"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number."""
        number = float(POSITIVE(value, param, ctx))
        if number > 1:
            self.fail(f"{value!r} is above 1, which no cosine is", param, ctx)
        return number


class Names(click.ParamType[str]):
    """Text, or from a file a number."""

    name = "text"

    def convert(self, value: Any, _param: click.Parameter | None, _ctx: click.Context | None) -> str:
        """Return the text."""
        return str(value)


class Methods(click.ParamType[str]):
    """Methods of choosing images, joined by commas."""

    name = "method"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the methods."""
        try:
            return ",".join(parse_methods(str(value)).methods)
        except UsageError as error:
            self.fail(str(error), param, ctx)


class NameOrModel(click.ParamType[str]):
    """One of some names, or a model of a kind: `kind:MODEL`."""

    name = "name or model"

    def __init__(self, names: Sequence[str], kind: str) -> None:
        """Take the names and the word before the model."""
        self.names = names
        self.kind = kind

    def shell_complete(
        self, _ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem[Any]]":
        """Return the names that begin so."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415  nothing for --help

        return [CompletionItem(name) for name in self.names if name.startswith(incomplete)]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return it as it was asked for."""
        kind, _, model = str(value).partition(":")
        if not (value in self.names or (kind == self.kind and model and "\0" not in model)):
            is_near = kind == self.kind
            hint = "; name the file of the model" if is_near else did_you_mean(kind, [*self.names, self.kind])
            self.fail(f"{value!r} is none of: {', '.join(self.names)}, {self.kind}:MODEL{hint}", param, ctx)
        return str(value)


class Size(click.ParamType[tuple[int, int]]):
    """Width and height in pixels, as WxH."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Return width and height."""
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"(\d{1,5})[xX](\d{1,5})", str(value))
        size = (int(match[1]), int(match[2])) if match else (0, 0)
        if not (min(size) > 0 and max(size) <= _LONGEST):
            self.fail(f"{value!r} is not WxH in pixels, each from 1 to {_LONGEST}", param, ctx)
        return size


class Quality(click.ParamType[int | str]):
    """A number from 1 to 100, or `source`."""

    name = "quality"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """Return the number or the word."""
        if value == "source":
            return "source"
        try:
            return int(click.IntRange(1, 100)(str(value), param, ctx))
        except click.BadParameter:
            self.fail(f"{value!r} is neither `source` nor a whole number from 1 to 100", param, ctx)


class Share(click.ParamType[Fraction]):
    """A decimal from 0 to 1, taken exactly."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        """Return the share."""
        text = f"{value:.9f}" if isinstance(value, float) and value == round(value, 9) else str(value)
        share = Fraction(text) if re.fullmatch(r"\d*\.?\d{1,9}", text) else Fraction(-1)
        if not 0 <= share <= 1:
            self.fail(f"{value!r} is not a decimal from 0 to 1 with at most 9 digits", param, ctx)
        return share


POSITIVE = Positive()
_LONGEST = 65_535
"""Pixels that a side may have in a JPEG."""
