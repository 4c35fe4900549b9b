"""The prior on even interactions, and the indices of pairs of features that it implies."""

from __future__ import annotations

from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from perturbx.samplers import ShapleyCoalitions
from perturbx.solvers import KernelShapRegression, WithInteractions
from perturbx.solvers.process.even_covariance import EvenCovariance
from perturbx.solvers.process.even_kernel import FAITH_SHAP, SHAPLEY, EvenKernel
from perturbx.solvers.process.odd_kernel import bounded
from perturbx.solvers.process.parity import ParityTerms

TERMS = np.array([[1, 1, 0, 0, 0, 0], [1, 0, 1, 1, 1, 0], [1, 1, 1, 1, 1, 1]], np.float32)


def covariance(share: float, equal: float) -> EvenCovariance:
    """Six features, with the terms above."""
    spread = np.sqrt(share * np.array([0.2, 0.5, 0.3]))
    rates = np.random.default_rng(0).uniform(0, 0.9, 6)
    return EvenCovariance(EvenKernel(rates), equal, ParityTerms(TERMS, spread))


@given(d=st.integers(1, 8), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=20)
def test_kernel_is_the_sum_over_even_subsets(d: int, seed: int) -> None:
    """Closed form = sum over T, |T| = 2, 4, ..., of prod r_i x_i y_i, written out."""
    rng = np.random.default_rng(seed)
    x, r = rng.choice([-1.0, 1.0], (6, d)), rng.uniform(0, 0.9, d)
    expected = np.zeros((6, 6))
    for size in range(2, d + 1, 2):
        for subset in combinations(range(d), size):
            part = x[:, subset].prod(axis=1)
            expected += r[list(subset)].prod() * np.outer(part, part)
    assert_allclose(EvenKernel(r).matrix(x), expected, atol=1e-12)


@pytest.mark.parametrize(("share", "equal"), [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (0.4, 0.3)])
def test_indices_and_their_variances(games: SimpleNamespace, share: float, equal: float) -> None:
    """Of each part of the prior: enumeration of all coalitions agrees, twice for the variances."""
    prior, d = covariance(share, equal), 6
    design = games.draw(ShapleyCoalitions(), d, 2**d)
    i, j = np.triu_indices(d, 1)

    def signs(z: np.ndarray) -> np.ndarray:
        return np.where(z, 1.0, -1.0)

    def enumerated(game: object) -> tuple[np.ndarray, np.ndarray]:
        solver = WithInteractions(KernelShapRegression())
        found = solver.solve(games.evaluate(game, design)).interactions
        return found.shapley[0, i, j], found.faith_shap[0, i, j]

    x = np.random.default_rng(1).choice([-1.0, 1.0], (3, d))
    of_rows = enumerated(lambda z: prior.matrix(np.vstack([signs(z), x]))[: len(z), len(z) :])
    for which, expected in zip((SHAPLEY, FAITH_SHAP), of_rows, strict=True):
        assert_allclose(prior.index(which, x, i, j), expected.T, atol=1e-12)
    totals = np.zeros((d, 3))
    for feature in range(d):
        totals[feature] = of_rows[1][(i == feature) | (j == feature)].sum(axis=0)
    assert_allclose(prior.totals(x), totals.T, atol=1e-12)

    # The variance of a linear functional: applied to the covariance in one argument, then in the
    # other.
    for place, which in enumerate((SHAPLEY, FAITH_SHAP)):
        of_index = enumerated(lambda z, which=which: prior.index(which, signs(z), i, j))
        expected = np.diag(of_index[place])
        assert_allclose(prior.index_variance(which)[i, j], expected, atol=1e-12)
    twice = enumerated(lambda z: prior.totals(signs(z)))[1]
    expected = [twice[(i == f) | (j == f), f].sum() for f in range(d)]
    assert_allclose(prior.total_variance(), expected, atol=1e-12)


@pytest.mark.parametrize("d", [3, 6])
def test_what_one_pair_of_coalitions_adds(games: SimpleNamespace, d: int) -> None:
    """Of a game that is 1 at a coalition and its complement, and 0 elsewhere: enumeration."""
    z = (np.arange(2**d)[:, None] >> np.arange(d)) % 2 == 1
    i, j = np.triu_indices(d, 1)
    x = np.where(z, 1.0, -1.0)

    def game(at: np.ndarray) -> np.ndarray:
        return np.abs(np.where(at, 1.0, -1.0) @ x.T) == d

    design = games.draw(ShapleyCoalitions(), d, 2**d)
    found = WithInteractions(KernelShapRegression()).solve(games.evaluate(game, design))
    assert_allclose(SHAPLEY.direct(x, i, j).T, found.interactions.shapley[0, i, j], atol=1e-12)
    of_faith = found.interactions.faith_shap[0]
    assert_allclose(FAITH_SHAP.direct(x, i, j).T, of_faith[i, j], atol=1e-12)
    totals = of_faith.sum(axis=1) - of_faith[np.arange(d), np.arange(d)]
    assert_allclose(FAITH_SHAP.direct_totals(x).T, totals, atol=1e-12)


@pytest.mark.parametrize("d", [50, 300, 1500])
def test_forty_nodes_are_enough_for_many_features(d: int) -> None:
    """With equal rates the index at the full coalition is an integral in closed form."""
    r = bounded(np.full(d, 0.9))
    rate, i = r[0], np.array([0])
    found = EvenKernel(r).index(SHAPLEY, np.ones((1, d)), i, i + 1)
    expected = 2 * rate / (d - 1) * ((1 + rate) ** (d - 1) - (1 - rate) ** (d - 1))
    assert_allclose(found[0, 0], expected, rtol=1e-10)
