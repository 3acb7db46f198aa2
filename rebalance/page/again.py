"""The command that makes an OUTPUT again, from the request in its manifest."""

import json
import shlex
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from rebalance.dataset import to_bytes
from rebalance.plan import MAX_PIXELS
from rebalance.recipes import FILL_SETTINGS
from rebalance.storage.names import decode_key, decode_name
from rebalance.transforms import BY_KEY

Request = Mapping[str, Any]
Arguments = Iterator[str]

_SETTINGS = "settings.toml"
_ORDINARY = {
    "originals": "keep", "interpolation": "bicubic", "output_format": "same", "orientation": "keep",
    "max_pixels": MAX_PIXELS,
}  # fmt: skip
"""What a rendering is where nobody asks for another."""
_SMOTE_ORDINARY = {"method": "smote", "k_neighbors": 5, "m_neighbors": 10, "singletons": "augment"}


def command_again(request: Request, most_copies: int) -> str:
    """Return what a shell runs; what is in capitals stands for places and files that a manifest does not name.

    `most_copies` is how often the image that is copied most is. Patterns of --exclude are in no manifest either.
    """
    is_listed = "method" not in request.get("labels", {"method": ""})
    source = [Yours("LIST.csv"), "--images", Yours("ROOT")] if is_listed else [Yours("SOURCE")]
    arguments = ["rebalance", request["command"], *source, "-o", Yours("OUTPUT"), *_options(request, most_copies)]
    return _with_settings(request) + " ".join(map(_quoted, arguments))


class Yours(str):
    """What stands for something that a manifest does not name."""

    __slots__ = ()


def _quoted(argument: str) -> str:
    """Return an argument as a shell takes it, whatever bytes it is made of."""
    if isinstance(argument, Yours):
        return argument
    if argument.isprintable():
        return shlex.quote(argument)
    escaped = (
        chr(byte) if 32 <= byte < 127 and byte not in b"\\'" else f"\\x{byte:02x}" for byte in to_bytes(argument)
    )
    return f"$'{''.join(escaped)}'"


def _options(request: Request, most_copies: int) -> Arguments:
    if request.get("labels", {}).get("method") != "repeat-factor":
        yield from _strategy(request["sampling_strategy"])
    yield from ("--seed", str(request["seed"]))
    yield from _choice(request)
    yield from _smote(request)
    yield from _drawn(request)
    yield from _rendering(request)
    yield from _arranging(request)
    yield from _vectors(request)
    if most_copies > 100:
        yield from ("--max-copies", str(most_copies))
    for key, ordinary in (("bad_images", "fail"), ("check", "header")):
        if request.get(key, ordinary) != ordinary:
            yield from (_option(key), request[key])


def _option(key: str) -> str:
    return f"--{key.replace('_', '-')}"


def _strategy(strategy: Any) -> Arguments:
    if isinstance(strategy, Mapping):
        for name, count in strategy.items():
            yield from ("-s", f"{decode_key(name)}={count}")
    elif strategy is not None:
        yield from ("-s", _decimal(strategy) if "/" in str(strategy) else str(strategy))


def _decimal(share: str) -> str:
    """Return a share with a point: 1/4 is 0.25, and 1/1 is 1.0."""
    above, below = share.partition("/")[::2]
    text = format(Decimal(above) / Decimal(below or 1), "f")
    return text if "." in text else f"{text}.0"


def _choice(request: Request) -> Arguments:
    """Yield how images are chosen, where some are."""
    cap, selection = request.get("cap"), request.get("selection")
    if cap:
        yield from ("--cap", str(cap["n"]))
    chosen, option = (cap, "--cap-method") if cap else (selection or {}, "--method")
    if chosen.get("method", "random") != "random":
        yield from (option, chosen["method"])
    if "window" in chosen:
        yield from ("--window", str(chosen["window"]), "--order", chosen["order"])
    if "similarity" in chosen:
        yield from ("--similarity", _number(chosen["similarity"]))


def _smote(request: Request) -> Arguments:
    if request["command"] != "smote":
        return
    for key, value in request["smote"].items():
        if value is not None and value != _SMOTE_ORDINARY.get(key):
            yield from (_option(key), str(value))
    showing = request["showing"]
    if showing["render"] not in ("nearest", "none"):
        yield from ("--render", Yours("decoder:MODEL") if showing["render"] == "decoder" else showing["render"])
    if showing["render"] == "nearest":
        yield from ("--candidates", str(showing["n_candidates"]))


def _drawn(request: Request) -> Arguments:
    """Yield what is drawn, in options or as a file of settings."""
    if "recipe" not in request or request.get("write") in ("list", "vectors"):
        return
    if request["class_recipes"]:
        yield from ("--config", _SETTINGS)
        return
    yield from ("--config", "copy")
    for key, value in request["recipe"].items():
        yield from _setting(key, value)


