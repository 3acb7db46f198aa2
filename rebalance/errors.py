"""Every error a user can meet, each with the exit code that the program ends with."""

import difflib
import errno
from collections.abc import Iterable

OF_THE_MACHINE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE})
"""Errors of the system for which what was asked for is not to blame."""


class RebalanceError(Exception):
    """Something the user can act on; its one argument is the whole message: what, where, what to do."""

    exit_code = 70


class CheckFailedError(RebalanceError):
    """A check said no."""

    exit_code = 1


class UsageError(RebalanceError):
    """An option or a configuration file is wrong."""

    exit_code = 2


class SourceTreeError(RebalanceError):
    """The source tree cannot be read as folders of classes."""

    exit_code = 3


class TargetError(RebalanceError):
    """The target cannot be reached from this source."""

    exit_code = 3


class VectorsError(RebalanceError):
    """A file of embeddings cannot be read, or is not that of the source."""

    exit_code = 3


class BadImagesError(RebalanceError):
    """Images that cannot be used, under the policy that such images end the run."""

    exit_code = 4


class OutputRefusedError(RebalanceError):
    """What stands at OUTPUT is not ours to replace, or is not what this run would make."""

    exit_code = 5


class LockedError(RebalanceError):
    """Another run is writing the same OUTPUT."""

    exit_code = 6


class StorageError(RebalanceError):
    """Reading or writing failed; the finished work is kept."""

    exit_code = 7


class UnreadableError(StorageError):
    """The disk does not give one file; others may be read."""


class WorkerError(RebalanceError):
    """A worker failed; the finished work is kept."""

    exit_code = 8


class BadImageError(RebalanceError):
    """One image cannot be decoded; the argument is the reason."""

    exit_code = 4


class UnfitImageError(BadImageError):
    """One image is sound, but nothing can be generated from it; the argument is the reason."""


class ManifestError(RebalanceError):
    """A manifest is truncated, edited, or of a version this program does not read."""

    exit_code = 1


def listed(texts: Iterable[str], most: int = 20) -> str:
    """Return some of several texts, as they go into one line."""
    texts = list(texts)
    return ", ".join([*texts[:most], *(["..."] if len(texts) > most else [])])


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: a hint at the nearest known one, or nothing."""
    matches = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {matches[0]!r}?" if matches else ""
