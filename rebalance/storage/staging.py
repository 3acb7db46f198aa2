"""The staged tree beside OUTPUT: claimed, filled by workers, settled to what the plan asks for."""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from rebalance.dataset import Dataset, names_by_folder, to_bytes, to_text
from rebalance.errors import LockedError, OutputRefusedError, StorageError
from rebalance.shards import Shard, not_done
from rebalance.storage.beside import lock_path, staging_path
from rebalance.storage.journal import Journal
from rebalance.storage.lines import Line
from rebalance.storage.lock import exclusive_lock
from rebalance.storage.manifest import NAME, write_manifest
from rebalance.storage.output import check_path_lengths
from rebalance.storage.places import NameHashes
from rebalance.storage.publish import publish, sync_filesystem
from rebalance.storage.space import Room, room_of
from rebalance.storage.transfer import HERE, StagedTree, clone

_OF_A_NAME = frozenset({errno.EINVAL, errno.ENOENT, errno.EILSEQ, errno.ENAMETOOLONG, errno.ENOTSUP})
"""How disks refuse a name: NTFS, exFAT and SMB each in its own way."""
_ODD_NAMES = (b'probe\n:*?"<>|\\', b"con.png", b"probe. ", b"probe\xff")
"""One of each kind that some disk refuses."""
STATE = b"staging.json"
_ATTEMPTS = 10
_OURS = frozenset({b"tree", b"tree.old", b"tmp", b"journal.jsonl", STATE})
OF_A_SHARE = re.compile(rb"journal-(\d+)-of-(\d+)\.jsonl")
"""The journal of a shard."""


