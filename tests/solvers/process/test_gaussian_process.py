"""The Gaussian process behind GaussianProcess: fit, leave-one-out and interaction rates."""

from __future__ import annotations

from collections.abc import Callable
from math import comb

import numpy as np
import pytest
from numpy.testing import assert_allclose
from perturbx.solvers.process.adapted_fit import posterior
from perturbx.solvers.process.covariance import Covariance
from perturbx.solvers.process.even_kernel import FAITH_SHAP, SHAPLEY
from perturbx.solvers.process.gaussian_process import Fit, Free
from perturbx.solvers.process.interaction_rates import _Likelihood, learn_rates
from perturbx.solvers.process.leave_one_out import SIGNALS, Decomposition
from perturbx.solvers.process.odd_kernel import OddKernel
from perturbx.solvers.process.odd_pairs import (
    OddPairs,
    direct_shares,
    squares_of_all,
    unseen_shares,
)
from perturbx.solvers.process.parity import ParityTerms


def make_pairs(n: int, d: int, seed: int = 0, jump: float = 0.0) -> OddPairs:
    """A line plus two interactions, one odd and one even, noise, and a jump at the end."""
    rng = np.random.default_rng(seed)
    x, slopes = rng.choice([-1.0, 1.0], (n, d)), rng.normal(size=d)
    odd = x @ slopes + x[:, 0] * x[:, 1] * x[:, 2] + 0.1 * rng.normal(size=n)
    even = x[:, 0] * x[:, 1] + 0.1 * rng.normal(size=n)
    return OddPairs(x, rng.uniform(0.5, 1.5, n), odd, even, slopes.sum() + 1 + jump, 1.0)


def blend(d: int, linear: float = 0.0) -> Covariance:
    members = np.zeros((2, d), np.float32)
    members[0, :3] = members[1, 1:4] = 1
    terms = ParityTerms(members, np.array([1.0, -0.5]))
    return Covariance(OddKernel(np.full(d, 0.3)), terms, 0.4, 0.5, linear)


@pytest.mark.parametrize("free", [Free.linear(5), Free.sum_only(5)])
@pytest.mark.parametrize("linear", [0.0, 0.7])
def test_values_are_the_shapley_values_of_the_posterior_mean(free: Free, linear: float) -> None:
    """The posterior mean, written out as a universal kriging predictor, has these values.

    Noise is part of the game: at the pairs asked the mean is the answer itself.
    """
    signal, every = 3.0, make_pairs(200, 5)
    turned = every.signs * every.signs[:, -1:]
    _, first = np.unique(turned, axis=0, return_index=True)
    pairs = every.subset(first[:-1][1:])  # not the end, which is the last; nor one other
    covariance = blend(5, linear)
    x, y, noise = pairs.with_end()
    cube = np.where(np.arange(32)[:, None] >> np.arange(5) & 1, 1.0, -1.0)
    whole = covariance.matrix(np.vstack([x, cube]))
    n = len(x)
    a = signal * whole[:n, :n] + np.diag(noise)
    basis = x @ free.directions
    slope = np.linalg.lstsq(
        basis.T @ np.linalg.solve(a, basis), basis.T @ np.linalg.solve(a, y), rcond=None
    )[0]
    rest = np.linalg.solve(a, y - basis @ slope)
    mean = cube @ free.directions @ slope + signal * whole[n:, :n] @ rest
    same = cube @ x.T
    mean = np.where((same == 5).any(axis=1), (same == 5) @ y, mean)
    mean = np.where((same == -5).any(axis=1), -((same == -5) @ y), mean)
    sizes = (cube > 0).sum(axis=1)
    weight = np.array([1 / (5 * comb(4, s)) for s in range(5)])
    expected = [
        sum(weight[sizes[k]] * (mean[k + 2**i] - mean[k]) for k in range(32) if not k >> i & 1)
        for i in range(5)
    ]
    assert_allclose(posterior(pairs, covariance, signal, free).values, expected, atol=1e-5)


@pytest.mark.parametrize("n", [8, 11, 20])
def test_the_variance_counts_the_noise_of_unseen_pairs(n: int) -> None:
    """Of an additive game with noise at every pair: that of the linear map from noise to error."""
    d = 6
    cube = np.where(np.arange(2**d)[:, None] >> np.arange(d) & 1, 1.0, -1.0)
    every = np.random.default_rng(n).permutation(cube[2 ** (d - 1) : -1])
    x = np.vstack([every[:n], np.ones((1, d))])
    noise = np.append(np.ones(n), 1e-6)
    fit = Fit.of(x, noise, Covariance(OddKernel(np.full(d, 0.1))), 1e-9, Free.linear(d))
    error = -direct_shares(every)
    error[:n] += fit.influence[:-1] - fit.influence[:-1].mean(axis=1, keepdims=True)
    assert_allclose(fit.variance + fit.unseen, (error**2).sum(axis=0), rtol=1e-5)


