"""How close do estimators come to the true Shapley values for the same number of model rows?

    python -m benchmarks.tables.row_accuracy [--quick] [--check] [--games PATTERN] [--seeds 20]
        [--data FOLDER] [--out FOLDER]

A coalition of the whole background costs B model rows; perturbx may also spend its rows one
background row at a time. The second table checks ``tol``: of the runs that say converged, how many
have an error within tol times the range of the scores?
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from benchmarks.games import Game, Values
from benchmarks.peers import estimators
from benchmarks.report import Cell, Run, Runs, Target, geometric_mean, markdown, quotient
from benchmarks.tables._accuracy import arguments, matching, opened, remembered, told
from benchmarks.tables._errors import game_table
from benchmarks.tables._games import row_games

BUDGETS = ("50d", "3Bd", "10Bd")
TOL, TOL_CELL = 0.01, "tol=0.01"
SEEDS = (20, 2)
QUICK = ("iris", "diabetes", "wine", "breast cancer", "SVR diabetes", "network wine")
AUTO, ROWS, CHAINS = "perturbx auto", "perturbx rows", "perturbx PermutationShap"
LEVERAGE, KERNEL = "perturbx regression, whole background", "shap Kernel, whole background"
RANKED, LEAST_RANK, MOST_SHARE, LEAST_DELIVERED = "breast cancer", 0.9, 0.25, 0.9


def n_rows(budget: str, game: Game) -> int:
    d, B = game.d, len(_background(game))
    return {"50d": 50 * d, "3Bd": 3 * B * d, "10Bd": 10 * B * d}[budget]


def _background(game: Game) -> Values:
    assert game.background is not None
    return game.background


class _Counted:
    """A model that counts its rows."""

    def __init__(self, game: Game) -> None:
        self.rows, self._predict = 0, game.predict

    def __call__(self, X: Values) -> Values:
        self.rows += len(X)
        assert self._predict is not None
        return self._predict(X)


# ---------------------------------------------------------------- contenders


def perturbx_explain(game: Game, predict: Any, seed: int, method: str, **settings: Any) -> Any:
    """An explanation by one of perturbx's public classes."""
    import perturbx as px

    masker = px.Background(_background(game), max_rows=len(_background(game)))
    explainer = getattr(px, method)(predict, masker=masker, random_state=seed, **settings)
    return explainer.explain(game.x)


def perturbx_values(
    method: str, settings: dict[str, Any], game: Game, predict: Any, budget: int, seed: int
) -> Values:
    found = perturbx_explain(game, predict, seed, method, budget=budget, **settings)
    return np.asarray(found.values)


def shap_values(game: Game, predict: Any, budget: int, seed: int) -> Values:
    import shap

    background, x = _background(game), game.x
    assert x is not None
    np.random.seed(seed)  # noqa: NPY002  it takes no seed
    nsamples = (budget - 1) // len(background) - 1
    if nsamples < 2 * game.d:
        raise ValueError("too few coalitions for a regression")
    explainer = shap.KernelExplainer(predict, background)
    return np.asarray(explainer.shap_values(x, nsamples=nsamples, l1_reg=False, silent=True))


ValuesOf = Callable[[Game, Any, int, int], Values]
CONTENDERS: dict[str, ValuesOf] = {
    AUTO: partial(perturbx_values, "KernelShap", {"estimator": "auto"}),
    ROWS: partial(perturbx_values, "KernelShap", {"estimator": "rows"}),
    CHAINS: partial(perturbx_values, "PermutationShap", {}),
    LEVERAGE: partial(perturbx_values, "KernelShap", {"estimator": "regression"}),
    KERNEL: shap_values,
}


# ---------------------------------------------------------------- runs


def rank_correlation(a: Values, b: Values) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(a, b).statistic)


def row_run(values_of: ValuesOf, game: Game, budget: str, seed: int) -> dict[str, float]:
    """Error, rank correlation with the truth, rows and seconds; NaN where it cannot run."""
    predict, start = _Counted(game), time.process_time()
    try:
        found = values_of(game, predict, n_rows(budget, game), seed).reshape(game.d)
    except ValueError:  # the whole background needs more rows than the budget has
        found = np.full(game.d, np.nan)
    error = ((found - game.phi) ** 2).sum() / (game.phi**2).sum()
    return {
        "error": float(error),
        "rank": rank_correlation(found, game.phi),
        "rows": predict.rows / n_rows(budget, game),
        "seconds": round(time.process_time() - start, 4),
    }


def tol_run(game: Game, seed: int) -> dict[str, float]:
    """Whether a run with ``tol`` reports convergence, and its error in units of tol * range."""
    predict = _Counted(game)
    budget = 40 * len(_background(game)) * game.d
    found = perturbx_explain(game, predict, seed, "KernelShap", budget=budget, tol=TOL)
    wrong = np.abs(found.values - game.phi) / (TOL * np.ptp(game.phi))
    return {
        "error": float(((found.values - game.phi) ** 2).sum() / (game.phi**2).sum()),
        "converged": float(bool(found.converged)),
        "worst": float(wrong.max()),
        "typical": float(np.sqrt((wrong**2).mean())),
        "within": float((wrong <= 1).mean()),
        "rows": predict.rows / budget,
    }


