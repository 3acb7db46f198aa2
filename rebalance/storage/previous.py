"""An output tree that is about to be replaced: which of its files may serve again."""

import json
import os
from typing import TYPE_CHECKING, Any

from rebalance.dataset import to_bytes
from rebalance.errors import ManifestError, OutputRefusedError
from rebalance.plan import Written
from rebalance.storage.manifest import NAME, Manifest, decoded, read_manifest, written_of

if TYPE_CHECKING:
    from collections.abc import Mapping


class PreviousOutput:
    """The lines of an old manifest by path; in memory only where each lies."""

    def __init__(self, folder: bytes, manifest: Manifest) -> None:
        """Read the manifest once."""
        self.folder = folder
        self.head: Mapping[str, Any] = manifest.head
        self._path = manifest.path
        self._places: dict[bytes, int] = {}
        with open(manifest.path, "rb") as file:
            place = len(next(file))
            for line in file:
                row = decoded(json.loads(line))
                if "path" in row:
                    self._places[to_bytes(row["path"])] = place
                place += len(line)

    def find(self, output: str) -> Written | None:
        """Return the line of a file, or None."""
        place = self._places.get(to_bytes(output))
        if place is None:
            return None
        with open(self._path, "rb") as file:
            file.seek(place)
            return written_of(decoded(json.loads(file.readline())))

    def check_only_ours(self) -> None:
        """Raise OutputRefusedError where the tree holds a file that its manifest does not list, hidden ones aside."""
        for folder, folders, names in os.walk(self.folder):
            folders.sort()
            for name in sorted(names):
                path = os.path.relpath(os.path.join(folder, name), self.folder)
                if path not in self._places and path != NAME.encode() and not name.startswith(b"."):
                    raise OutputRefusedError(
                        f"{os.fsdecode(os.path.join(folder, name))}: is in OUTPUT and not of our making; "
                        "it would be lost: move it away"
                    )


def read_previous(folder: bytes) -> PreviousOutput | None:
    """Return the tree to be replaced; None where its manifest is spoilt, so that nothing of it can be taken."""
    try:
        return PreviousOutput(folder, read_manifest(folder))
    except ManifestError:
        return None
