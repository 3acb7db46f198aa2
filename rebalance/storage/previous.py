"""An output tree that is about to be replaced: which of its files may serve again."""

import os
from typing import TYPE_CHECKING, Any

from rebalance.dataset import to_bytes, to_text
from rebalance.errors import OutputRefusedError
from rebalance.finished import Written
from rebalance.storage.foreign import find_foreign_in
from rebalance.storage.lines import written_of
from rebalance.storage.manifest import Manifest, checked_row, read_manifest, refused_if_spoilt
from rebalance.storage.places import Places

if TYPE_CHECKING:
    from collections.abc import Mapping

_LITTER = frozenset({b".DS_Store", b"Thumbs.db", b".snakemake_timestamp"})


class PreviousOutput:
    """The lines of an old manifest by path; in memory only where each lies, some 20 bytes each."""

    def __init__(self, folder: bytes, manifest: Manifest) -> None:
        """Read the manifest once."""
        self.folder = folder
        self.head: Mapping[str, Any] = manifest.head
        self._path = manifest.path
        self._places = Places(self._name_at)
        self._of_all = {to_bytes(row["path"]) for row in manifest.rows_of_all}
        self._folders = {os.path.dirname(path) for path in self._of_all}
        with open(manifest.path, "rb") as file:
            place = len(next(file))
            for line in file:
                row = checked_row(line, "its line")
                if "path" in row:
                    path = to_bytes(row["path"])
                    self._places.set(path, place)
                    self._folders.add(os.path.dirname(path))
                place += len(line)

    def find(self, output: str) -> Written | None:
        """Return the line of a file, or None."""
        place = self._places.get(to_bytes(output))
        row = None if place is None else self._row(place)
        return written_of(row) if row and row["path"] == output else None

    def __contains__(self, path: object) -> bool:
        """Return whether a path is of our making."""
        return path in self._of_all or path in self._places

    def check_only_ours(self) -> None:
        """Raise OutputRefusedError where the tree holds what its manifest does not list, common litter aside."""
        for path in find_foreign_in(self.folder, self, self._folders):
            if os.path.basename(path) not in _LITTER:
                raise OutputRefusedError(
                    f"{to_text(os.path.join(self.folder, path))}: is in OUTPUT and not of our making; "
                    "it would be lost: move it away"
                )

    def _row(self, place: int) -> dict[str, Any]:
        with open(self._path, "rb") as file:
            file.seek(place)
            return checked_row(file.readline(), "its line")

    def _name_at(self, place: int) -> bytes:
        return to_bytes(self._row(place)["path"])


def read_previous(folder: bytes) -> PreviousOutput:
    """Return the tree to be replaced. Raises OutputRefusedError where something in it would be lost or is spoilt."""
    with refused_if_spoilt():
        previous = PreviousOutput(folder, read_manifest(folder))
    previous.check_only_ours()
    return previous
