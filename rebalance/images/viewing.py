"""What a decoded image of any mode shows to the eye, as 8-bit color."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rebalance.images.pixels import Pixels, colors_of, has_alpha


def shown_on_white(image: Image.Image) -> Image.Image:
    """Return an image in RGB: what is transparent over white, deep gray by its high byte, other numbers stretched."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        return Image.fromarray(_stretched(np.asarray(image, np.float64))).convert("RGB")
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def _stretched(levels: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return levels of any range from 0 for the least to 255 for the largest; what is no number is 0."""
    levels = np.where(np.isfinite(levels), levels, 0.0)
    low, high = levels.min(), levels.max()
    return np.asarray((levels - low) * (255.0 / (high - low) if high > low else 0.0), np.uint8)


def pixels_on_white(pixels: Pixels) -> Pixels:
    """Return pixels [height, width, channels] of any depth as they are shown: 8-bit colors, over white."""
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    colors = np.broadcast_to(colors_of(pixels), (*pixels.shape[:2], 3))
    if not has_alpha(pixels):
        return np.ascontiguousarray(colors)
    shown = np.dstack([colors, pixels[:, :, -1]])
    return np.asarray(shown_on_white(Image.fromarray(shown)))
