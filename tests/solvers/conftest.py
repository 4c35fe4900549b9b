"""Games on coalitions, their Shapley values by brute force, and what a solver is given."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from types import SimpleNamespace

import numpy as np
import pytest
from perturbx.designs import Design, Evaluations
from perturbx.samplers import Sampler

Game = Callable[[np.ndarray], np.ndarray]


def brute_force(game: Game, d: int) -> np.ndarray:
    """Shapley's definition: what a feature adds when it joins, averaged over all d! orders."""
    orders = list(permutations(range(d)))
    total = 0.0
    for order in orders:
        z = np.zeros((d + 1, d), dtype=bool)
        for place, feature in enumerate(order):
            z[place + 1 :, feature] = True
        total = total + np.diff(game(z), axis=0)[np.argsort(order)]
    return np.asarray(total) / len(orders)


def draw(sampler: Sampler, d: int, n: int | None = None, seed: int = 0) -> Design:
    n = sampler.default(d) if n is None else max(n, sampler.minimum(d))
    return sampler.draw(d, n, np.random.default_rng(seed))


def random_game(d: int, seed: int, k: int = 1) -> Game:
    """Every coalition has an output of its own, with no structure at all."""
    table = np.random.default_rng(seed).normal(size=(2**d, k))
    return lambda z: table[z @ (2 ** np.arange(d))]


def smooth_game(d: int, seed: int = 0) -> Game:
    """A sigmoid of a sum, a product and a rule: additive in the main, with interactions."""
    slopes = np.random.default_rng(seed).normal(size=d)

    def game(z: np.ndarray) -> np.ndarray:
        pair = z[:, 0] & ~z[:, -1]
        return np.tanh(z @ slopes) + 0.5 * pair + 0.3 * z[:, 1] * (z @ slopes)

    return game


@pytest.fixture(scope="session")
def games() -> SimpleNamespace:
    """The functions above, for tests that are imported on their own."""
    return SimpleNamespace(
        brute_force=brute_force,
        evaluate=lambda game, design: Evaluations.of_game(design, game),
        draw=draw,
        random=random_game,
        smooth=smooth_game,
    )
