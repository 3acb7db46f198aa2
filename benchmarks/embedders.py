"""How well the embedders tell classes apart, and what they cost beside decoding.

    python benchmarks/embedders.py [SOURCE ...]

Balanced accuracy of the five nearest other images (leave one out), which is what `inspect --neighbors` prints, on each
SOURCE, a folder per class. Then, on the first: seconds to turn the bytes of an image into numbers, beside seconds to
decode it in full, image by image in turn; the median over images and rounds of the paired ratio.
"""

import io
import os
import statistics
import sys
import time
from pathlib import Path

from PIL import Image

from rebalance.embed import Embedding, embed
from rebalance.images.embedding import EMBEDDERS, embed_image
from rebalance.plan import MAX_PIXELS
from rebalance.planning.neighborhood import find_neighborhood
from rebalance.storage.scan import scan

ROUNDS = 3
N_TIMED = 200


def tell_accuracy(source: Path) -> None:
    """Print how well each embedder does on one tree."""
    dataset = scan(str(source))
    for name in EMBEDDERS:
        vectors = embed(dataset, Embedding(name, os.cpu_count() or 1, MAX_PIXELS), lambda _done, _all: None).vectors
        found = find_neighborhood(dataset.classes, vectors)
        mean, least, most = found.shuffled
        print(f"{source.name:12} {name:10} {found.accuracy:.3f}, shuffled {mean:.3f} ({least:.3f} to {most:.3f})")


def tell_cost(source: Path) -> None:
    """Print what the embedders cost beside decoding."""
    images = [image.path for image in scan(str(source)).images()]
    contents = [(source / path).read_bytes() for path in images[:: max(1, len(images) // N_TIMED)]]
    ratios: dict[str, list[float]] = {name: [] for name in EMBEDDERS}
    for round_number in range(ROUNDS + 1):
        for data in contents:
            began = time.perf_counter()
            Image.open(io.BytesIO(data)).load()
            decoding = time.perf_counter() - began
            for name, embedder in EMBEDDERS.items():
                began = time.perf_counter()
                embed_image(data, embedder, MAX_PIXELS)
                if round_number:  # the first round warms up
                    ratios[name].append((time.perf_counter() - began) / decoding)
    for name, of_images in ratios.items():
        low, _, high = statistics.quantiles(of_images, n=4)
        told = f"{statistics.median(of_images):.2f} times decoding (quartiles {low:.2f} to {high:.2f})"
        print(f"{source.name:12} {name:10} {told}, {len(contents)} images, {ROUNDS} rounds")


def main() -> None:
    """Tell of the trees that are named, or of `clothing`."""
    sources = [Path(name) for name in sys.argv[1:]] or [Path(os.environ["REBALANCE_DATA"]) / "clothing"]
    for source in sources:
        tell_accuracy(source)
    tell_cost(sources[0])


if __name__ == "__main__":
    main()
