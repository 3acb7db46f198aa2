"""Which files an ONNX model has its weights in, as its protocol buffer says it."""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from rebalance.errors import UsageError

_PARTS: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}
"""Kind of message -> number of a field -> kind of message in it: the ways to every tensor, as onnx.proto has them."""


def weight_files(data: bytes, where: str) -> tuple[str, ...]:
    """Return the files that a model has its weights in, relative to its folder. Raises UsageError naming `where`."""
    try:
        names = sorted(set(_locations("model", memoryview(data))))
    except (ValueError, LookupError, RecursionError):
        raise UsageError(f"{where}: not an ONNX model, or damaged") from None
    for name in names:
        if not PurePosixPath(name).name or name.startswith("/") or ".." in PurePosixPath(name).parts or "\0" in name:
            raise UsageError(f"{where}: has weights in {name!r}, which is not in its folder: save the model again")
    return tuple(names)


def _locations(kind: str, message: memoryview) -> Iterator[str]:
    """Yield the file of each tensor of a message that has its numbers elsewhere."""
    for number, part in _fields_of(message):
        inner = _PARTS[kind].get(number)
        if inner == "entry":
            entry = dict(_fields_of(part))
            if bytes(entry[1]) == b"location":
                yield str(entry[2], "utf-8")
        elif inner is not None:
            yield from _locations(inner, part)


def _fields_of(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield number and content of each field of a protocol buffer that has a length: texts, bytes and messages."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        match tag & 7 if tag >= 8 else None:
            case 0:
                _, at = _varint(message, at)
            case 1:
                at += 8
            case 2:
                length, at = _varint(message, at)
                yield tag >> 3, message[at : at + length]
                at += length
            case 5:
                at += 4
            case wire:
                raise ValueError(wire)
    if at != len(message):
        raise ValueError(at)


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, least first, and where the next thing begins."""
    value = shift = 0
    while True:
        value |= (message[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if message[at - 1] < 128:
            return value, at
