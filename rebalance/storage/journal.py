"""The journal of a staged tree: a row for each finished file, so that a later run can tell what is good."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

from rebalance.dataset import Stamp, to_bytes, to_text
from rebalance.errors import StorageError
from rebalance.finished import Finished
from rebalance.storage.lines import decoded, row_of, written_of
from rebalance.storage.names import decode_name, encode_name
from rebalance.storage.places import Places, hash_of


class Journal:
    """Rows on disk, appended one by one; in memory only where each output's latest row lies, some 20 bytes each."""

    def __init__(self, path: bytes) -> None:
        """Open or make the journal; it ends before the first row that a kill or a power cut spoilt."""
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        self._path = path
        self._places = Places(self._name_at)
        self._end = 0
        with open(os.dup(self._descriptor), "rb") as file:
            for line in file:
                try:
                    self._take_in(_checked(line))
                except (ValueError, KeyError, TypeError):
                    break
                self._end += len(line)
        os.ftruncate(self._descriptor, self._end)
        self._end_of_earlier_runs = self._end

    def append(self, finished: Finished, boot: str) -> None:
        """Add the row of a finished file."""
        row = row_of(finished.written) | {"key": finished.key, "stamp": finished.stamp, "boot": boot}
        row["is_reused"] = finished.is_reused
        row["neighbor_stamp"] = finished.neighbor_stamp
        place = self._end
        self._write(row)
        self._places.set(to_bytes(finished.written.output), place)

    def forget(self, output: str) -> None:
        """Add a row that takes back those of an output: whatever lies under its name from now on is another file."""
        self._write({"forgotten": encode_name(output)})
        self._places.remove(to_bytes(output))

    def finish(self, request: str) -> None:
        """Add the row that ends the share of a request, durable when this returns."""
        self._write({"done": request})
        os.fsync(self._descriptor)

    def take_over(self, lines: Iterable[bytes]) -> bool:
        """Add the good rows of another journal, durable when this returns; return whether it ends with a share done."""
        row: dict[str, Any] = {}
        with contextlib.suppress(ValueError, KeyError, TypeError):
            for line in lines:
                row = _checked(line)
                self._take_in(row)
                self._write_line(line)
        os.fsync(self._descriptor)
        self._end_of_earlier_runs = self._end
        return "done" in row

    def lock(self) -> bool:
        """Return whether this process alone has the journal from now on until it is closed."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def may_have(self, output: str) -> bool:
        """Return whether an output has a row, or seems to, once in 2**64: for estimates, no row is read."""
        return self._places.get(to_bytes(output)) is not None

    def find(self, output: str) -> tuple[Finished, str] | None:
        """Return the latest row of an output and the boot it was written in, or None.

        Raises StorageError where the row is not there any more: a run on another machine may have written beside this.
        """
        place = self._places.get(to_bytes(output))
        if place is None:
            return None
        found = self._row(place)
        if found is not None and found[0].written.output == output:
            return found
        if found is not None and hash_of(to_bytes(found[0].written.output)) == hash_of(to_bytes(output)):
            return None
        raise StorageError(f"{to_text(self._path)}: was written to by another run; run again when that has ended")

    def is_of_earlier_run(self, output: str) -> bool:
        """Return whether an output, which has a row, was made before this journal was opened."""
        place = self._places.get(to_bytes(output))
        if place is not None and place < self._end_of_earlier_runs:
            return True
        found = self.find(output)
        return found is not None and found[0].is_reused

    def is_begun(self) -> bool:
        """Return whether there is any row."""
        return self._end > 0

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _take_in(self, row: dict[str, Any]) -> None:
        """Note where the row at the end lies. Raises what a spoilt row raises."""
        if "forgotten" in row:
            self._places.remove(to_bytes(decode_name(row["forgotten"])))
        elif "done" not in row:
            self._places.set(to_bytes(_parsed(row)[0].written.output), self._end)

    def _name_at(self, place: int) -> bytes | None:
        found = self._row(place)
        return None if found is None else to_bytes(found[0].written.output)

    def _row(self, place: int) -> tuple[Finished, str] | None:
        """Return the row at a place and the boot it was written in, or None where there is none that is whole."""
        try:
            return _parsed(_checked(self._line(place)))
        except (ValueError, KeyError, TypeError):
            return None

    def _write(self, row: Mapping[str, object]) -> None:
        self._write_line(json.dumps(row, separators=(",", ":")).encode() + b"\n")

    def _write_line(self, line: bytes) -> None:
        written = 0
        try:
            while written < len(line):
                written += os.write(self._descriptor, line[written:])
        except OSError as error:
            error.filename = self._path  # which a descriptor does not tell
            raise
        self._end += len(line)

    def _line(self, place: int) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            piece = os.pread(self._descriptor, 4096, place + len(line))
            if not piece:
                break
            end = piece.find(b"\n") + 1
            line += piece[:end] if end else piece
        return line


def _checked(line: bytes) -> dict[str, Any]:
    if not line.endswith(b"\n"):
        message = "a row cut short"
        raise ValueError(message)
    return decoded(json.loads(line))


def _parsed(row: dict[str, Any]) -> tuple[Finished, str]:
    neighbor_stamp = None if row["neighbor_stamp"] is None else Stamp(*row["neighbor_stamp"])
    finished = Finished(written_of(row), row["key"], Stamp(*row["stamp"]), row["is_reused"], neighbor_stamp)
    return finished, row["boot"]