def race_rows(makers: dict[str, Callable[[int], Game]], seeds: int, runs: Runs) -> None:
    for seed in range(seeds):
        for name, make in makers.items():
            cells = [Cell(name, b, e) for b in BUDGETS for e in CONTENDERS]
            missing = [c for c in [*cells, Cell(name, TOL_CELL, AUTO)] if (c, seed) not in runs]
            game = make(seed) if missing else None
            if game is None:
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for cell in missing:
                    if cell.budget == TOL_CELL:
                        runs.add(Run(cell, seed, tol_run(game, seed)))
                    else:
                        figures = row_run(CONTENDERS[cell.estimator], game, cell.budget, seed)
                        runs.add(Run(cell, seed, figures))
            print(f"seed {seed}: {name}", file=sys.stderr, flush=True)


# ---------------------------------------------------------------- report


def ratios(runs: Runs, budget: str, other: str) -> dict[str, float]:
    """(ours) / (other) by game, where both could run."""
    return {
        name: quotient(runs.median(name, budget, AUTO), runs.median(name, budget, other))
        for name in runs.games()
        if np.isfinite(runs.median(name, budget, other))
    }


def targets(runs: Runs) -> list[Target]:
    found = []
    for other in (KERNEL, LEVERAGE):
        by_game = ratios(runs, "3Bd", other)
        if by_game:
            worst = max(by_game, key=lambda name: by_game[name])
            mean = geometric_mean(by_game.values())
            claim = f"R = 3Bd: ours / {other}, geometric mean over games"
            found.append(Target(claim, mean, most=MOST_SHARE))
            claim = f"R = 3Bd: ours / {other}, worst game ({worst})"
            found.append(Target(claim, by_game[worst], most=MOST_SHARE))
    rank = runs.median(RANKED, "50d", AUTO, "rank")
    if np.isfinite(rank):
        claim = f"R = 50d: Spearman with the truth on {RANKED}, median"
        found.append(Target(claim, rank, least=LEAST_RANK))
    tolerated = tol_figures(runs)
    said = tolerated["converged"] == 1
    if said.any():
        claim = f"{TOL_CELL}: runs that say converged, root mean square error within tol * range"
        within = float((tolerated["typical"][said] <= 1).mean())
        found.append(Target(claim, within, least=LEAST_DELIVERED))
    return found


def tol_figures(runs: Runs, games: Sequence[str] | None = None) -> dict[str, Values]:
    names = ("converged", "worst", "typical", "within", "rows")
    chosen = runs.games() if games is None else games
    return {
        name: np.concatenate([np.zeros(0)] + [runs.select(name, g, TOL_CELL, AUTO) for g in chosen])
        for name in names
    }


def tol_table(runs: Runs) -> str:
    lines = []
    for game in runs.games():
        found = tol_figures(runs, [game])
        said = found["converged"] == 1
        shares = [f"{said.mean():.2f}" if len(said) else ""]
        for name in ("typical", "worst"):
            shares.append(f"{(found[name][said] <= 1).mean():.2f}" if said.any() else "")
        shares.append(f"{found['within'][said].mean():.2f}" if said.any() else "")
        shares.append(f"{np.median(found['rows']):.2f}")
        lines.append((game, *shares))
    head = (
        TOL_CELL,
        "say converged",
        "of these: root mean square within",
        "every feature within",
        "features within",
        "share of 40Bd rows",
    )
    return markdown(head, lines)


def row_report(runs: Runs, versions: Sequence[str]) -> tuple[str, list[Target]]:
    found = targets(runs)
    lines = []
    for game in runs.games():
        for budget in BUDGETS:
            medians = [runs.median(game, budget, e) for e in CONTENDERS]
            rank = runs.median(game, budget, AUTO, "rank")
            lines.append((game, budget, *(f"{m:.1e}" for m in medians), f"{rank:.3f}"))
    parts = [
        "# Error at equal model rows",
        "\n".join(f"- {line}" for line in versions),
        "Median over seeds; nan where coalitions of the whole background exceed the budget.",
        markdown(("game", "rows", *CONTENDERS, "Spearman, auto"), lines),
        tol_table(runs),
        "## Targets",
        "\n".join(f"- {target}" for target in found),
        "## Median [quartiles] by game",
        "\n\n".join(game_table(runs, name, list(BUDGETS)) for name in runs.games()),
    ]
    return "\n\n".join(parts), found


def main() -> int:
    chosen = arguments(quick=f"{len(QUICK)} games and {SEEDS[1]} seeds", seeds=SEEDS)
    makers = matching(row_games(chosen.data), chosen)
    if chosen.quick:
        makers = {name: make for name, make in makers.items() if name in QUICK}
    runs = opened(chosen, "rows")
    race_rows(makers, chosen.seeds, runs)
    report, found = row_report(runs, remembered(estimators()[1], chosen.out))
    return told(report, found, chosen, "rows")


if __name__ == "__main__":
    sys.exit(main())
