"""What earlier runs have left that serves again: staged files, and files of the tree that is to be replaced."""

from collections.abc import Mapping
from dataclasses import dataclass

from rebalance.images.codec import ENGINE
from rebalance.perform import Candidate, key_of
from rebalance.plan import Augment, Finished, Made, Recipe
from rebalance.storage.manifest import digest
from rebalance.storage.previous import PreviousOutput
from rebalance.storage.staging import Staging


def fingerprint_of(recipe: Recipe, versions: Mapping[str, str], engine: str = ENGINE) -> str:
    """Return what names engine, versions and recipe: what a source becomes depends on nothing else."""
    return digest({"engine": engine, "versions": versions, "recipe": recipe})


@dataclass(frozen=True, slots=True)
class EarlierWork:
    """Where finished files may be found."""

    staging: Staging
    previous: PreviousOutput | None
    boot: str
    seed: int
    link: str

    def is_staged(self, operation: Made, fingerprint: str) -> bool:
        """Return whether a file is staged and needs no second look: source untouched, machine not restarted since."""
        found = self.staging.journal.find(operation.output)
        return (
            found is not None
            and found[1] == self.boot
            and found[0].stamp == operation.source.stamp
            and self._is_same(operation, found[0], fingerprint)
        )

    def candidate(self, operation: Made, fingerprint: str) -> Candidate | None:
        """Return a file that may be what this operation would make, for a worker to compare byte by byte."""
        found = self.staging.journal.find(operation.output)
        if found is not None and self._is_same(operation, found[0], fingerprint):
            return Candidate(self.staging.tree, found[0], is_staged=True)
        if self.previous is None or not isinstance(operation, Augment):
            return None
        head = self.previous.head
        recipe = head["request"].get("recipe")
        if head["seed"] != self.seed or fingerprint != fingerprint_of(recipe, head["versions"], head["engine"]):
            return None
        written = self.previous.find(operation.output)
        if written is None:
            return None
        key = key_of(operation, fingerprint, written.source_sha256, self.seed, self.link)
        return Candidate(self.previous.folder, Finished(written, key, operation.source.stamp), is_staged=False)

    def _is_same(self, operation: Made, finished: Finished, fingerprint: str) -> bool:
        written = finished.written
        key = key_of(operation, fingerprint, written.source_sha256, self.seed, self.link)
        return key == finished.key and self.staging.holds(operation.output, written.n_bytes)
