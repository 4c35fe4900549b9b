"""Banzhaf values: brute force, axioms, exact recovery, convergence and coverage."""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from perturbx.designs import Evaluations
from perturbx.samplers import ShapleyCoalitions
from perturbx.solvers import BanzhafRegression
from scipy.stats import t

SOLVER = BanzhafRegression()


def brute_force(game: object, d: int) -> np.ndarray:
    """Banzhaf's definition: what a feature adds, averaged over all subsets of the others."""
    values = []
    for feature in range(d):
        others = np.array(list(product([False, True], repeat=d - 1)), dtype=bool)
        others = others.reshape(2 ** (d - 1), d - 1)
        with_it = game(np.insert(others, feature, True, axis=1))
        values.append((with_it - game(np.insert(others, feature, False, axis=1))).mean(axis=0))
    return np.array(values)


@pytest.mark.parametrize("d", [1, 2, 3, 5, 8])
def test_brute_force_agrees(games: SimpleNamespace, d: int) -> None:
    """Where everything is enumerated, scores are the definition's."""
    game = games.random(d, seed=d, k=2)
    design = ShapleyCoalitions().draw(d, 2**d, np.random.default_rng(0))
    solution = SOLVER.solve(games.evaluate(game, design))
    assert_allclose(solution.values[0], brute_force(game, d), atol=1e-13)
    assert "exact" in solution.estimator
    assert ((solution.standard_errors > 0) & (solution.standard_errors < 1e-10)).all()


def test_they_are_the_least_squares_fit_to_all_coalitions(games: SimpleNamespace) -> None:
    """Hammer & Holzman: the slopes of the linear fit with equal weights for all coalitions."""
    d = 7
    game = games.random(d, 5)
    z = np.array(list(product([False, True], repeat=d)))
    slopes = np.linalg.lstsq(
        np.column_stack([z, np.ones(len(z))]).astype(float), game(z), rcond=None
    )[0][:d]
    design = ShapleyCoalitions().draw(d, 2**d, np.random.default_rng(0))
    assert_allclose(SOLVER.solve(games.evaluate(game, design)).values[0], slopes, atol=1e-12)


def test_dummies_score_zero_to_the_last_bit(games: SimpleNamespace) -> None:
    """Differences are taken before they are averaged."""
    inner = games.random(4, seed=0)
    design = games.draw(ShapleyCoalitions(), 6, 64)
    answers = games.evaluate(lambda z: 1e6 + inner(z[:, :4]), design)
    assert_array_equal(SOLVER.solve(answers).values[0, 4:, 0], 0.0)


@given(
    d=st.integers(4, 20),
    more=st.integers(4, 60),
    seed=st.integers(0, 99),
    scale=st.sampled_from([1e-8, 1.0, 1e8]),
)
@settings(deadline=None, max_examples=40)
def test_linear_games_are_exact(
    games: SimpleNamespace, d: int, more: int, seed: int, scale: float
) -> None:
    """The slopes are recovered, whatever was drawn and however sizes are weighted."""
    slopes = np.random.default_rng(seed).normal(size=(d, 2))
    design = games.draw(ShapleyCoalitions(), d, 2 * d + more, seed)
    solution = SOLVER.solve(games.evaluate(lambda z: scale * (z @ slopes + 5), design))
    assert_allclose(solution.values[0], scale * slopes, atol=1e-9 * scale)


@given(d=st.integers(3, 15), seed=st.integers(0, 99), scale=st.sampled_from([1e-8, 1.0, 1e8]))
@settings(deadline=None, max_examples=30)
def test_scale_and_shift(games: SimpleNamespace, d: int, seed: int, scale: float) -> None:
    """Scores and errors follow the scale of the output and ignore what is added to it."""
    game = games.smooth(d, seed)
    design = games.draw(ShapleyCoalitions(), d, 5 * d, seed)
    plain = SOLVER.solve(games.evaluate(game, design))
    there = SOLVER.solve(games.evaluate(lambda z: scale * (game(z) - 3), design))
    assert_allclose(there.values, scale * plain.values, atol=1e-9 * scale)
    assert_allclose(
        there.standard_errors, scale * plain.standard_errors, rtol=1e-6, atol=1e-9 * scale
    )


