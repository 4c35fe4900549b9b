"""How often intervals hold the truth: every sampled method, over seeds, games and budgets.

    python benchmarks/interval_coverage.py [--quick] [--check] [--seeds N]
        [--only METHOD] [--games GAME]

Nominal 68, 90 and 95% intervals, averaged over features and seeds; each seed draws its own design,
and takes turns among a few instances. Truth is exact Shapley values, and for Lime the same fit on
fifty thousand perturbations. A miss below 1e-9 of the largest score is none; where there is
no other, the cell says "exact". The last columns are the mean error over the mean standard error,
and the root mean square of standard errors over that of errors (1 is ideal, more is cautious).

A mark follows what is out of bounds: 95% intervals that cover less than 91 or more than 99%, 90%
ones beyond 84 and 97%, 68% ones beyond 63 and 90%, mean errors over twice the mean standard error.
With --quick it follows only what is out by more than a few seeds can be by chance.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial

import numpy as np
from perturbx import KernelShap, Lime, PermutationShap
from perturbx.designs import CoalitionDesign, Design, Evaluations, NoiseDraws
from perturbx.explainers._base import BaseExplainer
from perturbx.explainers._plan import RecipeContext
from perturbx.samplers import GaussianNoise, Sampler
from perturbx.solvers import Solver, WeightedRidge
from scipy.stats import t

from _games import (
    Game,
    exact_shapley,
    model_game,
    network_game,
    product_shapley,
    svr_game,
    tree_game,
)

LEVELS = (0.68, 0.90, 0.95)
BOUNDS = {0.68: (0.63, 0.90), 0.90: (0.84, 0.97), 0.95: (0.91, 0.99)}
PAIRS = (50, 100, 200)
INSTANCES = 8
QUICK_SEEDS, QUICK_SLACK = 6, 3.0
"""So few seeds only show what is far out: by three standard errors of the coverage itself."""

NOTHING = 1e-9
MOST_TABLED = 13
LIMIT_DRAWS = 50_000

# ---------------------------------------------------------------- games with background rows


def linear_rows(seed: int, d: int = 20) -> Game:
    """A linear model: what every method but the local fit knows exactly."""
    rng = np.random.default_rng(seed)
    slopes, x, background = rng.normal(size=d), rng.normal(size=d), rng.normal(size=(20, d))
    slopes[:4] = 0
    return model_game(
        lambda X: X @ slopes + 3, x, background, slopes * (x - background.mean(axis=0))
    )


def product_rows(seed: int, d: int = 16) -> Game:
    """A product of all features: interactions of every order."""
    rng = np.random.default_rng(seed)
    x, background = rng.uniform(0.5, 1.6, d), rng.uniform(0.5, 1.6, (20, d))
    weights = np.full(20, 1 / 20)
    phi = product_shapley(np.tile(x, (20, 1)), background, weights)
    return model_game(lambda X: X.prod(axis=1), x, background, phi)


def jump_rows(seed: int, answer: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Game:
    """A model that jumps: rare yes-or-no columns, all of them true of the instance."""
    rng = np.random.default_rng(seed)
    d, weights = 10, rng.exponential(size=10)
    background = (rng.random((20, d)) < 0.2).astype(float)
    # Ten features are few enough to enumerate, so the truth is not needed here.
    return model_game(lambda X: answer(X, weights), np.ones(d), background, np.zeros(d))


def weighted_majority(X: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return (X @ weights > weights.sum() / 2).astype(float)


def steps(X: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.floor(3.9 * X @ weights / weights.sum())


def conjunction(X: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return X[:, 0] * X[:, 1] * X[:, 2]


def parity(X: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return X[:, :5].sum(axis=1) % 2


GAMES: dict[str, Callable[[int], Game]] = {
    "random forest, diabetes": partial(tree_game, "diabetes", kind="forest"),
    "boosted trees, breast cancer": partial(tree_game, "breast_cancer"),
    "network, wine": partial(network_game, "wine"),
    "linear": linear_rows,
    "SVR, diabetes": partial(svr_game, "diabetes"),
    "product": product_rows,
    "jumps: weighted majority": partial(jump_rows, answer=weighted_majority),
    "jumps: steps": partial(jump_rows, answer=steps),
    "jumps: three features at once": partial(jump_rows, answer=conjunction),
    "jumps: parity of five": partial(jump_rows, answer=parity),
}


@dataclass(frozen=True, eq=False)
class Case:
    """One instance of a game, whose answers are looked up where all of them fit into a table."""

    game: Game
    limits: dict[Solver, np.ndarray] = field(default_factory=dict)

    @cached_property
    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """The outputs of the instance (1, 1), and of each background row (B, 1, 1)."""
        full = self.game.predict(self.game.x[None]).reshape(1, 1)
        return full, self.game.predict(self.game.background).reshape(-1, 1, 1)

    @cached_property
    def table(self) -> np.ndarray:
        """(2**d, B): the outputs of every coalition, on every background row."""
        d = self.game.d
        every = (np.arange(2**d)[:, None] >> np.arange(d) & 1).astype(bool)
        return np.stack([self.ask(every, b) for b in range(len(self.game.background))], axis=1)

    @cached_property
    def phi(self) -> np.ndarray:
        if self.game.d > MOST_TABLED:
            return self.game.phi
        return exact_shapley(lambda z: self.table.mean(axis=1), self.game.d)

    def ask(self, z: np.ndarray, row: np.ndarray | int) -> np.ndarray:
        """(m,): coalitions, each on the background row named."""
        rows = np.where(z, self.game.x, self.game.background[row])
        return np.asarray(self.game.predict(rows)).reshape(-1)

    def outputs(self, design: Design) -> np.ndarray:
        z, row = design.z, design.background_row
        if not isinstance(design, CoalitionDesign):
            scale = np.vstack([self.game.background, self.game.x]).std(axis=0)
            return np.asarray(self.game.predict(self.game.x + scale * z)).reshape(-1)
        if self.game.d <= MOST_TABLED:
            place = z @ 2 ** np.arange(self.game.d)
            return self.table[place].mean(axis=1) if row is None else self.table[place, row]
        return self.game.v(z) if row is None else self.ask(z, row)

    def evaluate(self, design: Design) -> Evaluations:
        full, rows = self.ends
        empty = (
            rows.mean(axis=0) if isinstance(design, CoalitionDesign) else np.full((1, 1), np.nan)
        )
        named = rows if design.background_row is not None else None
        outputs = self.outputs(design).reshape(-1, 1, 1)
        return Evaluations(design, outputs, full, empty, named)

    @cached_property
    def crowd(self) -> Evaluations:
        """What a local fit tends to is read from these."""
        design = GaussianNoise().draw(self.game.d, LIMIT_DRAWS, np.random.default_rng(99))
        return self.evaluate(design)

    def limit(self, solver: Solver) -> np.ndarray:
        """(d,): what a local fit tends to."""
        if solver not in self.limits:
            self.limits[solver] = solver.solve(self.crowd).values[0, :, 0]
        return self.limits[solver]


@cache
def case(name: str, instance: int) -> Case:
    return Case(GAMES[name](instance))


# ---------------------------------------------------------------- methods and budgets


@dataclass(frozen=True)
class Method:
    """A public method and how much it tries: pairs, chains or draws, at three budgets."""

    explainer: BaseExplainer
    counted: str
    budgets: tuple[int, int, int]
    accepts: type[Design] = CoalitionDesign
    single_rows: bool = False

    def parts(self, game: Game) -> tuple[Sampler, Solver]:
        """The sampler and the solver that a user of the method gets."""
        rows = len(game.background) if self.single_rows else 1
        few = 1 + rows * (1 + 2 * game.d)  # nothing is enumerated
        return self.explainer.recipe(RecipeContext(self.accepts, game.d, rows, few, "identity"))

    def draws(self, budget: int, d: int) -> int:
        return budget * {"pairs": 2, "chains": 2 * (d - 1), "draws": 1}[self.counted]


def nothing(X: np.ndarray) -> np.ndarray:
    """A model for explainers of which only the recipe is used."""
    return np.zeros(len(X))


METHODS = {
    "KernelShap, regression": Method(KernelShap(nothing, estimator="regression"), "pairs", PAIRS),
    "KernelShap, process": Method(KernelShap(nothing, estimator="process"), "pairs", PAIRS),
    "KernelShap, rows": Method(
        KernelShap(nothing, estimator="rows"), "chains", (12, 50, 200), single_rows=True
    ),
    "PermutationShap": Method(PermutationShap(nothing), "chains", (12, 50, 200), single_rows=True),
    "PermutationShap, one row": Method(PermutationShap(nothing), "chains", (5, 15, 50)),
    "Lime": Method(Lime(nothing), "draws", (100, 300, 1000), NoiseDraws),
}


# ---------------------------------------------------------------- what is measured


@dataclass(frozen=True, eq=False)
class Cell:
    """Misses and standard errors (seeds, d), in units of the largest score; t quantiles."""

    miss: np.ndarray
    error: np.ndarray
    quantiles: np.ndarray

    @property
    def is_exact(self) -> bool:
        return bool((self.miss <= NOTHING).all())

    def hits(self, level: float) -> np.ndarray:
        """(seeds,): the share of features that are within their intervals."""
        reach = self.error * self.quantiles[:, LEVELS.index(level), None]
        return np.asarray(((self.miss <= reach) | (self.miss <= NOTHING)).mean(axis=1))

    def coverage(self, level: float) -> float:
        return float(self.hits(level).mean())

    @property
    def mean_ratio(self) -> float:
        """The mean error over the mean standard error: about 0.8 where errors are normal."""
        return float(self.miss.mean() / self.error.mean())

    @property
    def sharpness(self) -> float:
        return float(np.sqrt((self.error**2).mean() / (self.miss**2).mean()))

    def faults(self, slack: float) -> list[str]:
        """What is out of bounds by more than `slack` standard errors; no error bar always is."""
        if self.is_exact:
            return []
        found = ["error"] if not self.mean_ratio <= 2 else []
        for level, (least, most) in BOUNDS.items():
            hits = self.hits(level)
            by_chance = np.sqrt(level * (1 - level) / self.miss.shape[1])
            spare = slack * max(hits.std(), by_chance) / np.sqrt(len(hits))
            if not least - spare <= hits.mean() <= most + spare:
                found.append(f"{level:.0%}")
        return found


def measure(method: Method, name: str, budget: int, n_seeds: int) -> Cell:
    found = [_one(method, case(name, seed % INSTANCES), budget, seed) for seed in range(n_seeds)]
    return Cell(*(np.array(part) for part in zip(*found, strict=True)))


def _one(method: Method, of: Case, budget: int, seed: int) -> tuple[np.ndarray, ...]:
    d = of.game.d
    sampler, solver = method.parts(of.game)
    design = sampler.draw(d, method.draws(budget, d), np.random.default_rng([seed, budget]))
    solution = solver.solve(of.evaluate(design))
    truth = of.limit(_fixed(solver, len(design), d)) if method.accepts is NoiseDraws else of.phi
    scale = np.abs(truth).max()
    miss = np.abs(solution.values[0, :, 0] - truth) / scale
    error = solution.standard_errors[0, :, 0] / scale
    return miss, error, t.ppf((1 + np.array(LEVELS)) / 2, solution.degrees_of_freedom)


def _fixed(solver: Solver, n: int, d: int) -> Solver:
    """The local fit with the share of effective draws that it raises to at `n` draws."""
    assert isinstance(solver, WeightedRidge)
    return replace(solver, effective_share=min(max(solver.effective_share, 2 * (d + 2) / n), 1.0))


# ---------------------------------------------------------------- the table

HEAD = "| method | game | tried | 68% | 90% | 95% | error / s.e. | s.e. / error (rms) | |"


def lines(n_seeds: int, slack: float, only: str, games: str) -> Iterator[tuple[str, bool]]:
    """A line of the table, and whether its cell is out of bounds."""
    for method_name, method in METHODS.items():
        if only.lower() not in method_name.lower():
            continue
        for game_name in GAMES:
            if games.lower() not in game_name.lower():
                continue
            for budget in method.budgets:
                cell = measure(method, game_name, budget, n_seeds)
                faults = cell.faults(slack)
                head = f"| {method_name} | {game_name} | {budget} {method.counted} |"
                yield f"{head} {_figures(cell, faults)} |", bool(faults)


def _figures(cell: Cell, faults: list[str]) -> str:
    if cell.is_exact:
        return " | ".join(["exact", *[""] * 5])
    covered = [f"{100 * cell.coverage(level):.1f}" for level in LEVELS]
    marks = f"OUT: {', '.join(faults)}" if faults else ""
    return " | ".join([*covered, f"{cell.mean_ratio:.2f}", f"{cell.sharpness:.2f}", marks])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few seeds: two minutes, rough")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a cell is out")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--only", default="", help="methods whose name has these words")
    parser.add_argument("--games", default="", help="games whose name has these words")
    asked = parser.parse_args()
    n_seeds, slack = (QUICK_SEEDS, QUICK_SLACK) if asked.quick else (asked.seeds, 0.0)
    print(f"{n_seeds} seeds, {INSTANCES} instances\n\n{HEAD}\n|{'---|' * (HEAD.count('|') - 1)}")
    found = []
    for line, is_out in lines(n_seeds, slack, asked.only, asked.games):
        print(line, flush=True)
        found.append(is_out)
    print(f"\n{sum(found)} of {len(found)} cells out of bounds")
    if asked.check and any(found):
        sys.exit(1)


if __name__ == "__main__":
    main()
