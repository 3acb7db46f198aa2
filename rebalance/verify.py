"""Whether a tree still holds what its manifest says, and the manifest what it says of itself."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rebalance.dataset import directory_of, to_bytes, to_text
from rebalance.plan import INDEX_NAME
from rebalance.planning.naming import KINDS, Place, generated_path, original_path
from rebalance.recipes import draw_candidate, draw_values
from rebalance.storage.foreign import find_foreign
from rebalance.storage.heads import carried_entries, class_entries
from rebalance.storage.lists import LIST_NAME, render_list
from rebalance.storage.manifest import NAME, Manifest, digest, read_manifest
from rebalance.storage.request import recipe_of, rendering_of
from rebalance.storage.rows import render_index
from rebalance.storage.sizes import sizes_of
from rebalance.survey import hash_files


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as the manifest says."""

    kind: str
    """missing, changed, foreign, manifest or source."""
    path: str
    reason: str


def verify(
    output: str,
    *,
    source: str | None,
    is_quick: bool,
    n_workers: int,
    progress: Callable[[int, int], None] = lambda _n_done, _n_all: None,
) -> Iterator[Finding]:
    """Yield everything in a tree that is not as its manifest says.

    `is_quick` compares names and sizes alone; `source` also has the sources of all files compared.
    Raises ManifestError where there is no manifest, or it does not agree with itself.
    """
    root = to_bytes(output)
    manifest = read_manifest(root)
    yield from _check_head(manifest)
    sound: dict[str, str] = {}
    listed: set[bytes] = set()
    source_sums: dict[str, str] = {}
    size_of = sizes_of(root)
    for row in _files(manifest, source_sums):
        if isinstance(row, Finding):
            yield row
            continue
        if to_bytes(row["path"]) in listed:
            yield Finding("manifest", row["path"], "stands in it twice")
        listed.add(to_bytes(row["path"]))
        if finding := _check_presence(size_of, row):
            yield finding
        else:
            sound[row["path"]] = row["sha256"]
    for path in find_foreign(root, listed):
        yield Finding("foreign", to_text(path), "is not in the manifest")
    if not is_quick:
        yield from _check_hashes(root, sound, n_workers, progress, kind="changed")
    if source is not None:
        by_size = _check_sizes(to_bytes(source), manifest)
        by_content = _check_hashes(to_bytes(source), source_sums, n_workers, progress, kind="source")
        yield from by_size if is_quick or not source_sums else by_content


def _files(manifest: Manifest, source_sums: dict[str, str]) -> Iterator[Mapping[str, Any] | Finding]:
    """Yield what the manifest says of each file of the tree, and what is wrong with its lines."""
    for row in manifest.rows():
        yield from _check_row(row, manifest.head, source_sums)
        if "path" in row:
            yield row
    made = {LIST_NAME: render_list, INDEX_NAME: render_index}
    for whole in manifest.rows_of_all:
        render = made.get(whole["path"])
        if render and hashlib.sha256(render(manifest.rows)).hexdigest() != whole["sha256"]:
            yield Finding("manifest", whole["path"], "is not what the lines make")
        yield whole


def _check_head(manifest: Manifest) -> Iterator[Finding]:
    """Compare the counts, shares, indices and digests that the head states with its lines and with each other."""
    head = manifest.head
    expected, carried = _counted(manifest)
    if head.get("carried", {}) != carried:
        yield Finding("manifest", NAME, "its head does not count the other splits as its lines do")
    if head["classes"] != expected["classes"]:
        yield Finding("manifest", NAME, "its head does not count the classes as its lines do")
    if head["class_indices"] != expected["class_indices"]:
        yield Finding("manifest", NAME, "class_indices do not number the classes in their order")
    if digest(head["request"]) != head["request_sha256"]:
        yield Finding("manifest", NAME, "request_sha256 is not that of the request")
    if head["request"].get("seed") != head["seed"]:
        yield Finding("manifest", NAME, "its head names two seeds")


def _counted(manifest: Manifest) -> tuple[dict[str, Any], dict[str, dict[str, int]]]:
    """Return what the lines say of the classes, and of the splits that went over as they were."""
    sources: dict[str, set[str]] = {}
    after: Counter[str] = Counter()
    carried: Counter[tuple[str, str]] = Counter()
    for row in manifest.rows():
        n_files = row["repetitions"] if row["kind"] == "listed" else "path" in row or row["kind"] == "vector"
        if row.get("split") == manifest.split:
            sources.setdefault(row["class"], set()).add(row["source"])
            after[row["class"]] += n_files
        elif n_files:
            carried[str(row.get("split")), row["class"]] += n_files
    entries = [(name, len(sources[name]), after[name]) for name in sorted(sources)]
    return class_entries(entries), carried_entries(carried)


