"""Runs of estimators on games: kept in a file, and told as medians, ratios and a picture."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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


def markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *lines))


def spread(values: np.ndarray) -> str:
    """Median [quartiles], or how much of it failed."""
    if not len(values):
        return ""
    if not np.isfinite(values).all():
        return f"failed in {np.count_nonzero(~np.isfinite(values))} of {len(values)}"
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"{middle:.1e} [{low:.0e}, {high:.0e}]"


def game_table(runs: Runs, game: str, budgets: Sequence[str]) -> str:
    """Estimators by budgets: the median error with quartiles."""
    lines = []
    for estimator in runs.estimators():
        cells = [spread(runs.select("error", game, b, estimator)) for b in budgets]
        if any(cells):
            lines.append((estimator, *cells))
    n = max(len(seeds) for cell, seeds in runs.figures.items() if cell.game == game)
    return f"### {game} ({n} seeds)\n\n" + markdown(("estimator", *budgets), lines)


# ---------------------------------------------------------------- picture


def plot(runs: Runs, games: Sequence[str], budgets: Mapping[str, float], path: Path) -> None:
    """Error against budget, a panel a game; ours in front of the peers."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    columns = min(4, len(games))
    n_rows = -(-len(games) // columns)
    size = (3.4 * columns, 2.7 * n_rows + 1.1)
    figure, axes = plt.subplots(n_rows, columns, figsize=size, squeeze=False, sharex=True)
    styles = dict(zip(runs.estimators(), _styles(runs.estimators()), strict=True))
    for axis, game in zip(axes.flat, games, strict=False):
        for estimator, style in styles.items():
            _line(axis, runs, game, budgets, estimator, style)
        axis.set(title=game, xscale="log", yscale="log")
        axis.set_xticks(list(budgets.values()), list(budgets), minor=False)
        axis.minorticks_off()
        axis.tick_params(labelbottom=True)
        axis.grid(alpha=0.25)
    for axis in list(axes.flat)[len(games) :]:
        axis.remove()
    for axis in axes[:, 0]:
        axis.set_ylabel("squared error / squared size")
    named: dict[str, Any] = {}
    for axis in figure.axes:
        handles, labels = axis.get_legend_handles_labels()
        named |= dict(zip(labels, handles, strict=True))
    figure.legend(named.values(), named.keys(), loc="lower center", ncols=min(5, columns + 1))
    figure.tight_layout(rect=(0, 1.0 / size[1], 1, 1))
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _line(
    axis: Any, runs: Runs, game: str, budgets: Mapping[str, float], name: str, style: dict[str, Any]
) -> None:
    values = [runs.select("error", game, b, name) for b in budgets]
    at = [i for i, v in enumerate(values) if len(v) and np.isfinite(v).all()]
    if not at:
        return
    x = np.array(list(budgets.values()))[at]
    quartiles = np.array([np.quantile(values[i], [0.25, 0.5, 0.75]) for i in at]).T
    low, middle, high = np.maximum(quartiles, EXACT)
    axis.plot(x, middle, label=name, **style)
    if style["lw"] > 1.5:
        axis.fill_between(x, low, high, color=style["color"], alpha=0.15, lw=0)


def _styles(names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Ours thick and in strong colors, peers thin; libraries told apart by their color."""
    strong = iter(("#c1272d", "#1f4e9c", "#e08e0b"))
    shades = {
        "shap": ("#222222",),
        "LightSHAP": ("#8c6bb1",),
        "shapiq": ("#1b7a53", "#7ac36a"),
        "captum": ("#999999",),
    }
    seen: dict[str, int] = defaultdict(int)
    for name in names:
        library = name.split()[0]
        if library == "perturbx":
            yield {"color": next(strong, "#c1272d"), "lw": 2.2, "marker": "o", "ms": 4, "zorder": 3}
            continue
        colors, k = shades.get(library, ("#555555",)), seen[library]
        seen[library] += 1
        dash = ("-", "--", ":", "-.")[k // len(colors) % 4]
        yield {"color": colors[k % len(colors)], "lw": 1.2, "ls": dash}
