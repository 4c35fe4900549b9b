"""The options and files that the scripts about accuracy share."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from benchmarks.command import parser, status
from benchmarks.report import Runs, Target

Maker = TypeVar("Maker")


def arguments(*, quick: str, seeds: tuple[int, int]) -> argparse.Namespace:
    """The command line; `seeds` are the defaults in full and with ``--quick``."""
    asked = parser(quick=quick)
    asked.add_argument("--games", default="", help="only games whose name matches this pattern")
    asked.add_argument("--seeds", type=int, help="{} by default, {} if quick".format(*seeds))
    asked.add_argument("--data", type=Path, help="folder with the files that README.md names")
    asked.add_argument("--out", type=Path, help="folder that keeps runs, tables and the plot")
    chosen = asked.parse_args()
    chosen.seeds = chosen.seeds or seeds[chosen.quick]
    if chosen.out:
        chosen.out.mkdir(parents=True, exist_ok=True)
    return chosen


def matching(makers: dict[str, Maker], chosen: argparse.Namespace) -> dict[str, Maker]:
    """The games that ``--games`` asks for."""
    return {name: make for name, make in makers.items() if re.search(chosen.games, name)}


def opened(chosen: argparse.Namespace, stem: str) -> Runs:
    """The runs that ``--out`` already holds."""
    return Runs(chosen.out / f"{stem}.csv" if chosen.out else None)


def remembered(versions: Sequence[str], folder: Path | None) -> Sequence[str]:
    """The libraries of this interpreter, and those of others that added to the same folder."""
    if folder is None:
        return versions
    path = folder / "versions.txt"
    known = path.read_text().splitlines() if path.exists() else []
    added = [line for line in versions if "not installed" not in line and "missing" not in line]
    lines = list(dict.fromkeys([*known, *added]))
    path.write_text("\n".join(lines) + "\n")
    return lines


def told(report: str, targets: list[Target], chosen: argparse.Namespace, stem: str) -> int:
    """Print and keep the report; the exit status."""
    print(report)
    if chosen.out:
        (chosen.out / f"{stem}.md").write_text(report + "\n")
    return status(chosen.check, targets)
