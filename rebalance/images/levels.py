"""Photometry: one mix of the colors where it is asked for, then one table a channel."""

import numpy as np

from rebalance.images.pixels import Pixels, colors_of, level_of, top_of, visible_colors, with_colors
from rebalance.matrices import Values
from rebalance.plan import Recipe
from rebalance.transforms import LUMA, TRANSFORMS, Mix, Tone

_DECIMALS = 9
_SUMMED_TOGETHER = 256
"""Pixels of one line where the sum of all is wanted."""


def tone_of(pixels: Pixels) -> Tone:
    """Return the darkest and brightest level and the mean luma, in gray levels of 255, of what is not transparent."""
    colors = visible_colors(pixels)
    means = [float(total) / len(colors) for total in _totals(colors)]
    mean = sum(weight * mean for weight, mean in zip(LUMA, means, strict=True)) if len(means) == 3 else means[0]
    level = level_of(pixels)
    return Tone(int(colors.min()) / level, int(colors.max()) / level, round(mean / level, _DECIMALS))


def adjust(pixels: Pixels, recipe: Recipe, values: Values, tone: Tone) -> Pixels:
    """Return the pixels with their colors mixed and their levels replaced; alpha stays."""
    for transform in TRANSFORMS:
        if transform.mix and transform.key in recipe and pixels.shape[2] >= 3:
            pixels = with_colors(pixels, _mixed(colors_of(pixels), transform.mix(values)))
    table = make_table(recipe, values, tone, top=top_of(pixels))
    return pixels if table is None else with_colors(pixels, _looked_up(table, colors_of(pixels)))


def make_table(recipe: Recipe, values: Values, tone: Tone, *, top: int) -> Pixels | None:
    """Return the table [top + 1] from old to new levels, uint8 or uint16; None where it would change nothing."""
    steps = np.arange(top + 1, dtype=np.float64)
    levels = steps * (255 / top)
    for transform in TRANSFORMS:
        if transform.curve and transform.key in recipe:
            levels = transform.curve(values, levels, tone).clip(0, 255)
            mean = float(transform.curve(values, np.array(tone.mean), tone).clip(0, 255))
            tone = tone._replace(mean=mean)
    table = np.rint(np.round(levels * (top / 255), _DECIMALS)).astype(np.uint8 if top == 255 else np.uint16)
    return None if (table == steps).all() else table


def _looked_up(table: Pixels, colors: Pixels) -> Pixels:
    if table.dtype != np.uint8:
        return table.take(colors)
    return np.frombuffer(bytearray(colors).translate(table.tobytes()), np.uint8).reshape(colors.shape)


def _totals(colors: Pixels) -> Pixels:
    """Return the sum of every channel of [number, channels], of many pixels side by side first, which is fast."""
    n_lines, n_channels = len(colors) // _SUMMED_TOGETHER, colors.shape[1]
    n_whole = n_lines * _SUMMED_TOGETHER
    lines = colors[:n_whole].reshape(n_lines, _SUMMED_TOGETHER * n_channels).sum(axis=0, dtype=np.uint64)
    totals: Pixels = lines.reshape(-1, n_channels).sum(axis=0) + colors[n_whole:].sum(axis=0, dtype=np.uint64)
    return totals


def _mixed(colors: Pixels, mix: Mix) -> Pixels:
    """Return mixed colors, by single multiplications and sums: a matrix product would depend on the processor."""
    mixed = np.empty_like(colors)
    channels = [colors[:, :, index].astype(np.float32) for index in range(3)]
    for index, weights in enumerate(mix):
        red, green, blue = (np.float32(round(weight, _DECIMALS)) for weight in weights)
        total = channels[0] * red + channels[1] * green + channels[2] * blue
        mixed[:, :, index] = np.rint(total.clip(0, top_of(colors)))
    return mixed
