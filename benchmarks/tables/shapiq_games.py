"""How does perturbx do on the games and by the scoring of shapiq's own benchmark package?

    python -m benchmarks.tables.shapiq_games [--quick] [--check] [--games PATTERN] [--seeds 5]
        [--out FOLDER]

`shapiq_benchmark` runs every estimator, ours as one of them, and scores it against its own exact
values. Each seed has another instance or another game, and draws the coalitions of all estimators.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np

from benchmarks.games import Game
from benchmarks.peers import BEHIND, Oracle, installed, quiet
from benchmarks.report import Cell, Run, Runs, Target, geometric_mean, markdown, quotient
from benchmarks.tables._accuracy import arguments, matching, opened, remembered, told
from benchmarks.tables._errors import game_table

BUDGETS = {"5d": 5, "10d": 10, "20d": 20, "40d": 40, "80d": 80}
PEERS = (
    "KernelSHAP",
    "LeverageSHAP",
    "RegressionMSR",
    "ProxySHAP",
    "OddSHAP",
    "PermutationSamplingSV",
)
OURS = "perturbx"
QUICK = ("SOUM, n = 20", "forest, diabetes, marginal")
LEVEL, COVERED = 0.95, (0.91, 0.99)
MEAN = "best peer of each game / ours, geometric mean"
ABOVE_PEERS = {"5d": 4.0, "10d": 5.0, "20d": 4.0}


# ---------------------------------------------------------------- games


def soum(n: int, seed: int) -> Any:
    """A sum of a hundred unanimity games of every size."""
    from shapiq_games import SOUM

    return SOUM(n=n, n_basis_games=100, random_state=seed)


def tree(model: str, seed: int) -> Any:
    """A tree model of breast cancer, on a hundred background rows."""
    from shapiq_benchmark.setups import InterventionalTreeSetup

    return InterventionalTreeSetup(dataset="breast_cancer", model=model, x=seed).build()


def local(data: str, model: str, imputer: str, seed: int) -> Any:
    """A model of scikit-learn's data, few enough features to enumerate."""
    from shapiq_benchmark.models import build_model
    from shapiq_games import TabularLocalExplanation
    from sklearn import datasets
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    X, y = getattr(datasets, f"load_{data}")(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    train, test, answers, _ = train_test_split(X, y, test_size=0.2, random_state=42)
    task = "classification" if len(np.unique(y)) < 20 else "regression"
    fitted = build_model(model, task, random_state=42).fit(train, answers)
    rows = np.random.default_rng(42).choice(len(train), 100, replace=False)
    return TabularLocalExplanation(fitted, train[rows], test[seed], imputer=imputer)


GAMES: dict[str, Callable[[int], Any]] = {
    "SOUM, n = 20": partial(soum, 20),
    "SOUM, n = 30": partial(soum, 30),
    "forest, cancer, marginal": partial(tree, "random_forest"),
    "boosting, cancer, marginal": partial(tree, "xgboost"),
    "forest, diabetes, marginal": partial(local, "diabetes", "random_forest", "marginal"),
    "forest, diabetes, conditional": partial(local, "diabetes", "random_forest", "conditional"),
    "network, wine, marginal": partial(local, "wine", "mlp", "marginal"),
    "network, wine, conditional": partial(local, "wine", "mlp", "conditional"),
}


# ---------------------------------------------------------------- perturbx as an approximator


class Perturbx:
    """`KernelShap` with one row per coalition, as `shapiq_benchmark.run` wants estimators.

    `run` makes an instance for each budget and keeps none, so the class keeps their intervals.
    """

    valid_indices = ("SV",)
    intervals: ClassVar[dict[int, Any]] = {}

    def __init__(self, n: int, random_state: int) -> None:
        self.n, self.random_state = n, random_state

    def approximate(self, budget: int, game: Any) -> Any:
        import perturbx as px
        from shapiq import InteractionValues

        explainer = px.KernelShap(
            Oracle(Game(game, np.zeros(self.n)), budget),
            masker=px.Baseline(np.zeros(self.n)),
            budget=budget,
            estimator="process",
            random_state=self.random_state,
        )
        found = explainer.fit().explain(np.ones((1, self.n)))
        self.intervals[budget] = found.interval(LEVEL)
        return InteractionValues(
            values=np.asarray(found.values).reshape(self.n),
            index="SV",
            max_order=1,
            min_order=1,
            n_players=self.n,
            interaction_lookup={(i,): i for i in range(self.n)},
            baseline_value=float(np.asarray(found.base_values).reshape(-1)[0]),
        )


def run_all(makers: dict[str, Callable[[int], Any]], seeds: int, runs: Runs) -> None:
    """Every estimator on every game, scored by shapiq; what is kept already is not repeated."""
    for seed in range(seeds):
        for name, make in makers.items():
            wanted = [
                estimator
                for estimator in (OURS, *PEERS)
                if any((Cell(name, b, estimator), seed) not in runs for b in BUDGETS)
            ]
            if wanted:
                with quiet():
                    results, covered = scored(make(seed), wanted, seed)
                for row in results:
                    runs.add(Run(Cell(name, *row[:2]), seed, row[2] | covered.get(row[:2], {})))
            print(f"seed {seed}: {name}", file=sys.stderr, flush=True)


def scored(
    game: Any, wanted: Sequence[str], seed: int
) -> tuple[list[tuple[str, str, dict[str, float]]], dict[tuple[str, str], dict[str, float]]]:
    """Errors and seconds by budget and estimator, and how many of our intervals hold the truth."""
    from shapiq import approximator
    from shapiq_benchmark import Benchmark, run

    Perturbx.intervals.clear()
    known = {name: getattr(approximator, name, None) for name in PEERS} | {OURS: Perturbx}
    benchmark, n = Benchmark(game), game.n_players
    budgets = {factor * n: name for name, factor in BUDGETS.items()}
    table = run(
        benchmark,
        {name: known[name] for name in wanted if known[name]},
        budgets,
        index="SV",
        order=1,
        seeds=[seed],
    )
    failed = table[(table.approximator == OURS) & (table.status != "ok")]
    if len(failed):
        raise RuntimeError(f"perturbx failed: {failed.error.iloc[0]}")
    truth = benchmark.exact_values("SV", 1).get_n_order_values(1)
    covered = {
        (budgets[budget], OURS): {"covered": _coverage(found, truth)}
        for budget, found in Perturbx.intervals.items()
    }
    found = [
        (budgets[row.budget], row.approximator, {"error": row.nmse, "seconds": row.runtime_s})
        for row in table.itertuples()
    ]
    return found, covered


def _coverage(interval: Any, truth: np.ndarray) -> float:
    low, high = (np.asarray(bound).reshape(-1) for bound in interval)
    slack = 1e-9 * np.abs(truth).max()
    return float(((low - slack <= truth) & (truth <= high + slack)).mean())


# ---------------------------------------------------------------- report


def peers(runs: Runs) -> list[str]:
    return [name for name in runs.estimators() if name != OURS]


def summary(runs: Runs) -> Iterator[tuple[str, ...]]:
    for game in runs.games():
        for budget in runs.budgets(list(BUDGETS)):
            mine = runs.median(game, budget, OURS)
            who, best = runs.best(game, budget, peers(runs))
            seconds = runs.select("seconds", game, budget, OURS)
            covered = runs.select("covered", game, budget, OURS)
            yield (
                game,
                budget,
                f"{mine:.1e}",
                f"{best:.1e} ({who})",
                f"{quotient(best, mine):.2f}",
                f"{np.mean(covered):.2f}",
                f"{np.mean(seconds):.2f}",
            )


def ratios(runs: Runs, budget: str) -> dict[str, float]:
    """The best peer of each game over ours."""
    return {
        game: quotient(runs.best(game, budget, peers(runs))[1], runs.median(game, budget, OURS))
        for game in runs.games()
    }


def targets(runs: Runs) -> list[Target]:
    found = []
    for budget in runs.budgets(list(BUDGETS)):
        of_games = ratios(runs, budget)
        if budget in ABOVE_PEERS:
            claim = f"m = {budget}: best peer of each game / ours, geometric mean"
            found.append(
                Target(claim, geometric_mean(of_games.values()), least=ABOVE_PEERS[budget])
            )
        for game, ratio in of_games.items():
            found.append(Target(f"{game}, m = {budget}: best peer / ours", ratio, least=1.0))
    for game in runs.games():
        covered = [runs.select("covered", game, b, OURS) for b in runs.budgets(list(BUDGETS))]
        claim = f"{game}: coverage of 95% intervals"
        found.append(Target(claim, float(np.mean(np.concatenate(covered))), least=COVERED[0]))
    return found


def report(runs: Runs, versions: Sequence[str]) -> tuple[str, list[Target]]:
    found, budgets = targets(runs), runs.budgets(list(BUDGETS))
    head = ("game", "m", "ours", "best peer", "best peer / ours", "covered (95%)", "s per run")
    means = [(b, f"{geometric_mean(ratios(runs, b).values()):.2f}") for b in budgets]
    parts = [
        "# shapiq's benchmark",
        "\n".join(f"- {line}" for line in versions),
        "Median over seeds of the squared error over the squared size of the truth.",
        markdown(head, summary(runs)),
        markdown(("m", MEAN), means),
        "## Targets",
        "\n".join(f"- {target}" for target in found),
        "## Median [quartiles] by game",
        "\n\n".join(game_table(runs, game, budgets) for game in runs.games()),
    ]
    return "\n\n".join(parts), found


def main() -> int:
    chosen = arguments(quick=f"{len(QUICK)} games and 2 seeds", seeds=(5, 2))
    try:
        import shapiq_benchmark  # noqa: F401  fails if it is missing
    except ImportError as error:
        print(f"Skipped: {error.name or error} is not installed (shapiq 1.8, Python 3.12).")
        return 0
    makers = {n: make for n, make in GAMES.items() if not chosen.quick or n in QUICK}
    runs = opened(chosen, "shapiq_games")
    run_all(matching(makers, chosen), chosen.seeds, runs)
    versions = [f"{name} {installed(name)}" for name in ("shapiq", *BEHIND["shapiq"])]
    text, found = report(runs, remembered(versions, chosen.out))
    return told(text, found, chosen, "shapiq_games")


if __name__ == "__main__":
    sys.exit(main())
