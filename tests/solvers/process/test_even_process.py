"""The errors of interactions of two features under a Gaussian process."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
from perturbx.samplers import OptimalPairs, Sampler, ShapleyCoalitions
from perturbx.solvers import KernelShapRegression, WithInteractions
from perturbx.solvers.process.even_covariance import EvenCovariance
from perturbx.solvers.process.even_kernel import FAITH_SHAP, SHAPLEY, EvenKernel
from perturbx.solvers.process.even_process import _Fit
from scipy.stats import t

EXACT = WithInteractions(KernelShapRegression())
PROCESS = WithInteractions(KernelShapRegression(), "process")
Game = Callable[[np.ndarray], np.ndarray]
ALL_PAIRS = np.triu_indices(6, 1)


@pytest.mark.parametrize("n", [11, 20, 28])
def test_errors_count_the_noise_of_unseen_pairs(n: int) -> None:
    """Of noise that a fit leaves all to the pairs, nothing else is missed: over 100 games."""
    d, squares, missed = 6, np.zeros(3), np.zeros(3)
    cube = np.where(np.arange(2**d)[:, None] >> np.arange(d) & 1, 1.0, -1.0)[2 ** (d - 1) : -1]
    rng = np.random.default_rng(n)
    prior = EvenCovariance(EvenKernel(np.full(d, 0.1)), equal=1.0)
    directs = [
        SHAPLEY.direct(cube, *ALL_PAIRS),
        FAITH_SHAP.direct(cube, *ALL_PAIRS),
        FAITH_SHAP.direct_totals(cube),
    ]
    for _ in range(100):
        noise = rng.normal(size=len(cube))
        some = rng.permutation(len(cube))[:n]
        x, y = np.vstack([cube[some], np.ones((1, d))]), np.append(noise[some], 0.0)
        fit = _Fit.of(x, y, np.append(np.ones(n), 1e-6), prior, 1e-9)
        found = fit.posterior(1.0)
        totals = np.zeros((d, d))
        totals[ALL_PAIRS] = found.faith_shap[0]
        values = found.shapley[0], found.faith_shap[0], (totals + totals.T).sum(axis=1)
        errors = found.shapley[1], found.faith_shap[1], found.of_totals
        for k, direct in enumerate(directs):
            squares[k] += errors[k].sum()
            missed[k] += ((values[k] - noise @ direct) ** 2).sum()
    assert np.all((squares / missed > 0.8) & (squares / missed < 1.25)), squares / missed


def noise_of_each_coalition(seed: int) -> Game:
    """An additive game, and noise: all of its interactions are the noise's."""
    noise = np.random.default_rng(seed).normal(size=2**9)
    return lambda z: 20.0 * z[:, 0] + noise[z @ 2 ** np.arange(9)]


def steps(seed: int) -> Game:
    """Interactions of every order."""
    weights = np.random.default_rng(seed).exponential(size=9)
    return lambda z: np.floor(3.9 * (z @ weights) / weights.sum())


@pytest.mark.slow
@pytest.mark.parametrize("game", [noise_of_each_coalition, steps])
@pytest.mark.parametrize("sampler", [OptimalPairs(), ShapleyCoalitions()])
def test_intervals_cover_games_of_every_order(
    games: SimpleNamespace, game: Callable[[int], Game], sampler: Sampler
) -> None:
    """95% intervals of pairs that are chosen or drawn at random; without unseen pairs 65 to 80%."""
    hits = []
    for seed in range(12):
        v = game(seed)
        truth = EXACT.solve(games.evaluate(v, games.draw(ShapleyCoalitions(), 9, 2**9)))
        found = PROCESS.solve(games.evaluate(v, games.draw(sampler, 9, 144, seed))).interactions
        reach = found.shapley_errors * t.ppf(0.975, found.degrees_of_freedom)
        missed = np.abs(found.shapley - truth.interactions.shapley)
        hits.append((missed <= reach)[0][np.triu_indices(9, 1)])
    assert np.mean(hits) > 0.9
