"""What is to do for a plan: tasks for workers, source by source, without what is staged and good."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from rebalance.backends import is_remote
from rebalance.keys import Conditions, fingerprint_of, plain_fingerprint
from rebalance.perform import Candidate, Task
from rebalance.plan import SOURCE_LIKE, ClassTarget, Made, Plan, Recipe, Rendering, Unusable
from rebalance.reuse import EarlierWork
from rebalance.run import RunOptions
from rebalance.storage.manifest import digest
from rebalance.storage.request import rendering_of

_FILES_A_BATCH = 16
"""Little enough that a kill costs little, enough that handing over costs nothing."""
_FILES_FAR_AWAY = 96
"""The same where a scheduler takes milliseconds for each batch."""
_COPIES_A_TASK = 64
_LARGE = 2**20
"""Bytes of a source above which a task has fewer copies: what a kill costs is to stay a matter of seconds."""


@dataclass(frozen=True, slots=True)
class Tasks:
    """The tasks of a run, or of its shard."""

    plan: Plan
    unusable: Mapping[str, Unusable]
    options: RunOptions
    versions: Mapping[str, str]
    """Of what decides the bytes of files."""
    earlier: EarlierWork
    skip: Callable[[Made, str], None]
    """Called with each file that is staged and good, and its class."""

    @property
    def n_files(self) -> int:
        """How many files there are to be in the end."""
        if self.options.shard is None:
            return self.plan.n_outputs
        return sum(1 for target in self.plan.all_targets for _ in self._made(target))

    def batches(self) -> Iterator[list[Task]]:
        """Yield tasks until a batch has enough files."""
        n_each = _FILES_FAR_AWAY if is_remote() else _FILES_A_BATCH
        batch: list[Task] = []
        n_files = 0
        for target in self.plan.all_targets:
            for task in self._of_class(target):
                batch.append(task)
                n_files += len(task.wanted)
                if n_files >= n_each:
                    yield batch
                    batch, n_files = [], 0
        if batch:
            yield batch

    def _made(self, target: ClassTarget) -> Iterator[Made]:
        """Yield the files of a class that this run is to make, source by source."""
        shard = self.options.shard
        return (
            made
            for made in self.plan.made_by_source(target.directory)
            if shard is None or shard.takes(made.source.path)
        )

    def _of_class(self, target: ClassTarget) -> Iterator[Task]:
        """Yield what is to do of a class, source by source; what is staged and good is skipped."""
        plan = self.plan
        is_carried = target.split != plan.targets[0].split
        recipe: Recipe = {} if is_carried else plan.recipe(target.class_name)
        conditions = self._conditions(recipe, is_carried=is_carried)
        for source, operations in groupby(self._made(target), key=lambda operation: operation.source):
            reason = self.unusable[source.path].reason if source.path in self.unusable else None
            wanted = list(self._wanted(map(plan.aimed, operations), conditions, reason, target.class_name))
            n_each = max(1, min(_COPIES_A_TASK, _COPIES_A_TASK * _LARGE // (source.stamp.size + 1)))
            for start in range(0, len(wanted), n_each):
                part = tuple(wanted[start : start + n_each])
                yield Task(source, target.class_name, recipe, conditions, part, reason)

    def _conditions(self, recipe: Recipe, *, is_carried: bool) -> Conditions:
        request = self.plan.request
        rendering = rendering_of(request)
        if is_carried:
            rendering = SOURCE_LIKE._replace(engine=rendering.engine, max_pixels=rendering.max_pixels)
        return Conditions(
            seed=request["seed"],
            drawn_by=fingerprint_of(recipe, rendering, self.versions),
            encoded_by=plain_fingerprint(recipe, rendering, self.versions),
            link=self.options.link,
            check=request["check"],
            rendering=rendering,
            shown_by=self._shown_by(recipe, rendering),
        )

    def _shown_by(self, recipe: Recipe, rendering: Rendering) -> str:
        """Return what names how samples are shown; the recipe is of the copies of `nearest` alone."""
        visible = self.options.visible
        if visible is None:
            return ""
        name = fingerprint_of if visible.render == "nearest" else plain_fingerprint
        return digest([visible.digest(), name(recipe, rendering, self.versions)])

    def _wanted(
        self, operations: Iterator[Made], conditions: Conditions, reason: str | None, class_name: str
    ) -> Iterator[tuple[Made, Candidate | None]]:
        for operation in operations:
            if self.earlier.is_staged(operation, conditions, reason):
                self.skip(operation, class_name)
            else:
                yield operation, self.earlier.candidate(operation, conditions, reason)
