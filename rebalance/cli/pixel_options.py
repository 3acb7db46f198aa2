"""Options of the pixels that are made: the transforms, and how files are rendered."""

from collections.abc import Callable
from typing import Any

import click

from rebalance.cli.option_types import Quality, SettingType, Share, Size
from rebalance.cli.together import Decorator, together
from rebalance.images.choice import ENGINES
from rebalance.plan import INTERPOLATIONS, MAX_PIXELS, ORIGINALS, OUTPUT_FORMATS
from rebalance.recipes import ERASING_FILLS, FILL_MODES
from rebalance.transforms import TRANSFORMS, Transform


def _transform_option(transform: Transform) -> Decorator[Any]:
    name = transform.key.replace("_", "-")
    if transform.is_flag:
        return click.option(f"--{name}/--no-{name}", transform.key, default=None, help=transform.help)
    kind = SettingType(transform) if transform.n_values == 1 else click.UNPROCESSED
    return click.option(
        f"--{name}", transform.key, type=kind, nargs=transform.n_values, metavar=transform.metavar, help=transform.help,
        callback=None if transform.n_values == 1 else _parse_several(transform),
    )  # fmt: skip


def _parse_several(transform: Transform) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Return the callback of an option with several values, whose setting is all of them."""

    def parse(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
        if value is None:
            return None
        return SettingType(transform).convert([_number(part) for part in value], parameter, context)

    return parse


def _number(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


transforms = together(
    *(_transform_option(transform) for transform in TRANSFORMS),
    click.option(
        "--fill-mode", type=click.Choice(FILL_MODES), default="reflect", show_default=True,
        help="What lies outside of the picture.",
    ),
    click.option(
        "--cval", type=click.IntRange(0, 255), default=0, show_default=True, help="Gray level of a constant fill."
    ),
    click.option(
        "--erasing-fill", type=click.Choice(ERASING_FILLS), default="noise", show_default=True,
        help="What --random-erasing fills with: noise, the mean color, or --cval.",
    ),
)  # fmt: skip
max_pixels = click.option(
    "--max-pixels", type=click.IntRange(min=1), default=MAX_PIXELS, show_default=True, metavar="N",
    help="Refuse images of more pixels before they are decoded.",
)  # fmt: skip
sampling = together(
    click.option(
        "--interpolation", type=click.Choice(INTERPOLATIONS), default="bicubic", show_default=True,
        help="How pixels are sampled.",
    ),
    click.option(
        "--engine", type=click.Choice(ENGINES), default="auto", show_default=True,
        help="What samples them; auto is OpenCV where the extra `fast` is installed.",
    ),
    max_pixels,
)  # fmt: skip
rendering = together(
    click.option(
        "--originals", type=click.Choice(ORIGINALS),
        help="Originals byte for byte, encoded like what is generated, or replaced by draws.  [default: keep]",
    ),
    click.option(
        "--identity-share", type=Share(), metavar="P",
        help="With --originals transform: the share of every class for which nothing is drawn.  [default: 0]",
    ),
    click.option(
        "--size", type=Size(), metavar="WxH", help="Width and height of every file; implies --originals reencode."
    ),
    click.option(
        "--output-format", type=click.Choice(OUTPUT_FORMATS), default="same", show_default=True,
        help="Format of every file; another than its own implies --originals reencode.",
    ),
    click.option(
        "--quality", type=Quality(), default="source", show_default=True, metavar="source|1..100",
        help="Of JPEG and WebP: the source's tables, or a number for every file, which implies --originals reencode.",
    ),
    click.option(
        "--orientation", type=click.Choice(["keep", "upright"]), default="keep", show_default=True,
        help="Pixels and EXIF orientation as stored, or turned upright without it, which implies --originals reencode.",
    ),
    sampling,
)  # fmt: skip
