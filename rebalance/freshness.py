"""Whether OUTPUT already is what a run would make, so that nothing need be touched."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rebalance.dataset import Dataset, ImageFile, is_address, to_bytes
from rebalance.errors import StorageError
from rebalance.plan import Unusable
from rebalance.storage.manifest import Manifest, digest, read_manifest, refused_if_spoilt
from rebalance.storage.sizes import have_one_clock, sizes_of
from rebalance.storage.transfer import read_file
from rebalance.survey import hash_files

_FEW = 64
"""Files that are hashed sooner than workers start."""
_CLOCK_GRAIN_NS = 2 * 10**9
"""A source must be older than what was made of it by this for its stamp to prove that it has not changed since."""

_CLOCKS_APART_NS = 15 * 60 * 10**9
"""The same where two clocks are compared: S3 answers nobody whose clock differs from its own by more."""


def find_difference(output: bytes, request: Mapping[str, Any], dataset: Dataset, n_workers: int) -> str | None:
    """Return what keeps OUTPUT from being up to date, as the middle of a message, or None.

    Raises OutputRefusedError where its manifest is spoilt.
    """
    with refused_if_spoilt():
        manifest = read_manifest(output)
    if manifest.head["request_sha256"] != digest(request):
        return _other_request(manifest, request, dataset)
    return _changed_file(output, manifest, dataset, n_workers)


def touched_since(dataset: Dataset, written_ns: int, *, is_one_clock: bool) -> Iterator[ImageFile]:
    """Yield the images whose stamps do not prove that they are what they were when a file was written."""
    grain_ns = _CLOCK_GRAIN_NS if is_one_clock else _CLOCKS_APART_NS
    for image in dataset.images():
        if max(image.stamp.mtime_ns, image.stamp.ctime_ns) > written_ns - grain_ns:
            yield image


def changed_since(dataset: Dataset, sums: Mapping[str, str], written_ns: int, n_workers: int) -> list[str]:
    """Return the images with other bytes than `sums` says, of those that may have changed since a file was written.

    The file is one of this machine.
    """
    is_one_clock = not is_address(dataset.root)
    touched = touched_since(dataset, written_ns, is_one_clock=is_one_clock)
    paths = [image.path for image in touched if image.path in sums]
    found = hash_files(to_bytes(dataset.root), paths, n_workers if len(paths) > _FEW else 0)
    return sorted(hashed.path for hashed in found if hashed.sha256 != sums[hashed.path])


def check_source_stands(before: Dataset, after: Dataset, warn: Callable[[str], None]) -> None:
    """Raise StorageError where a source has changed since it was planned; warn of new ones."""
    stamps = {image.path: image.stamp for image in after.images()}
    for image in before.images():
        stamp = stamps.pop(image.path, None)
        if stamp is None or not stamp.is_of(image.stamp):
            what = "vanished" if stamp is None else "was changed"
            raise StorageError(
                f"{image.path!r}: {what} while OUTPUT was made from it; run again to start from what it is"
            )
    if stamps:
        warn(f"{len(stamps)} images were added to SOURCE meanwhile and are not in OUTPUT: {min(stamps)!r} first")


def unusable_images(output: bytes) -> dict[str, Unusable]:
    """Return the images that turned out unusable when OUTPUT was made."""
    return {
        row["source"]: Unusable(row.get("note") or row["reason"], row["kind"] == "original", row.get("source_sha256"))
        for row in read_manifest(output).rows()
        if row.get("is_bad") or row.get("unusable")
    }


def _other_request(manifest: Manifest, request: Mapping[str, Any], dataset: Dataset) -> str:
    made = manifest.head["request"]
    differing = [key for key in sorted({*made, *request}) if made.get(key) != request.get(key) and key != "dataset"]
    if differing:
        told = ", ".join(f"{key} {_told(made.get(key))} there, {_told(request.get(key))} here" for key in differing[:3])
        return f"it was made by another request: {told}"
    return _other_source(manifest, dataset)


def _other_source(manifest: Manifest, dataset: Dataset) -> str:
    """Return the first names in which the source is not what it was."""
    sizes = {row["source"]: row.get("source_bytes", row["bytes"]) for row in manifest.rows()}
    added, changed = [], []
    for image in dataset.images():
        size = sizes.pop(image.path, None)
        if size is None:
            added.append(image.path)
        elif size != image.stamp.size:
            changed.append(image.path)
    told = [
        f"{what} {_first(paths)}"
        for what, paths in (("new", added), ("changed", changed), ("gone", list(sizes)))
        if paths
    ]
    return f"SOURCE is not what it was: {'; '.join(told) or 'its images are in another order'}"


def _changed_file(output: bytes, manifest: Manifest, dataset: Dataset, n_workers: int) -> str | None:
    """Return the first file of OUTPUT or SOURCE that is not what the manifest says."""
    size_of = sizes_of(output)
    is_one_clock = have_one_clock(to_bytes(dataset.root), output)
    suspects = {image.path for image in touched_since(dataset, manifest.mtime_ns, is_one_clock=is_one_clock)}
    if manifest.list_row and (what := _content_of_list(output, manifest.list_row)):
        return f"its {manifest.list_row['path']!r} {what}"
    for whole in manifest.rows_of_all:
        if what := _size_problem(size_of, whole):
            return f"its {whole['path']!r} {what}"
    sums: dict[str, str | None] = {}
    for row in manifest.rows():
        if "path" in row and (what := _size_problem(size_of, row)):
            return f"its {row['path']!r} {what}"
        depends_on_content = row["kind"] not in ("listed", "vector") and row.get("is_bad", True)
        if row["source"] in suspects and depends_on_content:
            sums.setdefault(row["source"], row.get("source_sha256"))
    return _changed_source(dataset, sums, n_workers)


def _changed_source(dataset: Dataset, sums: Mapping[str, str | None], n_workers: int) -> str | None:
    """Return the first source that has other bytes than it had; None as a sum of one that could not be read."""
    hashed = hash_files(to_bytes(dataset.root), sums, n_workers if len(sums) > _FEW else 0)
    changed = {found.path: found.reason or "has changed" for found in hashed if found.sha256 != sums[found.path]}
    changed |= {path: "could not be read then" for path, sha256 in sums.items() if sha256 is None}
    for path in sums:
        if path in changed:
            return f"SOURCE is not what it was: {path!r} {changed[path]}"
    return None


def _size_problem(size_of: Callable[[str], int], row: Mapping[str, Any]) -> str | None:
    try:
        size = size_of(row["path"])
    except OSError:
        return "is missing"
    return None if size == row["bytes"] else f"has {size} bytes where {row['bytes']} were written"


def _content_of_list(output: bytes, row: Mapping[str, Any]) -> str | None:
    try:
        data = read_file(output, row["path"])
    except OSError:
        return "is missing"
    return None if hashlib.sha256(data).hexdigest() == row["sha256"] else "has changed"


def _told(value: object) -> str:
    return "nothing" if value is None else str(value)


def _first(paths: list[str]) -> str:
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(repr(path) for path in paths[:3]) + more