def _check_row(row: Mapping[str, Any], head: Mapping[str, Any], source_sums: dict[str, str]) -> Iterator[Finding]:
    """Compare what a line states with what follows from the rest of it; gather the sum of its source."""
    path = row.get("path", row["source"])
    if not _lies_in_its_class(row, head):
        yield Finding("manifest", path, "does not lie in the folder of its class")
    if "path" in row and path != _expected_path(row, head):
        yield Finding("manifest", path, "does not have the name that its source and copy number give it")
    sha256 = row["source_sha256"] if "path" in row else None
    if sha256 and source_sums.setdefault(row["source"], sha256) != sha256:
        yield Finding("manifest", path, "has another sum of its source than its other files")
    if (
        "neighbor_sha256" in row
        and source_sums.setdefault(row["neighbor"], row["neighbor_sha256"]) != row["neighbor_sha256"]
    ):
        yield Finding("manifest", path, "has another sum of its neighbor than its other files")
    if row["kind"] == "synthetic" and not _is_shown(row, head["request"].get("showing", {})):
        yield Finding("manifest", path, "does not show what the request asks for")
    if row.get("values") != _drawn(row, head):
        yield Finding("manifest", path, "does not have the values that are drawn for it")


def _is_shown(row: Mapping[str, Any], showing: Mapping[str, Any]) -> bool:
    """Return whether a synthetic sample names a copy where one was to be chosen, and none elsewhere."""
    if showing.get("render") != "nearest":
        return "candidate" not in row and "shows" not in row
    return "shows" in row and 1 <= row.get("candidate", 0) <= showing.get("n_candidates", 0)


def _drawn(row: Mapping[str, Any], head: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the values that a file is made by, or None where nothing is drawn."""
    recipe, seed = recipe_of(head["request"], row["class"]), head["seed"]
    if row["kind"] == "augmented":
        return draw_values(recipe, seed, row["source"], row["copy_number"], row.get("attempt", 0))
    if "candidate" in row:
        sample = row["source"], row["copy_number"]
        return draw_candidate(recipe, seed, sample, row["candidate"], row.get("attempt", 0))[0]
    return None


def _expected_path(row: Mapping[str, Any], head: Mapping[str, Any]) -> str:
    is_encoded = row["kind"] in ("augmented", "synthetic") or row.get("reencoded")
    output_format = rendering_of(head["request"]).output_format if is_encoded else None
    place = Place.of(row["source"], row["class"], row.get("split"), _prefix_of(row, head))
    if row["kind"] in KINDS:
        return generated_path(place, row["kind"], head["seed"], row["copy_number"], output_format)
    return original_path(place, output_format)


def _prefix_of(row: Mapping[str, Any], head: Mapping[str, Any]) -> str:
    """Return what may say the split in the path of a source: nothing where only OUTPUT has splits."""
    return f"{row['split']}/" if "split" in head["request"] and "split" in row else ""


def _lies_in_its_class(row: Mapping[str, Any], head: Mapping[str, Any]) -> bool:
    """Return whether a file lies in the folder of its class, and a source where the source was a tree."""
    split = row.get("split")
    if "path" in row:
        return str(os.path.dirname(row["path"])) == directory_of(row["class"], split)
    folder: str = os.path.dirname(row["source"].removeprefix(_prefix_of(row, head)))
    return "labels" in head["request"] or folder == row["class"]


def _check_presence(size_of: Callable[[str], int], row: Mapping[str, Any]) -> Finding | None:
    try:
        size = size_of(row["path"])
    except OSError:
        return Finding("missing", row["path"], "is not there")
    if size != row["bytes"]:
        return Finding("changed", row["path"], f"has {size} bytes where {row['bytes']} were written")
    return None


def _check_sizes(source: bytes, manifest: Manifest) -> Iterator[Finding]:
    """Compare every source of a file with the size it had."""
    looked_at: set[str] = set()
    size_of = sizes_of(source)
    for row in manifest.rows():
        if row["kind"] == "removed" or row["source"] in looked_at:
            continue
        looked_at.add(row["source"])
        as_source = {"path": row["source"], "bytes": row.get("source_bytes", row["bytes"])}
        if finding := _check_presence(size_of, as_source):
            yield Finding("source", finding.path, finding.reason)


def _check_hashes(
    root: bytes, expected: Mapping[str, str], n_workers: int, progress: Callable[[int, int], None], *, kind: str
) -> Iterator[Finding]:
    for n_done, hashed in enumerate(hash_files(root, expected, n_workers), start=1):
        progress(n_done, len(expected))
        if hashed.sha256 != expected[hashed.path]:
            yield Finding(kind, hashed.path, hashed.reason or "does not have the bytes that the manifest says")
