"""A share of the work of a run: which sources one of several processes on a shared folder takes."""

from collections.abc import Mapping
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


def not_done(done: Mapping[Shard, bool]) -> list[Shard]:
    """Return the shards that are not done, and those that have not begun, of as many as others say there are."""
    return [
        shard
        for n_shards in sorted({shard.n_shards for shard in done})
        for number in range(1, n_shards + 1)
        if not done.get(shard := Shard(number, n_shards))
    ]
