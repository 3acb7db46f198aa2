"""Making one file of a tree again from its line in the manifest."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rebalance import __version__
from rebalance.dataset import to_bytes
from rebalance.drawing import attempt_key
from rebalance.errors import CheckFailedError, UsageError, did_you_mean
from rebalance.images.codec import library_versions
from rebalance.images.picture import load_source
from rebalance.images.pipeline import Making, format_written, remake
from rebalance.images.synthetic import Parent, blend
from rebalance.planning.naming import format_of
from rebalance.recipes import draw_candidate
from rebalance.storage.manifest import Manifest, read_manifest
from rebalance.storage.output import check_apart, check_on_disk
from rebalance.storage.request import recipe_of, rendering_of
from rebalance.storage.single import write_new_file
from rebalance.storage.transfer import read_picture


def replay(output: str, path: str, *, source: str, destination: str) -> None:
    """Write one file of OUTPUT anew to `destination`, which must not exist, from its source and its line.

    Raises OutputRefusedError where it does, CheckFailedError where the result is not what was written then, with the
    libraries that are other ones now.
    """
    check_on_disk(destination)
    check_apart(source, destination)
    check_apart(output, destination)
    manifest = read_manifest(to_bytes(output))
    row = _find_row(manifest, path)
    data = _read_source(source, row["source"], row["source_sha256"], path)
    request = manifest.head["request"]
    if row["kind"] == "synthetic":
        neighbor = _read_source(source, row["neighbor"], row["neighbor_sha256"], path)
        made = _synthesized_again(data, neighbor, row, request)
    else:
        made = _made_again(data, row, request)
    if hashlib.sha256(made).hexdigest() != row["sha256"]:
        raise CheckFailedError(f"{path!r} does not come out as it was written: {_told_versions(manifest)}")
    write_new_file(to_bytes(destination), made)


def _read_source(source: str, path: str, sha256: str, output: str) -> bytes:
    data = read_picture(to_bytes(source), path)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise CheckFailedError(f"{path!r} of SOURCE is not the file that {output!r} was made from")
    return data


def _synthesized_again(base: bytes, neighbor: bytes, row: Mapping[str, Any], request: Mapping[str, Any]) -> bytes:
    """Return a synthetic sample: the copy that was chosen for it, or the blend."""
    rendering, render = rendering_of(request), request.get("showing", {}).get("render")
    if render == "decoder":
        raise UsageError(f"{row['path']!r}: was decoded from a vector: run the command of OUTPUT again")
    making = Making(recipe_of(request, row["class"]), rendering, format_of(row["path"], row["source"]))
    pictures = [load_source(data, rendering, making.recipe) for data in (base, neighbor)]
    if "candidate" not in row:
        return blend(Parent("base", pictures[0], making), pictures[1], row["step"]).data or base
    is_base = row["shows"] == "base"
    if not is_base:
        making = replace(making, file_format=format_written(pictures[0], making))
    sample = row["source"], row["copy_number"]
    _, key = draw_candidate(making.recipe, request["seed"], sample, row["candidate"], row.get("attempt", 0))
    made = remake(pictures[0 if is_base else 1], making, row["values"], key)
    return made.data or (base if is_base else neighbor)


def _made_again(data: bytes, row: Mapping[str, Any], request: Mapping[str, Any]) -> bytes:
    is_drawn = row["kind"] == "augmented"
    if not (is_drawn or row.get("reencoded")):
        return data
    recipe = recipe_of(request, row["class"])
    making = Making(
        recipe=recipe if is_drawn else {},
        rendering=rendering_of(request),
        file_format=format_of(row["path"], row["source"]),
    )
    picture = load_source(data, making.rendering, recipe)
    key = attempt_key(request["seed"], row["source"], row.get("copy_number", 0), row.get("attempt", 0))
    return remake(picture, making, row.get("values", {}), key).data or data


def _find_row(manifest: Manifest, path: str) -> Mapping[str, Any]:
    if manifest.list_row:
        raise UsageError(f"{path!r}: OUTPUT is a list, of which no file was made that could be made again")
    if path in {row["path"] for row in manifest.rows_of_all}:
        raise UsageError(f"{path!r}: holds vectors, which no image alone makes again: run the command of OUTPUT again")
    paths = []
    for row in manifest.rows():
        if row.get("path") == path:
            return row
        paths.append(row.get("path", ""))
    raise UsageError(f"{path!r} is not in the manifest{did_you_mean(path, paths)}")


def _told_versions(manifest: Manifest) -> str:
    """Return the versions that are other ones now."""
    then, now = (
        {"rebalance": manifest.head["rebalance"], **manifest.head["versions"]},
        {"rebalance": __version__, **library_versions(manifest.head["engine"])},
    )
    told = [
        f"{name} was {then.get(name)}, is {now.get(name)}"
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    ]
    return ", ".join(told) or "its line may have been edited"
