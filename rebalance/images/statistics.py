"""Statistics of a picture that say little of what it shows and much of what was done to it.

Warping leaves less of the finest detail, encoding again another grid of blocks, filling a mirrored or constant border,
a change of light levels that are cut off or missing. Who tells generated from original by these has found no content.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rebalance.images.eye import view_image
from rebalance.plan import MAX_PIXELS

Luma = NDArray[np.float32]
"""Levels from 0 to 255, shape (height, width), whole numbers."""
Values = NDArray[np.float64]
"""The statistics of a picture, in the order of STATISTICS."""

_LITTLE = 1e-3
"""Added to energies, so that flat pictures have logarithms."""
_BLOCK = 8
"""Pixels of a side of the blocks of JPEG."""
_STRIPS = (4, 8, 16)
"""Pixels of the strips along the border that are compared with their mirror images."""


def measure(data: bytes, sizes: Sequence[int | None], *, max_pixels: int = MAX_PIXELS) -> Values:
    """Return the statistics of an image as it stands upright, float64, shape (len(sizes), len(STATISTICS)).

    At each size it is first brought to that many pixels a side, as training does (bilinear, averaging what is larger);
    None leaves it as it is. Raises BadImageError.
    """
    shown = Image.fromarray(view_image(data, max_pixels=max_pixels)).convert("L")
    return np.stack([describe(np.asarray(_in_size(shown, size), np.float32)) for size in sizes])


def describe(luma: Luma) -> Values:
    """Return the statistics of luma of any size, in the order of STATISTICS."""
    values = {name: value for part in _PARTS for name, value in part(luma)}
    return np.array([values[statistic.name] for statistic in STATISTICS])


def _in_size(shown: Image.Image, size: int | None) -> Image.Image:
    return shown if size is None else shown.resize((size, size), Image.Resampling.BILINEAR)


class Statistic(NamedTuple):
    """One of them, and what it is about."""

    name: str
    kind: str
    """blur, JPEG, border, levels or noise."""
    meaning: str


STATISTICS = (
    Statistic("laplacian", "blur", "energy of second differences to that of first ones"),
    Statistic("third", "blur", "energy of third differences to that of second ones"),
    Statistic("diagonal", "blur", "energy of the finest diagonal detail to that of the finest other one"),
    Statistic("octave1", "blur", "slope of the spectrum: detail of two pixels to that of four"),
    Statistic("octave2", "blur", "the same, of four to eight"),
    Statistic("grid_across", "JPEG", "second differences over the edges of 8 x 8 blocks to the others"),
    Statistic("grid_down", "JPEG", "the same, down"),
    Statistic("phase_across", "JPEG", "those at the strongest of 8 phases to the others: a grid that was moved"),
    Statistic("phase_down", "JPEG", "the same, down"),
    Statistic("mirror", "border", "correlation of a strip along the border with the mirror image of the next one"),
    Statistic("constant", "border", "detail at the very border to that behind it"),
    Statistic("white", "levels", "share of white"),
    Statistic("black", "levels", "share of black"),
    Statistic("missing", "levels", "share of levels between darkest and brightest that do not occur"),
    Statistic("comb", "levels", "how much the histogram jumps from one level to the next"),
    Statistic("floor", "noise", "detail in the flattest tenth of the blocks"),
    Statistic("still", "noise", "share of pixels without any detail"),
)
Parts = Iterator[tuple[str, float]]


def _blur(luma: Luma) -> Parts:
    energies = [_LITTLE] * 3
    for axis in (0, 1):
        detail = luma
        for order in range(3):
            detail = np.diff(detail, axis=axis)
            energies[order] += _energy(detail)
    yield "laplacian", _log_ratio(energies[1], energies[0])
    yield "third", _log_ratio(energies[2], energies[1])
    octaves = []
    for _ in range(3):
        whole = luma[: luma.shape[0] // 2 * 2, : luma.shape[1] // 2 * 2]
        quarters = whole[::2, ::2], whole[::2, 1::2], whole[1::2, ::2], whole[1::2, 1::2]
        octaves.append(_haar(*quarters))
        luma = sum(quarters, np.zeros_like(quarters[0])) / np.float32(4)
    yield "diagonal", _log_ratio(octaves[0][1], octaves[0][0])
    yield "octave1", _log_ratio(octaves[0][0], octaves[1][0])
    yield "octave2", _log_ratio(octaves[1][0], octaves[2][0])


def _haar(one: Luma, right: Luma, below: Luma, both: Luma) -> tuple[float, float]:
    """Return the energy of detail across and down of squares of four pixels, and of the diagonal one."""
    falling, rising = one - both, right - below
    straight = _energy(falling - rising) + _energy(falling + rising)
    return straight / 4 + _LITTLE, _energy(one + both - right - below) / 4 + _LITTLE


def _blocks(luma: Luma) -> Parts:
    for name, lines in (("across", luma), ("down", luma.T)):
        detail = np.minimum(np.abs(np.diff(lines, 2, axis=1)), 20)  # edges of things are not to outweigh all else
        phases = [detail[:, phase::_BLOCK] for phase in range(_BLOCK)]
        strengths = np.array([phase.mean() if phase.size else 0.0 for phase in phases]) + _LITTLE
        usual = float(np.median(strengths))
        yield f"grid_{name}", _log_ratio(float(strengths[6] + strengths[7]) / 2, usual)
        yield f"phase_{name}", _log_ratio(float(strengths.max()), usual)


def _border(luma: Luma) -> Parts:
    sides = (luma, luma[::-1], luma.T, luma.T[::-1])
    yield "mirror", max(_mirrored(side) for side in sides)
    yield "constant", min(_still_border(side) for side in sides)


def _mirrored(side: Luma) -> float:
    """Return how much the detail of the first lines is that of the next ones in reverse, at best."""
    found = [0.0]
    for n_lines in _STRIPS:
        if len(side) >= 4 * n_lines and side.shape[1] > 1:
            outer, inner = np.diff(side[:n_lines], axis=1), np.diff(side[2 * n_lines - 1 : n_lines - 1 : -1], axis=1)
            found.append(
                float((outer * inner).mean(dtype=np.float64)) / (np.sqrt(_energy(outer) * _energy(inner)) + _LITTLE)
            )
    return max(found)


def _still_border(side: Luma) -> float:
    """Return the detail between the first two lines to that between two behind them."""
    behind = min(8, len(side) - 2)
    if behind < 1:
        return 0.0
    first, later = (float(np.abs(side[line + 1] - side[line]).mean()) for line in (0, behind))
    return _log_ratio(first + 0.05, later + 0.05)


def _levels(luma: Luma) -> Parts:
    shares = np.bincount(luma.astype(np.intp).ravel(), minlength=256) / luma.size
    used = np.flatnonzero(shares)
    inner = shares[1:-1]
    jumps = float(np.abs(inner[1:-1] - (inner[:-2] + inner[2:]) / 2).sum())
    yield "white", float(np.log(shares[255] + 1e-4))
    yield "black", float(np.log(shares[0] + 1e-4))
    yield "missing", 1 - len(used) / float(used[-1] - used[0] + 1)
    yield "comb", float(np.log(jumps + 1e-4))


def _noise(luma: Luma) -> Parts:
    detail = np.abs(np.diff(luma, 2, axis=1))
    height, width = (side // _BLOCK * _BLOCK for side in detail.shape)
    if height and width:
        shape = (height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK)
        flat = float(np.percentile(detail[:height, :width].reshape(shape).mean(axis=(1, 3)), 10))
    else:
        flat = 0.0
    yield "floor", float(np.log(flat + 0.02))
    yield "still", float((detail < 0.5).mean()) if detail.size else 1.0


def _energy(differences: Luma) -> float:
    return float(np.square(differences).mean(dtype=np.float64)) if differences.size else 0.0


def _log_ratio(value: float, to: float) -> float:
    return float(np.log(value / to))


_PARTS: tuple[Callable[[Luma], Parts], ...] = (_blur, _blocks, _border, _levels, _noise)
KINDS: Mapping[str, tuple[int, ...]] = {
    kind: tuple(place for place, statistic in enumerate(STATISTICS) if statistic.kind == kind)
    for kind in dict.fromkeys(statistic.kind for statistic in STATISTICS)
}
"""What statistics are about -> their places."""
