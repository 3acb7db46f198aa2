"""Whether a tree still holds what its manifest says, and the manifest what it says of itself."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rebalance.dataset import to_bytes, to_text
from rebalance.planning.naming import generated_path
from rebalance.storage.manifest import NAME, Manifest, digest, read_manifest
from rebalance.survey import hash_files


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as the manifest says."""

    kind: str
    """missing, changed, foreign, manifest or source."""
    path: str
    reason: str


_KINDS_OF_NAMES = {"augmented": "aug", "duplicate": "dup"}


def verify(
    output: str,
    *,
    source: str | None,
    is_quick: bool,
    n_workers: int,
    progress: Callable[[int, int], None] = lambda _n_done, _n_all: None,
) -> Iterator[Finding]:
    """Yield everything in a tree that is not as its manifest says.

    `is_quick` compares names and sizes alone; `source` also has the originals compared with those of the source.
    Raises FileNotFoundError without a manifest, ManifestError where it does not agree with itself.
    """
    root = to_bytes(output)
    manifest = read_manifest(root)
    yield from _check_manifest(manifest)
    sound: dict[str, str] = {}
    listed: set[bytes] = set()
    for row in manifest.rows():
        if "path" not in row:
            continue
        listed.add(to_bytes(row["path"]))
        if finding := _check_presence(root, row):
            yield finding
        else:
            sound[row["path"]] = row["sha256"]
    yield from _find_foreign(root, listed)
    if not is_quick:
        yield from _check_hashes(root, sound, n_workers, progress, kind="changed")
    if source is not None:
        originals = {row["source"]: row["source_sha256"] for row in manifest.rows() if row["kind"] == "original"}
        yield from _check_hashes(to_bytes(source), originals, n_workers, progress, kind="source")


def _check_manifest(manifest: Manifest) -> Iterator[Finding]:
    """Compare the counts, indices and names that the head states with the lines."""
    head = manifest.head
    counts: Counter[str] = Counter()
    for row in manifest.rows():
        counts[row["class"]] += "path" in row
        if not _has_its_name(row, head["seed"]):
            yield Finding("manifest", row["path"], "does not have the name that its source and copy number give it")
    for entry, name in zip(head["classes"], manifest.class_names, strict=True):
        if counts.pop(name, 0) != entry["n_after"]:
            yield Finding("manifest", name, f"is a class of {entry['n_after']} files in the head, not in the lines")
    for name in counts:
        yield Finding("manifest", name, "is a class of the lines that the head does not name")
    if [entry["index"] for entry in head["classes"]] != sorted(head["class_indices"].values()):
        yield Finding("manifest", NAME, "class_indices do not number the classes")
    if digest(head["request"]) != head["request_sha256"]:
        yield Finding("manifest", NAME, "request_sha256 is not that of the request")


def _has_its_name(row: Mapping[str, Any], seed: int) -> bool:
    expected: str
    if row["kind"] in _KINDS_OF_NAMES:
        expected = generated_path(row["source"], _KINDS_OF_NAMES[row["kind"]], seed, row["copy_number"])
    else:
        expected = row["source"]
    return bool(row.get("path", expected) == expected)


def _check_presence(root: bytes, row: Mapping[str, Any]) -> Finding | None:
    try:
        size = os.stat(os.path.join(root, to_bytes(row["path"]))).st_size
    except OSError:
        return Finding("missing", row["path"], "is not there")
    if size != row["bytes"]:
        return Finding("changed", row["path"], f"has {size} bytes where {row['bytes']} were written")
    return None


def _find_foreign(root: bytes, listed: set[bytes]) -> Iterator[Finding]:
    folders_listed = {os.path.dirname(path) for path in listed}
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted([*names, *folders]):
            path = os.path.relpath(os.path.join(folder, name), root)
            if path not in listed and path not in folders_listed and path != NAME.encode():
                yield Finding("foreign", to_text(path), "is not in the manifest")


def _check_hashes(
    root: bytes, expected: Mapping[str, str], n_workers: int, progress: Callable[[int, int], None], *, kind: str
) -> Iterator[Finding]:
    for n_done, hashed in enumerate(hash_files(root, expected, n_workers), start=1):
        progress(n_done, len(expected))
        if hashed.sha256 != expected[hashed.path]:
            yield Finding(kind, hashed.path, hashed.reason or "does not have the bytes that the manifest says")
