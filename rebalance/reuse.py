"""What earlier runs have left that serves again: staged files, and files of the tree that is to be replaced."""

from dataclasses import dataclass

from rebalance.finished import Finished
from rebalance.keys import Conditions, fingerprint_of, is_encoded, key_of, plain_fingerprint
from rebalance.perform import Candidate
from rebalance.plan import Augment, Interpolate, Made
from rebalance.storage.previous import PreviousOutput
from rebalance.storage.request import recipe_of, rendering_of
from rebalance.storage.stage import Stage


@dataclass(frozen=True, slots=True)
class EarlierWork:
    """Where finished files may be found."""

    staging: Stage
    previous: PreviousOutput | None
    boot: str

    def is_staged(self, operation: Made, conditions: Conditions, unusable: str | None) -> bool:
        """Return whether a file is staged and needs no second look: source untouched, machine not restarted since."""
        found = self.staging.journal.find(operation.output)
        return (
            found is not None
            and found[1] == self.boot
            and found[0].stamp == operation.source.stamp
            and found[0].neighbor_stamp == (operation.neighbor.stamp if isinstance(operation, Interpolate) else None)
            and self._is_same(operation, found[0], conditions, unusable)
        )

    def candidate(self, operation: Made, conditions: Conditions, unusable: str | None) -> Candidate | None:
        """Return a file that may be what this operation would make, for a worker to compare byte by byte.

        A staged file that is not what the operation would make is forgotten, before another takes its name.
        """
        found = self.staging.journal.find(operation.output)
        if found is not None and self._is_same(operation, found[0], conditions, unusable):
            return Candidate(self.staging.tree, found[0], is_staged=True)
        if found is not None:
            self.staging.forget(operation.output)
        if isinstance(operation, Interpolate):
            return self._sample_of_previous(operation, conditions)
        return self._candidate_of_previous(operation, conditions, unusable)

    def _candidate_of_previous(self, operation: Made, conditions: Conditions, unusable: str | None) -> Candidate | None:
        if self.previous is None or not is_encoded(operation, conditions.rendering, unusable):
            return None
        head = self.previous.head
        written = self.previous.find(operation.output)
        if written is None or written.is_unusable or head["seed"] != conditions.seed:
            return None
        if (written.kind, written.source) != (operation.kind, operation.source.path):
            return None
        is_drawn = isinstance(operation, Augment)
        if not (is_drawn or written.is_reencoded):
            return None
        recipe, rendering = recipe_of(head["request"], written.class_name), rendering_of(head["request"])
        name = fingerprint_of if is_drawn else plain_fingerprint
        made_by = name(recipe, rendering, head["versions"], head["rebalance"])
        if made_by != (conditions.drawn_by if is_drawn else conditions.encoded_by):
            return None
        key = key_of(operation, conditions, None, written.source_sha256, None)
        return Candidate(self.previous.folder, Finished(written, key, operation.source.stamp), is_staged=False)

    def _sample_of_previous(self, operation: Interpolate, conditions: Conditions) -> Candidate | None:
        """Return a synthetic sample whose line has the key that this operation would give it."""
        written = self.previous.find(operation.output) if self.previous else None
        if self.previous is None or written is None:
            return None
        key = key_of(operation, conditions, None, written.source_sha256, written.neighbor_sha256)
        finished = Finished(written, key, operation.source.stamp)
        return Candidate(self.previous.folder, finished, is_staged=False) if written.key == key else None

    def _is_same(self, operation: Made, finished: Finished, conditions: Conditions, unusable: str | None) -> bool:
        written = finished.written
        sums = written.source_sha256, written.neighbor_sha256
        is_keyed = finished.key == key_of(operation, conditions, unusable, *sums)
        return is_keyed and self.staging.holds(operation.output, written.n_bytes)
