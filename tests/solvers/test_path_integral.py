"""The integral along the path: closed forms, completeness, and errors that cover."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from perturbx.designs import Evaluations, Variances
from perturbx.samplers import Paths
from perturbx.solvers import PathIntegral
from scipy.stats import t


def solved(game: Any, d: int, cells: int = 3, seed: int = 0, paths: int = 4) -> Any:
    sampler = Paths(cells)
    design = sampler.draw(d, paths * sampler.per_path(d), np.random.default_rng(seed))
    return PathIntegral().solve(Evaluations.of_game(design, game))


@pytest.mark.parametrize("cells", [1, 3])
def test_polynomials_to_degree_four_are_exact(cells: int) -> None:
    """Products and powers to the fourth degree are integrated exactly: sum is 1, by exponents."""
    for powers in [(1, 1, 0), (2, 1, 0), (1, 1, 1), (2, 1, 1), (2, 2, 0), (3, 1, 0), (4, 0, 0)]:
        found = solved(lambda z, p=powers: np.prod(z ** np.array(p), axis=1), 3, cells)
        expected = np.array(powers) / sum(powers)
        np.testing.assert_allclose(found.values.ravel(), expected, atol=1e-12)


def test_completeness_improves_with_cells() -> None:
    """What is missing to the full output falls at least with the third power of the cells."""

    def game(z: Any) -> Any:
        return np.exp(2 * z[:, 0] * z[:, 1]) * np.cos(3 * z[:, 2])

    full = np.exp(2.0) * np.cos(3.0) - 1
    missed = [abs(full - solved(game, 3, cells).values.sum()) for cells in (4, 8, 16)]
    assert missed[1] < missed[0] / 8
    assert missed[2] < missed[1] / 8


def test_errors_cover_smooth_and_broken_games() -> None:
    """95% intervals hold the path integral in at least 95% of cases, jumps that interact too."""

    def game(z: Any) -> Any:
        a, b, c = z.T
        steps = (a > 0.37) * (b > 0.61) + 0.5 * (c > 0.52) * a
        return np.stack([np.sin(5 * a * b) + c * a**2, steps], axis=1)

    s = (np.arange(200_000) + 0.5) / 200_000
    both = s * 5 * np.cos(5 * s**2)
    truth = np.array([[(both + 2 * s**2).mean(), 0.0 + 0.24], [both.mean(), 1.0], [1 / 3, 0.26]])
    held = []
    for seed in range(120):
        found = solved(game, 3, seed=seed)
        reach = t.ppf(0.975, found.degrees_of_freedom) * found.standard_errors[0]
        held.append(np.abs(found.values[0] - truth) <= reach + 1e-12)
    assert np.mean(held, axis=0).min() >= 0.93


def test_one_path_has_no_error() -> None:
    """A single path cannot tell its error."""
    assert np.isnan(solved(lambda z: z[:, 0] * z[:, 1], 2, paths=1).standard_errors).all()


def test_noise_of_answers() -> None:
    """The variance that random answers add is that of the scores over many sets of answers."""
    sampler = Paths(2)
    design = sampler.draw(2, 4 * sampler.per_path(2), np.random.default_rng(0))
    exact = Evaluations.of_game(design, lambda z: np.repeat(z[:, :1], 3000, axis=1))
    noise = np.random.default_rng(1).normal(size=exact.outputs.shape)
    ends = np.zeros_like(exact.full)
    noisy = Evaluations(
        design,
        exact.outputs + noise,
        exact.full,
        exact.empty,
        variances=Variances(np.ones_like(noise), ends, ends, None),
    )
    found = PathIntegral().solve(noisy)
    spread = found.values[0].std(axis=1)
    np.testing.assert_allclose(found.noise_errors[0, :, 0], spread, rtol=0.05)