def test_targets_solved_together_are_those_solved_singly(games: SimpleNamespace) -> None:
    """One factorization serves all, each keeps its own ridge, and nothing leaks between them."""
    d, n, k = 8, 2, 3
    design = games.draw(ShapleyCoalitions(), d, 40)
    rng = np.random.default_rng(0)
    outputs = games.evaluate(games.smooth(d), design).outputs
    outputs = outputs + np.array([0.0, 0.3, 30.0]) * rng.normal(size=(40, n, k))
    full, empty = rng.normal(size=(2, n, k))
    together = SOLVER.solve(Evaluations(design, outputs, full, empty))
    assert together.values.shape == together.standard_errors.shape == (n, d, k)
    for i, j in np.ndindex(n, k):
        at = (slice(i, i + 1), slice(j, j + 1))
        alone = SOLVER.solve(Evaluations(design, outputs[(slice(None), *at)], full[at], empty[at]))
        assert_allclose(together.values[i, :, j], alone.values[0, :, 0], atol=1e-10)
        assert_allclose(
            together.standard_errors[i, :, j], alone.standard_errors[0, :, 0], rtol=1e-8
        )


def test_estimates_converge(games: SimpleNamespace) -> None:
    """Sixteen times the budget: less than a third of the error, of any game."""
    d = 11
    for game in (games.smooth(d), games.random(d, 2)):
        truth = brute_force(game, d).reshape(d)

        def error(n: int, game: object = game, truth: np.ndarray = truth) -> float:
            errors = [
                SOLVER.solve(
                    games.evaluate(game, games.draw(ShapleyCoalitions(), d, n, seed))
                ).values[0, :, 0]
                - truth
                for seed in range(20)
            ]
            return float(np.sqrt(np.mean(np.square(errors))))

        assert error(800) < error(50) / 3


@pytest.mark.parametrize("n_pairs", [16, 24, 60, 300])
def test_intervals_cover(games: SimpleNamespace, n_pairs: int) -> None:
    """Nominal 95% intervals hold the exact value nearly that often in 150 designs."""
    d = 12
    game = games.smooth(d)
    truth = brute_force(game, d)
    covered = []
    for seed in range(150):
        design = games.draw(ShapleyCoalitions(), d, 2 * n_pairs, seed)
        solution = SOLVER.solve(games.evaluate(game, design))
        width = t.ppf(0.975, solution.degrees_of_freedom) * solution.standard_errors
        covered.append(np.abs(solution.values[0, :, 0] - truth) <= width[0, :, 0])
    assert 0.91 <= np.mean(covered) <= 0.99


def test_too_few_pairs_have_no_error(games: SimpleNamespace) -> None:
    """Below d + 2 pairs the error is NaN, never 0; from there on it is a number."""
    d = 12
    for n_pairs, known in [(3, False), (d, False), (d + 1, False), (d + 2, True)]:
        design = ShapleyCoalitions().draw(d, 2 * n_pairs, np.random.default_rng(0))
        solution = SOLVER.solve(games.evaluate(games.smooth(d), design))
        assert np.isfinite(solution.standard_errors).all() == known
        assert np.isnan(solution.standard_errors).all() != known
        assert np.abs(solution.values).max() < 10


def test_a_thousand_features(games: SimpleNamespace) -> None:
    """Linear games stay exact and errors finite where binomials overflow."""
    d = 1100
    slopes = np.random.default_rng(0).normal(size=d)
    design = games.draw(ShapleyCoalitions(), d, 2 * d + 60)
    solution = SOLVER.solve(games.evaluate(lambda z: z @ slopes, design))
    assert_allclose(solution.values[0, :, 0], slopes, atol=1e-8)
    assert np.isfinite(solution.standard_errors).all()
