"""A place in object storage, by way of fsspec: whole objects are listed, read, made, copied and deleted by name."""

import contextlib
import errno
import io
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from posixpath import normpath
from typing import Any, BinaryIO, cast

from rebalance.dataset import to_bytes, to_text
from rebalance.errors import RebalanceError, StorageError, UsageError
from rebalance.storage.entries import Entry, ObjectStatus, status_of

_ATTEMPTS = 8
"""To make an object that is refused for another of its name, which then is not there."""
_PAUSE = 0.05
"""Seconds before the second of them; each later one is twice as long."""
_WHOLE = {"chunksize": 5 * 2**30}
"""Of S3: what is smaller is made by a single request."""
_STREAMED = 2**24
"""Bytes that are asked for at once of an object that is read line by line."""
_IN_THIS_PROCESS = "memory://"


def is_of_this_process(path: str) -> bool:
    """Return whether an address is of what no other process sees."""
    return path.startswith(_IN_THIS_PROCESS)


class Bucket:
    """The objects below an address."""

    def __init__(self, address: str | bytes) -> None:
        """Open what the address is of. Raises UsageError where nothing is installed that could."""
        text = address if isinstance(address, str) else to_text(address)
        self.address = text.rstrip("/")
        try:
            from fsspec.core import url_to_fs  # noqa: PLC0415  an extra, and nothing for --help

            self.files, root = url_to_fs(self.address, **_settings(self.address))
        except (ImportError, ValueError) as error:
            raise UsageError(
                f"{self.address}: cannot be opened ({_first_line(error)}): pip install 'rebalance-images[s3]', or what "
                "fsspec needs for such addresses"
            ) from None
        self.root = _without_dots(str(root).rstrip("/"))
        self.is_s3 = "s3" in self.files.protocol
        if self.is_s3:
            from s3fs.core import set_custom_error_handler  # noqa: PLC0415  the same

            set_custom_error_handler(_is_passing)

    def has_clock_of(self, other: "Bucket") -> bool:
        """Return whether the times of both are those of one storage."""
        return self.files is other.files

    def lies_in(self, other: "Bucket") -> bool:
        """Return whether it is another place, or below it."""
        return self.files is other.files and f"{self.root}/".startswith(f"{other.root}/")

    def entries(self, folder: bytes = b"") -> Iterator[Entry]:
        """Yield what lies in a folder, one level deep. Raises OSError, FileNotFoundError where nothing does."""
        place = self._name(to_text(folder)) if folder else self.root
        with self._said(to_text(folder)):
            found = self.files.ls(place, detail=True, refresh=True)
        for info in found:
            full, is_folder = str(info["name"]), info["type"] == "directory"
            if full.endswith("/") and not is_folder:
                continue  # an empty object that stands for a folder
            if full == place and not is_folder:
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), self._told(to_text(folder)))
            name = to_bytes(full.removeprefix(f"{place}/"))
            if not name or b"/" in name:
                raise OSError(errno.EINVAL, "holds keys with '//' in them", self._told(to_text(folder)))
            yield Entry(os.path.join(folder, name), name, None if is_folder else status_of(info))

    def walk(self, folder: bytes = b"") -> Iterator[tuple[bytes, ObjectStatus]]:
        """Yield path and status of every object below a folder, whatever its depth. Raises OSError."""
        for entry in sorted(self.entries(folder), key=lambda entry: entry.name):
            if entry.status is None:
                yield from self.walk(entry.path)
            else:
                yield entry.path, entry.status

    def has(self, path: str) -> bool:
        """Return whether there is an object of this name."""
        try:
            with self._said(path):
                if not self.is_s3:
                    return bool(self.files.info(self._name(path))["type"] == "file")
                bucket, key, _ = self.files.split_path(self._name(path))
                self.files.call_s3("head_object", Bucket=bucket, Key=key)  # and no listing of what there is instead
                return True
        except FileNotFoundError:
            return False

    def read(self, path: str) -> bytes:
        """Read an object whole. Raises OSError."""
        with self._said(path):
            return bytes(self.files.cat_file(self._name(path)))

    def read_end(self, path: str, n_bytes: int) -> bytes:
        """Read the last bytes of an object. Raises OSError."""
        with self._said(path):
            return bytes(self.files.cat_file(self._name(path), start=-n_bytes))

    def opened(self, path: str) -> BinaryIO:
        """Open an object, to read it from its beginning on. Raises OSError, at every reading."""
        return cast("BinaryIO", io.BufferedReader(_Reader(self, path), _STREAMED))

    def read_part(self, path: str, start: int, end: int) -> bytes:
        """Read the bytes of an object from one place to before another. Raises OSError."""
        with self._said(path):
            return bytes(self.files.cat_file(self._name(path), start=start, end=end))

    def size(self, path: str) -> int:
        """Return how many bytes an object has. Raises OSError."""
        with self._said(path):
            return int(self.files.size(self._name(path)))

    def create(self, path: str, data: bytes) -> None:
        """Make an object, whole or not at all; one that is there already and has these bytes is as good.

        Raises FileExistsError where another is there, OSError.
        """
        more = _WHOLE if self.is_s3 else {}
        make = partial(self.files.pipe_file, self._name(path), data, mode="create", **more)
        if not self._create(path, make) and self.read(path) != data:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), self._told(path))

    def create_from(self, file: str, path: str) -> bool:
        """Make an object of a file of any size; return whether it was made and not there already. Raises OSError."""
        return self._create(path, partial(self.files.put_file, file, self._name(path), mode="create"))

    def _create(self, path: str, make: Callable[[], object]) -> bool:
        """Make an object where there is none; return whether there was none.

        One that is refused for another, which then is not there, was refused for one in the making: it is tried again.
        """
        for attempt in range(_ATTEMPTS):
            with self._said(path), contextlib.suppress(_Taken), _taken():
                make()
                return True
            if self.has(path):
                return False
            time.sleep(_PAUSE * 2**attempt)
        raise StorageError(f"{self._told(path)}: is refused as if it were there, and is not; run again to resume")

    def copy(self, source: bytes, path: str) -> bool:
        """Make an object of another one of the same storage, there; return whether it was made.

        It is not where there is one already, or the storage does not copy; `source` is a whole address. That a name is
        free is looked at, too: not every S3 minds what a copy says of that.
        """
        other = Bucket(source)
        if other.files is not self.files or self.has(path):
            return False
        try:
            with self._said(path), _taken():
                self._copy(other.root, self._name(path))
        except (_Taken, OSError, StorageError):
            return False
        return True

    def _copy(self, source: str, name: str) -> None:
        if not self.is_s3:
            self.files.cp_file(source, name)
            return
        (bucket, key, _), (to_bucket, to_key, _) = self.files.split_path(source), self.files.split_path(name)
        own = {"CopySource": {"Bucket": bucket, "Key": key}, "IfNoneMatch": "*"}
        self.files.call_s3("copy_object", Bucket=to_bucket, Key=to_key, **own)

    def delete(self, path: str) -> None:
        """Delete an object, which may be gone already. Raises OSError."""
        with self._said(path), contextlib.suppress(FileNotFoundError):
            self.files.rm_file(self._name(path))

    def _name(self, path: str) -> str:
        return _without_dots(f"{self.root}/{path}")

    @contextlib.contextmanager
    def _said(self, path: str) -> Iterator[None]:
        """Raise what the libraries of storages raise as OSError where it is of one object, else as StorageError."""
        try:
            yield
        except (_Taken, RebalanceError):
            raise
        except OSError as error:
            for kind, code in _CODES:
                if isinstance(error, kind):
                    raise kind(code, os.strerror(code), self._told(path)) from None
            raise self._failure(path, error) from None
        except Exception as error:  # noqa: BLE001  each library has its own
            raise self._failure(path, error) from None

    def _told(self, path: str) -> str:
        return f"{self.address}/{path}" if path else self.address

    def _failure(self, path: str, error: Exception) -> StorageError:
        return StorageError(f"{self._told(path)}: storage fails: {_first_line(error)}; run again to resume")


