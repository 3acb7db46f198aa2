"""A share of the work of a run: which sources one of several processes on a shared folder takes."""

from hashlib import blake2b
from typing import NamedTuple

from rebalance.dataset import to_bytes


class Shard(NamedTuple):
    """Number `number` of `n_shards`, from 1."""

    number: int
    n_shards: int

    def takes(self, path: str) -> bool:
        """Return whether what is made of this source is of this share: by the name alone, whatever else is there."""
        hashed = blake2b(to_bytes(path), digest_size=8, person=b"rebalance shard").digest()
        return int.from_bytes(hashed) % self.n_shards == self.number - 1

    def told(self) -> str:
        """Return it for people."""
        return f"shard {self.number} of {self.n_shards}"
