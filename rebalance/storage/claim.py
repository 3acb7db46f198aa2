"""What an OUTPUT in object storage is filled for, and the journals of those who fill it, until it stands."""

import contextlib
import os
import re
import tempfile
from collections.abc import Iterable, Mapping

from rebalance.dataset import to_bytes, to_text
from rebalance.errors import LockedError, OutputRefusedError
from rebalance.storage.bucket import Bucket
from rebalance.storage.journal import Journal
from rebalance.storage.manifest import NAME
from rebalance.storage.transfer import HERE

OWN = ".rebalance"
"""What lies below OUTPUT until it stands, and then no more."""
CLAIM = f"{OWN}/claim.json"
JOURNAL = re.compile(rb"(?:run|(\d+)-of-(\d+))\.\d+-[0-9a-f]{12}\.\d{6,}\.jsonl")
"""The name of a portion of a journal, of a whole run or a shard."""
_ROWS, _PART, _MOST_ROWS = 500, 50, 20_000
"""Rows of a journal that are kept together, and of a long one a part of it: so many files at most are made in vain
where a run is killed, and so few portions are to be read again."""


class KeptJournal(Journal):
    """A journal on this machine, of which each portion is kept in the bucket, too."""

    def __init__(self, bucket: Bucket, own: str, claim: bytes) -> None:
        """Begin with nothing; `own` begins the names of the portions, `claim` is what OUTPUT is filled for."""
        descriptor, path = tempfile.mkstemp(prefix="rebalance-")
        os.close(descriptor)
        super().__init__(to_bytes(path))
        os.unlink(path)  # it lives as long as it is open
        self._bucket, self._own, self._claim = bucket, f"{own}.{os.getpid()}-{HERE.decode()}", claim
        self._lines: list[bytes] = []
        self._n_kept = self._n_portions = 0

    def take_over(self, lines: Iterable[bytes]) -> bool:
        """Add the good rows of another journal, which is kept already."""
        is_done = super().take_over(lines)
        self._lines.clear()
        return is_done

    def keep(self) -> None:
        """Keep the rows since the last time. Raises LockedError where OUTPUT is not filled any more."""
        if not self._lines:
            return
        if not self._is_claimed():
            raise LockedError(f"{self._bucket.address}: was finished, given up or taken over by another run meanwhile")
        name = f"{OWN}/{self._own}.{self._n_portions:06}.jsonl"
        self._bucket.create(name, b"".join(self._lines))
        self._n_kept += len(self._lines)
        self._n_portions += 1
        self._lines.clear()

    def _is_claimed(self) -> bool:
        """Return whether OUTPUT still is filled for what this is of."""
        try:
            return self._bucket.read(CLAIM) == self._claim
        except FileNotFoundError:
            return False

    def close(self) -> None:
        """Close the file; what was not kept is not needed any more."""
        self._lines.clear()
        super().close()

    def _write(self, row: Mapping[str, object]) -> None:
        super()._write(row)
        if len(self._lines) >= min(max(_ROWS, self._n_kept // _PART), _MOST_ROWS):
            self.keep()

    def _write_line(self, line: bytes) -> None:
        super()._write_line(line)
        self._lines.append(line)


def claim_output(bucket: Bucket, claim: bytes, *, is_taking_over: bool) -> None:
    """Say what an OUTPUT is filled for, where nothing else is said."""
    try:
        try:
            bucket.create(CLAIM, claim)
        except FileExistsError:
            if not is_taking_over:
                raise
            bucket.delete(CLAIM)
            bucket.create(CLAIM, claim)
    except FileExistsError:
        raise OutputRefusedError(
            f"{bucket.address}: holds what a run with other options, or of another SOURCE, has begun: finish it with "
            "its command or, if it has ended, take it over with --overwrite"
        ) from None
    except OSError as error:
        why = "there is no such bucket" if isinstance(error, FileNotFoundError) else error.strerror
        raise OutputRefusedError(f"{bucket.address}: nothing can be made there: {why}") from None
    if bucket.has(NAME):  # published since it was looked at, and before its claim was deleted
        bucket.delete(CLAIM)
        raise OutputRefusedError(f"{bucket.address}: has appeared since this run began; run again")


def remove_own(output: bytes) -> None:
    """Delete what a run needed until its OUTPUT stood: the claim last, which the journals are of. Raises OSError."""
    bucket = Bucket(output)
    with contextlib.suppress(FileNotFoundError):
        names = [entry.path for entry in bucket.entries(to_bytes(OWN)) if is_own(entry.path)]
        for path in sorted(map(to_text, names), key=lambda path: (path == CLAIM, path)):
            bucket.delete(path)


def is_own(path: bytes) -> bool:
    """Return whether an object below OUTPUT is what a run needed until it stood."""
    folder, name = os.path.split(path)
    return to_text(path) == CLAIM or (folder == to_bytes(OWN) and JOURNAL.fullmatch(name) is not None)
