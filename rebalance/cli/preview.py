"""`rebalance preview`: what a configuration makes of one picture, on a sheet."""

import os
from typing import Any

import click

from rebalance.cli import options
from rebalance.cli.asked import class_recipes_asked
from rebalance.cli.option_types import Path
from rebalance.cli.report import displayed, emit
from rebalance.cli.side_files import check_picture
from rebalance.dataset import Dataset, ImageFile
from rebalance.errors import UsageError, did_you_mean
from rebalance.images.choice import choose_engine
from rebalance.plan import SOURCE_LIKE
from rebalance.recipes import make_recipe, told_recipe
from rebalance.storage.scan import raise_problems, scan
from rebalance.storage.single import replace_file


@click.command(short_help="What a configuration makes of one picture, on a sheet.")
@options.source
@click.option("-o", "--output", type=Path(), metavar="FILE.png", help="The sheet to write.")
@click.option("--image", type=Path(), metavar="PATH", help="Which picture of SOURCE.  [default: the first]")
@click.option(
    "--copies", type=click.IntRange(1, 99), default=11, show_default=True, metavar="N", help="How many are drawn of it."
)
@options.config
@options.transforms
@options.sampling
@options.seed
@options.exclude
@options.symlinks
def preview(source: str | None, output: str | None, **given: Any) -> int:
    """Draw one picture of SOURCE several times, beside the original, with the drawn values.

    Is it still of its class? Copy 3 on the sheet is copy 3 that `augment` makes with the same settings and seed.

    \b
    rebalance preview data/train --config photo -o photo.png
    rebalance preview data/train --image Lynx/0815.jpg --rotation-range 30 -o lynx.png
    """
    if source is None or output is None:
        raise UsageError(f"{'SOURCE is' if source is None else '-o FILE.png is'} missing; see --help")
    dataset = scan(source, exclude=given["exclude"], follow_symlinks=given["symlinks"] == "follow")
    raise_problems(dataset)
    check_picture("-o", output, [dataset.root])
    class_name, image = _picked(dataset, given["image"])
    recipe = make_recipe(given)
    recipe = class_recipes_asked(given, recipe, dataset).get(class_name, recipe)
    if not recipe:
        raise UsageError("nothing is drawn with these settings: name a --config, or a transform")
    from rebalance.preview import PreviewOptions, render_preview  # noqa: PLC0415  with what it imports

    rendering = SOURCE_LIKE._replace(
        engine=choose_engine(given["engine"]), interpolation=given["interpolation"], max_pixels=given["max_pixels"]
    )
    asked = PreviewOptions(recipe, rendering, given["seed"], given["copies"])
    title = displayed(f"{image.path}, seed {given['seed']}: {told_recipe(recipe)}")
    replace_file(output, render_preview(dataset.root, image.path, title, asked))
    emit(displayed(f"{output}: {image.path} and {given['copies']} copies"))
    return 0


def _picked(dataset: Dataset, path: str | None) -> tuple[str, ImageFile]:
    """Return the picture that is asked for, and its class; else the first. Raises UsageError where it is not there."""
    for folder in dataset.classes:
        for image in folder.images:
            if path is None or image.path == os.path.normpath(path):
                return folder.name, image
    if path is None:
        raise UsageError(f"{dataset.root}: has no image")
    raise UsageError(
        f"--image {path!r} is not in SOURCE{did_you_mean(path, (image.path for image in dataset.images()))}"
    )
