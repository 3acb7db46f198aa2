"""Precision-recall curves and a confusion matrix as a picture; the only place with matplotlib."""

import io
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from rebalance.scoring.confidence import Ranking
from rebalance.scoring.predictions import Predictions
from rebalance.scoring.scores import Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_CURVES = 12
_MOST_CELLS = 25
"""Classes up to which cells of the matrix are named and numbered."""
_DPI = 120


def render_plot(predictions: Predictions, score: Score) -> bytes:
    """Return a PNG: a precision-recall curve a class, where there are probabilities, beside the confusion matrix."""
    import matplotlib as mpl  # noqa: PLC0415  takes a second
    from matplotlib import style  # noqa: PLC0415  the same
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  the same
    from matplotlib.figure import Figure  # noqa: PLC0415  the same

    n_plots = 1 if predictions.probabilities is None else 2
    side = min(6 + max(len(score.classes) - 8, 0) * 0.22, 11)
    with warnings.catch_warnings(), style.context("default"), mpl.rc_context({"text.parse_math": False}):
        warnings.simplefilter("ignore")  # of letters that its font does not have: they are shown as boxes
        figure = Figure(figsize=(n_plots * side + 1.5, side), dpi=_DPI, layout="constrained")
        axes = figure.subplots(1, n_plots, squeeze=False)[0]
        if predictions.probabilities is not None:
            _draw_curves(axes[0], predictions, score)
        _draw_confusion(axes[-1], score)
        file = io.BytesIO()
        FigureCanvasAgg(figure)
        figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def _draw_curves(axes: "Axes", predictions: Predictions, score: Score) -> None:
    """Draw the curves of the classes with the fewest images; a dotted line is what chance gives: the class's share."""
    from matplotlib import colormaps  # noqa: PLC0415  the same

    assert predictions.probabilities is not None
    there = [(one.support, label) for label, one in enumerate(score.classes) if one.support]
    shown = sorted(label for _, label in sorted(there)[:_MOST_CURVES])
    colors = colormaps["tab10" if len(shown) <= 10 else "tab20"]
    lines, names = [], []
    for place, label in enumerate(shown):
        one = score.classes[label]
        curve = Ranking.of(predictions.probabilities[:, label], predictions.truth == label).curve()
        recall, precision = np.append(0, curve.recall), np.append(curve.precision[:1], curve.precision)
        (line,) = axes.step(recall, precision, where="pre", color=colors(place), linewidth=1.6)
        axes.axhline(one.support / len(predictions.paths), color=colors(place), linestyle=":", linewidth=0.8)
        few = ", too few to tell" if one.is_too_few else ""
        lines.append(line)
        names.append(f" {_shown(one.name)} ({one.support} images{few}): {one.measures['average_precision'].value:.2f}")
    left_out = len(there) - len(shown)
    axes.set(
        xlabel="recall", ylabel="precision", xlim=(0, 1.01), ylim=(0, 1.02),
        title="precision and recall" + (f" ({left_out} larger classes left out)" if left_out else ""),
    )  # fmt: skip
    axes.legend(
        lines, names, title="average precision; dotted: what chance gives", fontsize=8, title_fontsize=8, ncols=2,
        loc="upper center", bbox_to_anchor=(0.5, -0.1), frameon=False,
    )  # fmt: skip
    axes.grid(visible=True, alpha=0.3)


def _draw_confusion(axes: "Axes", score: Score) -> None:
    """Draw the share of each true class that is called each; the numbers are images."""
    true = score.confusion.sum(axis=1, keepdims=True)
    shares = np.divide(score.confusion, true, out=np.zeros_like(score.confusion), where=true > 0)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set(xlabel="predicted", ylabel="true", title="confusion: images, and share of the true class")
    names = [_shown(one.name) for one in score.classes]
    if len(names) <= _MOST_CELLS:
        axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor", fontsize=8)
        axes.set_yticks(range(len(names)), names, fontsize=8)
        for (row, column), share in np.ndenumerate(shares):
            color = "white" if share > 0.55 else "black"
            axes.text(
                column,
                row,
                _told(float(score.confusion[row, column])),
                ha="center",
                va="center",
                color=color,
                fontsize=7,
            )
    colorbar: Any = axes.figure.colorbar(image, ax=axes, fraction=0.046, pad=0.02)
    colorbar.outline.set_visible(False)


def _shown(name: str) -> str:
    """Return a name in one line: what cannot be printed is a box."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)


def _told(n_images: float) -> str:
    return f"{n_images:g}" if n_images else ""
