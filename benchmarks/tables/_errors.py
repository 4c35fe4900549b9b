"""Tables and a plot of errors by game and budget."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import EXACT, Runs, markdown, spread


def game_table(runs: Runs, game: str, budgets: Sequence[str]) -> str:
    """Estimators by budgets: the median error with quartiles."""
    lines = []
    for estimator in runs.estimators():
        cells = [spread(runs.select("error", game, b, estimator)) for b in budgets]
        if any(cells):
            lines.append((estimator, *cells))
    n = max(len(seeds) for cell, seeds in runs.figures.items() if cell.game == game)
    return f"### {game} ({n} seeds)\n\n" + markdown(("estimator", *budgets), lines)


def plot(runs: Runs, games: Sequence[str], budgets: Mapping[str, float], path: Path) -> None:
    """Error against budget, one panel per game, with ours in front of the peers."""
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
    """Ours thick and in strong colors, peers thin, with one color per library."""
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
