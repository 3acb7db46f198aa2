"""The manifest: a head line that names the run, then a line a file, and what proves that none is missing or edited."""

import contextlib
import hashlib
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rebalance import __version__
from rebalance.dataset import Dataset, to_bytes, to_text
from rebalance.errors import ManifestError
from rebalance.plan import Drop, Plan, Written
from rebalance.storage.names import decode_name, encode_name

NAME = "rebalance.jsonl"
SCHEMA = 1

Row = Mapping[str, Any]
NAMES = ("path", "class", "source")


def digest(content: object) -> str:
    """Return the sha256 of what is ready for JSON, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def request_of(plan: Plan, dataset: Dataset) -> dict[str, Any]:
    """Return everything that names a run, as JSON has it: command, options, paths and sizes of the source."""
    files = hashlib.sha256()
    for image in dataset.images():
        files.update(b"%b\0%d\n" % (to_bytes(image.path), image.stamp.size))
    n_images = sum(plan.class_counts.values())
    request = {"command": plan.command, **plan.request, "dataset": {"images": n_images, "sha256": files.hexdigest()}}
    return dict(json.loads(json.dumps(request)))


_FIELDS = {
    "output": "path", "class_name": "class", "kind": "kind", "source": "source", "copy_number": "copy_number",
    "values": "values", "width": "width", "height": "height", "mode": "mode", "format": "format", "n_bytes": "bytes",
    "sha256": "sha256", "source_sha256": "source_sha256", "note": "note",
}  # fmt: skip
"""What `Written` calls a thing -> what a line calls it; a line leaves out what there is not."""


def row_of(written: Written) -> dict[str, Any]:
    """Return the line of a finished file."""
    fields = {key: getattr(written, name) for name, key in _FIELDS.items()}
    return {key: encode_name(value) if key in NAMES else value for key, value in fields.items() if value is not None}


def written_of(row: Row) -> Written:
    """Return the finished file of a line whose names are decoded."""
    fields: dict[str, Any] = {name: row.get(key) for name, key in _FIELDS.items()}
    return Written(**fields)


def decoded(row: Row) -> dict[str, Any]:
    """Return a line with its names as `to_text` has them. Raises ValueError where one is no name."""
    if not isinstance(row, dict):
        message = f"not a line: {row!r}"
        raise ValueError(message)
    return {key: decode_name(value) if key in NAMES else value for key, value in row.items()}


def row_of_dropped(drop: Drop, class_name: str) -> dict[str, Any]:
    """Return the line of an original that was left out."""
    image = drop.source
    row: dict[str, Any] = {"class": encode_name(class_name), "kind": "removed", "source": encode_name(image.path)}
    row["bytes"] = image.stamp.size
    return row | ({"source_sha256": drop.sha256} if drop.sha256 else {}) | {"reason": drop.reason}


def head_of(plan: Plan, request: Mapping[str, Any], *, engine: str, versions: Mapping[str, str]) -> dict[str, Any]:
    """Return the head without what only the lines tell."""
    n_before, n_after = sum(plan.class_counts.values()), plan.n_outputs
    classes = []
    for index, target in enumerate(plan.targets):
        before = plan.class_counts[target.class_name] / n_before
        after = target.n_target / n_after
        classes.append(
            {
                "name": encode_name(target.class_name),
                "index": index,
                "n_before": plan.class_counts[target.class_name],
                "n_after": target.n_target,
                "share_before": round(before, 9),
                "share_after": round(after, 9),
                "log_ratio": round(math.log(after / before), 9),
            }
        )
    return {
        "rebalance": __version__,
        "schema": SCHEMA,
        "engine": engine,
        "versions": versions,
        "seed": request["seed"],
        "request": request,
        "request_sha256": digest(request),
        "class_indices": {_key(target.class_name): index for index, target in enumerate(plan.targets)},
        "classes": classes,
    }


def write_manifest(path: bytes, head: Mapping[str, Any], rows: Iterable[Row]) -> None:
    """Write head and lines to a new file, durable when this returns."""
    body = path + b".lines"
    lines, n_lines = hashlib.sha256(), 0
    with open(body, "w+b") as file:
        for row in rows:
            line = _line(row)
            file.write(line)
            lines.update(line)
            n_lines += 1
        file.seek(0)
        with open(path, "wb") as manifest:
            whole = {**head, "lines": n_lines, "lines_sha256": lines.hexdigest()}
            manifest.write(_line({**whole, "head_sha256": digest(whole)}))
            while piece := file.read(2**20):
                manifest.write(piece)
            manifest.flush()
            os.fsync(manifest.fileno())
    os.unlink(body)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest that has been read and agrees with itself."""

    path: bytes
    head: Mapping[str, Any]
    mtime_ns: int

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the lines, names decoded."""
        with open(self.path, "rb") as file:
            next(file)
            for line in file:
                yield decoded(json.loads(line))

    @property
    def class_names(self) -> list[str]:
        """Return the classes in index order."""
        return [decode_name(entry["name"]) for entry in self.head["classes"]]


def read_manifest(output: bytes) -> Manifest:
    """Read the manifest of an output tree.

    Raises FileNotFoundError without one, ManifestError where it is truncated, edited or of another version.
    """
    path = os.path.join(output, NAME.encode())
    with open(path, "rb") as file:
        head = _checked_head(next(file, b""), to_text(path))
        lines, n_lines = hashlib.sha256(), 0
        for line in file:
            lines.update(line)
            n_lines += 1
        mtime_ns = os.fstat(file.fileno()).st_mtime_ns
    if n_lines != head["lines"]:
        raise ManifestError(f"{to_text(path)}: has {n_lines} lines where its head says {head['lines']}")
    if lines.hexdigest() != head["lines_sha256"]:
        raise ManifestError(f"{to_text(path)}: its lines were edited: they do not have the sha256 that its head says")
    return Manifest(path, head, mtime_ns)


def has_manifest(output: bytes) -> bool:
    """Return whether a tree carries a manifest that begins as ours do."""
    with contextlib.suppress(OSError), open(os.path.join(output, NAME.encode()), "rb") as file:
        return file.read(13) == b'{"rebalance":'
    return False


def _checked_head(line: bytes, path: str) -> dict[str, Any]:
    try:
        head: dict[str, Any] = json.loads(line)
        stated = head.pop("head_sha256")
        schema = head["schema"]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ManifestError(f"{path}: its first line is not the head of a manifest of rebalance") from None
    if schema != SCHEMA:
        raise ManifestError(f"{path}: has schema {schema}, this is rebalance {__version__}, which reads {SCHEMA}")
    if digest(head) != stated:
        raise ManifestError(f"{path}: its head was edited: it does not have the sha256 that it says")
    return head


def _key(name: str) -> str:
    """Return a class name as a key of JSON."""
    encoded = encode_name(name)
    return encoded if isinstance(encoded, str) else f"b64:{encoded['b64']}"


def _line(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
