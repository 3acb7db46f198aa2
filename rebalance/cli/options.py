"""Every shared option, declared once."""

from collections.abc import Mapping
from typing import Any

import click

from rebalance.cli.completing import configurations, strategies
from rebalance.cli.config import BUNDLED, apply_config
from rebalance.cli.option_types import Cosine, Methods, NameOrModel, Names, Path, Share
from rebalance.cli.page import page_option
from rebalance.cli.pixel_options import max_pixels, rendering, sampling, transforms
from rebalance.cli.sharding import shard_option
from rebalance.cli.together import together
from rebalance.dataset import is_address, to_bytes
from rebalance.errors import UsageError
from rebalance.images.choice import EMBEDDERS, RENDERS
from rebalance.planning.methods import CLEANING, COUNTED, SINGLETONS, SMOTE_CLEANERS, SMOTE_METHODS
from rebalance.planning.selection import ORDERS
from rebalance.planning.targets import LEGAL
from rebalance.storage.bucket import is_of_this_process
from rebalance.storage.tables import ROLES
from rebalance.storage.transfer import LINKS

_WAITING = 2
"""Workers for each core where they wait for a storage."""
source = click.argument("source", type=Path(), required=False)
output = click.option("-o", "--output", type=Path(), metavar="OUTPUT", help="The tree to make; it must not exist.")
seed = click.option(
    "--seed", type=click.IntRange(0, 2**64 - 1), default=0, show_default=True, help="What is drawn depends on it."
)
workers = together(
    click.option(
        "-j", "--workers", type=click.IntRange(1, 1024), metavar="N",
        help="Worker processes.  [default: usable cores; of object storage, twice as many]",
    ),
    click.option(
        "--time-limit", type=click.IntRange(min=1), default=120, show_default=True, metavar="SECONDS",
        help="An image that takes longer ends the run, once all others are done.",
    ),
    click.option(
        "--backend", type=click.Choice(["local", "dask"]), default="local", show_default=True,
        help="Who does the work: processes of this machine, or the workers of --scheduler, which see the same folders.",
    ),
    click.option("--scheduler", type=Names(), metavar="ADDRESS|FILE", help="Of --backend dask."),
)  # fmt: skip
sampling_strategy = click.option(
    "-s", "--sampling-strategy", "--ratio", "sampling_strategy", type=Names(), multiple=True, default=("auto",),
    show_default=True, metavar="STRATEGY", help=f"{LEGAL}. NAME=COUNT may be repeated.", shell_complete=strategies,
)  # fmt: skip
exclude = click.option(
    "--exclude", type=Names(), multiple=True, metavar="PATTERN", help="Leave out what this shell pattern matches."
)
symlinks = click.option(
    "--symlinks", type=click.Choice(["error", "follow"]), default="error", show_default=True,
    help="Links in SOURCE; they are followed only to what lies in it.",
)  # fmt: skip
report_format = click.option(
    "--format", type=click.Choice(["text", "json", "csv"]), default="text", show_default=True,
    help="Form of what is printed on stdout.",
)  # fmt: skip
quiet = click.option("-q", "--quiet", is_flag=True, help="Print nothing on stderr but errors.")
dry_run = click.option("-n", "--dry-run", is_flag=True, help="Print the plan; open nothing for writing.")
overwrite = click.option("--overwrite", is_flag=True, help="Replace an OUTPUT that rebalance made, after success.")
link = click.option(
    "--link", type=click.Choice(LINKS), default="auto", show_default=True,
    help="How originals get into OUTPUT; auto clones where the disk can, else copies.",
)  # fmt: skip
bad_images = click.option(
    "--bad-images", type=click.Choice(["fail", "skip", "carry"]), default="fail", show_default=True,
    help="Images that cannot be used: end the run, leave them out and make up for them, or keep them as they are.",
)  # fmt: skip
check = click.option(
    "--check", type=click.Choice(["header", "full"]), default="header", show_default=True,
    help="How originals are checked: by header and checksums, or decoded in full.",
)  # fmt: skip
cap = click.option("--cap", type=click.IntRange(min=1), metavar="N", help="First keep N images of each larger class.")
cap_method = click.option(
    "--cap-method", type=Methods(), default="random", show_default=True, metavar="METHOD",
    help="Which N: by a method by which undersample keeps a number, or several that end in one.",
)  # fmt: skip
method = click.option(
    "--method", type=Methods(), default="random", show_default=True, metavar="METHOD[,METHOD]",
    help=f"Which images stay. To keep a number: {', '.join(COUNTED)}. To remove what they find, alone or before one of "
    f"these: {', '.join(CLEANING)}.",
)  # fmt: skip
window = click.option(
    "--window", type=click.IntRange(min=0), default=0, show_default=True, metavar="K",
    help="The K-th stretch of the method window, from 0.",
)  # fmt: skip
order = click.option(
    "--order", type=click.Choice(ORDERS), default="key", show_default=True,
    help="The order of the stretches: by the keys, or by name.",
)  # fmt: skip
embedder = click.option(
    "--embedder", type=NameOrModel(EMBEDDERS, "onnx"), metavar="descriptor|pixels|onnx:MODEL",
    help="What tells which pictures are alike.  [default: descriptor]",
)  # fmt: skip
model_setting = click.option(
    "--model-setting", type=Names(), multiple=True, metavar="KEY=VALUE",
    help="For onnx:MODEL, over the .toml beside it: size, mean, std, channels, fit, output.",
)  # fmt: skip
embeddings = click.option(
    "--embeddings", type=Path(), metavar="FILE",
    help="Vectors to look at instead: .npz with paths and vectors, .npy, or a folder that clip-retrieval wrote.",
)  # fmt: skip
embedding_paths = click.option(
    "--embedding-paths", type=Path(), metavar="FILE", help="The images of an .npy, a path a line, as its rows go."
)
similarity = click.option(
    "--similarity", type=Cosine(), metavar="COSINE",
    help="From which two pictures count as nearly the same.  [default: 0.95; of pixels, 0.995]",
)  # fmt: skip


