"""The staging of an OUTPUT in object storage: its files have their names at once, and OUTPUT stands with its manifest.

No object is ever replaced; one that a journal names and that is not wanted any more is deleted. What a run needs till
then lies below `.rebalance` of the same prefix: the claim, which names the request that OUTPUT is filled for, and the
journals of all who fill it. They may be many at once, since each would make the same objects.
"""

import contextlib
import json
import os
import tempfile
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from typing import Any, BinaryIO

from rebalance.dataset import Dataset, names_by_folder, to_bytes, to_text
from rebalance.errors import LockedError, OutputRefusedError, StorageError, TargetError
from rebalance.plan import INDEX_NAME
from rebalance.shards import Shard, not_done
from rebalance.storage.bucket import Bucket
from rebalance.storage.claim import CLAIM, JOURNAL, OWN, KeptJournal, claim_output, remove_own
from rebalance.storage.journal import Journal
from rebalance.storage.lines import Line
from rebalance.storage.listing import Listing
from rebalance.storage.manifest import NAME, paths_of_all, write_manifest
from rebalance.storage.space import Room
from rebalance.storage.transfer import SourceBytes

_WHOLE_FILES = frozenset({"labels.csv", "rebalance.csv", INDEX_NAME, "vectors.npy"})
"""Names of files of which no journal has a row; they are made last, and are looked at then."""
_LONGEST_KEY = 1024
"""Bytes, in S3."""


@dataclass(frozen=True, slots=True)
class PrefixTree:
    """What a worker writes to: objects below an address, each whole and under its own name at once."""

    tree: bytes
    link: str = "auto"

    def put(self, output: str, data: bytes) -> None:
        """Make an object. Raises StorageError where another has its name."""
        try:
            Bucket(self.tree).create(output, data)
        except FileExistsError:
            raise StorageError(
                f"{to_text(self.tree)}/{output}: is there with other bytes than are made now (SOURCE or a library has "
                "changed since): nothing is replaced; delete what lies below OUTPUT, and run again"
            ) from None

    @contextlib.contextmanager
    def made(self, output: str) -> Iterator[BinaryIO]:
        """Open a file that becomes an object when it is whole."""
        file = BytesIO()
        yield file
        self.put(output, file.getvalue())

    def discard(self, output: str) -> None:
        """Delete an object of ours that is made anew: nothing is replaced."""
        Bucket(self.tree).delete(output)

    def carry(self, source: SourceBytes, output: str) -> None:
        """Bring an original over: copied by the storage itself, where both are there and no copy is asked for."""
        if not (self.link == "auto" and Bucket(self.tree).copy(source.path, output)):
            self.put(output, source.data)


