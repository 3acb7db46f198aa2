"""What a writing command says once OUTPUT stands: what it holds, of what it was made, what was left out, how long."""

from collections.abc import Collection, Iterator

from rebalance.plan import Drop, Keep, Operation, Plan, Repeat, Row
from rebalance.run import Outcome


def closing_remarks(outcome: Outcome, output: str, seconds: float | None) -> Iterator[str]:
    """Yield at most four lines on a run that took so many seconds; None: OUTPUT stood already."""
    plan = outcome.plan
    yield f"{output}: {_told_content(plan)}; imbalance ratio {_ratio(*_counts(plan))}"
    if any(plan.n_generated.values()):
        what = "repetitions of" if plan.is_list else "generated from"
        sources, most = told_number(_n_sources(plan), "source"), told_number(max(plan.most_copies.values()), "copy")
        yield f"{sum(plan.n_generated.values())} {what} {sources}, at most {most} of one"
    if told := "; ".join(_told_rest(outcome, is_up_to_date=seconds is None)):
        yield told
    if seconds is not None:
        yield f"took {told_seconds(seconds)}{_told_speed(outcome, seconds)}"


def told_number(number: int, noun: str) -> str:
    """Return a number of things, in the plural where it is not 1."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def _told_content(plan: Plan) -> str:
    forms = {"list": "a list for {}", "both": "{} and their vectors"}
    write = str(plan.request.get("write"))
    files = told_number(sum(target.n_target for target in plan.targets), "vector" if write == "vectors" else "image")
    groups = (
        told_number(len(plan.labeling.targets), "label") if plan.labeling else told_number(len(plan.targets), "class")
    )
    told = f"{forms.get(write, '{}').format(files)} of {groups}"
    if plan.carried:
        told += f" in {plan.targets[0].split}, {sum(target.n_target for target in plan.carried)} beside it"
    return told


def _counts(plan: Plan) -> tuple[Collection[int], Collection[int]]:
    """Return the images of each class, or of each label that occurs, before and after."""
    if plan.labeling:
        there = [label for label in plan.labeling.targets if label.n_before]
        return [label.n_before for label in there], [label.n_after for label in there]
    return plan.class_counts.values(), [target.n_target for target in plan.targets]


def _ratio(before: Collection[int], after: Collection[int]) -> str:
    lopsided = (max(counts) / min(counts) if min(counts, default=0) else None for counts in (before, after))
    return " -> ".join("undefined" if ratio is None else f"{ratio:.2f}" for ratio in lopsided)


def _n_sources(plan: Plan) -> int:
    """Return how many images something was made of."""
    return sum(
        len({made.source.path for made in plan.operations(target.directory) if _is_made(made)})
        for target in plan.targets
        if plan.n_generated[target.class_name]
    )


def _is_made(operation: Operation) -> bool:
    match operation:
        case Keep() | Drop():
            return False
        case Repeat(repetitions=repetitions):
            return repetitions > 1
        case Row(copy_number=number):
            return number is not None
    return True


def _told_rest(outcome: Outcome, *, is_up_to_date: bool) -> Iterator[str]:
    plan = outcome.plan
    n_images = sum(plan.class_counts.values())
    if n_left_out := n_images - sum(target.n_current for target in plan.targets):
        where = f" of {plan.targets[0].split}" if plan.carried else ""
        yield f"left out {n_left_out} of {n_images} images{where}"
    if outcome.unusable:
        yield f"{len(outcome.unusable)} bad, named above"
    if outcome.n_reused and not is_up_to_date:
        yield f"reused {outcome.n_reused} of {plan.n_outputs}"


def told_seconds(seconds: float) -> str:
    """Return a duration for people."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def _told_speed(outcome: Outcome, seconds: float) -> str:
    n_made = outcome.plan.n_outputs - outcome.n_reused
    if not (outcome.plan.has_images and n_made and seconds):
        return ""
    speed = n_made / seconds
    return f", {speed:.0f} images a second" if speed >= 10 else f", {speed:.1f} images a second"
