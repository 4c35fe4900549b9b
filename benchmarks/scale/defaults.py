"""Who explains fastest and most accurately with no settings?

    python -m benchmarks.scale.defaults [--quick] [--check] [--only PATTERN] [--seconds 20]
        [--folder FOLDER]

Each library explains the same rows of the same classifiers by its defaults, from a model and
background rows, each in a process of its own on one thread. ``--folder`` keeps the fitted models
and the truth for the next run.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import joblib
import numpy as np

from benchmarks.command import parser, process, status
from benchmarks.measure import Result, race, serve
from benchmarks.report import EXACT, Target, markdown
from benchmarks.scale._default_contenders import CONTENDERS, OURS, SHAP, contestant
from benchmarks.scale._default_games import JUDGED, problem

KINDS = ("boosting", "forest", "logistic", "network")
FEATURES, ROWS, OUTPUTS = (8, 12, 30, 100, 500), (1, 100, 1000), (1, 2)
QUICK_KINDS, QUICK_FEATURES, QUICK_ROWS = ("boosting", "logistic"), (8, 30), (1, 100)
SECONDS, QUICK_SECONDS = 20.0, 2.0
NARROW = (30, 100)
"""At so many features, time outside the model has a target."""


@dataclass(frozen=True)
class Cell:
    """A model of `kind` on `d` features, with `k` outputs, asked about `n` rows."""

    kind: str
    d: int
    k: int
    n: int

    def __str__(self) -> str:
        outputs = "one output" if self.k == 1 else f"{self.k} outputs"
        rows = "1 row" if self.n == 1 else f"{self.n:,} rows"
        return f"{self.kind}, d = {self.d}, {outputs}, {rows}"


@dataclass(frozen=True)
class Costs:
    """A contender in a cell: CPU seconds for all rows, per-row figures, memory and error."""

    seconds: float
    rows: float
    outside: float
    model: float
    megabytes: float
    error: float
    scaled: bool

    @classmethod
    def of(cls, result: Result, cell: Cell) -> Costs:
        explained, model = result.figures["explained"], result.figures["model"]
        last = list(result.cpu.values())[-1]
        best = min(result.cpu.values())
        scale = cell.n / explained
        return cls(
            seconds=best * scale,
            rows=result.rows / explained,
            outside=(last - model) / result.rows,
            model=model * best / last * scale,
            megabytes=result.megabytes,
            error=max(result.figures["error"], result.figures["uncertainty"]),
            scaled=explained < cell.n,
        )

    @property
    def to_equal(self) -> float:
        """Seconds times squared error, which sampling longer leaves the same; 0 if exact."""
        return 0.0 if self.error <= EXACT else self.seconds * self.error


def at_equal_error(other: Costs, ours: Costs) -> float:
    """The time of another contender over ours, once its error is as small as ours."""
    if max(other.error, ours.error) <= EXACT:
        return other.seconds / ours.seconds
    return other.to_equal / ours.to_equal if ours.to_equal else np.inf


# ---------------------------------------------------------------- the race


def run(cell: Cell, path: Path, seconds: float) -> dict[str, Costs | str]:
    """The costs of each contender, or why it has none."""
    found: dict[str, Costs | str] = {}
    for name in CONTENDERS:
        task = (cell.k, cell.n, seconds, path)
        command = process("--contender", name, *map(str, task))
        try:
            result = race({name: command}, JUDGED if cell.n == 1 else 1)[name]
        except RuntimeError as failure:  # a peer that breaks must not stop the others
            if name == OURS:
                raise
            found[name] = f"failed: {str(failure).splitlines()[-1][:80]}"
            continue
        found[name] = result.skipped or Costs.of(result, cell)
    return found


def lines(found: dict[str, Costs | str]) -> Iterator[tuple[str, ...]]:
    ours = found[OURS]
    for name, costs in found.items():
        if isinstance(costs, str):
            yield name, costs, "", "", "", "", ""
            continue
        known = isinstance(ours, Costs) and np.isfinite(costs.error)
        yield (
            name,
            "~" * costs.scaled + f"{costs.seconds:.3g}",
            f"{costs.rows:,.0f}",
            f"{1e9 * costs.outside:,.0f}",
            f"{costs.megabytes:.0f}",
            f"{costs.error:.1e}" if np.isfinite(costs.error) else "",
            f"{at_equal_error(costs, ours):.3g}" if known else "",
        )


def targets(cell: Cell, found: dict[str, Costs | str]) -> Iterator[Target]:
    ours, shap = found[OURS], found[SHAP]
    if isinstance(ours, str):
        return
    if not isinstance(shap, str):
        claim = f"{cell}: {SHAP}'s time at equal error over ours"
        yield Target(claim, at_equal_error(shap, ours), least=1.0)
        if cell.d in NARROW:
            claim = f"{cell}: time outside the model per model row, over {SHAP}'s"
            yield Target(claim, ours.outside / shap.outside, most=1.0)
    if cell.d == max(FEATURES):
        yield Target(f"{cell}: time over the model's own", ours.seconds / ours.model, most=2.0)
    if cell.d == min(FEATURES):
        yield Target(f"{cell}: error over rounding", ours.error / EXACT, most=1.0)


# ---------------------------------------------------------------- the command


def arguments() -> argparse.Namespace:
    made = parser(quick="boosting and logistic regression on 8 and 30 features, 1 and 100 rows")
    made.add_argument("--only", default="", help='cells that match, such as "forest, d = 30"')
    made.add_argument("--seconds", type=float, help="rows that take longer are extrapolated")
    made.add_argument("--folder", type=Path, help="keeps the fitted models and the truth")
    made.add_argument("--contender", nargs=5, help=argparse.SUPPRESS)
    made.add_argument("--prepare", nargs=3, help=argparse.SUPPRESS)
    return made.parse_args()


def main() -> int:
    chosen = arguments()
    if chosen.contender:
        name, k, n, seconds, path = chosen.contender
        serve(lambda: contestant(joblib.load(path), name, int(k), int(n), float(seconds)))
        return 0
    if chosen.prepare:
        kind, d, path = chosen.prepare
        joblib.dump(problem(kind, int(d)), path)
        return 0
    kinds, features, rows = (
        (QUICK_KINDS, QUICK_FEATURES, QUICK_ROWS) if chosen.quick else (KINDS, FEATURES, ROWS)
    )
    cells = [Cell(*at) for at in product(kinds, features, OUTPUTS, rows)]
    seconds = chosen.seconds or (QUICK_SECONDS if chosen.quick else SECONDS)
    with TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        found = [
            target
            for cell in cells
            if re.search(chosen.only, str(cell))
            for target in told(cell, folder, seconds)
        ]
    print("\n## Targets\n", *found, sep="\n")
    return status(chosen.check, found)


def told(cell: Cell, folder: Path, seconds: float) -> list[Target]:
    """Print the table of a cell; its targets."""
    path = folder / f"{cell.kind}-{cell.d}.joblib"
    if not path.exists():
        # A process starts with the peak memory of its parent, so this one computes nothing.
        subprocess.run(process("--prepare", cell.kind, str(cell.d), str(path)), check=True)
    found = run(cell, path, seconds)
    head = ("CPU s", "model rows / row", "ns outside / model row", "MB", "error", "× ours, equal")
    print(f"\n## {cell}\n\n" + markdown(("contender", *head), lines(found)), flush=True)
    return list(targets(cell, found))


if __name__ == "__main__":
    sys.exit(main())
