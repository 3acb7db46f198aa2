"""Random words by which things are dealt out or drawn; their stream is stable over the releases of numpy."""

import numpy as np
from numpy.typing import NDArray


def lots(seed: tuple[int, ...], n_lots: int) -> NDArray[np.uint64]:
    """Return 64-bit words, shape (n_lots,), of the stream that these numbers name."""
    words: NDArray[np.uint64] = np.random.PCG64(np.random.SeedSequence(seed)).random_raw(n_lots)
    return words