class _Reader(io.RawIOBase):
    """An object that is read part by part."""

    def __init__(self, bucket: Bucket, path: str) -> None:
        self._bucket, self._path = bucket, path
        self._place, self._end = 0, bucket.size(path)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        end = min(self._place + len(buffer), self._end)
        data = self._bucket.read_part(self._path, self._place, end) if end > self._place else b""
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)


class _Taken(Exception):  # noqa: N818  it is caught where it is raised
    """There is an object of that name, or there was one in the making."""


@contextlib.contextmanager
def _taken() -> Iterator[None]:
    """Raise _Taken for all the ways in which storages say it."""
    try:
        yield
    except FileExistsError:
        raise _Taken from None
    except OSError as error:
        if _answer(error.__cause__).get("Error", {}).get("Code") in _TAKEN:
            raise _Taken from None
        raise


_TAKEN = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict"})
"""What S3 says of a name that is taken, or is being taken."""
_CODES = (
    (FileNotFoundError, errno.ENOENT), (PermissionError, errno.EACCES), (NotADirectoryError, errno.ENOTDIR),
    (FileExistsError, errno.EEXIST), (IsADirectoryError, errno.EISDIR),
)  # fmt: skip


def _is_passing(error: Exception) -> bool:
    """Return whether S3 is asked again although the library would not: for whatever the storage is to blame for."""
    return bool(_answer(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500)


def _answer(error: BaseException | None) -> dict[str, Any]:
    """Return what S3 has answered, where an error is made of that."""
    return getattr(error, "response", None) or {}


def _without_dots(name: str) -> str:
    """Return a name without the `..` that a path beside the root has: a storage takes it for a name."""
    return normpath(name) if "/../" in f"{name}/" else name


def _settings(address: str) -> dict[str, Any]:
    """Return how a storage is opened: nothing is remembered of listings, and one request reads an object of S3."""
    is_s3 = address.startswith(("s3://", "s3a://"))
    return {"use_listings_cache": False} | ({"max_concurrency": 1} if is_s3 else {})


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
