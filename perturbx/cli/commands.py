"""The front door of the command line: which command, and with which status it ends."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence

import perturbx
from perturbx.cli import demo, explain, metrics, text
from perturbx.cli.options import HELP
from perturbx.errors import (
    InvalidInputError,
    InvalidParameterError,
    NotFittedError,
    PerturbxError,
    PerturbxWarning,
    UnknownParameterError,
)

FAILED, WRONG, INTERRUPTED = 1, 2, 130
"""The statuses of a command that did not end well; 0 is that of one that did."""

_USAGE_ERRORS = (InvalidInputError, InvalidParameterError, NotFittedError, UnknownParameterError)

_STATUSES = """\
exit status:
  0    the command did what it should
  1    it failed: the model raised, a package is missing, a file could not be written
  2    something in the command or its files is wrong; nothing was computed
  130  it was interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    Parameters
    ----------
    arguments : sequence of str, optional
        The arguments after ``perturbx``; by default those of the shell.

    Returns
    -------
    int
        0: done. 1: failed. 2: wrong arguments or files. 130: interrupted.

    Raises
    ------
    SystemExit
        With status 2 for arguments that cannot be parsed, 0 for ``--help`` and ``--version``.
    """
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if chosen.command is None:
        parser.print_help()
        return 0
    with warnings.catch_warnings():
        warnings.simplefilter("always", PerturbxWarning)
        warnings.showwarning = _show
        try:
            chosen.run(chosen)
            sys.stdout.flush()
        except _USAGE_ERRORS as error:
            return _ended(chosen.command, error, WRONG)
        except BrokenPipeError:  # whoever read the output, such as head, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return FAILED
        except (PerturbxError, ImportError, OSError, MemoryError) as error:
            return _ended(chosen.command, error, FAILED)
        except KeyboardInterrupt:
            kept = getattr(chosen, "archive", None)
            how = f" Every answer is in {kept}: run the same command to go on." if kept else ""
            print(f"\nperturbx {chosen.command}: interrupted.{how}", file=sys.stderr)
            return INTERRUPTED
    return 0


def _ended(command: str, error: BaseException, status: int) -> int:
    said = str(error).strip() or type(error).__name__
    print(f"perturbx {command}: error: {said}", file=sys.stderr)
    return status


def _show(message: Warning | str, *_: object, **__: object) -> None:
    """A warning without the line of code that raised it, which the reader did not write."""
    print(f"warning: {message}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="perturbx",
        description="Explains any model from the outside: per-feature scores with error bars.",
        epilog=f'"perturbx COMMAND --help" has examples of each command.\n\n{_STATUSES}',
        allow_abbrev=False,
        **HELP,
    )
    parser.add_argument("--version", action="version", version=f"perturbx {perturbx.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="command")
    for command in (explain, text, metrics, demo):
        command.add_to(commands)
    return parser
