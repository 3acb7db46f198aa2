"""Parsing what someone says of a transform, on the command line or in a file. Pure Python.

Each function returns the setting, or raises ValueError with what would be legal.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

Range = tuple[float, float]
Parser = Callable[[object], Any]


def amount(legal: str, is_legal: Callable[[float], bool]) -> Parser:
    """Return the parser of one number."""

    def parse(value: object) -> float:
        numbers = _numbers(value, legal)
        if len(numbers) != 1 or not is_legal(numbers[0]):
            raise ValueError(legal)
        return numbers[0]

    return parse


def flag(value: object) -> bool:
    """Parse what is on or off."""
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def factors(least: float, most: float) -> Parser:
    """Return the parser of a range of factors: LOW,HIGH, or one number F for 1-F to 1+F."""
    widest = round(1 - least, 9)
    legal = (
        f"F with 0 <= F <= {widest:g} (a factor from 1-F to 1+F), or LOW,HIGH with {least:g} <= LOW <= HIGH <= {most:g}"
    )

    def parse(value: object) -> Range:
        numbers = _numbers(value, legal)
        if len(numbers) == 1 and 0 <= numbers[0] <= widest:
            return (round(1 - numbers[0], 9), round(1 + numbers[0], 9))
        if len(numbers) == 2 and least <= numbers[0] <= numbers[1] <= most:
            return (numbers[0], numbers[1])
        raise ValueError(legal)

    return parse


def strength(least: float, most: float, unit: str) -> Parser:
    """Return the parser of how strong something is: one number, LOW,HIGH to draw from, or 0 for not at all."""
    legal = f"0 (off), {unit} from {least:g} to {most:g}, or LOW,HIGH in it"

    def parse(value: object) -> Range:
        numbers = _numbers(value, legal)
        low, high = (numbers[0], numbers[-1]) if len(numbers) in (1, 2) else (math.nan, math.nan)
        if not (low == high == 0 or least <= low <= high <= most):
            raise ValueError(legal)
        return (low, high)

    return parse


def shares(least: float, neutral: float) -> Parser:
    """Return the parser of LOW HIGH, two shares of the area."""
    legal = f"LOW HIGH, shares of the area, with {least:g} <= LOW <= HIGH <= 1"

    def parse(value: object) -> Range:
        numbers = _numbers(value, legal)
        is_legal = len(numbers) == 2 and (least <= numbers[0] <= numbers[1] <= 1 or numbers == [neutral, neutral])
        if not is_legal:
            raise ValueError(legal)
        return (numbers[0], numbers[1])

    return parse


def box(value: object) -> tuple[float, float, float, float]:
    """Parse a part of the picture in fractions of it."""
    legal = "LEFT,TOP,RIGHT,BOTTOM in fractions, with 0 <= LEFT < RIGHT <= 1 and 0 <= TOP < BOTTOM <= 1"
    numbers = _numbers(value, legal)
    if len(numbers) == 4 and 0 <= numbers[0] < numbers[2] <= 1 and 0 <= numbers[1] < numbers[3] <= 1:
        return (numbers[0], numbers[1], numbers[2], numbers[3])
    raise ValueError(legal)


def _numbers(value: object, legal: str) -> list[float]:
    """Return a setting as finite numbers: from a number, a list, or text with commas."""
    parts: Iterable[Any] = (
        value.split(",") if isinstance(value, str) else value if isinstance(value, list | tuple) else [value]
    )
    try:
        numbers = [math.nan if isinstance(part, bool) else float(part) for part in parts]
    except (TypeError, ValueError, OverflowError):
        raise ValueError(legal) from None
    if not all(math.isfinite(number) for number in numbers):
        raise ValueError(legal)
    return numbers
