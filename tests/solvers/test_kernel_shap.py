"""Shapley values by regression on pairs."""

from __future__ import annotations

import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from perturbx.designs import Evaluations
from perturbx.samplers import ShapleyCoalitions
from perturbx.solvers import KernelShapRegression, kernel_shap
from scipy.stats import t

SOLVER = KernelShapRegression()


@given(
    d=st.integers(2, 25),
    more=st.integers(0, 60),
    seed=st.integers(0, 99),
    scale=st.sampled_from([1e-8, 1.0, 1e8]),
)
@settings(deadline=None, max_examples=60)
def test_linear_games_are_exact_at_any_budget(
    games: SimpleNamespace, d: int, more: int, seed: int, scale: float
) -> None:
    """From the minimum on, the slopes are recovered, whatever was drawn."""
    slopes = np.random.default_rng(seed).normal(size=(d, 2))
    n = ShapleyCoalitions().minimum(d) + more
    design = games.draw(ShapleyCoalitions(), d, n, seed)
    solution = SOLVER.solve(games.evaluate(lambda z: scale * (z @ slopes + 5), design))
    assert_allclose(solution.values[0], scale * slopes, atol=1e-9 * scale)


@given(d=st.integers(3, 20), seed=st.integers(0, 99), scale=st.sampled_from([1e-8, 1.0, 1e8]))
@settings(deadline=None, max_examples=40)
def test_scores_add_up_and_scale(games: SimpleNamespace, d: int, seed: int, scale: float) -> None:
    """base + sum of scores is the full output; scores follow scale and ignore shifts."""
    game = games.smooth(d, seed)
    design = games.draw(ShapleyCoalitions(), d, 4 * d, seed)
    plain = SOLVER.solve(games.evaluate(game, design))
    evaluations = games.evaluate(lambda z: scale * (game(z) - 3), design)
    scaled = SOLVER.solve(evaluations)
    residual = evaluations.full - scaled.base - scaled.values.sum(axis=1)
    assert np.abs(residual).max() <= 1e-14 * d * scale
    assert_allclose(scaled.values, scale * plain.values, atol=1e-12 * scale)
    assert_allclose(
        scaled.standard_errors, scale * plain.standard_errors, rtol=1e-6, atol=2e-11 * scale
    )


def test_the_fit_is_the_constrained_least_squares_solution(games: SimpleNamespace) -> None:
    """An independent solver (Lagrange multipliers on all coalitions) finds the same scores."""
    d = 9
    design = games.draw(ShapleyCoalitions(), d, 60)
    evaluations = games.evaluate(games.smooth(d), design)
    z = np.column_stack([design.z, np.ones(60)])[:, :d].astype(float)
    target = (evaluations.outputs - evaluations.empty)[:, 0, 0]
    gain = (evaluations.full - evaluations.empty)[0, 0]
    system = np.ones((d + 1, d + 1))
    system[:d, :d] = (z * design.weights[:, None]).T @ z
    system[d, d] = 0
    right = np.append((z * design.weights[:, None]).T @ target, gain)
    expected = np.linalg.solve(system, right)[:d]
    assert_allclose(SOLVER.solve(evaluations).values[0, :, 0], expected, atol=1e-10)


def test_outputs_and_instances_solved_together_are_those_solved_singly(
    games: SimpleNamespace,
) -> None:
    """One factorization serves all, and nothing leaks between them."""
    d, n, k = 8, 3, 2
    design = games.draw(ShapleyCoalitions(), d, 40)
    rng = np.random.default_rng(0)
    outputs = rng.normal(size=(len(design), n, k))
    full, empty = rng.normal(size=(2, n, k))
    together = SOLVER.solve(Evaluations(design, outputs, full, empty))
    assert together.values.shape == together.standard_errors.shape == (n, d, k)
    for i in range(n):
        for j in range(k):
            at = (slice(i, i + 1), slice(j, j + 1))
            alone = SOLVER.solve(
                Evaluations(design, outputs[(slice(None), *at)], full[at], empty[at])
            )
            assert_allclose(together.values[i, :, j], alone.values[0, :, 0], atol=1e-12)
            assert_allclose(
                together.standard_errors[i, :, j], alone.standard_errors[0, :, 0], rtol=1e-9
            )


def test_estimates_converge(games: SimpleNamespace) -> None:
    """Sixteen times the budget: a quarter of the error or less, and none at the end."""
    d = 11
    game = games.smooth(d)
    truth = SOLVER.solve(games.evaluate(game, games.draw(ShapleyCoalitions(), d, 2**d))).values

    def error(n: int) -> float:
        errors = [
            SOLVER.solve(games.evaluate(game, games.draw(ShapleyCoalitions(), d, n, seed))).values
            - truth
            for seed in range(20)
        ]
        return float(np.sqrt(np.mean(np.square(errors))))

    assert error(800) < error(50) / 4
    assert error(2**d - 2) < 1e-12


