"""Shapley values along antithetic chains."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from perturbx.designs import Design, Evaluations
from perturbx.samplers import Permutations
from perturbx.solvers import MarginalContributions
from scipy.stats import t

SOLVER = MarginalContributions()


def chains(games: SimpleNamespace, d: int, c: int, seed: int = 0) -> Design:
    return games.draw(Permutations(), d, c * 2 * (d - 1), seed)


@given(
    d=st.integers(3, 20),
    c=st.integers(1, 4),
    seed=st.integers(0, 99),
    scale=st.sampled_from([1e-8, 1.0, 1e8]),
)
@settings(deadline=None, max_examples=40)
def test_scores_add_up_and_scale(
    games: SimpleNamespace, d: int, c: int, seed: int, scale: float
) -> None:
    """base + sum of scores is the full output; scores follow scale and ignore shifts."""
    game = games.smooth(d, seed)
    design = Permutations().draw(d, min(c * 2 * (d - 1), 2**d - 3), np.random.default_rng(seed))
    plain = SOLVER.solve(games.evaluate(game, design))
    evaluations = games.evaluate(lambda z: scale * (game(z) + 4), design)
    scaled = SOLVER.solve(evaluations)
    residual = evaluations.full - scaled.base - scaled.values.sum(axis=1)
    assert np.abs(residual).max() <= 1e-14 * d * scale
    assert_allclose(scaled.values, scale * plain.values, atol=1e-13 * scale)


@pytest.mark.parametrize("d", [4, 10, 300])
def test_one_chain_is_exact_for_products_of_pairs(games: SimpleNamespace, d: int) -> None:
    """Read both ways, an order halves each product between its two members: no error at all."""
    rng = np.random.default_rng(d)
    slopes, products = rng.normal(size=d), np.triu(rng.normal(size=(d, d)), 1)
    design = chains(games, d, 1)
    assert len(design) == 2 * (d - 1)

    def game(z: np.ndarray) -> np.ndarray:
        return z @ slopes + ((z @ products) * z).sum(axis=1)

    solution = SOLVER.solve(games.evaluate(game, design))
    expected = slopes + (products.sum(axis=0) + products.sum(axis=1)) / 2
    assert_allclose(solution.values[0, :, 0], expected, atol=1e-10)
    assert np.isnan(solution.standard_errors).all()


def test_estimates_are_unbiased(games: SimpleNamespace) -> None:
    """The mean over 1000 single chains is the brute-force value, within four of its errors."""
    d = 5
    game = games.random(d, seed=1)
    truth = games.brute_force(game, d)[:, 0]
    estimates = np.array(
        [
            SOLVER.solve(games.evaluate(game, chains(games, d, 1, seed))).values[0, :, 0]
            for seed in range(1000)
        ]
    )
    error = estimates.std(axis=0) / np.sqrt(len(estimates))
    assert (np.abs(estimates.mean(axis=0) - truth) < 4 * error).all()


def test_dummies_score_zero_to_the_last_bit(games: SimpleNamespace) -> None:
    """A feature whose every marginal is zero scores exactly zero."""
    game = games.smooth(6)
    evaluations = games.evaluate(lambda z: 1e6 + game(z[:, :6]), chains(games, 9, 5))
    assert_array_equal(SOLVER.solve(evaluations).values[0, 6:, 0], 0.0)


@pytest.mark.parametrize("c", [2, 3, 8, 30])
def test_intervals_cover(games: SimpleNamespace, c: int) -> None:
    """Nominal 95% intervals hold the exact value in 90% to 99.5% of 300 designs."""
    d = 9
    game = games.smooth(d)
    every = games.draw(Permutations(), d, 2**d)
    truth = SOLVER.solve(games.evaluate(game, every)).values
    covered = []
    for seed in range(300):
        solution = SOLVER.solve(games.evaluate(game, chains(games, d, c, seed)))
        assert solution.degrees_of_freedom == c + 1
        width = t.ppf(0.975, solution.degrees_of_freedom) * solution.standard_errors
        covered.append(np.abs(solution.values - truth) <= width)
    assert 0.90 <= np.mean(covered) <= 0.995


STEPS = {
    "and": lambda z: z[:, :3].all(axis=1),
    "parity": lambda z: z[:, :3].sum(axis=1) % 2,
    "majority": lambda z: z[:, :3].sum(axis=1) >= 2,
    "dominant voter": lambda z: z[:, :5] @ [3, 1, 1, 1, 1] > 3,
    "floor": lambda z: np.floor(z[:, :3] @ [0.9, 0.5, 0.3] + 0.2),
}


@pytest.mark.parametrize("c", [2, 3, 5, 9])
@pytest.mark.parametrize("name", STEPS)
def test_chains_that_agree_by_chance_report_an_error(
    games: SimpleNamespace, name: str, c: int
) -> None:
    """Whatever chains are drawn, no score that is wrong comes with an error of zero."""
    d = 6
    truth = games.brute_force(STEPS[name], d)
    for seed in range(100):
        solution = SOLVER.solve(games.evaluate(STEPS[name], chains(games, d, c, seed)))
        miss = np.abs(solution.values[0, :, 0] - truth)
        error = solution.standard_errors[0, :, 0]
        assert (error[miss > 1e-9] > 0.02 * np.ptp(truth)).all()
        assert (miss <= 8 * error + 1e-9).all()


@pytest.mark.parametrize("c", [8, 12])
def test_additive_games_are_known_to_be(games: SimpleNamespace, c: int) -> None:
    """From eight chains on, agreement of contributions of several sizes leaves no error."""
    slopes = np.array([3.0, -1.0, 0.5, 0.0, 2.0, 7.0])
    solution = SOLVER.solve(games.evaluate(lambda z: z @ slopes, chains(games, 6, c)))
    assert_allclose(solution.values[0, :, 0], slopes, atol=1e-12)
    assert (solution.standard_errors < 1e-10).all()
    few = SOLVER.solve(games.evaluate(lambda z: z @ slopes, chains(games, 6, 4)))
    assert (few.standard_errors > 0.1).all()


@pytest.mark.parametrize("c", [2, 3, 4, 8, 16])
@pytest.mark.parametrize("n_active", [10, 100, 200])
def test_intervals_cover_what_matters_among_many_features(
    games: SimpleNamespace, n_active: int, c: int
) -> None:
    """95% intervals hold 91% to 99% of the scores that are not 0, however many features are."""
    d = 200
    rng = np.random.default_rng(n_active)
    terms = np.array([rng.choice(n_active, 3, replace=False) for _ in range(n_active)])
    sizes = rng.normal(size=n_active)
    truth = np.bincount(terms.ravel(), np.repeat(sizes / 3, 3), d)

    def game(z: np.ndarray) -> np.ndarray:
        return sum(
            size * z[:, i] * z[:, j] * z[:, k] for size, (i, j, k) in zip(sizes, terms, strict=True)
        )

    covered = []
    for seed in range(160 // c if n_active == 10 else 6 + 16 // c):
        solution = SOLVER.solve(games.evaluate(game, chains(games, d, c, seed)))
        width = t.ppf(0.975, solution.degrees_of_freedom) * solution.standard_errors
        held = np.abs(solution.values[0, :, 0] - truth) <= width[0, :, 0]
        covered.append(held[truth != 0])
    assert 0.91 <= np.mean(covered) <= 0.99


def test_outputs_solved_together_are_those_solved_singly(games: SimpleNamespace) -> None:
    """Nothing leaks between instances or outputs."""
    d, n, k = 6, 2, 3
    design = chains(games, d, 4)
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
            assert_allclose(together.values[i, :, j], alone.values[0, :, 0], atol=1e-13)
            assert_allclose(
                together.standard_errors[i, :, j], alone.standard_errors[0, :, 0], atol=1e-13
            )
