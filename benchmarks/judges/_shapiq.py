"""shapiq's own benchmark package, of which `benchmarks.tables.shapiq_games` has the whole table."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.judges._verdict import Verdict, named
from benchmarks.report import Cell, Runs
from benchmarks.tables import shapiq_games as games

SEEDS = 2
SHOWN = ("5d", "10d", "20d")


def of_shapiq(quick: bool) -> Iterator[Verdict]:
    """Every estimator on its games, scored by it; one case is one game with one seed."""
    try:
        import shapiq_benchmark  # noqa: F401  fails if it is missing
    except ImportError as error:
        why = f"needs {error.name or error}: shapiq 1.8 and Python 3.12"
        yield Verdict("shapiq", "squared error of Shapley values", "lower", {}, why)
        return
    makers = {n: make for n, make in games.GAMES.items() if not quick or n in games.QUICK}
    runs = Runs()
    seeds = 1 if quick else SEEDS
    games.run_all(makers, seeds, runs)
    for budget in SHOWN:
        names = {e: "px.KernelShap" if e == games.OURS else e for e in runs.estimators()}
        cases = [(game, seed) for game in runs.games() for seed in range(seeds)]
        found = {
            name: [_log_error(runs, Cell(game, budget, e), seed) for game, seed in cases]
            for e, name in names.items()
        }
        figure = f"log10 of the squared error: {len(makers)} games, {budget} coalitions"
        yield Verdict(f"{named('shapiq')}, benchmark", figure, "lower", found)


def _log_error(runs: Runs, cell: Cell, seed: int) -> float:
    """NaN where the estimator did not run, as some need more coalitions."""
    figures = runs.figures.get(cell, {}).get(seed)
    return float("nan") if figures is None else float(np.log10(max(figures["error"], 1e-16)))
