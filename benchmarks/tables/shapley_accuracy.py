"""How close does each library come to the true Shapley values for the same number of coalitions?

    python -m benchmarks.tables.shapley_accuracy [--quick] [--check] [--games PATTERN]
        [--seeds 20] [--data FOLDER] [--out FOLDER]

The error is ||estimate - truth||^2 / ||truth||^2. The budget m counts coalitions, including the
empty and the full one. Every estimator gets the same game, and none can evaluate more than m
coalitions. ``--out`` keeps every run in a file, the tables and the plot; runs that are there
already are not repeated, so another interpreter with other peers can add its own.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from benchmarks.games import Game, Values
from benchmarks.peers import KERNEL, LEVERAGE, OURS, Estimator, Oracle, estimators
from benchmarks.report import Cell, Run, Runs, Target, geometric_mean, markdown, quotient
from benchmarks.tables._accuracy import arguments, matching, opened, remembered, told
from benchmarks.tables._errors import game_table, plot
from benchmarks.tables._games import PUBLISHED, games, published_games

BUDGETS = {"5d": 5, "8d": 8, "10d": 10, "20d": 20}
QUICK = ("iris", "diabetes", "wine", "breast cancer", "SVR diabetes", "network wine", "unanimity24")
SEEDS = (20, 2)
ABOVE_PEERS = {"5d": 2.0, "10d": 5.0, "20d": 3.5}
ABOVE_KERNEL = {"20d": 20.0}
MOST_OF_LEVERAGE = 1.3
MADE_UP = ("product16", "unanimity24", "and6", "linear20")
"""Games without a model or data: shown with their own mean, but no target depends on them."""
MEANS = " (absent at the mean)"
"""Marks the games of the Leverage SHAP paper, which are compared with its table only."""

Makers = dict[str, Callable[[int], Game]]


# ---------------------------------------------------------------- runs


def normalized(found: Values, truth: Values) -> float:
    return float(((found - truth) ** 2).sum() / max((truth**2).sum(), 1e-300))


def one_run(estimator: Estimator, game: Game, factor: int, seed: int) -> dict[str, float]:
    """Error, seconds and coalitions evaluated; the error is NaN where the estimator failed."""
    oracle = Oracle(game, factor * game.d)
    start = time.process_time()
    try:
        error = normalized(estimator(oracle, seed), game.phi)
    except Exception as failure:  # a peer that breaks must not stop the others
        if estimator.is_ours:
            raise
        print(f"{estimator.name}, m = {oracle.m}, seed {seed}: {failure!r}", file=sys.stderr)
        error = np.nan
    taken = time.process_time() - start
    return {"error": error, "seconds": round(taken, 4), "m": oracle.asked, "d": game.d}


def race(makers: Makers, contenders: Sequence[Estimator], seeds: int, runs: Runs) -> None:
    """Seeds outermost, so that an interrupted race has run every game about equally often."""
    for seed in range(seeds):
        for name, make in makers.items():
            budgets = {"8d": 8} if name.endswith(MEANS) else BUDGETS
            missing = [
                (Cell(name, budget, e.name), e, factor)
                for budget, factor in budgets.items()
                for e in contenders
                if (Cell(name, budget, e.name), seed) not in runs
            ]
            game = make(seed) if missing else None
            for cell, estimator, factor in missing:
                assert game is not None
                runs.add(Run(cell, seed, one_run(estimator, game, factor, seed)))
            print(f"seed {seed}: {name}", file=sys.stderr, flush=True)


# ---------------------------------------------------------------- report


def peers(runs: Runs) -> list[str]:
    return [name for name in runs.estimators() if not name.startswith("perturbx")]


def summary_lines(runs: Runs, names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for name in names:
        for budget in runs.budgets(list(BUDGETS)):
            mine, floor = (runs.median(name, budget, e) for e in (OURS, LEVERAGE))
            who, best = runs.best(name, budget, peers(runs))
            kernel = runs.median(name, budget, KERNEL)
            yield (
                name,
                budget,
                *(f"{error:.1e}" for error in (mine, floor, kernel)),
                f"{best:.1e} ({who})",
                *(f"{quotient(other, mine):.2f}" for other in (best, kernel)),
                f"{quotient(mine, floor):.2f}",
            )


def means_by_estimator(runs: Runs, names: Sequence[str]) -> str:
    """Geometric means over games of (error of each estimator) / (ours)."""
    budgets = runs.budgets(list(BUDGETS))
    lines = []
    for estimator in runs.estimators():
        ratios = [
            geometric_mean(
                quotient(runs.median(n, b, estimator), runs.median(n, b, OURS)) for n in names
            )
            for b in budgets
        ]
        seconds = np.concatenate(
            [np.zeros(0)]
            + [runs.select("seconds", n, b, estimator) for n in names for b in budgets]
        )
        cost = f"{seconds.mean():.2f}" if len(seconds) else ""
        lines.append((estimator, *(f"{r:.2f}" for r in ratios), cost))
    return markdown(("error / ours, geometric mean", *budgets, "CPU s per run"), lines)


def against(runs: Runs, names: Sequence[str], budget: str) -> tuple[float, float]:
    """Geometric means of (best peer) / (ours) and of (shap Kernel) / (ours)."""
    mine = {n: runs.median(n, budget, OURS) for n in names}
    best = {n: runs.best(n, budget, peers(runs))[1] for n in names}
    kernel = {n: runs.median(n, budget, KERNEL) for n in names}
    to_ours = (geometric_mean(quotient(of[n], mine[n]) for n in names) for of in (best, kernel))
    return next(to_ours), next(to_ours)


def means_by_kind(runs: Runs, names: Sequence[str]) -> str:
    """The means that the targets are judged by, next to those over other games."""
    models = [n for n in names if n not in MADE_UP]
    kinds = {"models": models, "made up": [n for n in names if n in MADE_UP], "all": names}
    lines = [
        (f"{kind} ({len(members)})", budget, *(f"{r:.2f}" for r in against(runs, members, budget)))
        for kind, members in kinds.items()
        for budget in runs.budgets(list(BUDGETS))
        if members
    ]
    return markdown(("games", "m", "best peer of each game / ours", "shap Kernel / ours"), lines)


def targets(runs: Runs, names: Sequence[str]) -> list[Target]:
    """The targets; games that everyone solves exactly at all budgets do not count."""
    found = []
    models = [n for n in names if n not in MADE_UP]
    for budget in runs.budgets(list(BUDGETS)):
        best, kernel = against(runs, models, budget)
        if budget in ABOVE_PEERS and np.isfinite(best):
            claim = f"m = {budget}: best peer of each game / ours, geometric mean"
            found.append(Target(claim, best, least=ABOVE_PEERS[budget]))
        if budget in ABOVE_KERNEL and np.isfinite(kernel):
            claim = f"m = {budget}: shap Kernel / ours, geometric mean"
            found.append(Target(claim, kernel, least=ABOVE_KERNEL[budget]))
    worst = [
        (quotient(runs.median(n, b, OURS), runs.median(n, b, LEVERAGE)), n, b)
        for n in names
        for b in runs.budgets(list(BUDGETS))
    ]
    if worst:
        ratio, name, budget = max(worst)
        claim = f"ours / paired leverage, worst cell ({name}, {budget})"
        found.append(Target(claim, ratio, most=MOST_OF_LEVERAGE))
    return found


def published(runs: Runs) -> tuple[str, list[Target]]:
    """Medians at m = 8 d next to those of Leverage SHAP's table."""
    lines, found = [], []
    for name, theirs in PUBLISHED.items():
        own, floor = (runs.median(name + MEANS, "8d", e) for e in (OURS, LEVERAGE))
        if np.isfinite(own):
            lines.append((name, f"{theirs:.2e}", f"{floor:.2e}", f"{own:.2e}"))
            claim = f"m = 8d, {name}: ours / Leverage SHAP's published median"
            found.append(Target(claim, quotient(own, theirs), most=1.0))
    head = ("game", "published, Leverage SHAP", LEVERAGE, OURS)
    return markdown(head, lines), found


