"""The command group, and the one place that turns errors into messages and exit codes."""

import errno
import gc
import io
import os
import sys
from collections.abc import Sequence

import click

from rebalance import __version__
from rebalance.cli.audit import audit
from rebalance.cli.augment import augment
from rebalance.cli.completing import ASKED, answer
from rebalance.cli.completion import completion
from rebalance.cli.configs import configs
from rebalance.cli.demo import demo
from rebalance.cli.embed import embed
from rebalance.cli.help import Sections
from rebalance.cli.inspect import inspect
from rebalance.cli.page import report
from rebalance.cli.preview import preview
from rebalance.cli.probe import probe
from rebalance.cli.replay import replay
from rebalance.cli.report import StdoutError, say
from rebalance.cli.score import score
from rebalance.cli.signals import Interrupted, die_of
from rebalance.cli.smote import smote
from rebalance.cli.undersample import undersample
from rebalance.cli.verify import verify
from rebalance.dataset import to_text
from rebalance.errors import RebalanceError, StorageError, WorkerError

EXIT_CODES = """\b
Exit codes:
  0    done (or up to date)
  1    a check said no (--fail-*, --leakage fail, verify)
  2    usage or configuration
  3    the source tree or the target is impossible
  4    bad images, under --bad-images fail
  5    OUTPUT refused
  6    locked by another run
  7    I/O failure: run again to resume
  8    a worker failed: run again to resume
  130, 143  ended by a signal: run again to resume
  70   a bug of ours
"""
_OBJECTS_A_COLLECTION = 200_000
"""A dataset is millions of objects that stay: looking through them as often as Python does takes a third of a scan."""


@click.group(
    cls=Sections,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="rebalance")
def rebalance() -> None:
    """Balance a folder-per-class image tree: exact counts, the same bytes at every run, the source never touched.

    SOURCE is a folder that has one folder for each class. Look at it, balance the part that you train on, check what
    came out, and measure whether it helped. `rebalance COMMAND --help` has more examples and every option.
    """


rebalance.add_section("Look before anything is written", inspect, probe, preview)
rebalance.add_section("Balance: SOURCE is read, OUTPUT is written", augment, undersample, smote)
rebalance.add_section("Check what came out", verify, report, audit, replay)
rebalance.add_section("Measure", embed, score)
rebalance.add_section("Begin", demo, configs, completion)


def main() -> None:
    """Run the program and exit."""
    gc.set_threshold(_OBJECTS_A_COLLECTION, 50, 100)
    _occupy_standard_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if ASKED in os.environ:
        sys.exit(answer(rebalance, os.environ[ASKED]))
    sys.exit(run([to_text(os.fsencode(argument)) for argument in sys.argv[1:]]))


def run(arguments: Sequence[str]) -> int:
    """Run a command; say what went wrong in one line and return the exit code."""
    kept = (
        "; the finished work is kept: run again to resume"
        if arguments[:1] in (["augment"], ["undersample"], ["smote"], ["embed"])
        else ""
    )
    try:
        with rebalance.make_context("rebalance", list(arguments)) as context:  # click's own `main` hides broken pipes
            code = rebalance.invoke(context)
    except Interrupted as interrupted:
        say(f"interrupted{kept}")
        die_of(interrupted.number)
    except click.exceptions.Exit as done:
        code = done.exit_code
    except click.ClickException as error:
        code = _usage_failure(error)
    except RebalanceError as error:
        say(f"error: {error}")
        code = error.exit_code
    except StdoutError as error:
        code = _stdout_failure(error)
    except (OSError, MemoryError) as error:
        code = _machine_failure(error, kept)
    except Exception as error:  # noqa: BLE001  whatever is left is a bug, and a user still gets one line
        notes = ", ".join([_place(error), *getattr(error, "__notes__", ())])
        say(f"error: a bug of ours: {type(error).__name__}: {error} ({notes}); please report it")
        code = RebalanceError.exit_code
    return code if isinstance(code, int) else 0


def _machine_failure(error: OSError | MemoryError, kept: str) -> int:
    """Say what the system refused."""
    if isinstance(error, MemoryError):
        say(f"error: not enough memory{kept or '; run again with fewer --workers'}")
        return WorkerError.exit_code
    where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    say(f"error: {where}{error.strerror or error}{kept}")
    return StorageError.exit_code


def _usage_failure(error: click.ClickException) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return error.exit_code
    message = " ".join(error.format_message().split("\n")).rstrip(".")
    context = getattr(error, "ctx", None)
    say(f"error: {message}; see {context.command_path} --help" if context else f"error: {message}")
    return error.exit_code


def _stdout_failure(error: StdoutError) -> int:
    """Return what a shell expects of a program whose reader has gone, or 7 where stdout cannot be written to."""
    if error.args[0] == errno.EPIPE:
        return 141
    say(f"error: stdout: {os.strerror(error.args[0])}")
    return StorageError.exit_code


def _occupy_standard_streams() -> None:
    """Let no file get the number of a standard stream that was closed."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)  # noqa: FBT003  takes no name
    os.close(descriptor)


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "nowhere"
