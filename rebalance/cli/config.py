"""Configuration files: TOML -> defaults of a command's options, every key and type checked."""

import json
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any

import click

from rebalance.dataset import to_bytes
from rebalance.errors import UsageError, did_you_mean
from rebalance.transforms import BY_KEY

DEFAULT = "mild"
BUNDLED = tuple(
    sorted(
        file.name.removesuffix(".toml")
        for file in resources.files("rebalance.configs").iterdir()
        if file.name.endswith(".toml")
    )
)
_NOT_IN_FILES = frozenset({"source", "output", "config", "print_config", "dry_run", "overwrite", "help"})


def apply_config(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    """Make the settings of a configuration the defaults of this command; the command line comes before them.

    The transforms come from one place: the file where it names any, else the default configuration.
    """
    name = value or DEFAULT
    settings = load_settings(name, context.command)
    if not any(key in BY_KEY for key in settings) and name not in BUNDLED:
        settings = {**load_settings(DEFAULT, context.command), **settings}
    context.default_map = settings


def load_settings(name: str, command: click.Command) -> dict[str, Any]:
    """Return the settings of a configuration for one command. Raises UsageError naming file and key."""
    try:
        text = _read(name)
        tables = tomllib.loads(text.removeprefix("\ufeff"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{name}: not a TOML file: {error}") from None
    options = {option.name: option for option in command.params if option.name not in _NOT_IN_FILES}
    known = {str(command.name)}
    for table in tables:
        if table not in known:
            raise UsageError(f"{name}: [{table}] is no command with settings{did_you_mean(table, known)}")
    settings = tables.get(str(command.name), {})
    if not isinstance(settings, dict):
        raise UsageError(f"{name}: {command.name} is to be a table: [{command.name}]")
    return {key: _checked(name, key, value, options) for key, value in settings.items()}


def render_settings(command: str, settings: Mapping[str, Any]) -> str:
    """Return settings as a configuration file that names every transform, and so stands for itself."""
    effective = {
        key: BY_KEY[key].neutral if value is None and key in BY_KEY else value for key, value in settings.items()
    }
    lines = [
        f"{key} = {_toml(value)}" for key, value in effective.items() if value is not None and key not in _NOT_IN_FILES
    ]
    return "\n".join([f"[{command}]", *lines])


def _read(name: str) -> str:
    if name in BUNDLED:
        return resources.files("rebalance.configs").joinpath(f"{name}.toml").read_text(encoding="utf-8")
    if not name.endswith(".toml"):
        raise UsageError(
            f"--config {name!r} is neither a file .toml nor one of: {', '.join(BUNDLED)}{did_you_mean(name, BUNDLED)}"
        )
    try:
        with open(to_bytes(name), encoding="utf-8") as file:
            return file.read()
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror}") from None


def _checked(name: str, key: str, value: Any, options: Mapping[Any, click.Parameter]) -> Any:
    """Return a value of the type that its option has."""
    if key not in options:
        raise UsageError(f"{name}: {key!r} is no setting{did_you_mean(key, [str(known) for known in options])}")
    option = options[key]
    if key == "sampling_strategy":
        return _strategy(name, value)
    if key in BY_KEY:
        try:
            return BY_KEY[key].parse(value)
        except ValueError as error:
            raise UsageError(f"{name}: {key} = {value!r} is not {error}") from None
    wanted = _type_of(option)
    values = value if option.multiple and isinstance(value, list) else [value]
    if not all(type(part) is wanted for part in values):
        raise UsageError(f"{name}: {key} = {value!r} is not {_ARTICLES[wanted]}")
    try:
        return [option.type(part) for part in values] if option.multiple else option.type(value)
    except click.BadParameter as error:
        raise UsageError(f"{name}: {key} = {value!r}: {error.message}") from None


_ARTICLES = {bool: "true or false", int: "a whole number", str: "text in quotes"}


def _type_of(option: click.Parameter) -> type:
    if getattr(option, "is_flag", False):
        return bool
    return int if isinstance(option.type, click.types.IntParamType) else str


def _strategy(name: str, value: Any) -> list[str]:
    """Return a strategy as the command line has it: text or number, a list of texts, or a table of counts."""
    if value in ([], {}):
        raise UsageError(f"{name}: sampling_strategy = {value!r} is empty")
    if isinstance(value, dict):
        return [f"{name}={count}" for name, count in value.items()]
    return [str(part) for part in (value if isinstance(value, list) else [value])]


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(part) for part in value)}]"
    if not isinstance(value, str):
        return repr(value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{value!r} is not UTF-8, and a TOML file holds nothing else") from None
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
