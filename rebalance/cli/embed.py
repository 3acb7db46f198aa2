"""`rebalance embed`: one vector an image, in a file for the methods that look at the pictures."""

from typing import Any

import click

from rebalance.cli import options
from rebalance.cli.embeddings import embedding_asked, refuse_bad
from rebalance.cli.option_types import Path
from rebalance.cli.progress import progress_bar
from rebalance.cli.report import displayed, emit, say, tell
from rebalance.cli.sources import files_read, open_source
from rebalance.errors import UsageError
from rebalance.storage.output import check_output_file, located
from rebalance.storage.scan import raise_problems


@click.command(short_help="One vector an image, for the methods that look at the pictures.")
@options.source
@click.option("-o", "--output", type=Path(), metavar="FILE.npz", help="The file to make; it must not exist.")
@options.embedding
@options.split
@options.reading
@options.max_pixels
@options.workers
@click.option("--overwrite", is_flag=True, help="Replace a FILE.npz that is not what this run makes.")
@click.option(
    "--bad-images", type=click.Choice(["fail", "skip"]), default="fail", show_default=True,
    help="Images that do not decode: end the run, or have no vector.",
)  # fmt: skip
@options.quiet
def embed(source: str | None, output: str | None, **given: Any) -> int:
    """Write a vector for every image of SOURCE to FILE.npz: pictures that look alike have vectors that are near.

    \b
    rebalance embed data/train -o vectors.npz
    rebalance undersample data/train -o data/balanced --method spread --embeddings vectors.npz
    """
    if source is None or output is None:
        raise UsageError(f"{'SOURCE is' if source is None else '-o FILE.npz is'} missing; see --help")
    if not output.lower().endswith(".npz"):
        raise UsageError(f"-o {output!r} does not end with .npz")
    output = located(output)
    opened = open_source(source, given)
    raise_problems(opened.dataset)
    check_output_file(opened.dataset, output, files_read(source, given))
    from rebalance.embed import embed_to_file  # noqa: PLC0415  with what it imports, nothing for --help

    with progress_bar("embed", is_quiet=given["quiet"]) as progress:
        embedded = embed_to_file(
            opened.dataset, embedding_asked(given), output, progress, is_overwriting=given["overwrite"],
            check=lambda bad: refuse_bad(bad, given),
        )  # fmt: skip
    vectors = embedded.vectors
    if embedded.is_up_to_date:
        tell(given, [f"{output}: up to date, nothing to do"])
    for path, image in embedded.bad.items():
        say(f"no vector: {path!r}: {image.reason}")
    if embedded.n_reused:
        tell(given, [f"reused {embedded.n_reused} of {len(vectors.paths)}"])
    emit(displayed(f"{output}: {len(vectors.paths)} vectors of {vectors.rows.shape[1]} numbers"))
    return 0
