"""The product kernel on odd interactions."""

from __future__ import annotations

from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from perturbx.solvers.process.odd_kernel import OddKernel, bounded


def odd_subsets(d: int) -> list[tuple[int, ...]]:
    return [s for size in range(3, d + 1, 2) for s in combinations(range(d), size)]


def rows(d: int, n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).choice([-1.0, 1.0], (n, d))


def rates(d: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 0.9, d)


@given(d=st.integers(1, 8), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_kernel_is_the_sum_over_odd_subsets(d: int, seed: int) -> None:
    """Closed form = sum over T, |T| = 3, 5, ..., of prod r_i x_i y_i, written out."""
    x, r = rows(d, 6, seed), rates(d, seed)
    expected = np.zeros((6, 6))
    for subset in odd_subsets(d):
        part = x[:, subset].prod(axis=1)
        expected += r[list(subset)].prod() * np.outer(part, part)
    assert_allclose(OddKernel(r).matrix(x), expected, atol=1e-12)


def test_shapley_values_of_the_kernel(games: SimpleNamespace) -> None:
    """Quadrature = brute force over all orders, for each row the kernel is centered at."""
    x, r = rows(6, 4, 0), rates(6, 0)

    def game(z: np.ndarray) -> np.ndarray:
        here = np.where(z, 1.0, -1.0)
        return OddKernel(r).matrix(np.vstack([here, x]))[: len(z), len(z) :]

    assert_allclose(OddKernel(r).shapley(x), games.brute_force(game, 6).T, atol=1e-12)


@given(d=st.integers(3, 8), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=20)
def test_prior_variance_of_shapley_values(d: int, seed: int) -> None:
    """Independent terms: var phi_i = sum over odd T with i of prod r (2 / |T|)^2."""
    r = rates(d, seed)
    expected = np.zeros(d)
    for subset in odd_subsets(d):
        expected[list(subset)] += r[list(subset)].prod() * 4 / len(subset) ** 2
    assert_allclose(OddKernel(r).shapley_variance(), expected, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("d", [50, 300, 1500])
def test_forty_nodes_are_enough_for_many_features(d: int) -> None:
    """Efficiency: the values of kernel(., x) add up to twice kernel(all present, x)."""
    x, kernel = rows(d, 5, 1), OddKernel(bounded(rates(d, 1)))
    ends = kernel.matrix(np.vstack([np.ones((1, d)), x]))[0, 1:]
    total = kernel.shapley(x).sum(axis=1)
    assert_allclose(total, 2 * ends, atol=1e-10 * np.abs(kernel.shapley(x)).sum())


def test_bounded_rates() -> None:
    """No rate above 0.95, no norm above 3, small rates as they are."""
    assert bounded(np.array([2.0, 0.1])).max() == 0.95
    assert np.linalg.norm(bounded(np.full(1000, 0.5))) <= 3 + 1e-12
    small = np.full(5, 0.2)
    assert_allclose(bounded(small), small)
