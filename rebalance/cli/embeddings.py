"""The vectors that a method looks at, as they are asked for."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rebalance.cli import options
from rebalance.cli.progress import progress_bar
from rebalance.cli.report import say
from rebalance.cli.signals import check_signals
from rebalance.dataset import Dataset, to_bytes
from rebalance.errors import BadImagesError, UsageError
from rebalance.plan import MAX_PIXELS, Unusable
from rebalance.planning.methods import METHODS
from rebalance.planning.selection import Selection

if TYPE_CHECKING:
    from rebalance.vectors import Vectors

Given = Mapping[str, Any]
_EMBEDDER = "descriptor"


@dataclass(frozen=True, slots=True)
class Look:
    """What is known of the pictures before a plan is made."""

    vectors: "Vectors | None" = None
    described: Mapping[str, object] = field(default_factory=dict)
    """What a request records of the vectors."""
    unusable: Mapping[str, Unusable] = field(default_factory=dict)
    """The images without one."""


def look(dataset: Dataset, selection: Selection, given: Given) -> Look:
    """Embed the dataset where a method looks at it. Raises BadImagesError under `--bad-images fail`."""
    if not selection.is_looking:
        if given["embedder"] is not None:
            looking = ", ".join(name for name, method in METHODS.items() if method.is_looking)
            raise UsageError(f"--embedder is for methods that look at the pictures: {looking}")
        return Look()
    from rebalance.embed import embed  # noqa: PLC0415  with what it imports, nothing for --help

    embedder = given["embedder"] or _EMBEDDER
    max_pixels = given.get("max_pixels", MAX_PIXELS)
    with progress_bar("embed", is_quiet=given["quiet"]) as progress:

        def show(n_done: int, n_all: int) -> None:
            check_signals()
            progress(n_done, n_all)

        embedded = embed(dataset, embedder, options.n_workers(given), max_pixels, show)
    if embedded.bad and given["bad_images"] == "fail":
        for path, image in embedded.bad.items():
            say(f"bad image: {path!r}: {image.reason}")
        what = "1 image" if len(embedded.bad) == 1 else f"{len(embedded.bad)} images"
        raise BadImagesError(
            f"{what} of SOURCE cannot be embedded: mend, remove or --exclude them and run again, or take "
            "--bad-images skip"
        )
    is_kept = given["bad_images"] == "carry"
    unusable = {path: image._replace(is_kept=is_kept) for path, image in embedded.bad.items()}
    vectors = embedded.vectors
    described = {"embedder": embedder, "version": vectors.embedder["version"], "sha256": _digest(vectors)}
    return Look(vectors, {"vectors": described}, unusable)


def _digest(vectors: "Vectors") -> str:
    """Return the sha256 of paths and vectors, whatever file they came from."""
    found = hashlib.sha256()
    for path, row in zip(vectors.paths, vectors.rows, strict=True):
        found.update(to_bytes(path) + b"\0" + row.astype("<f4").tobytes())
    return found.hexdigest()
