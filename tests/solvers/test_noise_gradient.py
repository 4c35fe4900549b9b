"""The gradient of the smoothed output: closed forms, curvature, and intervals that cover."""

from __future__ import annotations

from typing import Any

import numpy as np
from perturbx.designs import Evaluations
from perturbx.samplers import GaussianNoise
from perturbx.solvers import NoiseGradient
from scipy.stats import norm, t


def solved(game: Any, n: int, d: int, seed: int = 0) -> Any:
    design = GaussianNoise().draw(d, n, np.random.default_rng(seed))
    return NoiseGradient().solve(Evaluations.of_game(design, game))


def test_linear_games_are_exact() -> None:
    """A linear game is answered exactly, from hardly more pairs than features."""
    slopes = np.array([3.0, -1.0, 0.0, 1e-6])
    found = solved(lambda z: z @ slopes + 7, 14, 4)
    np.testing.assert_allclose(found.values.ravel(), slopes, rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.base, 7.0, rtol=0, atol=1e-10)


def test_even_games_cancel() -> None:
    """Whatever is even around the instance cancels within pairs, and so does its error."""
    found = solved(lambda z: 5 * z[:, 0] ** 2 + np.cos(z[:, 1] * z[:, 0]), 200, 3)
    assert np.abs(found.values).max() < 1e-9
    assert found.standard_errors.max() < 1e-9


def test_no_fidelity_is_claimed() -> None:
    """The gradient of a curved game is no local fit, so that no poor fit is reported."""
    found = solved(lambda z: z[:, 0] ** 3, 200, 2)
    assert found.fidelity is None
    assert found.effective_samples is None
    assert found.score_kind == "slopes"


def test_intervals_cover() -> None:
    """95% intervals hold the gradient of the smoothed game, which is known, in 95% of cases."""

    def game(z: Any) -> Any:
        a, b, c, step = z.T[:4]
        return np.sin(a) + np.exp(0.5 * b) + b * c + (step > 0.3) + c**3 / 5

    truth = np.array([np.exp(-0.5), 0.5 * np.exp(0.125), 0.6, norm.pdf(0.3), 0.0])
    held = []
    for seed in range(200):
        found = solved(game, 120, 5, seed)
        reach = t.ppf(0.975, found.degrees_of_freedom) * found.standard_errors[0, :, 0]
        held.append(np.abs(found.values[0, :, 0] - truth) <= reach)
    assert 0.92 <= np.mean(held) <= 0.975
    assert np.mean(held, axis=0).min() >= 0.89