@dataclass(slots=True)
class Prefix:
    """The objects below an address that will be OUTPUT."""

    tree: bytes
    journal: KeptJournal
    listing: Listing
    settled: set[bytes] = field(default_factory=set)
    """Folders that hold what is planned, in the sizes in which it was made."""
    manifest: BinaryIO | None = None
    """The manifest, on this machine, once there is one."""
    left: list[Shard] = field(default_factory=list)
    whole: set[str] = field(default_factory=set)
    """The paths of what was found that no journal has a row of."""

    boot = "stored"
    """What is written is durable at once, whatever becomes of the machine."""

    @property
    def bucket(self) -> Bucket:
        """The same, to work with."""
        return Bucket(self.tree)

    @property
    def state(self) -> bytes:
        """The object that says what it is."""
        return os.path.join(self.tree, CLAIM.encode())

    def for_workers(self, link: str) -> PrefixTree:
        """Return what a worker needs of it."""
        return PrefixTree(self.tree, link)

    def holds(self, output: str, n_bytes: int) -> bool:
        """Return whether an object of this size is there."""
        if os.path.dirname(to_bytes(output)) in self.settled or not self.journal.is_of_earlier_run(output):
            return True  # as the listing before or at the end says
        try:
            return self.listing.status_of(output).st_size == n_bytes
        except OSError:
            return False

    def room(self) -> Room:
        """Return that there is room for all."""
        return Room(self.tree, 2**63, None, 1)

    def check_length(self, longest: int) -> None:
        """Raise TargetError where a key with a path of so many bytes is too long."""
        n_bytes = len(self.tree.partition(b"://")[2].partition(b"/")[2]) + 1 + longest
        if n_bytes > _LONGEST_KEY:
            raise TargetError(
                f"a key of OUTPUT would have {n_bytes} bytes, {_LONGEST_KEY} fit: take a shorter prefix or names"
            )

    def tells_names_apart(self) -> bool:
        """Return that names are bytes."""
        return True

    def takes_any_name(self) -> bool:
        """Return that names are text."""
        return False

    def takes(self, name: str) -> bool:
        """Return whether a name is text without control characters, which no listing gives back as they are."""
        return not any(one in "\ufffe\uffff" or unicodedata.category(one) in ("Cc", "Cs") for one in name)

    def clones(self, dataset: Dataset) -> bool:  # noqa: ARG002  as of a disk
        """Return that nothing is shared with SOURCE."""
        return False

    def write(self, name: str, data: bytes) -> dict[str, Any]:
        """Write a file of the root; return path, bytes and sha256 as a manifest has them."""
        self.for_workers("copy").put(name, data)
        return {"path": name, "bytes": len(data), "sha256": sha256(data).hexdigest()}

    def forget(self, output: str) -> None:
        """Take back what a journal says of an object, and the object, before another takes its name."""
        self.journal.forget(output)
        self.bucket.delete(output)

    def settle(self, directory: str, outputs: Callable[[], Iterable[str]]) -> int:
        """Delete what a folder holds of ours beside these outputs; return how many there are.

        Raises StorageError where one is missing or has another size, OutputRefusedError for what is not ours.
        """
        folder = to_bytes(directory)
        self.listing.forget(folder)
        present = dict(self.listing.folder(folder))
        n_present = len(present)
        for output in outputs():
            status, found = present.pop(os.path.basename(to_bytes(output)), None), self.journal.find(output)
            if status is None or found is None or status.st_size != found[0].written.n_bytes:
                self.journal.forget(output)
                raise StorageError(f"{output!r}: is not there as it was made; run again to make it anew")
        self._delete(folder, present)
        self.settled.add(folder)
        return n_present - len(present)

    def settle_directories(self, directories: Iterable[str]) -> None:
        """Delete what lies beside these folders, in the root and in the folders of splits, where it is ours."""
        expected = names_by_folder(directories)
        expected[b""] |= {to_bytes(OWN), NAME.encode()}
        for folder, names in expected.items():
            self.listing.forget(folder)
            self._delete(folder, self.listing.folder(folder).keys() - names)

    def _delete(self, folder: bytes, names: Iterable[bytes]) -> None:
        """Delete objects and whatever lies below names, where there is a row of each."""
        for name in sorted(names):
            path = os.path.join(folder, name)
            if to_text(name) in _WHOLE_FILES:
                self.whole.add(to_text(path))
                continue
            below = [inner for inner, _ in self.bucket.walk(path)] if self._is_folder(folder, name) else [path]
            for inner in map(to_text, below):
                if self.journal.find(inner) is None:
                    raise self._foreign(inner)
                self.forget(inner)

    def _foreign(self, path: str) -> OutputRefusedError:
        return OutputRefusedError(f"{to_text(self.tree)}/{path}: is below OUTPUT and not of our making: move it away")

    def _is_folder(self, folder: bytes, name: bytes) -> bool:
        return self.listing.folder(folder)[name] is None

    def clear_temporary(self) -> None:
        """Do nothing: nothing has a name before it is whole."""

    def gather_shares(self) -> list[Shard]:
        """Return the shards that are not done, of those that have been at work."""
        return self.left

    def finish_share(self, request: str) -> None:
        """Say in the journal that a share is done."""
        self.journal.finish(request)
        self.journal.keep()

    def seal(self, head: Mapping[str, Any], lines: Iterable[Line]) -> None:
        """Make the manifest, on this machine. Raises OutputRefusedError for what it does not speak of."""
        for path in sorted(self.whole - set(paths_of_all(head))):
            raise self._foreign(path)
        self.manifest = tempfile.TemporaryFile()  # noqa: SIM115  it is closed with what it is of
        write_manifest(self.manifest, head, lines)

    def publish(self, output: bytes, *, is_replacing: bool) -> None:
        """Make OUTPUT stand, by its manifest. Raises OutputRefusedError where another stands there meanwhile."""
        assert not is_replacing
        assert self.manifest is not None
        self.manifest.seek(0)
        if self.bucket.create_from(f"/dev/fd/{self.manifest.fileno()}", NAME):
            return
        self.manifest.seek(0)
        with self.bucket.opened(NAME) as theirs:
            if self.manifest.readline() != theirs.readline():  # which has the sum of all other lines
                raise OutputRefusedError(f"{to_text(output)}: has appeared since this run began; run again")

    def remove(self) -> None:
        """Delete what was needed till OUTPUT stood; what cannot be deleted now, a later run finds and deletes."""
        self.journal.close()
        with contextlib.suppress(OSError, StorageError):
            remove_own(self.tree)

    def remove_if_empty(self) -> None:
        """Give OUTPUT up where no file was made for it."""
        with contextlib.suppress(OSError, StorageError):
            if {entry.name for entry in self.bucket.entries()} == {to_bytes(OWN)} and not self.journal.is_begun():
                remove_own(self.tree)


@contextlib.contextmanager
def claim_prefix(output: bytes, request: str, own: str, *, is_taking_over: bool = False) -> Iterator[Prefix]:
    """Yield an OUTPUT in object storage that is filled for a request, with what all others have made for it.

    `own` begins the name of the journal of this process. What was begun for another request is taken over if that is
    said. Raises OutputRefusedError where it is not, where OUTPUT stands meanwhile, or nothing may be made there.
    """
    bucket = Bucket(output)
    claim = json.dumps({"rebalance": "claim", "request": request}).encode()
    claim_output(bucket, claim, is_taking_over=is_taking_over)
    journal = KeptJournal(bucket, own, claim)
    prefix = Prefix(output, journal, Listing(output))
    try:
        prefix.left = not_done(_taken_over(bucket, journal))
        yield prefix
    finally:
        with contextlib.suppress(OSError, StorageError, LockedError):
            journal.keep()
        if prefix.manifest is not None:
            prefix.manifest.close()


def _taken_over(bucket: Bucket, journal: Journal) -> dict[Shard, bool]:
    """Take over the rows of all who fill an OUTPUT; return the shards among them, and whether each is done."""
    done: dict[Shard, bool] = {}
    for entry in sorted(bucket.entries(to_bytes(OWN)), key=lambda entry: entry.name):
        match = JOURNAL.fullmatch(entry.name)
        if entry.is_dir() or (match is None and to_text(entry.path) != CLAIM):
            raise OutputRefusedError(f"{bucket.address}/{to_text(entry.path)}: is not of our making: move it away")
        if match is None:
            continue
        with BytesIO(bucket.read(to_text(entry.path))) as lines:
            is_done = journal.take_over(lines)
        if match[1]:
            shard = Shard(int(match[1]), int(match[2]))
            done[shard] = done.get(shard, False) or is_done
    return done
