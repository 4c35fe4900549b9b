"""Complete designs: Shapley values to the last bits, from both Shapley solvers."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from perturbx.samplers import Permutations, Sampler, ShapleyCoalitions
from perturbx.solvers import KernelShapRegression, MarginalContributions, Solver

RECIPES = [
    pytest.param(ShapleyCoalitions(), KernelShapRegression(), id="kernel"),
    pytest.param(Permutations(), MarginalContributions(), id="permutation"),
]


@pytest.mark.parametrize(("sampler", "solver"), RECIPES)
@pytest.mark.parametrize("d", [1, 2, 3, 5, 7])
def test_brute_force_agrees(
    games: SimpleNamespace, sampler: Sampler, solver: Solver, d: int
) -> None:
    """Where everything is enumerated, scores are the averages over all d! orders."""
    game = games.random(d, seed=d, k=3)
    design = games.draw(sampler, d, 2**d)
    assert design.complete
    solution = solver.solve(games.evaluate(game, design))
    assert_allclose(solution.values[0], games.brute_force(game, d), atol=1e-12)
    assert_allclose(solution.base[0], game(np.zeros((1, d), dtype=bool))[0])
    assert (solution.standard_errors < 1e-10).all()
    assert (solution.standard_errors > 0).all()


@given(
    d=st.integers(2, 7),
    seed=st.integers(0, 999),
    scale=st.sampled_from([1e-8, 1.0, 1e8]),
    shift=st.sampled_from([0.0, -3.0, 100.0]),
)
@settings(deadline=None, max_examples=40)
def test_the_axioms_hold(
    games: SimpleNamespace, d: int, seed: int, scale: float, shift: float
) -> None:
    """Efficiency, linearity, and invariance to the order of the features."""
    solve = KernelShapRegression().solve
    one, two = games.random(d, seed), games.random(d, seed + 1)
    design = games.draw(ShapleyCoalitions(), d, 2**d, seed)

    def values(game: object) -> np.ndarray:
        return solve(games.evaluate(game, design)).values[0, :, 0]

    both = values(lambda z: scale * (one(z) + 2 * two(z) + shift))
    assert_allclose(both, scale * (values(one) + 2 * values(two)), atol=1e-11 * scale)
    evaluations = games.evaluate(one, design)
    gain = (evaluations.full - evaluations.empty)[0, 0]
    assert_allclose(values(one).sum(), gain, atol=1e-13)
    order = np.random.default_rng(seed).permutation(d)
    assert_allclose(values(lambda z: one(z[:, np.argsort(order)])), values(one)[order], atol=1e-13)


@pytest.mark.parametrize(("sampler", "solver"), RECIPES)
def test_dummies_score_zero_to_the_last_bit(
    games: SimpleNamespace, sampler: Sampler, solver: Solver
) -> None:
    """Differences are taken before sums, so a feature without effect scores exactly 0."""
    inner = games.random(4, seed=0)
    evaluations = games.evaluate(lambda z: 1e6 + inner(z[:, :4]), games.draw(sampler, 6, 64))
    assert_array_equal(solver.solve(evaluations).values[0, 4:, 0], 0.0)


def test_a_large_enumeration_is_exact(games: SimpleNamespace) -> None:
    """Twelve features: sum of products of pairs, of which each member gets half."""
    products = np.triu(np.random.default_rng(0).normal(size=(12, 12)), 1)
    design = games.draw(ShapleyCoalitions(), 12, 2**12)
    game = lambda z: np.einsum("mi,ij,mj->m", z.astype(float), products, z)  # noqa: E731
    values = KernelShapRegression().solve(games.evaluate(game, design)).values[0, :, 0]
    assert_allclose(values, (products.sum(axis=0) + products.sum(axis=1)) / 2, atol=1e-12)