synthesizing = together(
    click.option(
        "--method", type=Names(), default="smote", show_default=True, metavar="METHOD",
        help=f"How samples are placed: {', '.join(SMOTE_METHODS)}.",
    ),
    click.option(
        "--k-neighbors", type=click.IntRange(min=1), default=5, show_default=True, metavar="K",
        help="Images of the class that a sample may lie towards; fewer where there are fewer.",
    ),
    click.option(
        "--m-neighbors", type=click.IntRange(min=1), default=10, show_default=True, metavar="M",
        help="Of borderline-1 and -2: images of any class that tell whether one is in danger.",
    ),
    click.option(
        "--singletons", type=click.Choice(SINGLETONS), default="augment", show_default=True,
        help="A class of one image, which has no neighbor: copies of it by drawn values, byte for byte, or an error.",
    ),
    click.option(
        "--clean", type=click.Choice(SMOTE_CLEANERS),
        help="Then leave out images of the full classes, as SMOTETomek and SMOTEENN do.",
    ),
    click.option(
        "--write", type=click.Choice(["images", "vectors", "both"]), default="images", show_default=True,
        help="A tree of images, of CLASS/vectors.npy with an index vectors.csv, or of both.",
    ),
    click.option(
        "--render", type=NameOrModel(RENDERS, "decoder"), default="nearest", show_default=True,
        metavar="nearest|blend|decoder:MODEL",
        help="What shows a sample: the nearest of some copies of its two images, one blended into the other, or what "
        "an ONNX model makes of its vector.",
    ),
    click.option(
        "--sheet", type=Path(), metavar="FILE.png",
        help="Then also a picture of some samples: what each lies between, what shows it, what is nearest to it.",
    ),
    click.option(
        "--candidates", type=click.IntRange(min=2), default=8, show_default=True, metavar="N",
        help="Of --render nearest: how many copies.",
    ),
)  # fmt: skip
max_copies = click.option(
    "--max-copies", type=click.IntRange(min=1), metavar="N", help="Allow this many copies of one image.  [default: 100]"
)
config = click.option(
    "--config", "configuration", metavar="NAME|FILE.toml", is_eager=True, callback=apply_config,
    shell_complete=configurations,
    help=f"Settings to start from: {', '.join(BUNDLED)}, or a file.  [default: mild]",
)  # fmt: skip
print_config = click.option("--print-config", is_flag=True, help="Print the settings in effect as TOML, and stop.")


