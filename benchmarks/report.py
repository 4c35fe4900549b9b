"""Runs of estimators on games, kept in a file; medians, ratios, Markdown tables and targets."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

EXACT = 1e-12
"""Normalized squared errors below this are arithmetic."""


@dataclass(frozen=True)
class Cell:
    """One estimator on one game at one budget, in multiples of the game's features or rows."""

    game: str
    budget: str
    estimator: str


@dataclass(frozen=True)
class Run:
    """One seed of a cell: its figures by name, such as the error and the seconds."""

    cell: Cell
    seed: int
    figures: dict[str, float]


@dataclass
class Runs:
    """All runs, by cell and seed, in the order in which they came; a file keeps them, if given.

    What the file holds is not run again, so that an interrupted benchmark goes on where it
    stopped, and another interpreter, with other peers, adds to it.
    """

    path: Path | None = None
    figures: dict[Cell, dict[int, dict[str, float]]] = field(
        default_factory=lambda: defaultdict(dict)
    )

    def __post_init__(self) -> None:
        if self.path is not None and self.path.exists():
            with self.path.open(newline="") as file:
                for game, budget, estimator, seed, *pairs in csv.reader(file):
                    named = dict(pair.split("=") for pair in pairs)
                    figures = {name: float(value) for name, value in named.items()}
                    self.figures[Cell(game, budget, estimator)][int(seed)] = figures

    def __contains__(self, run: tuple[Cell, int]) -> bool:
        cell, seed = run
        return cell in self.figures and seed in self.figures[cell]

    def add(self, run: Run) -> None:
        self.figures[run.cell][run.seed] = run.figures
        if self.path is not None:
            at = run.cell
            named = [f"{name}={value!r}" for name, value in run.figures.items()]
            with self.path.open("a", newline="") as file:
                csv.writer(file).writerow([at.game, at.budget, at.estimator, run.seed, *named])

    def games(self) -> list[str]:
        return list(dict.fromkeys(cell.game for cell in self.figures))

    def budgets(self, order: Sequence[str]) -> list[str]:
        known = {cell.budget for cell in self.figures}
        return [budget for budget in order if budget in known]

    def estimators(self) -> list[str]:
        return list(dict.fromkeys(cell.estimator for cell in self.figures))

    def select(self, figure: str, game: str, budget: str, estimator: str) -> np.ndarray:
        """One figure of a cell, over its seeds; empty if it never ran."""
        runs = self.figures.get(Cell(game, budget, estimator), {})
        return np.array([figures[figure] for _, figures in sorted(runs.items())])

    def median(self, game: str, budget: str, estimator: str, figure: str = "error") -> float:
        values = self.select(figure, game, budget, estimator)
        return float(np.median(values)) if len(values) else np.nan

    def best(self, game: str, budget: str, estimators: Iterable[str]) -> tuple[str, float]:
        """The estimator with the smallest median, chosen after the fact."""
        medians = {e: self.median(game, budget, e) for e in estimators}
        known = {e: m for e, m in medians.items() if np.isfinite(m)}
        return min(known.items(), key=lambda item: item[1]) if known else ("none", np.nan)


def quotient(other: float, ours: float) -> float:
    """other / ours; 1 where both are exact, NaN where one is not known."""
    if np.isnan(other + ours):
        return np.nan
    if max(other, ours) <= EXACT:
        return 1.0
    return max(other, EXACT) / max(ours, EXACT)


def geometric_mean(ratios: Iterable[float]) -> float:
    known = [r for r in ratios if np.isfinite(r)]
    return float(np.exp(np.mean(np.log(known)))) if known else np.nan


# ---------------------------------------------------------------- Markdown


def line(cells: Sequence[str]) -> str:
    """A line of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


def head(cells: Sequence[str]) -> str:
    """The head of a Markdown table: names to the left, figures to the right."""
    return line(cells) + "\n" + line(["---", *["---:"] * (len(cells) - 1)])


def markdown(names: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A whole Markdown table."""
    return "\n".join([head(names), *map(line, lines)])


def spread(values: np.ndarray) -> str:
    """Median [quartiles], or how many runs failed."""
    if not len(values):
        return ""
    if not np.isfinite(values).all():
        return f"failed in {np.count_nonzero(~np.isfinite(values))} of {len(values)}"
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"{middle:.1e} [{low:.0e}, {high:.0e}]"


# ---------------------------------------------------------------- targets


@dataclass(frozen=True)
class Target:
    """A figure and its bound."""

    claim: str
    value: float
    most: float = np.inf
    least: float = -np.inf

    @property
    def holds(self) -> bool:
        return self.least <= self.value <= self.most

    def __str__(self) -> str:
        bound = f"at most {self.most:g}" if np.isfinite(self.most) else f"at least {self.least:g}"
        return f"{'met   ' if self.holds else 'MISSED'}  {self.claim}: {self.value:.2f} ({bound})"