@dataclass(frozen=True, slots=True)
class Staging:
    """A hidden folder beside OUTPUT that any later run for the same OUTPUT takes over."""

    folder: bytes
    journal: Journal
    own: bytes
    """The folder among the temporary ones that is this run's: late workers of another find theirs no more."""

    @property
    def boot(self) -> str:
        """What tells this boot of the machine from others: after another, what was written is looked at again."""
        return boot_id()

    @property
    def tree(self) -> bytes:
        """Where the files gather that will be OUTPUT."""
        return os.path.join(self.folder, b"tree")

    @property
    def state(self) -> bytes:
        """The file that says what it is."""
        return os.path.join(self.folder, STATE)

    @property
    def temporary(self) -> bytes:
        """Where files are made; outside of the tree, so that no late writer can leave anything in it."""
        return os.path.join(self.folder, b"tmp", self.own)

    def for_workers(self, link: str) -> StagedTree:
        """Return what a worker needs of it."""
        return StagedTree(self.tree, self.temporary, link)

    def holds(self, output: str, n_bytes: int) -> bool:
        """Return whether a file of this size is staged."""
        try:
            return os.stat(os.path.join(self.tree, to_bytes(output))).st_size == n_bytes
        except OSError:
            return False

    def room(self) -> Room:
        """Return what is free on its disk."""
        return room_of(self.folder)

    def check_length(self, longest: int) -> None:
        """Raise TargetError where a path of so many bytes is too long here."""
        check_path_lengths(self.tree, longest)

    def tells_names_apart(self) -> bool:
        """Return whether the disk tells upper from lower case, and the forms of one Unicode text."""
        others = (os.path.join(self.temporary, to_bytes(name)) for name in ("prob\u00e9", "Probe\u0301"))
        with self._probed(to_bytes("Prob\u00e9")):
            return not any(os.path.exists(other) for other in others)

    def takes_any_name(self) -> bool:
        """Return whether the disk takes names as POSIX has them: of any bytes, and none reserved."""
        return all(self.takes(to_text(name)) for name in _ODD_NAMES)

    def takes(self, name: str) -> bool:
        """Return whether the disk takes a file of this name."""
        try:
            with self._probed(to_bytes(name)):
                return True
        except OSError as error:
            if error.errno in _OF_A_NAME:
                return False
            raise

    def clones(self, dataset: Dataset) -> bool:
        """Return whether originals share the blocks of the source, as the first of them would."""
        image = next(dataset.images(), None)
        if image is None:
            return False
        with self._probed(b"clone") as file:
            return clone(os.path.join(to_bytes(dataset.root), to_bytes(image.path)), file.fileno(), image.stamp)

    @contextlib.contextmanager
    def _probed(self, name: bytes) -> Iterator[BinaryIO]:
        """Make a file to learn something of the disk by, for as long as that takes."""
        path = os.path.join(self.temporary, name)
        with open(path, "xb") as file:
            yield file
        os.unlink(path)

    def write(self, name: str, data: bytes) -> dict[str, Any]:
        """Write a file of the root; return path, bytes and sha256 as a manifest has them."""
        self.for_workers("copy").put(name, data)
        return {"path": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    def forget(self, output: str) -> None:
        """Take back what the journal says of a file, before another takes its name."""
        self.journal.forget(output)

    def settle(self, directory: str, outputs: Callable[[], Iterable[str]]) -> int:
        """Delete what a class directory holds beside these outputs; return how many there are.

        Raises StorageError where one is missing. By hashes first, and by the names where the numbers do not agree.
        """
        folder = os.path.join(self.tree, to_bytes(directory))
        hashes = NameHashes(os.path.basename(to_bytes(output)) for output in outputs())
        n_left = _keep_only(folder, hashes)
        if n_left != len(hashes):
            expected = {os.path.basename(to_bytes(output)) for output in outputs()}
            n_left = _keep_only(folder, expected)
            if n_left != len(expected):
                missing = min(name for name in expected if not os.path.lexists(os.path.join(folder, name)))
                path = to_text(os.path.join(folder, missing))
                raise StorageError(f"{path}: is gone; something else deleted it: run again to make it anew")
        return n_left

    def settle_directories(self, directories: Iterable[str]) -> None:
        """Delete what the tree holds beside these class directories, in its root and in the folders of splits."""
        for folder, names in names_by_folder(directories).items():
            path = os.path.join(self.tree, folder)
            for name in set(os.listdir(path) if os.path.isdir(path) else ()) - names:
                delete(os.path.join(path, name))

    def clear_temporary(self) -> None:
        """Delete what a worker left that was stopped in the middle of a file."""
        for name in os.listdir(self.temporary):
            delete(os.path.join(self.temporary, name))

    def gather_shares(self) -> list[Shard]:
        """Take over what shards have staged, with the lock held alone; return those that are not done."""
        done: dict[Shard, bool] = {}
        for name in sorted(os.listdir(self.folder)):
            if match := OF_A_SHARE.fullmatch(name):
                path = os.path.join(self.folder, name)
                with open(path, "rb") as file:
                    done[Shard(int(match[1]), int(match[2]))] = self.journal.take_over(file)
                os.unlink(path)
        return not_done(done)

    def finish_share(self, request: str) -> None:
        """Make durable what a shard has staged, and then say in its journal that it is done."""
        sync_filesystem(self.folder)
        self.journal.finish(request)

    def seal(self, head: Mapping[str, Any], lines: Iterable[Line]) -> None:
        """Make durable what is staged, and then its manifest."""
        sync_filesystem(self.folder)
        with open(os.path.join(self.tree, NAME.encode()), "wb") as manifest:
            write_manifest(manifest, head, lines, self.temporary)

    def publish(self, output: bytes, *, is_replacing: bool) -> None:
        """Make OUTPUT of it. Raises what `publish` raises."""
        publish(self.tree, output, is_replacing=is_replacing)

    def remove_if_empty(self) -> None:
        """Delete the folder where no file was finished in it."""
        if not os.listdir(self.tree):
            self.remove()

    def remove(self) -> None:
        """Delete the whole folder; what cannot be deleted now, a later run finds and deletes."""
        with contextlib.suppress(OSError):
            self.journal.close()
        for _ in range(_ATTEMPTS):  # a worker far away may be finishing a file that nobody waits for
            shutil.rmtree(self.folder, ignore_errors=True)
            if not os.path.lexists(self.folder):
                return
            time.sleep(0.05)


def _keep_only(folder: bytes, expected: Container[bytes]) -> int:
    """Delete what a folder holds beside some names; return how many it has of them."""
    n_left, others = 0, []
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name in expected:
                n_left += 1
            else:
                others.append(entry.name)
    for name in others:
        delete(os.path.join(folder, name))
    return n_left


def claim_staging(output: bytes) -> Staging:
    """Make the staging of an OUTPUT, or take over what an earlier run left. Call with the lock held.

    Raises OutputRefusedError where what lies there is not of our making.
    """
    folder = staging_path(output)
    if os.path.lexists(folder) and not _is_intact(folder):
        delete(folder)
    if not os.path.lexists(folder):
        os.makedirs(os.path.join(folder, b"tree"))
        os.mkdir(os.path.join(folder, b"tmp"))
        with open(os.path.join(folder, STATE), "w", encoding="ascii") as state:
            json.dump({"rebalance": "staging", "tree": os.stat(os.path.join(folder, b"tree")).st_ino}, state)
    for name in os.listdir(os.path.join(folder, b"tmp")):
        delete(os.path.join(folder, b"tmp", name))
    staging = Staging(folder, Journal(os.path.join(folder, b"journal.jsonl")), b"%d-%b" % (os.getpid(), HERE))
    os.mkdir(staging.temporary)
    return staging


def remove_leftovers(output: bytes) -> None:
    """Delete a staging whose tree has become OUTPUT, and its lock, where a kill came before that could be done."""
    folder, lock = staging_path(output), lock_path(output)
    if os.path.lexists(folder) or os.path.lexists(lock):
        with contextlib.suppress(LockedError, OutputRefusedError), exclusive_lock(lock):
            if os.path.lexists(folder) and not _is_intact(folder):
                delete(folder)


def boot_id() -> str:
    """Return what tells this boot of the machine from others; without it, no two runs count as of one boot."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return uuid.uuid4().hex


def _is_intact(folder: bytes) -> bool:
    """Return whether the journal speaks of the tree beside it: after a publication that was cut short it does not."""
    check_ours(folder)
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        with open(os.path.join(folder, STATE), encoding="ascii") as state:
            inode = json.load(state)["tree"]
        return os.path.isdir(os.path.join(folder, b"tmp")) and os.stat(os.path.join(folder, b"tree")).st_ino == inode
    return False


def check_ours(folder: bytes) -> None:
    """Raise OutputRefusedError where what lies in the place of a staging is none."""
    if os.path.islink(folder) or not os.path.isdir(folder) or not all(map(_is_ours, os.listdir(folder))):
        raise OutputRefusedError(f"{to_text(folder)}: is in the way and not of our making: move it away")


def _is_ours(name: bytes) -> bool:
    return name in _OURS or OF_A_SHARE.fullmatch(name) is not None


def delete(path: bytes) -> None:
    """Delete a file, a link or a whole folder. Raises OSError."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)
