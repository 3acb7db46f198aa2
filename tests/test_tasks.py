import tracemalloc
from contextlib import closing
from pathlib import Path

from rebalance.dataset import ClassFolder, Dataset, ImageFile, Stamp
from rebalance.plan import Plan
from rebalance.planning.augment import AugmentOptions, plan_augment
from rebalance.planning.targets import SamplingStrategy
from rebalance.reuse import EarlierWork
from rebalance.run import RunOptions
from rebalance.shards import Shard
from rebalance.storage.staging import Staging, claim_staging
from rebalance.tasks import Tasks

N_SOURCES = 1000
COPIES = 100


def plan_of(n_sources: int, n_copies: int) -> Plan:
    images = tuple(ImageFile(f"a/{number:06d}.jpg", Stamp(1, 2, 3, 4)) for number in range(n_sources))
    strategy = SamplingStrategy(exact={"a": n_sources * (1 + n_copies)})
    options = AugmentOptions(strategy, 0, {"rotation_range": 7.0}, others={"check": "header"})
    return plan_augment(Dataset("root", (ClassFolder("a", images),)), options, {})


def tasks_of(plan: Plan, staging: Staging, shard: Shard | None = None) -> Tasks:
    earlier = EarlierWork(staging, None, "boot")
    return Tasks(plan, {}, RunOptions(1, shard=shard), {}, earlier, lambda _made, _class_name: None)


def test_tasks_and_operations_do_not_wait_in_memory(tmp_path: Path) -> None:
    """Some 300 bytes an operation would be 30 MB; what stays is of the 1,000 sources."""
    plan = plan_of(N_SOURCES, COPIES)
    staging = claim_staging(bytes(tmp_path / "out"))
    with closing(staging.journal):
        tracemalloc.start()
        try:
            n_made = sum(len(task.wanted) for batch in tasks_of(plan, staging).batches() for task in batch)
            n_listed = sum(1 for target in plan.targets for _ in plan.made(target))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert n_made == n_listed == N_SOURCES * (1 + COPIES)
    assert peak < 2_000_000


def test_shards_have_all_files_between_them_each_once(tmp_path: Path) -> None:
    plan = plan_of(50, 7)
    staging = claim_staging(bytes(tmp_path / "out"))
    outputs = []
    with closing(staging.journal):
        for number in (1, 2, 3):
            tasks = tasks_of(plan, staging, Shard(number, 3))
            own = [made.output for batch in tasks.batches() for task in batch for made, _candidate in task.wanted]
            assert len(own) == tasks.n_files
            outputs += own
    assert sorted(outputs) == [made.output for made in plan.made(plan.targets[0])]
