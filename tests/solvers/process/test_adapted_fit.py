"""A prior that each target bends, against the same in dense matrices."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from perturbx.designs import Pairs
from perturbx.samplers import OptimalPairs
from perturbx.solvers.process.adapted_fit import AdaptedFit
from perturbx.solvers.process.covariance import Covariance
from perturbx.solvers.process.gaussian_process import Fit, Free
from perturbx.solvers.process.odd_kernel import OddKernel
from perturbx.solvers.process.odd_pairs import direct_shares
from perturbx.solvers.process.parity import ParityTerms

D, SIGNAL, ROUNDS = 6, 20.0, 2
OTHERS = np.zeros((0, D))


def drawn() -> tuple[np.ndarray, np.ndarray]:
    """Signs (n + 1, d), the full coalition last, and noise variances."""
    design = OptimalPairs().draw(D, 44, np.random.default_rng(0))
    assert isinstance(design, Pairs)
    x = np.vstack([np.where(design.first, 1.0, -1.0), np.ones(D)])
    return x, np.append(np.ones(len(x) - 1), 1e-6)


def prior() -> tuple[Covariance, ParityTerms]:
    rng = np.random.default_rng(1)
    members = np.zeros((12, D), np.float32)
    for row in members:
        row[rng.choice(D, 3, replace=False)] = 1
    terms = ParityTerms(np.unique(members, axis=0), rng.random(len(np.unique(members, axis=0))))
    return Covariance(OddKernel(np.full(D, 0.2)), terms, share=0.5), terms


@pytest.fixture(name="fits")
def _fits() -> tuple[AdaptedFit, np.ndarray]:
    x, noise = drawn()
    covariance, terms = prior()
    fit = Fit.of(x, noise, covariance, SIGNAL, Free.linear(D))
    y = np.random.default_rng(2).normal(size=(len(x), 5)) + x[:, :5]
    y[:, 0] += 30 * terms.evaluate(x)[:, 0]
    return AdaptedFit(fit, terms), y


def dense(adapted: AdaptedFit, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(d,), (n,): values of one target and the mean at the pairs, by an inverse in every round."""
    fit, terms = adapted.fit, adapted.terms
    x = fit.x
    parity = terms.evaluate(x).astype(float)
    before = SIGNAL * fit.covariance.variances(terms.members)
    matrix = SIGNAL * fit.covariance.matrix(x) + np.diag(fit.noise)
    added = np.zeros(len(terms))
    for _ in range(ROUNDS):
        inverse = np.linalg.inv(matrix + (parity * added) @ parity.T)
        solved = inverse @ x
        q = inverse - solved @ np.linalg.solve(x.T @ solved, solved.T)
        scale = y @ q @ y / (len(x) - D)
        bent = (before + added) * (parity.T @ q @ y)
        added = np.maximum(bent**2 / scale - before, 0)
        places = np.argsort(-added)[: (len(x) - 1) // 2]
        added = np.where(np.isin(np.arange(len(added)), places), added, 0)
    inverse = np.linalg.inv(matrix + (parity * added) @ parity.T)
    slopes = np.linalg.solve(x.T @ inverse @ x, x.T @ inverse @ y)
    left = inverse @ (y - x @ slopes)
    own = fit.noise[:, None] * direct_shares(x)
    of_terms = (terms.members * terms.shares()[:, None]).T @ (added * (parity.T @ left))
    shared = (SIGNAL * fit.covariance.shapley(x) + own).T @ left
    return 2 * slopes + shared + of_terms, (y - fit.noise * left)[:-1]


def test_values_equal_those_of_dense_matrices(fits: tuple[AdaptedFit, np.ndarray]) -> None:
    """Raised terms change values and means as a covariance with their variances would."""
    adapted, y = fits
    found = adapted.posterior(adapted.fit.read(y), np.full(5, 1 / 3), adapted.fit.x[:-1])
    for t in range(5):
        values, mean = dense(adapted, y[:, t])
        values += (2 * y[-1, t] - values.sum()) / D
        assert_allclose(found.values[:, t], values, atol=1e-6 * np.abs(values).max())
        assert_allclose(found.elsewhere[:, t], mean, atol=1e-6 * np.abs(mean).max())


def test_a_target_alone_or_among_others(fits: tuple[AdaptedFit, np.ndarray]) -> None:
    """A target's values and errors do not depend on its company."""
    adapted, y = fits
    share = np.linspace(0.2, 1.0, 5)
    together = adapted.posterior(adapted.fit.read(y), share, OTHERS)
    for t in range(5):
        alone = adapted.posterior(adapted.fit.read(y[:, [t]]), share[[t]], OTHERS)
        assert_allclose(alone.values[:, 0], together.values[:, t], rtol=1e-10)
        assert_allclose(alone.standard_errors[:, 0], together.standard_errors[:, t], rtol=1e-10)


def test_a_reading_of_some_targets(fits: tuple[AdaptedFit, np.ndarray]) -> None:
    """Targets that are picked from a reading are those that are read alone."""
    adapted, y = fits
    y[-1, 3] += 1e4  # a jump at the end
    some = np.array([3, 1])
    picked, alone = adapted.fit.read(y).of(some), adapted.fit.read(y[:, some])
    assert_array_equal(picked.is_freed, [True, False])
    assert_array_equal(alone.is_freed, [True, False])
    assert_allclose(picked.projected, alone.projected, rtol=1e-9, atol=1e-9)
    assert_array_equal(picked.half_gain, y[-1, some])
