"""How every script is started: ``python -m benchmarks.FOLDER.NAME``, from the repository's root."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from benchmarks.report import Target


def name() -> str:
    """The script that is running, as ``python -m`` takes it."""
    return sys.modules["__main__"].__spec__.name


def process(*arguments: str) -> list[str]:
    """The command that starts the running script again, with other arguments."""
    return [sys.executable, "-m", name(), *arguments]


def parser(*, quick: str) -> argparse.ArgumentParser:
    """A parser with the options of all scripts; `quick` says what ``--quick`` leaves out."""
    about = (sys.modules["__main__"].__doc__ or "").splitlines()[0]
    made = argparse.ArgumentParser(prog=f"python -m {name()}", description=about)
    made.add_argument("--quick", action="store_true", help=quick)
    made.add_argument("--check", action="store_true", help="exit with 1 where a target is missed")
    return made


def racing_arguments(
    *, quick: str, repeats: int, only: str, contender: tuple[str, str]
) -> argparse.Namespace:
    """The arguments of a script that starts a process for each contender."""
    made = parser(quick=quick)
    made.add_argument("--repeats", type=int, default=repeats, help="turns of each contender")
    made.add_argument("--only", default="", help=only)
    made.add_argument("--contender", nargs=2, metavar=contender, help=argparse.SUPPRESS)
    return made.parse_args()


def status(check: bool, targets: Iterable[Target]) -> int:
    """The exit status: 1 if a target is missed and ``--check`` asks about it."""
    return int(check and not all(target.holds for target in targets))
