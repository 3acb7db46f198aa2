"""Drawing by hashing: a value depends on (seed, source path, copy number, parameter) and on nothing else."""

from functools import lru_cache
from hashlib import blake2b

from rebalance.dataset import to_bytes

_LEVELS = 8
"""Every aligned block of 2**8 copies of a source is spread evenly; later blocks are spread anew."""


@lru_cache(maxsize=4)
def draw_key(seed: int, path: str, copy_number: int) -> bytes:
    """Return the 32 bytes that name one copy of one source."""
    return blake2b(b"rebalance 1\0%d\0%b\0%d" % (seed, to_bytes(path), copy_number), digest_size=32).digest()


def attempt_key(seed: int, path: str, copy_number: int, attempt: int) -> bytes:
    """Return the 32 bytes that name what one attempt at one copy draws besides values; the first attempt is 0."""
    key = draw_key(seed, path, copy_number)
    return blake2b(b"attempt %d" % attempt, key=key, digest_size=32).digest() if attempt else key


def draw_unit(parameter: str, seed: int, path: str, copy_number: int, attempt: int = 0) -> float:
    """Return u in [0, 1) for one parameter of copy `copy_number` (from 1) of a source.

    A van der Corput sequence in base 2, scrambled as Owen (1995) does and with its order shuffled the same way
    (Burley 2020): every aligned block of 2, 4, 8 ... 256 copies takes each half, quarter, eighth ... of the range
    once, in an order of its own for each parameter. The bits that this leaves open, of 53, are a hash. A draw that is
    not the first attempt is a hash alone.
    """
    if attempt:
        again = blake2b(parameter.encode(), key=attempt_key(seed, path, copy_number, attempt), digest_size=8)
        return (int.from_bytes(again.digest()) >> 11) / 2**53
    start = _start(parameter, seed, path)
    index = copy_number - 1
    stratum = 0
    for level in range(_LEVELS):
        bit = (index >> level) & 1
        scramble = blake2b(b"%d %d %d" % (level, index >> (level + 1), stratum), key=start, digest_size=1).digest()[0]
        stratum = 2 * stratum + (bit ^ (scramble & 1))
    rest = blake2b(parameter.encode(), key=draw_key(seed, path, copy_number), digest_size=8).digest()
    n_rest = 53 - _LEVELS
    return ((stratum << n_rest) + (int.from_bytes(rest) >> (64 - n_rest))) / 2**53


@lru_cache(maxsize=64)
def _start(parameter: str, seed: int, path: str) -> bytes:
    """Return the 32 bytes that name one parameter of all copies of one source."""
    return blake2b(b"%b\0%d\0%b" % (parameter.encode(), seed, to_bytes(path)), digest_size=32).digest()
