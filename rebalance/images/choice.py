"""What there is to choose from, without importing any of it; and which engine a run takes."""

from importlib.util import find_spec

from rebalance.errors import UsageError

ENGINES = ("auto", "pillow", "opencv")
EMBEDDERS = ("descriptor", "pixels")
"""The names of those that need nothing installed."""
RENDERS = ("nearest", "blend")
"""What shows a synthetic sample without a model."""


def choose_engine(name: str) -> str:
    """Return pillow or opencv; auto is OpenCV where that is there. Raises UsageError where it is asked for in vain."""
    is_there = find_spec("cv2") is not None
    if name == "opencv" and not is_there:
        raise missing_opencv()
    return name if name != "auto" else "opencv" if is_there else "pillow"


def missing_opencv() -> UsageError:
    """Return the error that says how to get OpenCV."""
    return UsageError("the engine opencv is not installed: pip install 'rebalance-images[fast]'")
