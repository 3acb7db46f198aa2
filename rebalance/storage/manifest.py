"""The manifest: a head line that names the run, then a line a file, and what proves that none is missing or edited."""

import contextlib
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from rebalance import __version__
from rebalance.dataset import Dataset, is_address, to_bytes, to_text
from rebalance.errors import OF_THE_MACHINE, ManifestError, OutputRefusedError, StorageError
from rebalance.plan import Plan
from rebalance.storage.bucket import Bucket
from rebalance.storage.lines import NAMES, Line, decoded
from rebalance.storage.listing import Listing
from rebalance.storage.names import decode_name, encode_names

NAME = "rebalance.jsonl"
SCHEMA = 1

_START = b'{"rebalance":'


def digest(content: object) -> str:
    """Return the sha256 of what is ready for JSON, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def request_of(plan: Plan, dataset: Dataset) -> dict[str, Any]:
    """Return everything that names a run, as JSON has it: command, options, paths and sizes of the source."""
    files, n_images = hashlib.sha256(), 0
    for image in dataset.images():
        files.update(b"%b\0%d\n" % (to_bytes(image.path), image.stamp.size))
        n_images += 1
    request = {"command": plan.command, **plan.request, "dataset": {"images": n_images, "sha256": files.hexdigest()}}
    return dict(json.loads(json.dumps(encode_names(request))))


def write_manifest(
    manifest: BinaryIO, head: Mapping[str, Any], rows: Iterable[Line], scratch: bytes | None = None
) -> None:
    """Write head and lines to a new file, durable when this returns.

    `scratch` is the folder for the lines till then, in a file without a name; None: that of the system.
    """
    lines, n_lines = hashlib.sha256(), 0
    with tempfile.TemporaryFile(dir=scratch) as body:
        for row in rows:
            line = _json(row) + b"\n"
            body.write(line)
            lines.update(line)
            n_lines += 1
        body.seek(0)
        manifest.write(_sealed({**head, "lines": n_lines, "lines_sha256": lines.hexdigest()}))
        while piece := body.read(2**20):
            manifest.write(piece)
        manifest.flush()
        os.fsync(manifest.fileno())


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest that has been read and agrees with itself."""

    path: bytes
    head: Mapping[str, Any]
    mtime_ns: int
    fetched: Any = None
    """Of object storage: a file of this machine that holds it, for as long as anyone needs it."""

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the lines, names decoded. Raises ManifestError where one is no line of ours."""
        with _opened(to_bytes(self.fetched.name) if self.fetched else self.path) as file:
            next(file)
            for number, line in enumerate(file, start=2):
                yield checked_row(line, f"{to_text(self.path)}: line {number}")

    @property
    def list_row(self) -> Line | None:
        """Return path, bytes and sha256 of the list that OUTPUT is, or None of a tree."""
        row: Line | None = self.head.get("list")
        return row

    @property
    def rows_of_all(self) -> list[Line]:
        """Return path, bytes and sha256 of the files that no line is about: a list, labels, vectors and their index."""
        return [{**row, "path": decode_name(row["path"])} for row in _whole_files(self.head)]

    @property
    def split(self) -> str | None:
        """Return the split that is balanced, where there are several. Raises ManifestError where it is no name."""
        try:
            return decode_name(self.head["split"]) if "split" in self.head else None
        except ValueError:
            raise ManifestError(
                f"{to_text(self.path)}: its head names no split: not that of a manifest of rebalance"
            ) from None

    @property
    def class_names(self) -> list[str]:
        """Return the classes in index order."""
        return [decode_name(entry["name"]) for entry in self.head["classes"]]


def read_manifest(output: bytes) -> Manifest:
    """Read the manifest of an output tree.

    Raises ManifestError where there is none, or it is truncated, edited or of another version.
    """
    path = os.path.join(output, NAME.encode())
    fetched = _fetched(path) if is_address(output) else None
    with _opened(to_bytes(fetched.name) if fetched else path) as file:
        head = _checked_head(next(file, b""), to_text(path))
        lines, n_lines = hashlib.sha256(), 0
        for line in file:
            lines.update(line)
            n_lines += 1
        mtime_ns = _mtime_ns(output, file)
    if n_lines != head["lines"]:
        raise ManifestError(f"{to_text(path)}: has {n_lines} lines where its head says {head['lines']}")
    if lines.hexdigest() != head["lines_sha256"]:
        raise ManifestError(f"{to_text(path)}: its lines were edited: they do not have the sha256 that its head says")
    return Manifest(path, head, mtime_ns, fetched)


@contextlib.contextmanager
def refused_if_spoilt() -> Iterator[None]:
    """Raise OutputRefusedError for a ManifestError: what is ours in a tree that stands at OUTPUT cannot be told."""
    try:
        yield
    except ManifestError as error:
        raise OutputRefusedError(f"{error}; what is ours in OUTPUT cannot be told: move it away") from None


def has_manifest(output: bytes) -> bool:
    """Return whether a tree carries a manifest that begins as ours do."""
    with contextlib.suppress(ManifestError, FileNotFoundError):
        if is_address(output):
            return Bucket(output).read_part(NAME, 0, len(_START)) == _START
        with _opened(os.path.join(output, NAME.encode())) as file:
            return file.read(len(_START)) == _START
    return False


def checked_row(line: bytes, place: str) -> dict[str, Any]:
    """Return a line with its names decoded. Raises ManifestError where it is no line of ours."""
    try:
        row = decoded(json.loads(line))
        if not all(type(row[key]) is kind for key, kind in _TYPES[row["kind"]].items()):
            raise TypeError
        if not all(type(row.get(key, "")) is str for key in NAMES):
            raise TypeError
        if not all(type(row.get(key, 0)) is int for key in ("attempt", "candidate")):
            raise TypeError
        if row.get("shows", "base") not in ("base", "neighbor") or type(row.get("step", 0.0)) is not float:
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ManifestError(f"{place} is not a line of a manifest of rebalance") from None
    return row


_SOURCE_TYPES = {"class": str, "source": str, "bytes": int}
_FILE_TYPES = {**_SOURCE_TYPES, "path": str, "sha256": str, "source_sha256": str}
_COPY_TYPES = {**_FILE_TYPES, "copy_number": int}
_TYPES = {
    "original": _FILE_TYPES, "augmented": _COPY_TYPES, "duplicate": _COPY_TYPES,
    "synthetic": {**_COPY_TYPES, "neighbor": str, "neighbor_sha256": str, "step": float, "made_by": str},
    "removed": {**_SOURCE_TYPES, "is_bad": bool, "reason": str}, "listed": {**_SOURCE_TYPES, "repetitions": int},
    "vector": _SOURCE_TYPES,
}  # fmt: skip
"""Kind of a line -> what it holds at least."""
_HEAD_TYPES = {
    "schema": int, "seed": int, "engine": str, "versions": dict, "request": dict, "request_sha256": str,
    "class_indices": dict, "classes": list, "lines": int, "lines_sha256": str,
}  # fmt: skip
_WHOLE_TYPES = {"bytes": int, "sha256": str}


@contextlib.contextmanager
def _opened(path: bytes) -> Iterator[BinaryIO]:
    """Open a manifest, which is a regular file and nothing that would keep us waiting. Raises ManifestError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in OF_THE_MACHINE:
            raise StorageError(f"{to_text(path)}: cannot be read: {error.strerror}; run again") from None
        raise ManifestError(
            f"{to_text(path)}: cannot be read: {error.strerror}: not a tree that rebalance made"
        ) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ManifestError(f"{to_text(path)}: is not a file: not a tree that rebalance made")
    with open(descriptor, "rb") as file:
        yield file


