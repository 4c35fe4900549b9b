"""How close do scores of pairs of features come to the truth for the same number of coalitions?

    python -m benchmarks.tables.interaction_accuracy [--quick] [--check] [--seeds 10]
        [--games PATTERN] [--out FOLDER]

The error is ||estimate - truth||^2 / ||truth||^2 over the Shapley interaction indices of all pairs,
as the median over seeds. A seed draws the game or the instance, and the coalitions. Truth is
enumerated up to 12 features, and in closed form beyond.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from perturbx.designs import Evaluations
from perturbx.samplers import OptimalPairs, Sampler, ShapleyCoalitions
from perturbx.solvers import GaussianProcess, KernelShapRegression, WithInteractions

from benchmarks.games import Game, Values, model_game
from benchmarks.peers import Oracle
from benchmarks.report import Cell, Run, Runs, Target, geometric_mean, markdown, quotient
from benchmarks.tables._accuracy import arguments, matching, opened, told
from benchmarks.tables._games import data, instance, product_game, tree_model

BUDGETS = ("5d", "10d", "20d", "d²")
SEEDS = (10, 2)
OURS, REGRESSION = "perturbx process", "perturbx regression"
Estimator = Callable[[Oracle, int], Values]


# ---------------------------------------------------------------- games


@dataclass(frozen=True, eq=False)
class PairGame:
    """A game with the Shapley interaction index (p,) of its pairs of features."""

    game: Game
    index: Values


def enumerated(game: Game) -> PairGame:
    """Grabisch & Roubens (1999), from all coalitions; a table answers from then on."""
    d = game.d
    design = ShapleyCoalitions().draw(d, 2**d, np.random.default_rng(0))
    found = WithInteractions(KernelShapRegression()).solve(Evaluations.of_game(design, game.v))
    assert found.interactions is not None
    return PairGame(game, upper(found.interactions.shapley[0, :, :, 0]))


def upper(square: Values) -> Values:
    return np.asarray(square[np.triu_indices(len(square), 1)])


def trees(name: str, seed: int, kind: str = "boosted", most: int = 12) -> PairGame:
    """A tree ensemble; features beyond the first `most` stay those of the instance."""
    x, background = instance(data(name)[0], seed)
    whole = model_game(tree_model(name, kind, None).predict, x, background, np.zeros(len(x)))
    rest = np.ones(max(whole.d - most, 0), dtype=bool)

    def v(Z: Values) -> Values:
        return whole.v(np.hstack([Z, np.tile(rest, (len(Z), 1))]))

    return enumerated(Game(v, whole.phi[:most]))


def ands(seed: int, d: int, terms: int, largest: int) -> PairGame:
    """A sum of ANDs of 1 to `largest` features: 1 / (size - 1) for each pair of members."""
    rng = np.random.default_rng(seed)
    members = np.arange(d) < rng.integers(1, largest + 1, terms)[:, None]
    members, worth = rng.permuted(members, axis=1), rng.normal(size=terms)
    absent, size = members.T.astype(np.float32), members.sum(axis=1)
    shared = members.T * (worth / np.maximum(size - 1, 1)) @ members
    game = Game(lambda Z: (~Z @ absent == 0) @ worth, (worth / size) @ members)
    return PairGame(game, upper(shared))


GAMES: dict[str, Callable[[int], PairGame]] = {
    "diabetes (10)": lambda seed: trees("diabetes", seed),
    "breast cancer (12 of 30)": lambda seed: trees("breast_cancer", seed),
    "breast cancer forest (12 of 30)": lambda seed: trees("breast_cancer", seed, "forest"),
    "wine forest (12 of 13)": lambda seed: trees("wine", seed, "forest"),
    "product (12)": lambda seed: enumerated(product_game(seed, 12)),
    "ANDs of up to 6 of 12": lambda seed: ands(seed, 12, 50, 6),
    "ANDs of up to 20 of 20": lambda seed: ands(seed, 20, 100, 20),
    "ANDs of up to 5 of 30": lambda seed: ands(seed, 30, 60, 5),
}
QUICK = ("diabetes (10)", "product (12)", "ANDs of up to 6 of 12")


# ---------------------------------------------------------------- estimators


def by_perturbx(sampler: Sampler, solver: WithInteractions) -> Estimator:
    def estimate(oracle: Oracle, seed: int) -> Values:
        design = sampler.draw(oracle.d, oracle.m - 2, np.random.default_rng(seed))
        found = solver.solve(Evaluations.of_game(design, oracle)).interactions
        assert found is not None
        return upper(found.shapley[0, :, :, 0])

    return estimate


def by_shapiq(name: str) -> Estimator:
    def estimate(oracle: Oracle, seed: int) -> Values:
        from shapiq import approximator

        make: Any = getattr(approximator, name)
        found = make(oracle.d, max_order=2, index="SII", random_state=seed).approximate(
            oracle.m, oracle
        )
        pairs = zip(*np.triu_indices(oracle.d, 1), strict=True)
        return np.array([found[int(i), int(j)] for i, j in pairs])

    return estimate


def estimators() -> dict[str, Estimator]:
    found = {
        OURS: by_perturbx(OptimalPairs(), WithInteractions(GaussianProcess(), "process")),
        REGRESSION: by_perturbx(ShapleyCoalitions(), WithInteractions(KernelShapRegression())),
    }
    try:
        import shapiq  # noqa: F401
    except ImportError:
        print("shapiq is not installed.", file=sys.stderr)
        return found
    return found | {f"shapiq {name}": by_shapiq(name) for name in ("ProxySHAP", "KernelSHAPIQ")}


# ---------------------------------------------------------------- the race and the report


def coalitions(budget: str, d: int) -> int:
    return d * d if budget == "d²" else int(budget.removesuffix("d")) * d


def race(makers: dict[str, Callable[[int], PairGame]], seeds: int, runs: Runs) -> None:
    contenders = estimators()
    for seed in range(seeds):
        for name, make in makers.items():
            pair_game = make(seed)
            for budget in BUDGETS:
                for who, estimator in contenders.items():
                    cell = Cell(name, budget, who)
                    if (cell, seed) in runs:
                        continue
                    game, truth = pair_game.game, pair_game.index
                    found = estimator(Oracle(game, coalitions(budget, game.d)), seed)
                    error = ((found - truth) ** 2).sum() / (truth**2).sum()
                    runs.add(Run(cell, seed, {"error": float(error)}))
            print(f"seed {seed}: {name}", file=sys.stderr, flush=True)


def lines(runs: Runs) -> Iterator[tuple[str, ...]]:
    for name in runs.games():
        for budget in BUDGETS:
            errors = [runs.median(name, budget, who) for who in runs.estimators()]
            yield name, budget, *(f"{error:.1e}" for error in errors)


def report(runs: Runs) -> tuple[str, list[Target]]:
    targets = []
    for budget in BUDGETS:
        for who in runs.estimators():
            if who == OURS:
                continue
            ratio = geometric_mean(
                quotient(runs.median(name, budget, who), runs.median(name, budget, OURS))
                for name in runs.games()
            )
            targets.append(Target(f"m = {budget}: {who} / ours, geometric mean", ratio, least=1.0))
    table = markdown(("game", "m", *runs.estimators()), lines(runs))
    return "\n\n".join([table, "\n".join(f"- {target}" for target in targets)]), targets


def main() -> int:
    chosen = arguments(quick=f"{len(QUICK)} games and {SEEDS[1]} seeds, a minute", seeds=SEEDS)
    makers = {n: make for n, make in GAMES.items() if not chosen.quick or n in QUICK}
    runs = opened(chosen, "interactions")
    race(matching(makers, chosen), chosen.seeds, runs)
    text, targets = report(runs)
    return told(text, targets, chosen, "interactions")


if __name__ == "__main__":
    sys.exit(main())
