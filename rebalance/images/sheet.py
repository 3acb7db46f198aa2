"""A sheet of pictures to look at: blocks of rows, each with a title, each picture with a caption."""

import io
from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from rebalance.errors import BadImageError
from rebalance.images.codec import view_image

_SIDE = 128
"""Pixels that a picture has at most, across and down."""
_CAPTION = 16
_LABEL = 108
_GAP = 4
_INK, _PAPER = (40, 40, 40), (255, 255, 255)


class Cell(NamedTuple):
    """A picture, as the bytes of its file, and what stands below it."""

    data: bytes | None
    """None leaves the place empty."""
    caption: str = ""


class Block(NamedTuple):
    """Rows of pictures under a title."""

    title: str
    rows: Sequence[tuple[str, Sequence[Cell]]]
    """What each row is, and its pictures."""


def render_sheet(blocks: Sequence[Block]) -> bytes:
    """Return the sheet as a PNG, upright pictures on white. What does not decode leaves its place empty."""
    n_columns = max((len(cells) for block in blocks for _, cells in block.rows), default=0)
    step = _SIDE + _CAPTION + _GAP
    height = sum(_CAPTION + 2 * _GAP + step * len(block.rows) for block in blocks)
    sheet = Image.new("RGB", (_LABEL + n_columns * (_SIDE + _GAP), max(height, 1)), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    top = 0
    for block in blocks:
        draw.text((_GAP, top + _GAP), block.title, _INK, font)
        top += _CAPTION + 2 * _GAP
        for label, cells in block.rows:
            draw.text((_GAP, top + _SIDE // 2), label, _INK, font)
            for column, cell in enumerate(cells):
                left = _LABEL + column * (_SIDE + _GAP)
                _paste(sheet, cell, left, top)
                draw.text((left, top + _SIDE), _fitting(cell.caption, font), _INK, font)
            top += step
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def _paste(sheet: Image.Image, cell: Cell, left: int, top: int) -> None:
    """Lay a picture on its place, in the middle."""
    if cell.data is None:
        return
    try:
        image = Image.fromarray(view_image(cell.data, _SIDE))
    except BadImageError:
        return
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.BICUBIC)
    sheet.paste(image, (left + (_SIDE - image.width) // 2, top + (_SIDE - image.height) // 2))


def _fitting(caption: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """Return as much of a caption as fits below a picture."""
    while font.getlength(caption) > _SIDE:
        caption = caption[:-1]
    return caption
