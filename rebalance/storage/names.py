"""Names in JSON: text where they are UTF-8, else their bytes in base 64."""

import base64
from collections.abc import Mapping
from typing import Any

from rebalance.dataset import to_bytes, to_text


def encode_name(name: str) -> str | dict[str, str]:
    """Return a path or class name as JSON holds it."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return {"b64": base64.b64encode(to_bytes(name)).decode()}
    return name


def encode_key(name: str) -> str:
    """Return a class name as a key of a JSON object."""
    encoded = encode_name(name)
    return encoded if isinstance(encoded, str) else f"b64:{encoded['b64']}"


def encode_names(content: object) -> object:
    """Return what is to be JSON with every text in it that is not UTF-8 encoded."""
    if isinstance(content, str):
        return encode_name(content)
    if isinstance(content, Mapping):
        return {encode_key(key): encode_names(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [encode_names(value) for value in content]
    return content


def decode_name(name: Any) -> str:
    """Return the path or class name that JSON holds. Raises ValueError where it is neither form."""
    if isinstance(name, str):
        return name
    if isinstance(name, dict) and isinstance(name.get("b64"), str):
        return to_text(base64.b64decode(name["b64"], validate=True))
    message = f"not a name: {name!r}"
    raise ValueError(message)


def decode_key(name: str) -> str:
    """Return the class name that a key of a JSON object is."""
    return to_text(base64.b64decode(name.removeprefix("b64:"))) if name.startswith("b64:") else name
