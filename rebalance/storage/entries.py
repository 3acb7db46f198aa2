"""What a listing of object storage says, as `os.scandir` would of a folder."""

import errno
import os
import stat
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any, NamedTuple

_TIMES = ("LastModified", "last_modified", "updated", "mtime", "created")
_VERSIONS = ("ETag", "etag", "md5Hash", "content_md5")
"""What the libraries of the storages call when an object was made, and what tells its content from others."""


class ObjectStatus(NamedTuple):
    """What `os.stat` would say of an object; what tells its content from others stands for the inode."""

    st_size: int
    st_mtime_ns: int
    st_ino: int
    st_ctime_ns: int = 0
    st_mode: int = stat.S_IFREG


@dataclass(frozen=True, slots=True)
class Entry:
    """What `os.scandir` would yield of a name: of an object, or of what several names begin with."""

    path: bytes
    name: bytes
    status: ObjectStatus | None
    """None: it is what names begin with."""

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:  # noqa: ARG002  as os.DirEntry has it
        """Return whether names go on from here."""
        return self.status is None

    def is_file(self, *, follow_symlinks: bool = True) -> bool:  # noqa: ARG002  the same
        """Return whether it is an object."""
        return self.status is not None

    def is_symlink(self) -> bool:
        """Return that it is no link."""
        return False

    def stat(self, *, follow_symlinks: bool = True) -> ObjectStatus:  # noqa: ARG002  the same
        """Return what is known of an object."""
        if self.status is None:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        return self.status


def status_of(info: dict[str, Any]) -> ObjectStatus:
    """Return what a library of a storage says of an object."""
    time_made = next((info[key] for key in _TIMES if info.get(key)), 0)
    version = next((str(info[key]) for key in _VERSIONS if info.get(key)), "")
    number = int.from_bytes(blake2b(version.encode(), digest_size=6).digest()) if version else 0
    return ObjectStatus(int(info["size"] or 0), _nanoseconds(time_made), number)


def _nanoseconds(moment: Any) -> int:
    """Return a moment since 1970; whole seconds and what is beyond them apart, so that nothing is rounded."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    if isinstance(moment, datetime):
        return int(moment.replace(microsecond=0).timestamp()) * 10**9 + moment.microsecond * 1000
    return int(moment * 10**9)
