"""Bounds of probabilities against SciPy, and against their definition."""

from __future__ import annotations

import numpy as np
import pytest
from perturbx.rules._bounds import divergence, exact_interval, information_bounds
from scipy.stats import binomtest


@pytest.mark.parametrize(("successes", "n"), [(0, 9), (9, 9), (3, 20), (970, 1000)])
def test_exact_intervals_are_those_of_scipy(successes: int, n: int) -> None:
    """Clopper and Pearson's."""
    expected = binomtest(successes, n).proportion_ci(0.9, method="exact")
    assert exact_interval(successes, n, 0.9) == pytest.approx((expected.low, expected.high))


def test_information_bounds_are_where_the_divergence_is_used_up() -> None:
    """n * KL(mean, bound) = rate, unless the bound is 0 or 1."""
    mean, n = np.array([0.0, 0.3, 0.9, 1.0]), np.array([10, 50, 400, 10])
    lower, upper = information_bounds(mean, n, 3.0)
    assert (lower <= mean).all()
    assert (mean <= upper).all()
    assert n[1:] * divergence(mean[1:], lower[1:]) == pytest.approx(3.0, rel=1e-6)
    assert n[:3] * divergence(mean[:3], upper[:3]) == pytest.approx(3.0, rel=1e-6)
    assert (lower[0], upper[3]) == pytest.approx((0.0, 1.0))
    assert information_bounds(0.5, 0, 3.0) == pytest.approx((0.0, 1.0))
