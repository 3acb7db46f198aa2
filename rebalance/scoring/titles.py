"""What measures are called, for people and on the command line."""

TUNABLE = (
    "balanced_accuracy", "macro_f1", "macro_f_beta", "geometric_mean", "mean_class_weighted_accuracy",
    "matthews_correlation", "cohen_kappa",
)  # fmt: skip
"""What thresholds may be picked for."""

_TITLES = {
    "f1": "F1", "macro_f1": "macro F1", "weighted_f1": "weighted F1", "cohen_kappa": "Cohen's kappa",
    "matthews_correlation": "Matthews correlation", "brier_score": "Brier score",
}  # fmt: skip


def title_of(measure: str, f_beta: float) -> str:
    """Return a measure's name for people."""
    if measure.endswith("f_beta"):
        return f"{measure.removesuffix('_f_beta')} F{f_beta:g}"
    return _TITLES.get(measure, measure.replace("_", " "))
