"""Games with background rows, and what coverage needs of one instance: truth, answers, limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property, partial

import numpy as np
from perturbx.designs import CoalitionDesign, Design, Evaluations
from perturbx.samplers import GaussianNoise, OptimalPairs, ShapleyCoalitions
from perturbx.solvers import (
    Answers,
    KernelShapRegression,
    LearnedPrior,
    Solver,
    WithInteractions,
)

from benchmarks.games import Game, exact_shapley, masked_mean, model_game, product_shapley
from benchmarks.tables._games import ands_game, network_game, svr_game, tree_game

INSTANCES = 8
MOST_TABLED = 13
LIMIT_DRAWS = 50_000
TAUGHT_BY = 10
"""Coalitions a feature, at least, that each teacher of a shared prior is asked."""


def linear_rows(seed: int, d: int = 20) -> Game:
    """A linear model, which every method but the local fit solves exactly."""
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
    """A model that jumps on binary columns: rarely 1 in the background, all 1 in the instance."""
    rng = np.random.default_rng(seed)
    d, weights = 10, rng.exponential(size=10)
    background = (rng.random((20, d)) < 0.2).astype(float)
    # Ten features are few enough to enumerate, so the truth is not needed here.
    return model_game(lambda X: answer(X, weights), np.ones(d), background, np.zeros(d))


def ands_rows(seed: int, d: int = 20) -> Game:
    """Interactions of all orders, read from whether a column is 1; the background has none."""
    game = ands_game(seed, d, 100, d)
    return model_game(lambda X: game.v(X > 0.5), np.ones(d), np.zeros((1, d)), game.phi)


def weighted_majority(X: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return (X @ weights > weights.sum() / 2).astype(float)


def steps(X: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.floor(3.9 * X @ weights / weights.sum())


def floor(X: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.floor(1.5 * X @ (weights * (-1.0) ** np.arange(len(weights))))


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
    "jumps: floor of a sum": partial(jump_rows, answer=floor),
    "jumps: three features at once": partial(jump_rows, answer=conjunction),
    "jumps: parity of five": partial(jump_rows, answer=parity),
    "ANDs of up to 20 of 20": ands_rows,
}


@dataclass(frozen=True, eq=False)
class Case:
    """One instance of a game; its answers are looked up where all of them fit into a table."""

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

    @cached_property
    def index(self) -> np.ndarray:
        """(d, d): the Shapley interaction index, of a game that is small enough for a table."""
        design = ShapleyCoalitions().draw(self.game.d, 2**self.game.d, np.random.default_rng(0))
        found = WithInteractions(KernelShapRegression()).solve(self.evaluate(design)).interactions
        assert found is not None
        return np.asarray(found.shapley[0, :, :, 0])

    def prior(self, n_pairs: int) -> LearnedPrior | None:
        """What other rows of the data teach, as those that `fit` sees; None without any."""
        game, d = self.game, self.game.d
        binary = np.isin(game.background, (0, 1)).all()
        rows = 1 - game.background if binary else game.background
        n = max(2 * n_pairs, TAUGHT_BY * d)
        design = OptimalPairs().draw(d, n, np.random.default_rng([98, n_pairs]))
        z = np.vstack([design.z, np.ones((1, d), bool), np.zeros((1, d), bool)])
        found = [masked_mean(game.predict, x, game.background, z) for x in rows]
        *outputs, full, empty = np.stack(found, axis=1)[:, :, None]
        return LearnedPrior.learn(Answers.of(Evaluations(design, np.array(outputs), full, empty)))

    def ask(self, z: np.ndarray, row: np.ndarray | int) -> np.ndarray:
        """(m,): the outputs of coalitions, each on the given background row."""
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
        """Enough draws to estimate the limit of a local fit."""
        design = GaussianNoise().draw(self.game.d, LIMIT_DRAWS, np.random.default_rng(99))
        return self.evaluate(design)

    def limit(self, solver: Solver) -> np.ndarray:
        """(d,): the limit of a local fit."""
        if solver not in self.limits:
            self.limits[solver] = solver.solve(self.crowd).values[0, :, 0]
        return self.limits[solver]


@cache
def case(name: str, instance: int) -> Case:
    return Case(GAMES[name](instance))