def _fetched(path: bytes) -> Any:
    """Return a temporary file that holds a manifest of object storage. Raises ManifestError where there is none."""
    fetched = tempfile.NamedTemporaryFile(prefix="rebalance-")  # noqa: SIM115  it is closed when nobody needs it
    try:
        with Bucket(os.path.dirname(path)).opened(NAME) as file:
            shutil.copyfileobj(file, fetched)
    except OSError as error:
        raise ManifestError(
            f"{to_text(path)}: cannot be read: {error.strerror}: not a tree that rebalance made"
        ) from None
    fetched.flush()
    return fetched


def _mtime_ns(output: bytes, file: BinaryIO) -> int:
    """Return when a manifest was written, of a disk by its clock and of a storage by that of the storage."""
    if is_address(output):
        return Listing(output).status_of(NAME).st_mtime_ns
    return os.fstat(file.fileno()).st_mtime_ns


def _sealed(head: Mapping[str, Any]) -> bytes:
    """Return the head line: its content, then the sha256 of its bytes so far."""
    content = _json(head).removesuffix(b"}")
    return b'%b,"head_sha256":"%b"}\n' % (content, hashlib.sha256(content).hexdigest().encode())


def _checked_head(line: bytes, path: str) -> dict[str, Any]:
    content, _, seal = line.rpartition(b',"head_sha256":"')
    try:
        head: dict[str, Any] = json.loads(line)
        schema = head["schema"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ManifestError(f"{path}: its first line is not the head of a manifest of rebalance") from None
    if schema != SCHEMA:
        raise ManifestError(f"{path}: has schema {schema}, this is rebalance {__version__}, which reads {SCHEMA}")
    if seal != hashlib.sha256(content).hexdigest().encode() + b'"}\n':
        raise ManifestError(f"{path}: its head was edited: it does not have the sha256 that it says")
    parts = [(head, _HEAD_TYPES), *((row, _WHOLE_TYPES) for row in _whole_files(head))]
    if not all(type(part) is dict and _has(part, types) for part, types in parts) or not _have_paths(head):
        raise ManifestError(f"{path}: its first line is not the head of a manifest of rebalance")
    return head


def _have_paths(head: Mapping[str, Any]) -> bool:
    """Return whether the files that no line is about have names."""
    try:
        return all(type(path) is str for path in paths_of_all(head))
    except (ValueError, KeyError, TypeError):
        return False


def paths_of_all(head: Mapping[str, Any]) -> list[str]:
    """Return the paths of the files that no line is about."""
    return [decode_name(row["path"]) for row in _whole_files(head)]


def _whole_files(head: Mapping[str, Any]) -> list[Any]:
    """Return what a head says of files that no line is about."""
    single, vectors = [head[key] for key in ("list", "labels") if key in head], head.get("vectors", [])
    return [*single, *(vectors if isinstance(vectors, list) else [None])]


def _has(part: Mapping[str, Any], types: Mapping[str, type]) -> bool:
    return all(type(part.get(key)) is kind for key, kind in types.items())


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
