"""A sheet of pictures to look at: blocks of rows, each with a title, each picture with a caption."""

import io
from collections.abc import Iterable
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from rebalance.errors import BadImageError
from rebalance.images.eye import view_image
from rebalance.plan import MAX_PIXELS

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
    rows: Iterable[tuple[str, Iterable[Cell]]]
    """What each row is, and its pictures, which are looked at one after the other."""


class Shape(NamedTuple):
    """How large a sheet is: blocks, rows in each, and pictures in a row."""

    n_blocks: int
    n_rows: int
    n_columns: int


def render_sheet(blocks: Iterable[Block], shape: Shape, max_pixels: int = MAX_PIXELS) -> bytes:
    """Return the sheet as a PNG, upright pictures on white. What does not decode leaves its place empty."""
    step = _SIDE + _CAPTION + _GAP
    height = shape.n_blocks * (_CAPTION + 2 * _GAP + step * shape.n_rows)
    sheet = Image.new("RGB", (_LABEL + shape.n_columns * (_SIDE + _GAP), max(height, 1)), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    top = 0
    for block in blocks:
        draw.text((_GAP, top + _GAP), block.title, _INK, font)
        top += _CAPTION + 2 * _GAP
        for label, cells in block.rows:
            draw.text((_GAP, top + _SIDE // 2), label, _INK, font)
            for column, cell in enumerate(cells):
                left = _LABEL + column * (_SIDE + _GAP)
                _paste(sheet, cell, (left, top), max_pixels)
                draw.text((left, top + _SIDE), _fitting(cell.caption, font), _INK, font)
            top += step
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def _paste(sheet: Image.Image, cell: Cell, corner: tuple[int, int], max_pixels: int) -> None:
    """Lay a picture on its place, in the middle."""
    if cell.data is None:
        return
    try:
        image = Image.fromarray(view_image(cell.data, _SIDE, max_pixels=max_pixels))
    except BadImageError:
        return
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.BICUBIC)
    sheet.paste(image, (corner[0] + (_SIDE - image.width) // 2, corner[1] + (_SIDE - image.height) // 2))


def _fitting(caption: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """Return as much of a caption as fits below a picture."""
    while font.getlength(caption) > _SIDE:
        caption = caption[:-1]
    return caption