@pytest.mark.parametrize(
    "direct",
    [
        direct_shares,
        lambda x: SHAPLEY.direct(x, *np.triu_indices(6, 1)),
        lambda x: FAITH_SHAP.direct(x, *np.triu_indices(6, 1)),
        FAITH_SHAP.direct_totals,
    ],
)
def test_no_pair_is_unseen_where_all_are_seen(direct: Callable[[np.ndarray], np.ndarray]) -> None:
    """And without one of them, its own shares are left: of values and of interactions."""
    cube = np.where(np.arange(64)[:, None] >> np.arange(6) & 1, 1.0, -1.0)
    every, of_all = cube[32:-1], squares_of_all(direct, 6)
    assert_allclose(unseen_shares(direct(every), of_all), 0.0, atol=1e-14)
    assert_allclose(unseen_shares(direct(every[1:]), of_all), direct(every[:1])[0] ** 2, atol=1e-14)


@pytest.mark.parametrize("direct", [direct_shares, FAITH_SHAP.direct_totals])
def test_squares_of_thousands_of_features_are_finite(
    direct: Callable[[np.ndarray], np.ndarray],
) -> None:
    """Though there are more pairs of a size than numbers reach: single features count."""
    of_all = squares_of_all(direct, 1500)
    assert 0 < of_all < 1
    seen = direct(np.where(np.eye(1500, dtype=bool), 1.0, -1.0))
    assert_allclose((seen**2).sum(axis=0), of_all, rtol=0.01)


@pytest.mark.parametrize("free", [Free.linear(5), Free.sum_only(5)])
@pytest.mark.parametrize("jump", [3.0, -100.0])
def test_a_jump_at_the_end_is_shared_alike(free: Free, jump: float) -> None:
    """Values are those without the jump, to within errors; a larger jump adds jump / d to each."""
    whole, more = (make_pairs(20, 5, jump=jump * times) for times in (1, 2))
    covariance = blend(5, 0.7)
    smooth = posterior(make_pairs(20, 5), covariance, 3.0, free)
    found, doubled = (posterior(pairs, covariance, 3.0, free) for pairs in (whole, more))
    assert_allclose(doubled.values - found.values, 2 * jump / 5, atol=1e-8)
    assert_allclose(doubled.standard_errors, found.standard_errors, rtol=1e-6)
    assert_allclose(found.values, smooth.values + 2 * jump / 5, atol=0.1)


def test_blended_parts_have_variance_one() -> None:
    """Whatever the shares, the prior variance at a point is 1."""
    x = np.random.default_rng(0).choice([-1.0, 1.0], (4, 6))
    for linear in (0.0, 0.5):
        assert_allclose(np.diag(blend(6, linear).matrix(x)), 1.0)


def test_leave_one_out_is_leaving_one_out() -> None:
    """The closed form = fitting again without each judged pair and predicting it."""
    pairs, covariance = make_pairs(18, 4), blend(4)
    x, y, noise = pairs.with_end(1e4)
    matrix = covariance.matrix(x)
    judged = np.arange(19) < 9
    scores = Decomposition.of(matrix, x, noise).scores(y[:, None], judged)[:, 0]
    for signal, score in zip(SIGNALS[:5], scores, strict=False):
        squares = []
        for i in np.flatnonzero(judged):
            keep = np.arange(19) != i
            a = signal * matrix[np.ix_(keep, keep)] + np.diag(noise[keep])
            h, target = x[keep], y[keep]
            slope = np.linalg.solve(h.T @ np.linalg.solve(a, h), h.T @ np.linalg.solve(a, target))
            rest = np.linalg.solve(a, target - h @ slope)
            error = y[i] - x[i] @ slope - signal * matrix[i, keep] @ rest
            squares.append(error**2 / noise[i])
        expected = sum(squares) / (1 / noise[judged]).sum()
        assert_allclose(score, expected, rtol=1e-5)


def test_pairs_that_cannot_be_left_out_are_not_judged() -> None:
    """Pairs that the free part alone pins down leave no residual: the score is infinite."""
    x, y, noise = np.eye(6), np.arange(6.0)[:, None], np.ones(6)
    scores = Decomposition.of(np.zeros((6, 6)), x, noise).scores(y, np.arange(6) < 5)
    assert np.isinf(scores).all()


def test_gradient_of_the_likelihood() -> None:
    """The analytic slope in each rate and signal = central differences."""
    likelihood = _Likelihood.of(make_pairs(40, 6))
    at = np.append(np.random.default_rng(1).uniform(-3, -1, 6), [1.0, 2.0])
    _, gradient = likelihood(at)
    step = 1e-5 * np.eye(8)
    expected = [(likelihood(at + e)[0] - likelihood(at - e)[0]) / 2e-5 for e in step]
    assert_allclose(gradient, expected, rtol=1e-5, atol=1e-5)


def test_rates_find_the_features_that_interact() -> None:
    """Of ten features the three in the product get larger rates than all others."""
    rates = learn_rates(make_pairs(80, 10))
    assert rates[:2].min() > 2 * rates[3:].max()
