"""What has been computed of images so far, kept beside the file it is for, so that a later run goes on from there."""

import base64
import contextlib
import errno
import json
import os
from collections.abc import Iterator

import numpy as np

from rebalance.dataset import Stamp, to_text
from rebalance.errors import OutputRefusedError
from rebalance.storage.names import decode_name, encode_name
from rebalance.vectors import Rows

_OURS = b'{"rebalance": "numbers", "key": '
"""How the first line of a journal begins."""


def remove_numbers(path: bytes) -> None:
    """Delete the journal of a file that stands, where one of ours is left; where it cannot be, a later run will."""
    with contextlib.suppress(OSError):
        if os.path.isfile(path):
            with open(path, "rb") as file:
                begin = file.read(len(_OURS))
            if _is_ours(begin):
                os.unlink(path)


def _is_ours(begin: bytes) -> bool:
    """Return whether a journal begins so: a full disk may have cut it short, a power cut have left zeros of it."""
    return _OURS.startswith(begin.rstrip(b"\0"))


def _in_the_way(path: bytes) -> OutputRefusedError:
    return OutputRefusedError(f"{to_text(path)}: is in the way and not of our making: move it away")


class NumbersJournal:
    """Rows on disk, one an image; those that an earlier run wrote under the same key are found again."""

    def __init__(self, path: bytes, key: str) -> None:
        """Open or make the journal: it begins anew under another key, and ends before the first spoilt row."""
        self._path = path
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        except (IsADirectoryError, OSError) as error:
            if not isinstance(error, IsADirectoryError) and error.errno != errno.ELOOP:
                raise
            raise _in_the_way(path) from None
        self._file = open(descriptor, "r+b")  # noqa: SIM115  closed by `close`
        if not _is_ours(self._file.read(len(_OURS))):
            self._file.close()
            raise _in_the_way(path)
        self._rows: dict[str, tuple[Stamp, str, Rows]] = {}
        self._file.seek(0)
        head = _OURS + json.dumps(key).encode() + b"}\n"
        end = len(head) if self._file.readline() == head else 0
        for length, name, row in self._earlier() if end else ():
            self._rows[name] = row
            end += length
        self._file.truncate(end)
        if not end:
            self._append(head)

    def find(self, path: str, stamp: Stamp) -> tuple[str, Rows] | None:
        """Return sha256 and numbers of an image that is still what it was, or None."""
        row = self._rows.get(path)
        return row[1:] if row is not None and row[0].is_of(stamp) else None

    def append(self, path: str, stamp: Stamp, sha256: str, numbers: Rows) -> None:
        """Add the row of an image."""
        text = base64.b64encode(numbers.astype("<f4").tobytes()).decode()
        self._append(json.dumps([encode_name(path), stamp, sha256, text]).encode() + b"\n")

    def close(self) -> None:
        """Close the file; what its rows lose by a failure, a later run makes anew."""
        with contextlib.suppress(OSError):
            self._file.close()

    def _append(self, line: bytes) -> None:
        self._file.write(line)
        self._file.flush()

    def _earlier(self) -> Iterator[tuple[int, str, tuple[Stamp, str, Rows]]]:
        for line in self._file:
            try:
                if not line.endswith(b"\n"):
                    return
                name, stamp, sha256, text = json.loads(line)
                numbers = np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)
                yield len(line), decode_name(name), (Stamp(*stamp), str(sha256), numbers)
            except (ValueError, TypeError):
                return
