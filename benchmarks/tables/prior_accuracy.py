"""How close are scores under a prior that other rows taught, next to each row's own?

    python -m benchmarks.tables.prior_accuracy [--quick] [--check] [--games PATTERN] [--seeds 3]
        [--data FOLDER] [--out FOLDER]

The squared error of `KernelShap(estimator="process")` with `prior="shared"` over that with
`prior="own"`, at 2 to 20 coalitions per feature besides the full and the empty one: geometric
means over rows, with a 95% bootstrap interval. A seed draws the background, the rows and those that
`fit` sees, which are others.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.games import Values, exact_shapley, masked_mean, permutation_shapley
from benchmarks.report import Cell, Run, Runs, Target, geometric_mean, markdown
from benchmarks.tables._accuracy import arguments, matching, opened, told
from benchmarks.tables._games import (
    BACKGROUND_ROWS,
    FILES,
    data,
    network,
    svr,
    svr_shapley,
    tree_model,
)

BUDGETS = {"2d": 2, "3d": 3, "5d": 5, "10d": 10, "20d": 20}
JUDGED = ("5d", "10d", "20d")
QUICK = ("diabetes", "network wine")
SEEDS = (3, 1)
ROWS, SEEN, MOST_ENUMERATED = 10, 200, 13
MOST, LEAST_GAIN = 1.1, 2.0
LEAST = 1e-24
"""Squared errors below this, over the squared size, are arithmetic."""


@dataclass(frozen=True)
class Crowd:
    """Rows of one model with their true scores (n, d), and rows that `fit` may see."""

    predict: Callable[[Values], Values]
    background: Values
    X: Values
    seen: Values
    truth: Values


def tree_truth(model: Any, X: Values, background: Values) -> Values:
    import shap

    explainer = shap.TreeExplainer(model, background, feature_perturbation="interventional")
    return np.asarray(explainer.shap_values(X, check_additivity=False))


def network_truth(predict: Callable[[Values], Values], X: Values, background: Values) -> Values:
    """Enumerated, or by half a million evaluations (error about 2e-5)."""
    games, d = [partial(masked_mean, predict, x, background) for x in X], X.shape[1]
    if d <= MOST_ENUMERATED:
        return np.array([exact_shapley(v, d) for v in games])
    rng = np.random.default_rng(0)
    return np.array([permutation_shapley(v, d, 4000, rng) for v in games])


def crowd(name: str, rows: int, seed: int, folder: Path | None) -> Crowd:
    """The model of a game of `shapley_accuracy`, and rows of its data."""
    kind, _, of = name.partition(" ")
    if kind == "SVR":
        model, X = svr(of.replace(" ", "_"))
    elif kind == "network":
        model, X = network(of.replace(" ", "_")), data(of.replace(" ", "_"))[0]
    else:
        stem = name.removesuffix(" forest")
        source = stem.replace(" ", "_")
        model = tree_model(source, "forest" if stem != name else "boosted", folder)
        X = data(source, folder)[0]
    order = np.random.default_rng([seed, 7]).permutation(len(X))
    background, explained, seen = np.split(
        X[order[: BACKGROUND_ROWS + rows + SEEN]], [BACKGROUND_ROWS, BACKGROUND_ROWS + rows]
    )
    if kind == "SVR":
        truth = np.array([svr_shapley(model, x, background) for x in explained])
    elif kind == "network":
        truth = network_truth(model.predict, explained, background)
    else:
        truth = tree_truth(model, explained, background)
    return Crowd(model.predict, background, explained, seen, truth)


def names(folder: Path | None) -> list[str]:
    """The games with a model and data that are not enumerated at these budgets."""
    trees = ["diabetes", "diabetes forest", "breast cancer", "breast cancer forest", "wine"]
    trees += ["digits forest", "corrgroups60", "independentlinear60"]
    others = ["SVR diabetes", "SVR breast cancer", "network wine", "network breast cancer"]
    return [*trees, *others, *(FILES if folder else ())]


def errors(of: Crowd, per_feature: int, prior: str, seed: int) -> Values:
    """(rows,): squared errors over the mean squared size of the truth."""
    import perturbx as px

    d, n_background = of.X.shape[1], len(of.background)
    explainer = px.KernelShap(
        of.predict,
        masker=px.Background(of.background, max_rows=n_background),
        budget=per_feature * d * n_background + 1 + n_background,
        estimator="process",
        prior=prior,  # type: ignore[arg-type]
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # small budgets leave large errors
        found = explainer.fit(of.seen).explain(of.X).values
    sizes = (of.truth**2).sum(axis=1)
    return np.asarray(np.maximum(((found - of.truth) ** 2).sum(axis=1) / sizes, LEAST))


def race(chosen: Any, makers: dict[str, str], runs: Runs) -> None:
    for seed in range(chosen.seeds):
        for name in makers:
            made = None
            for budget, per_feature in BUDGETS.items():
                # A row is a seed of the table.
                cell, first = Cell(name, budget, "shared / own"), seed * ROWS
                if (cell, first) in runs:
                    continue
                made = made or crowd(name, ROWS, seed, chosen.data)
                shared, own = (errors(made, per_feature, p, seed) for p in ("shared", "own"))
                for row, (of_shared, of_own) in enumerate(zip(shared, own, strict=True)):
                    figures = {"shared": float(of_shared), "own": float(of_own)}
                    runs.add(Run(cell, first + row, figures))
            print(f"seed {seed}: {name}", file=sys.stderr, flush=True)


def logs(runs: Runs, game: str, budget: str) -> Values:
    shared, own = (runs.select(f, game, budget, "shared / own") for f in ("shared", "own"))
    return np.asarray(np.log(shared / own))


def lines(runs: Runs) -> Iterator[tuple[str, ...]]:
    for game in runs.games():
        cells = []
        for budget in runs.budgets(list(BUDGETS)):
            values = logs(runs, game, budget)
            drawn = np.random.default_rng(0).choice(values, (2000, len(values))).mean(axis=1)
            low, high = np.exp(np.quantile(drawn, [0.025, 0.975]))
            cells.append(f"{np.exp(values.mean()):.2f} [{low:.2f}, {high:.2f}]")
        yield game, *cells


def means(runs: Runs, budget: str) -> list[float]:
    return [float(np.exp(logs(runs, game, budget).mean())) for game in runs.games()]


def targets(runs: Runs) -> list[Target]:
    found = [
        Target(f"{game}, {budget}: shared / own", ratio, most=MOST)
        for budget in JUDGED
        for game, ratio in zip(runs.games(), means(runs, budget), strict=True)
    ]
    gain = 1 / geometric_mean(means(runs, "2d"))
    return [*found, Target("2d: own / shared, geometric mean", gain, least=LEAST_GAIN)]


def report(runs: Runs) -> tuple[str, list[Target]]:
    budgets, found = runs.budgets(list(BUDGETS)), targets(runs)
    overall = ("geometric mean", *(f"{geometric_mean(means(runs, b)):.2f}" for b in budgets))
    parts = [
        "# Squared error under a shared prior, over that under each row's own",
        markdown(("game", *budgets), [*lines(runs), overall]),
        "## Targets",
        "\n".join(f"- {target}" for target in found),
    ]
    return "\n\n".join(parts), found


def main() -> int:
    chosen = arguments(quick=f"{len(QUICK)} games and one seed", seeds=SEEDS)
    known = {name: name for name in names(chosen.data) if not chosen.quick or name in QUICK}
    runs = opened(chosen, "priors")
    race(chosen, matching(known, chosen), runs)
    text, found = report(runs)
    return told(text, found, chosen, "priors")


if __name__ == "__main__":
    sys.exit(main())
