"""Configuration files: TOML -> defaults of a command's options and settings of classes, every key and type checked."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from importlib import resources
from typing import Any

import click

from rebalance.cli.file_values import checked, parsed
from rebalance.cli.keras_names import TRAINING, refuse, training_remarks
from rebalance.dataset import to_bytes
from rebalance.errors import UsageError, did_you_mean
from rebalance.recipes import FILL_SETTINGS
from rebalance.transforms import BY_KEY

DEFAULT = "mild"
BUNDLED = tuple(
    sorted(
        file.name.removesuffix(".toml")
        for file in resources.files("rebalance.configs").iterdir()
        if file.name.endswith(".toml")
    )
)
COMMANDS = ("augment", "smote")
"""Those that have settings; smote draws as [augment] says where [smote] says nothing else."""
_DRAWN = frozenset({*BY_KEY, *FILL_SETTINGS, "class"})
_NOT_IN_FILES = frozenset(
    {"source", "output", "configuration", "print_config", "dry_run", "overwrite", "report", "shard", "help"}
)

Settings = dict[str, Any]
ClassSettings = Mapping[str, Mapping[str, Any]]
Options = Mapping[str, click.Parameter]


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a configuration says beside the settings that the command line may replace."""

    class_settings: ClassSettings
    """Parsed, by the name of the class; they come before the command line."""
    remarks: tuple[str, ...] = ()
    """What someone should know of the file, one line each."""


def apply_config(context: click.Context, _parameter: click.Parameter, value: str | None) -> Configuration:
    """Make the settings of a configuration the defaults of this command; the command line comes before them.

    The transforms come from one place: the file where it names any, else the default configuration.
    """
    name = DEFAULT if value is None else value
    settings, configuration = load_configuration(name, context.command)
    if not any(key in BY_KEY for key in settings):
        settings = {**load_configuration(DEFAULT, context.command)[0], **settings}
    context.default_map = settings
    return configuration


def load_configuration(name: str, command: click.Command) -> tuple[Settings, Configuration]:
    """Return what a configuration says for one command: in general, and for classes.

    Raises UsageError naming file, class and key.
    """
    options: Options = {str(option.name): option for option in command.params if option.name not in _NOT_IN_FILES}
    table = _table_of(name, str(command.name))
    refuse(name, table)
    known = (*options, *TRAINING, "class")
    for key in table:
        if key not in known:
            hint = "; did you mean 'sampling_strategy'?" if key == "ratio" else did_you_mean(key, known)
            raise UsageError(f"{name}: {key!r} is no setting{hint}")
    settings = {key: checked(name, key, value, options[key]) for key, value in table.items() if key in options}
    class_settings = _class_settings(name, table.get("class", {}), options)
    return settings, Configuration(class_settings, tuple(training_remarks(name, table)))


def read_bundled(name: str) -> str:
    """Return the text of a bundled configuration."""
    return resources.files("rebalance.configs").joinpath(f"{name}.toml").read_text(encoding="utf-8")


def render_settings(command: str, settings: Mapping[str, Any], class_settings: ClassSettings) -> str:
    """Return settings as a configuration file that names every transform, and so stands for itself."""
    general = {
        key: BY_KEY[key].neutral if value is None and key in BY_KEY else value
        for key, value in settings.items()
        if key not in _NOT_IN_FILES
    }
    sections: dict[str, Mapping[str, Any]] = {f"[{command}]": general}
    sections |= {f"[{command}.class.{_toml_key(name)}]": its for name, its in class_settings.items()}
    return "\n\n".join("\n".join([header, *_lines(section)]) for header, section in sections.items())


def _table_of(name: str, command: str) -> dict[str, Any]:
    """Return the table of a command."""
    try:
        tables = tomllib.loads(_read(name).removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:  # ValueError: also for bytes, and numbers of thousands of digits
        raise UsageError(f"{name}: not a TOML file: {error}") from None
    for table, settings in tables.items():
        if table not in COMMANDS:
            hint = ": say [augment.class.NAME]" if table == "class" else did_you_mean(table, COMMANDS)
            raise UsageError(f"{name}: [{table}] is no command with settings{hint}")
        if not isinstance(settings, dict):
            raise UsageError(f"{name}: {table} is to be a table: [{table}]")
    drawn = {key: value for key, value in tables.get("augment", {}).items() if key in _DRAWN}
    return {**drawn, **tables.get(command, {})}


def _read(name: str) -> str:
    if name in BUNDLED:
        return read_bundled(name)
    if not name.endswith(".toml"):
        raise UsageError(
            f"--config {name!r} is neither a file .toml nor one of: {', '.join(BUNDLED)}{did_you_mean(name, BUNDLED)}"
        )
    try:
        with open(to_bytes(name), encoding="utf-8") as file:
            return file.read()
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror}") from None


def _class_settings(name: str, classes: Any, options: Options) -> ClassSettings:
    """Return the settings of each class that has some."""
    if not isinstance(classes, dict):
        raise UsageError(f"{name}: class = {classes!r} is to be a table for each class: [augment.class.NAME]")
    settings: dict[str, Settings] = {}
    for class_name, table in classes.items():
        where = f"{name}: class {class_name!r}"
        if not isinstance(table, dict):
            raise UsageError(f"{where} = {table!r} is to be a table: [augment.class.NAME]")
        settings[class_name] = {key: _checked_of_class(where, key, value, options) for key, value in table.items()}
    return settings


def _checked_of_class(where: str, key: str, value: Any, options: Options) -> Any:
    """Return a parsed setting of a class."""
    if key in BY_KEY:
        return parsed(where, key, value)
    if key in FILL_SETTINGS:
        return options[key].type(checked(where, key, value, options[key]))
    if isinstance(value, dict):
        raise UsageError(f"{where}: {key!r} is a table; the name of a class that has a dot in it stands in quotes")
    raise UsageError(f"{where}: {key!r} is not a setting of a class{did_you_mean(key, (*BY_KEY, *FILL_SETTINGS))}")


def _lines(settings: Mapping[str, Any]) -> Iterator[str]:
    for key, value in settings.items():
        if value is not None:
            yield f"{key} = {_toml(_as_text(value) if key == 'size' else value)}"


def _as_text(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(part) for part in value)}]"
    if isinstance(value, Fraction):
        return f"{float(value):.9f}".rstrip("0").ljust(3, "0")
    if not isinstance(value, str):
        return repr(value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{value!r} is not UTF-8, and a TOML file holds nothing else") from None
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _toml_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml(name)
