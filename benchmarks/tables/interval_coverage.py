"""How often do intervals contain the truth, for every sampled method, game and budget?

    python -m benchmarks.tables.interval_coverage [--quick] [--check] [--seeds 200]
        [--only METHOD] [--games GAME]

Coverage of 68, 90 and 95% intervals, averaged over features and seeds; each seed draws its own
design and explains one of a few instances. The truth is the exact Shapley values, and for Lime the
same fit on fifty thousand perturbations. Interactions are the Shapley interaction indices of all
pairs of features, in games of at most 13 features, at pairs of coalitions that are chosen, as the
method does, and at some drawn at random. A shared prior is taught by the background rows. Errors
below 1e-9 of the largest score count as zero; a cell without any other error says "exact". The last
columns are the mean error over the mean standard error, and the root mean square of the standard
errors over that of the errors (1 is ideal, more is cautious).

Cells out of bounds are marked: 95% intervals that cover less than 91 or more than 99%, 90%
intervals outside 84 to 97%, 68% intervals outside 63 to 90%, mean errors above twice the mean
standard error. With --quick only cells are marked that are out by more than chance explains.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from perturbx import KernelShap, Lime, PermutationShap
from perturbx.designs import CoalitionDesign, Design, NoiseDraws
from perturbx.explainers import BaseExplainer, RecipeContext
from perturbx.samplers import Sampler, ShapleyCoalitions
from perturbx.solvers import GaussianProcess, LearnedPrior, Solver, WeightedRidge
from scipy.stats import t

from benchmarks.command import parser
from benchmarks.games import Game
from benchmarks.report import head, line
from benchmarks.tables._cases import GAMES, INSTANCES, MOST_TABLED, Case, case

LEVELS = (0.68, 0.90, 0.95)
BOUNDS = {0.68: (0.63, 0.90), 0.90: (0.84, 0.97), 0.95: (0.91, 0.99)}
PAIRS = (50, 100, 200)
QUICK_SEEDS, QUICK_SLACK = 6, 3.0
"""So few seeds can only show large faults: beyond three standard errors of the coverage itself."""

NOTHING = 1e-9

# ---------------------------------------------------------------- methods and budgets


@dataclass(frozen=True)
class Method:
    """A public method and three budgets, counted in pairs, chains or draws."""

    explainer: BaseExplainer
    counted: str
    budgets: tuple[int, int, int]
    accepts: type[Design] = CoalitionDesign
    single_rows: bool = False
    sampler: Sampler | None = None
    """Instead of the one of the method."""
    is_taught: bool = False
    """Under a prior that other rows have taught."""

    def parts(self, game: Game) -> tuple[Sampler, Solver]:
        """The sampler and the solver that a user of the method gets."""
        rows = len(game.background) if self.single_rows else 1
        few = 1 + rows * (1 + 2 * game.d)  # nothing is enumerated
        context = RecipeContext(self.accepts, game.d, rows, few, "identity")
        sampler, solver = self.explainer.recipe(context)
        return self.sampler or sampler, solver

    def serves(self, of: Case) -> bool:
        """False for interactions of more features than can be enumerated, and without teachers."""
        if self.is_taught:
            return len(of.game.background) >= LearnedPrior.fewest
        return not self.parts(of.game)[1].scores_pairs or of.game.d <= MOST_TABLED

    def draws(self, budget: int, d: int) -> int:
        return budget * {"pairs": 2, "chains": 2 * (d - 1), "draws": 1}[self.counted]


def nothing(X: np.ndarray) -> np.ndarray:
    """A model for explainers whose recipe alone is used."""
    return np.zeros(len(X))


PAIR_SCORES = KernelShap(nothing, estimator="process", interactions=True)

METHODS = {
    "KernelShap, regression": Method(KernelShap(nothing, estimator="regression"), "pairs", PAIRS),
    "KernelShap, process": Method(KernelShap(nothing, estimator="process"), "pairs", PAIRS),
    "KernelShap, shared prior": Method(
        KernelShap(nothing, estimator="process"), "pairs", PAIRS, is_taught=True
    ),
    "KernelShap, interactions": Method(PAIR_SCORES, "pairs", PAIRS),
    "KernelShap, interactions at random": Method(
        PAIR_SCORES, "pairs", PAIRS, sampler=ShapleyCoalitions()
    ),
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
    """Errors (`miss`) and standard errors (seeds, d) over the largest score; t quantiles."""

    miss: np.ndarray
    error: np.ndarray
    quantiles: np.ndarray

    @property
    def is_exact(self) -> bool:
        return bool((self.miss <= NOTHING).all())

    def hits(self, level: float) -> np.ndarray:
        """(seeds,): the fraction of features whose interval contains the truth."""
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
        """The levels that are out of bounds by more than `slack` standard errors."""
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
    cases = [case(name, instance) for instance in range(min(INSTANCES, n_seeds))]
    priors = [of.prior(budget) if method.is_taught else None for of in cases]
    found = [
        _one(method, cases[seed % INSTANCES], priors[seed % INSTANCES], budget, seed)
        for seed in range(n_seeds)
    ]
    return Cell(*(np.array(part) for part in zip(*found, strict=True)))


def _one(
    method: Method, of: Case, prior: LearnedPrior | None, budget: int, seed: int
) -> tuple[np.ndarray, ...]:
    d = of.game.d
    sampler, solver = method.parts(of.game)
    if isinstance(solver, GaussianProcess):
        solver = replace(solver, prior=prior)
    design = sampler.draw(d, method.draws(budget, d), np.random.default_rng([seed, budget]))
    solution = solver.solve(of.evaluate(design))
    values, errors = solution.values[0, :, 0], solution.standard_errors[0, :, 0]
    degrees, pairs = solution.degrees_of_freedom, solution.interactions
    if pairs is not None:
        of_pairs = (0, *np.triu_indices(d, 1), 0)
        values, errors = pairs.shapley[of_pairs], pairs.shapley_errors[of_pairs]
        degrees, truth = pairs.degrees_of_freedom, of.index[of_pairs[1:3]]
    elif method.accepts is NoiseDraws:
        truth = of.limit(_fixed(solver, len(design), d))
    else:
        truth = of.phi
    scale = np.abs(truth).max()
    quantiles = t.ppf((1 + np.array(LEVELS)) / 2, degrees)
    return np.abs(values - truth) / scale, errors / scale, quantiles


def _fixed(solver: Solver, n: int, d: int) -> Solver:
    """The local fit with the effective fraction of draws that it uses at `n` draws."""
    assert isinstance(solver, WeightedRidge)
    fraction = max(solver.effective_fraction, 2 * (d + 2) / n)
    return replace(solver, effective_fraction=min(fraction, 1.0))


# ---------------------------------------------------------------- the table

HEAD = ("method", "game", "tried", "68%", "90%", "95%", "error / s.e.", "s.e. / error (rms)", "")


def lines(n_seeds: int, slack: float, only: str, games: str) -> Iterator[tuple[str, bool]]:
    """A line of the table, and whether its cell is out of bounds."""
    for method_name, method in METHODS.items():
        for game_name in GAMES:
            if only.lower() not in method_name.lower() or games.lower() not in game_name.lower():
                continue
            if not method.serves(case(game_name, 0)):
                continue
            for budget in method.budgets:
                cell = measure(method, game_name, budget, n_seeds)
                faults = cell.faults(slack)
                tried = f"{budget} {method.counted}"
                yield line((method_name, game_name, tried, *figures(cell, faults))), bool(faults)


def figures(cell: Cell, faults: list[str]) -> list[str]:
    if cell.is_exact:
        return ["exact", *[""] * 5]
    covered = [f"{100 * cell.coverage(level):.1f}" for level in LEVELS]
    marks = f"OUT: {', '.join(faults)}" if faults else ""
    return [*covered, f"{cell.mean_ratio:.2f}", f"{cell.sharpness:.2f}", marks]


def main() -> int:
    asked = parser(quick="few seeds: two minutes, rough")
    asked.add_argument("--seeds", type=int, default=200)
    asked.add_argument("--only", default="", help="methods whose name has these words")
    asked.add_argument("--games", default="", help="games whose name has these words")
    chosen = asked.parse_args()
    n_seeds, slack = (QUICK_SEEDS, QUICK_SLACK) if chosen.quick else (chosen.seeds, 0.0)
    print(f"{n_seeds} seeds, {INSTANCES} instances\n\n{head(HEAD)}")
    found = []
    for shown, is_out in lines(n_seeds, slack, chosen.only, chosen.games):
        print(shown, flush=True)
        found.append(is_out)
    print(f"\n{sum(found)} of {len(found)} cells out of bounds")
    return int(chosen.check and any(found))


if __name__ == "__main__":
    sys.exit(main())
