"""Ctrl-C, SIGTERM and SIGHUP: end soon, keep the finished work, and die of the signal as a shell expects."""

import os
import signal
from types import FrameType

_arrived: list[int] = []
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal arrived; its argument is the number. No `except Exception` swallows it."""

    @property
    def number(self) -> int:
        """The signal."""
        return int(self.args[0])


def install_handlers() -> None:
    """Answer the first signal by raising Interrupted where the program is; a second one ends it at once."""
    for number in _SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)


def ignore_signals() -> None:
    """Let no signal end this process any more."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def die_of(number: int) -> None:
    """End this process as the signal would have; where it cannot (process 1 of a container), by its exit code."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)


def check_signals() -> None:
    """Raise Interrupted again where a signal arrived in a place that could not pass it on."""
    if _arrived:
        raise Interrupted(_arrived[0])


def _interrupt(number: int, _frame: FrameType | None) -> None:
    _arrived.append(number)
    signal.signal(number, signal.SIG_DFL)
    raise Interrupted(number)