def _setting(key: str, value: Any) -> Arguments:
    if value is True:
        yield _option(key)
    elif isinstance(value, list):
        texts = [_number(part) for part in value]
        yield from (_option(key), *([",".join(texts)] if _is_joined(key) else texts))
    else:
        yield from (_option(key), _number(value))


def _number(value: Any) -> str:
    """Return a number, or a word, such that nothing is lost."""
    return f"{value:.0f}" if isinstance(value, float) and value == round(value) and abs(value) < 1e6 else str(value)


def _is_joined(key: str) -> bool:
    """Return whether the values of a setting are one argument, joined by commas."""
    return key in BY_KEY and BY_KEY[key].n_values == 1


def _with_settings(request: Request) -> str:
    """Return what writes the file of settings, where classes have their own."""
    if not request.get("class_recipes") or request.get("write") in ("list", "vectors"):
        return ""
    general: Mapping[str, Any] = request["recipe"]
    lines = [f"[{request['command']}]", "rotation_range = 0", *_toml(general)]
    for name, own in request["class_recipes"].items():
        neutral = {key: BY_KEY[key].neutral for key in general if key in BY_KEY and key not in own}
        lines += [f"[{request['command']}.class.{_text(decode_key(name))}]"]
        lines += _toml({**{key: value for key, value in neutral.items() if value is not None}, **own})
    if "rotation_range" in general:
        lines.remove("rotation_range = 0")
    return "\n".join([f"cat > {_SETTINGS} <<'END'", *lines, "END", ""])


def _text(name: str) -> str:
    """Return a text as TOML holds it."""
    escaped = json.dumps(name, ensure_ascii=False)
    return "".join(f"\\u{ord(letter):04x}" if 127 <= ord(letter) < 160 else letter for letter in escaped)


def _toml(settings: Mapping[str, Any]) -> Iterator[str]:
    for key, value in settings.items():
        if key in BY_KEY or key in FILL_SETTINGS:
            yield f"{key} = {json.dumps(value)}"


def _rendering(request: Request) -> Arguments:
    if request["command"] == "undersample" or request.get("write") in ("list", "vectors"):
        return
    rendering = request["rendering"]
    yield from ("--engine", rendering["engine"])
    for key, ordinary in _ORDINARY.items():
        if rendering[key] != ordinary:
            yield from (_option(key), str(rendering[key]))
    if rendering["size"]:
        yield from ("--size", "{}x{}".format(*rendering["size"]))
    if rendering["quality"] is not None:
        yield from ("--quality", str(rendering["quality"]))
    if request.get("identity_share", "0") != "0":
        yield from ("--identity-share", _decimal(request["identity_share"]))


def _arranging(request: Request) -> Arguments:
    """Yield how SOURCE is read and what becomes of its parts."""
    if "split" in request:
        yield from ("--split", decode_name(request["split"]))
    if "holdout" in request:
        yield from ("--holdout", _decimal(request["holdout"]["share"]))
    if "group_by" in request:
        grouping = request["group_by"]
        yield from ("--group-by", decode_name(grouping["pattern"]) if "pattern" in grouping else Yours("GROUPS.csv"))
    if request.get("write") is not None:
        yield from ("--write", request["write"])
    yield from _labels(request.get("labels", {}))


def _labels(labels: Mapping[str, Any]) -> Arguments:
    """Yield what columns are called, and how labels are read where an image has several."""
    if "method" not in labels:
        for role, name in labels.get("columns", {}).items():
            yield from ("--column", f"{role}={decode_name(name)}")
        return
    yield from ("--labels", "folders" if "folders" in labels else Yours("LABELS.csv"))
    yield from _label_columns(labels) if "columns" in labels else ()
    if labels["method"] == "repeat-factor":
        yield from ("--method", "repeat-factor")
        yield from ("--oversample-thr", str(labels["threshold"])) if labels["threshold"] is not None else ()


def _label_columns(labels: Mapping[str, Any]) -> Arguments:
    columns = [decode_name(name) for name in labels["columns"]]
    yield from ("--column", f"path={decode_name(labels['path_column'])}")
    if labels["delimiter"] is not None:
        yield from ("--column", f"label={columns[0]}", "--label-delimiter", labels["delimiter"])
        return
    for name in columns:
        yield from ("--label-columns", name)


def _vectors(request: Request) -> Arguments:
    if "vectors" not in request:
        return
    name = request["vectors"].get("name")
    if name in ("descriptor", "pixels"):
        yield from ("--embedder", name)
    else:
        yield from ("--embeddings", Yours("EMBEDDINGS"))
