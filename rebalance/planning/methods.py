"""The names of the ways to choose which images of a class are kept."""

from typing import NamedTuple


class Method(NamedTuple):
    """One of them, and what it takes."""

    name: str
    is_counted: bool = True
    """Whether it brings a class to a number; else it removes what it finds."""
    is_looking: bool = True
    """Whether it needs vectors."""


METHODS = {
    method.name: method
    for method in (
        Method("random", is_looking=False),
        Method("window", is_looking=False),
        Method("diverse"),
        Method("spread"),
        Method("cluster"),
        Method("nearmiss-1"),
        Method("nearmiss-2"),
        Method("nearmiss-3"),
        Method("iht"),
        Method("tomek", is_counted=False),
        Method("enn", is_counted=False),
        Method("renn", is_counted=False),
        Method("allknn", is_counted=False),
        Method("ncr", is_counted=False),
        Method("oss", is_counted=False),
        Method("cnn", is_counted=False),
    )
}
COUNTED = tuple(name for name, method in METHODS.items() if method.is_counted)
CLEANING = tuple(name for name, method in METHODS.items() if not method.is_counted)

SMOTE_METHODS = ("smote", "borderline-1", "borderline-2", "adasyn")
"""Ways to place synthetic samples."""
SMOTE_CLEANERS = ("tomek", "enn")
"""What may clean up after them."""
SINGLETONS = ("augment", "copy", "error")
"""What may become of a class of one image."""
LABEL_METHODS = ("lp", "repeat-factor")
"""Ways to settle how often images with several labels are copied."""
