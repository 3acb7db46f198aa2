"""The nouns of a run: what it is told, whom it tells, what it did."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rebalance.plan import Plan, Unusable
from rebalance.shards import Shard

if TYPE_CHECKING:
    from rebalance.embedders import Visible

Planner = Callable[[Mapping[str, Unusable]], Plan]
"""Makes the plan again, knowing which images turned out to be of no use."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a plan is carried out; what decides its files stands in its request."""

    n_workers: int
    link: str = "auto"
    is_overwriting: bool = False
    unusable: Mapping[str, Unusable] = field(default_factory=dict)
    """Images that are known to be of no use before any file is made."""
    visible: "Visible | None" = None
    """How synthetic samples are made visible, where there are such."""
    shard: Shard | None = None
    """The share of the files that is made; None: all of them, and OUTPUT."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Whom a run tells how it goes."""

    progress: Callable[[int, int, str], None] = lambda _n_done, _n_all, _class_name: None
    """Called with the files finished, the files planned and the class of the last one."""
    warn: Callable[[str], None] = lambda _message: None
    list_bad: Callable[[str, str], None] = lambda _source, _reason: None
    """Called with each image that ends the run, and why."""
    publishing: Callable[[], None] = lambda: None
    """Called right before OUTPUT gets its name: from then on the run is to end as a success."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did."""

    plan: Plan
    n_reused: int
    unusable: Mapping[str, Unusable]
    notes: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    """What was noted of encoded files, with their number and the first of them."""
    n_staged: int = 0
    """Files of a shard."""
