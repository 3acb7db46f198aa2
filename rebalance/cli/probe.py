"""`rebalance probe`: whether balancing would help at all, tried on vectors before anything is written."""

from typing import TYPE_CHECKING, Any

import click

from rebalance.cli import options
from rebalance.cli.asked import class_recipes_asked
from rebalance.cli.embeddings import look
from rebalance.cli.progress import progress_bar
from rebalance.cli.report import displayed, emit, print_csv, print_json, print_table, say
from rebalance.cli.sources import open_source
from rebalance.errors import UsageError
from rebalance.images.choice import choose_engine
from rebalance.plan import SOURCE_LIKE
from rebalance.recipes import make_recipe
from rebalance.storage.scan import raise_problems

if TYPE_CHECKING:
    from rebalance.planning.estimates import Estimate
    from rebalance.planning.probing import Score
    from rebalance.probe import Probed

_COLUMNS = ("way", "balanced accuracy", "behind the best", "least recall", "of", "lost by the largest", "log loss")


@click.command(short_help="Would balancing help at all? Tried on vectors, before anything is written.")
@options.source
@click.option("--shuffled", is_flag=True, help="Deal the labels out by lot first: what chance gives.")
@options.config
@options.transforms
@options.looking_smote
@options.split
@options.reading
@options.seed
@options.max_pixels
@options.workers
@options.report_format
@options.quiet
def probe(source: str | None, **given: Any) -> int:
    """Try doing nothing, weights, copies, SMOTE ... on vectors of SOURCE; nothing is written.

    Logistic regression is fitted to four fifths of the images and judged on the last one, several times; images of one
    group (--group-by), and the same picture twice, are never on both sides. Augmented copies are drawn as `augment`
    draws them.

    \b
    rebalance probe data/train
    rebalance probe data/train --config photo --group-by 'patient(\\d+)'
    rebalance probe data/train --shuffled
    """
    if source is None:
        raise UsageError("SOURCE is missing; see --help")
    from rebalance.probe import ProbeOptions  # noqa: PLC0415  with what it imports, nothing for --help
    from rebalance.probe import probe as try_ways  # noqa: PLC0415  the same

    opened = open_source(source, given)
    raise_problems(opened.dataset)
    seen = look(opened.dataset, {**given, "bad_images": "skip"}, is_looking=True)
    assert seen.vectors is not None
    recipe = make_recipe(given)
    of_classes = class_recipes_asked(given, recipe, opened.dataset)
    rendering = SOURCE_LIKE._replace(engine=choose_engine("auto"), max_pixels=given["max_pixels"])
    asked = ProbeOptions(
        given["seed"], lambda name: of_classes.get(name, recipe), rendering, options.n_workers(given), given["shuffled"]
    )
    with progress_bar("copies", is_quiet=given["quiet"]) as progress:
        probed = try_ways(opened.dataset, seen.vectors, seen.embedder, asked, progress)
    _print(probed, str(seen.vectors.embedder.get("name", "a file")), given)
    if not given["quiet"]:
        for path, image in sorted(seen.unusable.items()):
            say(f"left out: {path!r}: {image.reason}")
        for remark in probed.probe.remarks:
            say(f"note: {remark}")
        if not probed.n_copies:
            say("note: no augmented copies were tried: none is lacking, or nothing at hand embeds them as SOURCE is")
    return 0


def _print(probed: "Probed", told: str, given: dict[str, Any]) -> None:
    found = probed.probe
    if given["format"] == "json":
        print_json(
            {
                "schema": 1,
                "embedder": told,
                "shuffled": given["shuffled"],
                "n_images": probed.n_images,
                "n_classes": found.n_classes,
                "n_augmented_copies": probed.n_copies,
                "n_splits": found.n_splits,
                "chance": 1 / found.n_classes,
                "ways": [_row(score) for score in found.scores],
                "best": found.best.way,
                "advised": found.advised.way,
            }
        )
    elif given["format"] == "csv":
        rows = [_flat(_row(score)) for score in found.scores]
        print_csv(tuple(rows[0]), [tuple(row.values()) for row in rows])
    else:
        _print_text(probed, told)


def _print_text(probed: "Probed", told: str) -> None:
    found = probed.probe
    accuracy = found.best.balanced_accuracy.value
    emit(
        displayed(
            f"a proxy on vectors of {told} that get {accuracy:.0%} right (each class weighing the same; "
            f"chance {1 / found.n_classes:.0%}): it ranks, it does not promise"
        )
    )
    print_table(_COLUMNS, (_cells(score) for score in found.scores))
    emit(
        f"{probed.n_images} images of {found.n_classes} classes, {found.n_splits} splits; 95 % intervals of both sides"
    )
    if found.best.balanced_accuracy.low <= 1 / found.n_classes:
        emit("these vectors tell the classes apart no better than chance does: read nothing into it")
        return
    emit(f"the cheapest way that is not worse than the best: {found.advised.way}")


def _cells(score: "Score") -> list[str]:
    return [
        score.way,
        _told(score.balanced_accuracy),
        _told(score.behind),
        _told(score.worst_recall),
        score.worst_class,
        _told(score.lost),
        _told(score.log_loss),
    ]


def _told(estimate: "Estimate") -> str:
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


def _row(score: "Score") -> dict[str, Any]:
    """Return a score as JSON has it."""
    values: dict[str, Any] = score._asdict()
    return {
        key: value if isinstance(value, str) else {"value": value.value, "low": value.low, "high": value.high}
        for key, value in values.items()
    }


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Return the same with a column for each number."""
    flat: dict[str, Any] = {}
    for key, value in row.items():
        ends = {"": "value", "_low": "low", "_high": "high"}
        flat |= {f"{key}{end}": value[name] for end, name in ends.items()} if isinstance(value, dict) else {key: value}
    return flat
