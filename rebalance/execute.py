"""Carrying a plan out: stage every file, make up for what is bad, publish the whole."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from typing import NoReturn

from rebalance.backends import prove
from rebalance.batches import run_batches
from rebalance.dataset import Dataset, for_any_process, to_bytes
from rebalance.errors import (
    BadImagesError,
    OutputRefusedError,
    RebalanceError,
    StorageError,
    TargetError,
    WorkerError,
    listed,
)
from rebalance.finished import Failed
from rebalance.freshness import check_source_stands
from rebalance.images.codec import library_versions
from rebalance.perform import Worker
from rebalance.plan import ClassTarget, Made, Plan, Unusable
from rebalance.preflight import check_disk
from rebalance.reuse import EarlierWork
from rebalance.run import Listener, Outcome, Planner, RunOptions
from rebalance.sealing import seal
from rebalance.storage.manifest import digest, request_of
from rebalance.storage.output import check_link, check_output, check_replaceable
from rebalance.storage.previous import read_previous
from rebalance.storage.request import rendering_of
from rebalance.storage.stage import Stage, held, held_by_shards, open_shared_stage, open_stage
from rebalance.tasks import Tasks


def execute(
    planner: Planner,
    dataset: Dataset,
    rescan: Callable[[], Dataset],
    output: str,
    options: RunOptions,
    listener: Listener,
) -> Outcome:
    """Make OUTPUT hold what is planned of the dataset, whole and durable, or leave it as it was.

    `rescan` reads the source once more before the end. Raises the RebalanceError that says why there is no new OUTPUT;
    finished work is kept beside it for the next run.
    """
    path = to_bytes(output)
    check_link(dataset, output, options.link)
    with held(path):
        is_replacing = _check_replaced(dataset, output, options)
        previous = read_previous(path) if is_replacing else None
        request = partial(_request_of, planner, dataset, options)
        with open_stage(path, request, is_overwriting=options.is_overwriting) as staging:
            if left := staging.gather_shares():
                listener.warn(f"{listed((shard.told() for shard in left), 8)} not done: what they lack is made now")
            run = _Run(dataset, options, listener, staging, EarlierWork(staging, previous, staging.boot))
            try:
                plan, unusable = run.make_all(planner)
            except RebalanceError:
                staging.remove_if_empty()
                raise
            run.settle(plan)
            check_source_stands(dataset, rescan(), listener.warn)
            notes = seal(plan, dataset, staging, run.versions)
            listener.publishing()
            staging.publish(path, is_replacing=is_replacing)
            staging.remove()
    return Outcome(plan, run.n_reused, unusable, notes)


def execute_share(
    planner: Planner,
    dataset: Dataset,
    rescan: Callable[[], Dataset],
    output: str,
    options: RunOptions,
    listener: Listener,
) -> Outcome:
    """Stage the share of a plan that is asked for, durably, beside OUTPUT; other shards may do theirs meanwhile.

    `execute` makes OUTPUT of what all have staged. Raises what that raises; images that cannot be used are left to it,
    but under `--bad-images fail`.
    """
    assert options.shard is not None
    path = to_bytes(output)
    check_link(dataset, output, options.link)
    plan = planner(options.unusable)
    request = _request_of(planner, dataset, options)
    with held_by_shards(path):
        previous = read_previous(path) if _check_replaced(dataset, output, options) else None
        with open_shared_stage(path, request, options.shard) as staging:
            run = _Run(dataset, options, listener, staging, EarlierWork(staging, previous, staging.boot))
            unusable = run.make_share(plan)
            check_source_stands(dataset, rescan(), listener.warn)
            staging.finish_share(request)
    return Outcome(plan, run.n_reused, unusable, n_staged=run.n_planned)


def _request_of(planner: Planner, dataset: Dataset, options: RunOptions) -> str:
    """Return what names the run."""
    return digest(request_of(planner(options.unusable), dataset))


def _check_replaced(dataset: Dataset, output: str, options: RunOptions) -> bool:
    """Return whether there is an OUTPUT to replace. Raises OutputRefusedError where it is not to be replaced."""
    is_replacing = check_output(dataset, output)
    if is_replacing and not options.is_overwriting:
        raise OutputRefusedError(f"{output}: has appeared since this run began; run again to see whether it will do")
    if is_replacing:
        check_replaceable(output)
    return is_replacing


@dataclass(slots=True)
class _Run:
    dataset: Dataset
    options: RunOptions
    listener: Listener
    staging: Stage
    earlier: EarlierWork
    versions: Mapping[str, str] = field(default_factory=dict)
    n_planned: int = 0
    n_reused: int = 0
    n_done: int = 0

    def make_all(self, planner: Planner) -> tuple[Plan, dict[str, Unusable]]:
        """Stage every file of the plan; where sources turn out bad, plan again without them and make the difference."""
        unusable = dict(self.options.unusable)
        while True:
            plan = self._plan(planner, unusable)
            if not plan.has_images:
                self._look_up_versions(plan)
                return plan, unusable
            failed = self._make_checked(plan, unusable)
            if not failed:
                return plan, unusable
            unusable |= failed

    def make_share(self, plan: Plan) -> dict[str, Unusable]:
        """Stage the files of a plan that are of the shard; return what is bad among their sources."""
        return self._make_checked(plan, self.options.unusable)

    def _make_checked(self, plan: Plan, unusable: Mapping[str, Unusable]) -> dict[str, Unusable]:
        """Stage what is not staged yet; return the sources that turned out bad. Raises where the run ends of them."""
        self._look_up_versions(plan)
        check_disk(plan, self.dataset, self.staging, self.options.link)
        failed = self._make(plan, unusable)
        if any(failure.is_of_machine for failure in failed):
            self._give_up(failed)
        if (failed and plan.request["bad_images"] == "fail") or any(failure.source in unusable for failure in failed):
            self._refuse(failed, plan)
        is_carrying = plan.request["bad_images"] == "carry"
        return {
            failure.source: Unusable(failure.reason, failure.is_unfit or is_carrying, failure.sha256)
            for failure in failed
        }

    def _look_up_versions(self, plan: Plan) -> None:
        own = self.options.visible.versions() if self.options.visible else {}
        self.versions = library_versions(rendering_of(plan.request).engine) | own

    def _plan(self, planner: Planner, unusable: Mapping[str, Unusable]) -> Plan:
        """Plan without what is unusable; where that cannot be done, say what it was."""
        try:
            return planner(unusable)
        except TargetError:
            for source, reason in sorted((source, reason) for source, (reason, *_) in unusable.items()):
                self.listener.list_bad(source, reason)
            raise

    def _refuse(self, failed: list[Failed], plan: Plan) -> NoReturn:
        """List the bad images and raise BadImagesError."""
        self._list(failed)
        if self.n_reused:
            self.listener.warn(f"reused {self.n_reused} of {plan.n_outputs}")
        what = "1 image" if len(failed) == 1 else f"{len(failed)} images"
        ways_out = "mend, remove or --exclude them and run again, or take --bad-images skip"
        raise BadImagesError(f"{what} of SOURCE cannot be used: {ways_out}; the finished work is kept")

    def _give_up(self, failed: list[Failed]) -> NoReturn:
        """List the images that the disk did not give, with all others, and raise StorageError."""
        self._list(failed)
        n_unread = sum(failure.is_of_machine for failure in failed)
        what = "1 image of SOURCE" if n_unread == 1 else f"{n_unread} images of SOURCE"
        raise StorageError(
            f"{what} cannot be read; all others are done and kept: mend the disk and run again to resume"
        )

    def _list(self, failed: Iterable[Failed]) -> None:
        for failure in failed:
            self.listener.list_bad(failure.source, failure.reason)

    def settle(self, plan: Plan) -> None:
        """Leave in the staged tree exactly what the plan asks for, and check that it is all there."""
        self.staging.clear_temporary()
        targets = () if plan.is_list else plan.all_targets
        self.staging.settle_directories(target.directory for target in targets)
        for target in targets:
            n_files = self.staging.settle(target.directory, partial(_outputs, plan, target))
            if plan.has_images and n_files != target.n_target:
                message = f"{target.directory!r} was planned as {target.n_target} files and has {n_files}"
                raise AssertionError(message)

    def _make(self, plan: Plan, unusable: Mapping[str, Unusable]) -> list[Failed]:
        """Make what is not staged yet and return the sources that failed."""
        tasks = Tasks(plan, unusable, self.options, self.versions, self.earlier, self._skip)
        self.n_planned, self.n_reused, self.n_done = tasks.n_files, 0, 0
        failed: dict[str, Failed] = {}
        root = for_any_process(self.dataset.root)
        worker = Worker(root, self.staging.for_workers(self.options.link), self.options.visible)
        self._prove(root)
        results = run_batches(
            worker.perform_all,
            tasks.batches(),
            self.options.n_workers,
            describe=lambda task: repr(task.source.path),
        )
        try:
            with contextlib.closing(results):
                for result in chain.from_iterable(results):
                    if isinstance(result, Failed):
                        failed[result.source] = result
                    else:
                        self.staging.journal.append(result, self.earlier.boot)
                        self.n_reused += result.is_reused
                        self._count(result.written.class_name)
        except WorkerError:  # said of others, after all there was to do
            self._list(sorted(failed.values()))
            raise
        return sorted(failed.values())

    def _prove(self, root: bytes) -> None:
        """Raise WorkerError where workers elsewhere do not see SOURCE and the staging."""
        images = (os.path.join(root, to_bytes(image.path)) for image in self.dataset.images())
        prove([self.staging.state, *islice(images, 1)])

    def _skip(self, operation: Made, class_name: str) -> None:
        """Count a file that is staged and good."""
        self.n_reused += self.staging.journal.is_of_earlier_run(operation.output)
        self._count(class_name)

    def _count(self, class_name: str) -> None:
        self.n_done += 1
        self.listener.progress(self.n_done, self.n_planned, class_name)


def _outputs(plan: Plan, target: ClassTarget) -> Iterator[str]:
    """Yield the paths of the files of a directory of OUTPUT."""
    return (operation.output for operation in plan.made(target)) if plan.has_images else iter(())
