"""The vectors that a method looks at, as they are asked for."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rebalance.cli import options
from rebalance.cli.progress import progress_bar
from rebalance.cli.report import say, tell
from rebalance.dataset import Dataset, ImageFile, to_bytes
from rebalance.errors import BadImagesError, UsageError, VectorsError, listed
from rebalance.plan import MAX_PIXELS, Unusable
from rebalance.planning.methods import METHODS

if TYPE_CHECKING:
    from rebalance.embed import Embedding
    from rebalance.embedders import AskedEmbedder, Visible
    from rebalance.vectors import Vectors

Given = Mapping[str, Any]
_LOOKING = ", ".join(name for name, method in METHODS.items() if method.is_looking)
_FOR_METHODS = f"is for methods that look at the pictures: {_LOOKING}"
_OPTIONS = ("embeddings", "embedding_paths", "embedder", "model_setting", "similarity")
_EMBEDDER = "descriptor"
"""What tells which pictures are alike where nothing is asked for."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is known of the pictures before a plan is made."""

    vectors: "Vectors | None" = None
    described: Mapping[str, object] = field(default_factory=dict)
    """What a request records of the vectors."""
    unusable: Mapping[str, Unusable] = field(default_factory=dict)
    """The images without one."""
    embedder: "AskedEmbedder | None" = None
    """What made the vectors, where they were made here."""


def look(dataset: Dataset, given: Given, *, is_looking: bool, purpose: str = _FOR_METHODS) -> Look:
    """Read or make the vectors where something looks at them. Raises BadImagesError under `--bad-images fail`.

    Raises UsageError where options contradict each other, or serve no `purpose`.
    """
    _check_asked([name for name in _OPTIONS if given.get(name)], is_looking=is_looking, purpose=purpose)
    if not is_looking:
        return Look()
    return _read(dataset, given) if given["embeddings"] is not None else _make(dataset, given)


def _check_asked(asked: Sequence[str], *, is_looking: bool, purpose: str) -> None:
    """Raise UsageError for options that are without effect, alone or together."""
    if asked and not is_looking:
        raise UsageError(f"--{asked[0].replace('_', '-')} {purpose}")
    making = [name.replace("_", "-") for name in asked if name in ("embedder", "model_setting")]
    if "embeddings" in asked and making:
        raise UsageError(f"--embeddings brings vectors and --{making[0]} is for making them: leave one of them out")
    if "embedding_paths" in asked and "embeddings" not in asked:
        raise UsageError("--embedding-paths names the images of an .npy: give it with --embeddings")


def _read(dataset: Dataset, given: Given) -> Look:
    """Read vectors; of images whose file does not say what they hold, find those that hold the same.

    An image that cannot be embedded needs no vector, but under `--bad-images fail`.
    """
    from rebalance.embed import Embedding, find_bad  # noqa: PLC0415  with what they import, nothing for --help
    from rebalance.leakage import same_contents  # noqa: PLC0415
    from rebalance.storage.embeddings import read_vectors  # noqa: PLC0415
    from rebalance.storage.joining import joined  # noqa: PLC0415

    path = given["embeddings"]
    unusable: dict[str, Unusable] = {}

    def needing(missing: list[ImageFile]) -> list[ImageFile]:
        if given["bad_images"] != "fail":
            asked = Embedding(_EMBEDDER, options.n_workers(given), _most_pixels(given))
            unusable.update(find_bad(dataset.root, missing, asked))
        return [image for image in missing if image.path not in unusable]

    vectors, extra = joined(read_vectors(path, given["embedding_paths"]), dataset, path, needing=needing)
    if vectors.sums:
        _check_contents(vectors, dataset, given)
    if extra:
        named = listed(map(repr, extra))
        tell(given, [f"note: {path} has {len(extra)} vectors for images that SOURCE does not have: {named}"])
    if not vectors.sums:
        sums = same_contents(dataset.root, dataset.images(), options.n_workers(given)).sums
        vectors = replace(vectors, sums=tuple(sums.get(path, "") for path in vectors.paths))
    return Look(vectors, _described(vectors), _as_asked(unusable, given))


