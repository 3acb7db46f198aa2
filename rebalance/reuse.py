"""What earlier runs have left that serves again: staged files, and files of the tree that is to be replaced."""

from collections.abc import Mapping
from dataclasses import dataclass

from rebalance import __version__
from rebalance.perform import Candidate, Manner, key_of
from rebalance.plan import Augment, Finished, Made, Recipe, Rendering
from rebalance.storage.manifest import digest
from rebalance.storage.previous import PreviousOutput
from rebalance.storage.request import originals_of, recipe_of, rendering_of
from rebalance.storage.staging import Staging


def fingerprint_of(
    recipe: Recipe, rendering: Rendering, originals: str, versions: Mapping[str, str], program: str = __version__
) -> str:
    """Return what names versions, rendering and recipe: what a source becomes depends on nothing else."""
    made_by = {"rebalance": program, "versions": versions, "rendering": rendering._asdict(), "originals": originals}
    return digest({**made_by, "recipe": recipe})


@dataclass(frozen=True, slots=True)
class EarlierWork:
    """Where finished files may be found."""

    staging: Staging
    previous: PreviousOutput | None
    boot: str

    def is_staged(self, operation: Made, manner: Manner, note: str | None) -> bool:
        """Return whether a file is staged and needs no second look: source untouched, machine not restarted since."""
        found = self.staging.journal.find(operation.output)
        return (
            found is not None
            and found[1] == self.boot
            and found[0].stamp == operation.source.stamp
            and self._is_same(operation, found[0], manner, note)
        )

    def candidate(self, operation: Made, manner: Manner, note: str | None) -> Candidate | None:
        """Return a file that may be what this operation would make, for a worker to compare byte by byte.

        A staged file that is not what the operation would make is forgotten, before another takes its name.
        """
        found = self.staging.journal.find(operation.output)
        if found is not None and self._is_same(operation, found[0], manner, note):
            return Candidate(self.staging.tree, found[0], is_staged=True)
        if found is not None:
            self.staging.journal.forget(operation.output)
        return self._candidate_of_previous(operation, manner)

    def _candidate_of_previous(self, operation: Made, manner: Manner) -> Candidate | None:
        if self.previous is None or not isinstance(operation, Augment):
            return None
        head = self.previous.head
        written = self.previous.find(operation.output)
        if written is None or written.copy_number is None or head["seed"] != manner.seed:
            return None
        request = head["request"]
        made_by = (recipe_of(request, written.class_name), rendering_of(request), originals_of(request))
        if fingerprint_of(*made_by, head["versions"], head["rebalance"]) != manner.fingerprint:
            return None
        key = key_of(operation, manner, None, written.source_sha256)
        return Candidate(self.previous.folder, Finished(written, key, operation.source.stamp), is_staged=False)

    def _is_same(self, operation: Made, finished: Finished, manner: Manner, note: str | None) -> bool:
        written = finished.written
        is_keyed = finished.key == key_of(operation, manner, note, written.source_sha256)
        return is_keyed and self.staging.holds(operation.output, written.n_bytes)