def is_telling(runs: Runs, name: str) -> bool:
    """False for games that both we and the best peer solve exactly at every budget."""
    errors = [
        error
        for budget in runs.budgets(list(BUDGETS))
        for error in (runs.median(name, budget, OURS), runs.best(name, budget, peers(runs))[1])
    ]
    return any(quotient(error, 0.0) > 1 for error in errors)


def telling_games(runs: Runs) -> list[str]:
    return [name for name in judged_games(runs) if is_telling(runs, name)]


def judged_games(runs: Runs) -> list[str]:
    return [name for name in runs.games() if not name.endswith(MEANS)]


def coalition_report(runs: Runs, versions: Sequence[str]) -> tuple[str, list[Target]]:
    """The whole report, and the targets."""
    names, telling = judged_games(runs), telling_games(runs)
    exact = [name for name in names if name not in telling]
    table, beaten = published(runs)
    found = targets(runs, telling) + beaten
    head = (
        "game",
        "m",
        "ours",
        "paired leverage",
        "shap Kernel",
        "best peer",
        "best peer / ours",
        "shap Kernel / ours",
        "ours / leverage",
    )
    parts = [
        "# Error against budget",
        "\n".join(f"- {line}" for line in versions),
        f"Median over seeds of ||estimate - truth||² / ||truth||². Ours is {OURS}.",
        markdown(head, summary_lines(runs, names)),
        f"Left out of means, as everyone solves them exactly: {', '.join(exact)}." if exact else "",
        means_by_kind(runs, telling),
        means_by_estimator(runs, [n for n in telling if n not in MADE_UP]),
        "## Leverage SHAP's own games, m = 8d" if beaten else "",
        table if beaten else "",
        "## Targets",
        "\n".join(f"- {target}" for target in found),
        "## Median [quartiles] by game",
        "\n\n".join(game_table(runs, name, runs.budgets(list(BUDGETS))) for name in names),
    ]
    return "\n\n".join(part for part in parts if part), found


# ---------------------------------------------------------------- the command


def main() -> int:
    chosen = arguments(quick=f"{len(QUICK)} games and {SEEDS[1]} seeds: two minutes", seeds=SEEDS)
    makers: Makers = games(chosen.data)
    makers |= {name + MEANS: make for name, make in published_games(chosen.data).items()}
    if chosen.quick:
        makers = {n: make for n, make in makers.items() if n.removesuffix(MEANS) in QUICK}
    contenders, versions = estimators()
    runs = opened(chosen, "coalitions")
    race(matching(makers, chosen), contenders, chosen.seeds, runs)
    report, found = coalition_report(runs, remembered(versions, chosen.out))
    if chosen.out:
        plot(runs, telling_games(runs) or runs.games(), BUDGETS, chosen.out / "coalitions.png")
    return told(report, found, chosen, "coalitions")


if __name__ == "__main__":
    sys.exit(main())
