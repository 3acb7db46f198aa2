"""Values as a TOML file has them, checked against the options they are for."""

import math
from typing import Any

import click

from rebalance.errors import UsageError
from rebalance.transforms import BY_KEY


def checked(where: str, key: str, value: Any, option: click.Parameter) -> Any:
    """Return a value that its option takes. Raises UsageError naming `where` and key."""
    if key == "sampling_strategy":
        return _strategy(where, value)
    if key in BY_KEY:
        return parsed(where, key, value)
    if not option.multiple:
        return _accepted(where, key, value, option)
    return [_accepted(where, key, part, option) for part in (value if isinstance(value, list) else [value])]


def parsed(where: str, key: str, value: Any) -> Any:
    """Return the parsed setting of a transform. Raises UsageError."""
    try:
        return BY_KEY[key].parse(value)
    except ValueError as error:
        raise UsageError(f"{where}: {key} = {value!r} is not {error}") from None


def _accepted(where: str, key: str, value: Any, option: click.Parameter) -> Any:
    """Return a value that the type of its option takes, as the file has it; 90 for 90.0."""
    types, legal = _legal_types(option)
    if int in types and isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) not in types or (isinstance(value, float) and not math.isfinite(value)):
        raise UsageError(f"{where}: {key} = {value!r} is not {legal}")
    try:
        option.type(value)
    except click.BadParameter as error:
        raise UsageError(f"{where}: {key} = {value!r}: {' '.join(error.message.split())}") from None
    except (TypeError, ValueError, AttributeError):  # a type that knows text alone stumbles over a number
        raise UsageError(f"{where}: {key} = {value!r} is not {legal}") from None
    return value


def _legal_types(option: click.Parameter) -> tuple[tuple[type, ...], str]:
    """Return the TOML types that an option takes, and their names."""
    if getattr(option, "is_flag", False):
        return (bool,), "true or false"
    if isinstance(option.type, click.types.IntParamType):
        return (int,), "a whole number"
    if isinstance(option.type, click.types.FloatParamType):
        return (int, float), "a number"
    if option.type.name in ("text", "choice", "path"):
        return (str,), "text in quotes"
    return (str, int, float), "text in quotes or a number"


def _strategy(where: str, value: Any) -> list[str]:
    """Return a strategy as the command line has it: text or number, a list of texts, or a table of counts."""
    if value in ([], {}):
        raise UsageError(f"{where}: sampling_strategy = {value!r} is empty")
    if isinstance(value, dict):
        if not all(type(count) is int for count in value.values()):
            raise UsageError(f"{where}: sampling_strategy = {value!r} is not a table of whole numbers")
        return [f"{name}={count}" for name, count in value.items()]
    parts = value if isinstance(value, list) else [value]
    if not all(type(part) in (str, int, float) for part in parts):
        raise UsageError(f"{where}: sampling_strategy = {value!r} is not text in quotes, a number or a table of counts")
    return [str(part) for part in parts]