def n_workers(given: Mapping[str, Any]) -> int:
    """Return how many workers are to be used; each is given the time asked for an image."""
    from rebalance.backends import InThisProcess, choose_backend, limit_time, usable_cores  # noqa: PLC0415  with what it imports, nothing for --help

    if given["backend"] == "dask":
        return _n_threads_there(given)
    if given["scheduler"] is not None:
        raise UsageError("--scheduler is of --backend dask: give that, too")
    addresses = [str(value) for value in click.get_current_context().params.values() if is_address(str(value))]
    choose_backend(InThisProcess() if any(map(is_of_this_process, addresses)) else None)
    limit_time(given["time_limit"])
    return int(given["workers"] or usable_cores() * (_WAITING if addresses else 1))


def _n_threads_there(given: Mapping[str, Any]) -> int:
    """Let a cluster do the work from now on, and return how much it can do at once."""
    if given["scheduler"] is None:
        raise UsageError("--backend dask takes --scheduler ADDRESS, or the file that `dask scheduler` wrote")
    if given["workers"] is not None:
        raise UsageError("--workers is of this machine, and a cluster has its own: leave out that or --backend dask")
    from rebalance.cluster import use_cluster  # noqa: PLC0415  Dask takes a second

    return use_cluster(given["scheduler"])


def read_text(path: str) -> str:
    """Return the text of a file that an option names. Raises UsageError."""
    try:
        with open(to_bytes(path), encoding="utf-8-sig") as file:
            return file.read()
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is not UTF-8: save it as UTF-8") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None


def _inside(_context: click.Context, _parameter: click.Parameter, share: Any) -> Any:
    """Return a share that leaves something on both sides."""
    if share is not None and not 0 < share < 1:
        message = "leaves nothing on one side: a share lies between 0 and 1"
        raise click.BadParameter(message)
    return share


split = click.option(
    "--split", type=Names(), metavar="NAME", help="SOURCE holds splits: balance this one, carry the others over."
)
holdout = click.option(
    "--holdout", type=Share(), metavar="SHARE", callback=_inside,
    help="Make OUTPUT/train, balanced, and OUTPUT/val: this share of every class, as it is.",
)  # fmt: skip
leakage = click.option(
    "--leakage", type=click.Choice(["warn", "fail"]), default="warn", show_default=True,
    help="Images or groups that stand in another split too, of SOURCE or beside it: say so, or exit 1.",
)  # fmt: skip
group_by = click.option(
    "--group-by", type=Names(), metavar="REGEX|FILE.csv",
    help="Images that belong together: by what is found in their paths, or by columns path and group.",
)  # fmt: skip
images = click.option(
    "--images", type=Path(), metavar="ROOT", help="SOURCE is a .csv: where its paths begin.  [default: its folder]"
)
column = click.option(
    "--column", type=Names(), multiple=True, metavar="ROLE=NAME",
    help=f"What a .csv calls one of {', '.join(ROLES)}; may be repeated.",
)  # fmt: skip
write = click.option(
    "--write", type=click.Choice(["tree", "list"]), default="tree", show_default=True,
    help="A tree, or only a .csv of the balanced set that says how often each image counts.",
)  # fmt: skip
reading = together(group_by, images, column, exclude, symlinks)
splitting = together(split, holdout, leakage)
arranging = together(splitting, write)
running = together(
    seed, workers, dry_run, overwrite, link, bad_images, check, shard_option, page_option, report_format, quiet
)
configuring = together(config, print_config)
embedding = together(embedder, model_setting)
looking_smote = together(embedding, embeddings, embedding_paths)
looking = together(embedding, embeddings, embedding_paths, similarity)
capping = together(cap, cap_method, window, order, looking)
choosing = together(method, window, order, looking)

__all__ = ["max_pixels", "rendering", "sampling", "transforms"]
"""Declared elsewhere, and named here for the commands."""
