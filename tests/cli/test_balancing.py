from collections.abc import Mapping

from rebalance.cli.balancing import _planning_once
from rebalance.plan import Plan, Unusable
from tests.planning.test_undersample import plan_of


def test_a_plan_is_made_once_until_more_is_known_of_the_images() -> None:
    asked: list[dict[str, Unusable]] = []

    def planner(unusable: Mapping[str, Unusable]) -> Plan:
        asked.append(dict(unusable))
        return plan_of({"a": 9, "b": 4}, unusable=unusable)

    plan = _planning_once(planner)
    unusable: dict[str, Unusable] = {}
    first = plan(unusable)
    assert plan({}) is first
    unusable["a/00000.jpg"] = Unusable("spoilt", is_kept=False)
    second = plan(unusable)
    assert second is not first
    assert second.class_counts == first.class_counts
    assert plan(dict(unusable)) is second
    assert asked == [{}, unusable]