@pytest.mark.parametrize(
    ("n", "at_least"), [(24, 0.9), (26, 0.91), (40, 0.92), (100, 0.92), (400, 0.92)]
)
def test_intervals_cover(games: SimpleNamespace, n: int, at_least: float) -> None:
    """Nominal 95% intervals hold the exact value that often in 300 designs."""
    d = 10
    game = games.smooth(d)
    truth = SOLVER.solve(games.evaluate(game, games.draw(ShapleyCoalitions(), d, 2**d))).values
    covered = []
    for seed in range(300):
        design = games.draw(ShapleyCoalitions(), d, n, seed)
        solution = SOLVER.solve(games.evaluate(game, design))
        width = t.ppf(0.975, solution.degrees_of_freedom) * solution.standard_errors
        covered.append(np.abs(solution.values - truth) <= width)
    assert at_least <= np.mean(covered) <= 0.98


def test_too_few_pairs_have_no_error(games: SimpleNamespace) -> None:
    """Below d + 2 pairs the error is NaN, never 0; from there on it is a number."""
    d = 12
    for n_pairs, known in [(d, False), (d + 1, False), (d + 2, True)]:
        design = games.draw(ShapleyCoalitions(), d, 2 * n_pairs)
        errors = SOLVER.solve(games.evaluate(games.smooth(d), design)).standard_errors
        assert np.isfinite(errors).all() == known
        assert np.isnan(errors).all() != known


def test_fewer_pairs_than_features_still_add_up(games: SimpleNamespace) -> None:
    """A design below the minimum is solved as far as it goes, efficiency included."""
    d = 30
    design = ShapleyCoalitions().draw(d, 20, np.random.default_rng(0))
    evaluations = games.evaluate(games.smooth(d), design)
    solution = SOLVER.solve(evaluations)
    gain = evaluations.full - evaluations.empty
    assert_allclose(solution.values.sum(axis=1), gain, atol=1e-13)
    assert np.abs(solution.values).max() < 10


def test_a_thousand_features(games: SimpleNamespace) -> None:
    """Linear games stay exact and errors finite where binomials overflow."""
    d = 1200
    slopes = np.random.default_rng(0).normal(size=d)
    solution = SOLVER.solve(
        games.evaluate(lambda z: z @ slopes, games.draw(ShapleyCoalitions(), d))
    )
    assert_allclose(solution.values[0, :, 0], slopes, atol=1e-8)
    assert np.isfinite(solution.standard_errors).all()


def test_a_constant_model_scores_zero(games: SimpleNamespace) -> None:
    """No output changes: scores and errors are zero but for rounding."""
    design = games.draw(ShapleyCoalitions(), 8, 60)
    solution = SOLVER.solve(games.evaluate(lambda z: np.full(len(z), 7.0), design))
    assert_allclose(solution.values, 0, atol=1e-13)
    assert_allclose(solution.standard_errors, 7e-12)


def test_many_features_take_one_matrix_of_their_square() -> None:
    """At 1,000 features the regression with its errors holds less than three of them at a time."""
    d = 1000
    slopes = np.random.default_rng(0).normal(size=d)
    design = ShapleyCoalitions().draw(d, 3 * d, np.random.default_rng(1))
    evaluations = Evaluations.of_game(design, lambda z: z @ slopes + z[:, 0] * z[:, 1] * z[:, 2])
    tracemalloc.start()
    SOLVER.solve(evaluations)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * 8 * d**2


@pytest.mark.parametrize("n", [600, 444, 404, 300])
def test_thousands_of_features_take_half_of_it(monkeypatch: pytest.MonkeyPatch, n: int) -> None:
    """With numbers of 32 bits in the matrix, scores are those of 64 bits, and errors nearly."""
    d = 200
    slopes = np.random.default_rng(1).normal(size=d)

    def v(z: np.ndarray) -> np.ndarray:
        return np.stack([z @ slopes + np.sin(z @ slopes) + z[:, 0] * z[:, 1], z @ slopes], axis=1)

    design = ShapleyCoalitions().draw(d, n, np.random.default_rng(0))
    evaluations = Evaluations.of_game(design, v)
    usual = SOLVER.solve(evaluations)
    monkeypatch.setattr(kernel_shap, "_MOST_DOUBLE", 100)
    rough = SOLVER.solve(evaluations)
    assert_allclose(rough.values, usual.values, atol=1e-8)
    assert_allclose(rough.standard_errors, usual.standard_errors, rtol=1e-2, atol=1e-9)
    if n >= 2 * d:
        assert_allclose(rough.values[0, :, 1], slopes, atol=1e-8)
