"""The lines of manifest and journal: what is said of a file, or of a source without one."""

from collections.abc import Mapping
from typing import Any

from rebalance.finished import Written
from rebalance.plan import ClassTarget, Drop, Repeat, Row
from rebalance.storage.names import decode_name, encode_name

Line = Mapping[str, Any]
NAMES = ("path", "class", "split", "group", "source", "neighbor", "counterpart")
_FIELDS = {
    "output": "path", "class_name": "class", "split": "split", "group": "group", "kind": "kind", "source": "source",
    "copy_number": "copy_number", "neighbor": "neighbor", "neighbor_sha256": "neighbor_sha256", "step": "step",
    "shows": "shows", "candidate": "candidate", "key": "made_by", "values": "values",
    "attempt": "attempt", "is_reencoded": "reencoded",
    "width": "width", "height": "height", "mode": "mode", "format": "format", "n_bytes": "bytes",
    "sha256": "sha256", "source_sha256": "source_sha256", "source_bytes": "source_bytes",
    "is_unusable": "unusable", "note": "note",
}  # fmt: skip
"""What `Written` calls a thing -> what a line calls it; a line leaves out what there is not."""


def row_of(written: Written) -> dict[str, Any]:
    """Return the line of a finished file."""
    fields = {key: getattr(written, name) for name, key in _FIELDS.items()}
    return {key: encode_name(value) if key in NAMES else value for key, value in fields.items() if value is not None}


def written_of(row: Line) -> Written:
    """Return the finished file of a line whose names are decoded."""
    fields: dict[str, Any] = {name: row.get(key) for name, key in _FIELDS.items()}
    return Written(**fields)


def decoded(row: Line) -> dict[str, Any]:
    """Return a line with its names as `to_text` has them. Raises ValueError where one is no name."""
    if not isinstance(row, dict):
        message = f"not a line: {row!r}"
        raise ValueError(message)
    return {key: decode_name(value) if key in NAMES else value for key, value in row.items()}


def row_without_file(operation: Drop | Repeat | Row, target: ClassTarget) -> dict[str, Any]:
    """Return the line of an original that was left out, or of what is listed, or a vector, instead of a file."""
    image = operation.source
    names = {"class": target.class_name, "split": target.split, "group": image.group}
    row: dict[str, Any] = {key: encode_name(name) for key, name in names.items() if name is not None}
    row |= {"kind": operation.kind, "source": encode_name(image.path), "bytes": image.stamp.size}
    if isinstance(operation, Repeat):
        return row | {"repetitions": operation.repetitions}
    if isinstance(operation, Row):
        neighbor = operation.neighbor and encode_name(operation.neighbor.path)
        more = {"copy_number": operation.copy_number, "neighbor": neighbor, "step": operation.step}
        return row | {key: value for key, value in more.items() if value is not None}
    row |= {"is_bad": operation.is_bad, "reason": operation.reason}
    if operation.counterpart is not None:
        row["counterpart"] = encode_name(operation.counterpart)
    return row | ({"source_sha256": operation.sha256} if operation.sha256 else {})
