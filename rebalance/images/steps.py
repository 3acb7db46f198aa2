"""The steps that a recipe may end with, one function each: pixels, drawn values, key of the copy, recipe -> pixels.

A step returns new pixels of the same shape and depth, or those it was given where it changes nothing.
"""

import math
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from rebalance.images.pixels import (
    Box,
    Pixels,
    colors_of,
    has_alpha,
    level_of,
    premultiplied,
    straight,
    top_of,
    visible_colors,
    with_colors,
)
from rebalance.matrices import Values, sides
from rebalance.plan import Recipe

_QUANTILE_BITS = 12
"""Random bits that choose how many photons are counted."""
_STRIP = 2**17
"""Levels that are worked on at a time."""
_REACH = 4
"""Standard deviations after which a blur is cut off."""


def add_gaussian_noise(pixels: Pixels, values: Values, key: bytes, _recipe: Recipe) -> Pixels:
    """Add normal noise, independent for every color of every pixel; what passes black or white is clipped."""
    sigma = values["gaussian_noise"] * level_of(pixels)
    if not sigma:
        return pixels
    colors = colors_of(pixels)
    noise = np.rint(_normal_quantiles() * sigma).astype(np.int16 if pixels.dtype == np.uint8 else np.int32)
    bits, noisy = _bits(key, "gaussian_noise"), np.empty_like(colors)
    for rows in _strips(colors):
        sums = np.add(noise.take(_next(bits, colors[rows].shape)), colors[rows], dtype=noise.dtype)
        noisy[rows] = sums.clip(0, top_of(pixels), out=sums)
    return with_colors(pixels, noisy)


def add_poisson_noise(pixels: Pixels, values: Values, key: bytes, _recipe: Recipe) -> Pixels:
    """Replace every level v (of 255) by Poisson(s v) / s, s photons a gray level; what passes white is clipped.

    A level of 16 bits is a whole gray level and a rest, and so is its count: a sum of Poisson counts is one.
    """
    photons = values["poisson_noise"]
    if not photons:
        return pixels
    colors, level = colors_of(pixels), level_of(pixels)
    quantiles = _random(key, "poisson_noise", colors.shape) >> (16 - _QUANTILE_BITS)
    if level == 1:
        chosen = np.left_shift(colors, _QUANTILE_BITS, dtype=np.uint32)
        chosen |= quantiles
        return with_colors(pixels, _poisson_levels(photons).take(chosen))
    counts = _poisson_counts(photons)[colors // level, quantiles]
    quantiles = _random(key, "poisson_noise of the rest", colors.shape) >> (16 - _QUANTILE_BITS)
    counts = counts + _poisson_counts(photons / level)[colors % level, quantiles]
    counted = np.rint(counts * (level / photons))
    return with_colors(pixels, counted.clip(0, top_of(pixels)).astype(pixels.dtype))


def blur(pixels: Pixels, values: Values, _key: bytes, _recipe: Recipe) -> Pixels:
    """Convolve with a Gaussian, along x, then along y; the picture is mirrored at its border."""
    kernel = _gaussian_kernel(values["gaussian_blur"])
    if len(kernel) == 1:
        return pixels
    if has_alpha(pixels):
        return straight(_blurred(premultiplied(pixels), kernel), _blurred(colors_of(pixels), kernel))
    return _blurred(pixels, kernel)


def erase(pixels: Pixels, values: Values, key: bytes, recipe: Recipe) -> Pixels:
    """Fill one rectangle with noise, the mean color or a gray level (Zhong et al. 2020); alpha stays."""
    left, top, right, bottom = _erased_box(values, pixels.shape[1], pixels.shape[0])
    colors = colors_of(pixels).copy()
    erased = colors[top:bottom, left:right]
    if not erased.size:
        return pixels
    if recipe["erasing_fill"] == "noise":
        erased[:] = _random(key, "random_erasing", erased.shape) >> (8 if pixels.dtype == np.uint8 else 0)
    elif recipe["erasing_fill"] == "mean":
        erased[:] = np.rint(visible_colors(pixels).mean(axis=0, dtype=np.float64))
    else:
        erased[:] = recipe["cval"] * level_of(pixels)
    return with_colors(pixels, colors)


def _erased_box(values: Values, width: int, height: int) -> Box:
    across, down = sides(values["erased_area"], values["erased_aspect"])
    n_columns, n_rows = round(across * width), round(down * height)
    left, top = round(values["erased_x"] * (width - n_columns)), round(values["erased_y"] * (height - n_rows))
    return (left, top, left + n_columns, top + n_rows)


def _strips(pixels: Pixels) -> Iterator[slice]:
    """Yield rows of pixels at a time whose levels stay in the cache of a processor while they are worked on.

    They are four or a multiple of it: then the words that their bits are taken from are used up.
    """
    n_rows = max(4, _STRIP // math.prod(pixels.shape[1:]) // 4 * 4)
    return (slice(top, top + n_rows) for top in range(0, len(pixels), n_rows))


def _random(key: bytes, purpose: str, shape: tuple[int, ...]) -> npt.NDArray[np.uint16]:
    """Return 16 random bits for every element, a function of the key of the copy alone."""
    return _next(_bits(key, purpose), shape)


def _bits(key: bytes, purpose: str) -> np.random.PCG64:
    """Return the stream of random bits of a copy for one purpose."""
    return np.random.PCG64(int.from_bytes(blake2b(purpose.encode(), key=key, digest_size=32).digest()))


def _next(bits: np.random.PCG64, shape: tuple[int, ...]) -> npt.NDArray[np.uint16]:
    """Return the next 16 random bits for every element; what is left of the last word is lost."""
    n_elements = math.prod(shape)
    words = bits.random_raw(-(-n_elements // 4))
    return words.astype("<u8", copy=False).view("<u2")[:n_elements].reshape(shape)


@lru_cache(maxsize=1)
def _normal_quantiles() -> npt.NDArray[np.float64]:
    """Return the standard normal distribution as 65,536 values of equal probability."""
    normal = NormalDist()
    half = np.array([normal.inv_cdf((index + 0.5) / 2**16) for index in range(2**15)])
    return np.concatenate([half, -half[::-1]])


@lru_cache(maxsize=4)
def _poisson_counts(photons: float) -> npt.NDArray[np.int32]:
    """Return counts [level, quantile] of Poisson(photons x level), for the levels 0 to 256."""
    n_quantiles = 2**_QUANTILE_BITS
    highest = math.ceil(256 * photons + 10 * math.sqrt(256 * photons) + 20)
    log_factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, highest + 1)))])
    counts = np.zeros((257, n_quantiles), np.int32)
    for level in range(1, 257):
        rate = photons * level
        reach = 10 * math.sqrt(rate) + 20
        outcomes = np.arange(max(0, math.floor(rate - reach)), min(highest, math.ceil(rate + reach)) + 1)
        chances = np.exp(outcomes * math.log(rate) - rate - log_factorials[outcomes])
        ends = np.rint(np.cumsum(chances) / chances.sum() * n_quantiles).astype(np.intp)
        counts[level] = np.repeat(outcomes, np.diff(ends, prepend=0))
    return counts