def _check_contents(vectors: "Vectors", dataset: Dataset, given: Given) -> None:
    """Raise VectorsError where an image that may have changed since the file was written has other bytes."""
    from rebalance.freshness import changed_since  # noqa: PLC0415  the same

    path = given["embeddings"]
    sums = dict(zip(vectors.paths, vectors.sums, strict=True))
    written_ns = os.stat(to_bytes(path)).st_mtime_ns
    if changed := changed_since(dataset, sums, written_ns, options.n_workers(given)):
        raise VectorsError(
            f"{path}: {len(changed)} of the {len(sums)} images were changed since they were embedded: "
            f"{listed(map(repr, changed))}; embed them again"
        )


def _make(dataset: Dataset, given: Given) -> Look:
    from rebalance.embed import embed  # noqa: PLC0415  the same

    with progress_bar("embed", is_quiet=given["quiet"]) as progress:
        asked = embedding_asked(given)
        embedded = embed(dataset, asked, progress)
    refuse_bad(embedded.bad, given)
    unusable = _as_asked(embedded.bad, given)
    return Look(embedded.vectors, _described(embedded.vectors), unusable, asked.embedder)


def _as_asked(bad: Mapping[str, Unusable], given: Given) -> dict[str, Unusable]:
    """Return bad images, kept where they are to be carried along."""
    return {path: image._replace(is_kept=given["bad_images"] == "carry") for path, image in bad.items()}


def _most_pixels(given: Given) -> int:
    """Return from how many pixels on an image is refused; `undersample` has no say in it."""
    return int(given.get("max_pixels", MAX_PIXELS))


def embedding_asked(given: Given) -> "Embedding":
    """Return how images are to be embedded. Raises UsageError where a model cannot be read."""
    from rebalance.embed import Embedding  # noqa: PLC0415  the same
    from rebalance.embedders import find_model  # noqa: PLC0415  the same

    kind, _, model = (given["embedder"] or _EMBEDDER).partition(":")
    if given["model_setting"] and not model:
        raise UsageError("--model-setting is for --embedder onnx:MODEL: leave it out")
    embedder = find_model(model, given["model_setting"]) if model else kind
    return Embedding(embedder, options.n_workers(given), _most_pixels(given))


def visible_asked(seen: Look, given: Given) -> "Visible":
    """Return how synthetic samples are to be made visible. Raises UsageError where nothing is there to embed copies."""
    from rebalance.embedders import Visible, embedder_at_hand  # noqa: PLC0415  the same

    kind = given["render"].partition(":")[0]
    if kind == "blend" or seen.vectors is None:
        return Visible(kind)
    if given["decoder"]:
        visible = Visible(kind, decoder=given["decoder"])
        visible.decode(seen.vectors.rows[:1][0])  # raises where it takes other vectors
        return visible
    space = seen.vectors.embedder
    asked = seen.embedder or embedder_at_hand(space)
    if asked is None:
        raise UsageError(
            f"--render nearest embeds the copies it chooses from, and {given['embeddings']} was not made by an "
            "embedder that is at hand: leave it out for --embedder, or take --render blend"
        )
    visible = Visible(kind, given["candidates"], asked, space)
    if not visible.fits(seen.vectors.rows.shape[1]):
        raise UsageError(f"{given['embeddings']}: its `embedder` does not place images among its vectors: embed again")
    return visible


def refuse_bad(bad: Mapping[str, Unusable], given: Given) -> None:
    """List the images that have no vector and raise BadImagesError, under `--bad-images fail`."""
    if not bad or given["bad_images"] != "fail":
        return
    for path, image in bad.items():
        say(f"bad image: {path!r}: {image.reason}")
    what = "1 image" if len(bad) == 1 else f"{len(bad)} images"
    raise BadImagesError(
        f"{what} of SOURCE cannot be embedded: mend, remove or --exclude them and run again, or take --bad-images skip"
    )


def _described(vectors: "Vectors") -> dict[str, object]:
    """Return what a request records of vectors: the same for those from a file and those just made."""
    space = {key: vectors.embedder[key] for key in ("name", "version") if key in vectors.embedder}
    return {"vectors": {**space, "sha256": _digest(vectors)}}


def _digest(vectors: "Vectors") -> str:
    """Return the sha256 of paths and vectors, whatever file they came from."""
    from rebalance.vectors import BLOCK  # noqa: PLC0415  NumPy, nothing for --help

    found = hashlib.sha256()
    for start in range(0, len(vectors.paths), BLOCK):
        block = slice(start, start + BLOCK)
        for path, row in zip(vectors.paths[block], vectors.rows[block], strict=True):
            found.update(to_bytes(path) + b"\0" + row.astype("<f4").tobytes())
    return found.hexdigest()
