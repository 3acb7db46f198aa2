"""Sheets of pictures to look at: blocks of rows, each with a title, or one picture beside what is made of it."""

import io
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from rebalance.errors import BadImageError
from rebalance.images.eye import view_image
from rebalance.plan import MAX_PIXELS

_SIDE = 128
"""Pixels that a picture has at most, across and down."""
_LARGE, _COLUMNS = 256, 4
"""The same of a contact sheet, and pictures in a row of it."""
_CAPTION = 16
_LABEL = 108
_GAP = 4
_INK, _PAPER = (40, 40, 40), (255, 255, 255)


Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


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
                _paste(sheet, cell, (left, top), _SIDE, max_pixels)
                draw.text((left, top + _SIDE), _fitting(cell.caption, font, _SIDE), _INK, font)
            top += step
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def render_contact_sheet(title: str, cells: Sequence[Cell], max_pixels: int = MAX_PIXELS) -> bytes:
    """Return one picture and others beside it as a PNG, four in a row, each over the lines of its caption."""
    font, line = ImageFont.load_default(12), _CAPTION - 1
    lines = [[_fitting(text, font, _LARGE) for text in cell.caption.split("\n")] for cell in cells]
    heights = [
        _LARGE + line * max(map(len, lines[start : start + _COLUMNS])) + 3 * _GAP
        for start in range(0, len(cells), _COLUMNS)
    ]
    width = min(len(cells), _COLUMNS) * (_LARGE + 2 * _GAP)
    titles = _wrapped(title, font, width - 2 * _GAP)
    head = line * len(titles) + 3 * _GAP
    sheet = Image.new("RGB", (width, head + sum(heights)), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, text in enumerate(titles):
        draw.text((_GAP, _GAP + number * line), text, _INK, font)
    for place, (cell, texts) in enumerate(zip(cells, lines, strict=True)):
        row, column = divmod(place, _COLUMNS)
        left, top = _GAP + column * (_LARGE + 2 * _GAP), head + sum(heights[:row])
        _paste(sheet, cell, (left, top), _LARGE, max_pixels)
        for number, text in enumerate(texts):
            draw.text((left, top + _LARGE + number * line), text, _INK, font)
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def _paste(sheet: Image.Image, cell: Cell, corner: tuple[int, int], side: int, max_pixels: int) -> None:
    """Lay a picture on its place, in the middle."""
    if cell.data is None:
        return
    try:
        image = Image.fromarray(view_image(cell.data, side, max_pixels=max_pixels))
    except BadImageError:
        return
    image.thumbnail((side, side), Image.Resampling.BICUBIC)
    sheet.paste(image, (corner[0] + (side - image.width) // 2, corner[1] + (side - image.height) // 2))


def _wrapped(text: str, font: Font, width: int) -> list[str]:
    """Return a text as lines that fit."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = _fitting(longer, font, width)
        else:
            lines.append(_fitting(word, font, width))
    return lines


def _fitting(caption: str, font: Font, width: int) -> str:
    """Return as much of a caption as fits."""
    while font.getlength(caption) > width:
        caption = caption[:-1]
    return caption