@lru_cache(maxsize=2)
def _poisson_levels(photons: float) -> npt.NDArray[np.uint8]:
    """Return the gray levels [level, quantile] that these counts stand for."""
    return np.rint(_poisson_counts(photons)[:256] / photons).clip(0, 255).astype(np.uint8)


def _gaussian_kernel(sigma: float) -> list[float]:
    """Return the weights from the middle outwards, rounded; only the middle where there is nothing to blur."""
    reach = math.ceil(_REACH * sigma)
    weights = [math.exp(-0.5 * (distance / sigma) ** 2) for distance in range(1, reach + 1)] if reach else []
    total = 1 + 2 * sum(weights)
    kernel = [round(weight / total, 9) for weight in (1.0, *weights)]
    return kernel if any(kernel[1:]) else kernel[:1]


def _blurred(pixels: Pixels, kernel: list[float]) -> Pixels:
    blurred = np.empty_like(pixels)
    for index in range(pixels.shape[2]):
        channel = pixels[:, :, index].astype(np.float32)
        smooth = _convolved(_convolved(channel, kernel).T, kernel).T
        blurred[:, :, index] = np.rint(smooth).clip(0, top_of(pixels))
    return blurred


def _convolved(channel: npt.NDArray[np.float32], kernel: list[float]) -> npt.NDArray[np.float32]:
    """Return a channel [height, width] convolved along x with a symmetric kernel."""
    reach = len(kernel) - 1
    width = channel.shape[1]
    padded = np.pad(channel, ((0, 0), (reach, reach)), mode="symmetric")
    total = padded[:, reach : reach + width] * np.float32(kernel[0])
    for distance in range(1, reach + 1):
        before = padded[:, reach - distance : reach - distance + width]
        after = padded[:, reach + distance : reach + distance + width]
        total += (before + after) * np.float32(kernel[distance])
    return total
