"""Balance a folder-per-class image tree: decide on paper, then touch the pixels."""

__version__ = "0.1.0"
