"""A shared prior that each target bends to its own answers, at the cost of a small system.

What teachers have in common is right on average: the interactions of one instance are a few of
theirs, and stronger. So a target raises the prior variance of its strongest terms to the squares
of the coefficients that it shows itself, a few times: automatic relevance determination (MacKay,
ASHRAE Transactions 100, 1994). With k raised terms, values and errors follow from the shared
factorization and a k by k system, by the Woodbury identity: given their coefficients, what is left
is the shared fit of y less their part.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from perturbx._typing import Floats, Ints
from perturbx.solvers.process.gaussian_process import Fit, Posterior, standard_errors
from perturbx.solvers.process.parity import ParityTerms

_MOST_TERMS = 1000
"""How many terms may be raised: the largest that the teachers have."""

_MOST_RAISED = 100
_ROUNDS = 3

_MOST_OPTIMISM = 1.5
"""By how much errors under the shared prior may raise those under the bent one, at most."""

_ARITHMETIC = 1e-7
"""The least error, in units of the target's scale: strong priors cost half of the digits."""


@dataclass(frozen=True, eq=False)
class AdaptedFit:
    """The shared fit of a design, and the terms that a target may raise.

    Parameters
    ----------
    fit : Fit
    terms : ParityTerms
    """

    fit: Fit
    terms: ParityTerms

    def posterior(self, y: Floats, share: Floats, others: Floats) -> Posterior:
        """Values and errors (d, t) of g (n + 1, t), as `Fit.posterior`; the mean at `others`."""
        smooth, _ = self.fit.without_jumps(y)
        projected = self.fit.project(smooth)
        shared = self.fit.posterior(y, share)
        values, errors = np.empty_like(shared.values), np.empty_like(shared.values)
        raising = np.zeros((len(self._few), y.shape[1]))
        for t in range(y.shape[1]):
            one = slice(t, t + 1)
            received = self._parity.T @ projected[:, t]
            raised, inverse = self._raised(received, float(smooth[:, t] @ projected[:, t]))
            raising[raised, t] = inverse @ received[raised]
            found = self._one(smooth[:, one], projected[:, one], share[one], raised, inverse)
            values[:, one], errors[:, one] = found.values, found.standard_errors
        values += (2 * y[-1] - values.sum(axis=0)) / len(values)
        # Residuals of pairs that have bent the prior are too small by a factor that they do not
        # tell; those of the shared prior are honest, but of a worse fit.
        errors = np.clip(shared.standard_errors, errors, _MOST_OPTIMISM * errors)
        elsewhere = self.fit.mean(others, smooth - self._parity @ raising)
        elsewhere += self._few.evaluate(others) @ raising
        return Posterior(values, np.maximum(errors, _ARITHMETIC), elsewhere)

    def _one(
        self, y: Floats, projected: Floats, share: Floats, raised: Ints, inverse: Floats
    ) -> Posterior:
        """Of one target, with Q y, and what `_raised` finds."""
        fit, received = self.fit, self._parity.T @ projected[:, 0]
        coefficients = inverse @ received[raised]
        values = fit.influence.T @ y[:, 0] + coefficients @ self._gains[raised]
        through = self._projected[:, raised]
        gains = self._gains[raised]
        influence = fit.influence + through @ (inverse @ gains)
        diagonal = fit.diagonal - np.einsum("nk,nk->n", through @ inverse, through)
        variance = fit.variance + np.einsum("ki,ki->i", gains, inverse @ gains)
        rest = projected - (through @ coefficients)[:, None]
        noise = fit.noise[:-1]
        errors = standard_errors(
            influence[:-1], variance[:, None], rest[:-1], diagonal[:-1], noise, share
        )
        return Posterior(values[:, None], errors)

    def _raised(self, received: Floats, square: float) -> tuple[Ints, Floats]:
        """Which k terms are raised, and the (k, k) posterior covariance of what was added to them.

        `received` (q,) is P' Q y, and `square` y' Q y.
        """
        degrees = max(len(self.fit.x) - self.fit.free.directions.shape[1], 1)
        most = min((len(self.fit.x) - 1) // 2, _MOST_RAISED)
        raised = np.zeros(0, dtype=int)
        inverse = np.zeros((0, 0))
        variances: Floats = self._variances
        left = received
        scale, least = square / degrees, 1e-12 * square / degrees
        for _ in range(_ROUNDS):
            added = (variances * left) ** 2 / scale - self._variances
            raised = np.argsort(-added, kind="stable")[:most]
            raised = raised[added[raised] > 0]
            inner = self._inner[np.ix_(raised, raised)].copy()
            inner.flat[:: len(raised) + 1] += 1 / added[raised] + 1e-12 * np.trace(inner)
            inverse = np.asarray(np.linalg.inv(inner), dtype=np.float64)
            coefficients = inverse @ received[raised]
            left = received - self._inner[:, raised] @ coefficients
            scale = max(float(square - received[raised] @ coefficients) / degrees, least)
            variances = self._variances.copy()
            variances[raised] += added[raised]
        return raised, inverse

    @cached_property
    def _variances(self) -> Floats:
        """(q,): the shared prior variance of each term."""
        return self.fit.signal * self.fit.covariance.variances(self.terms.members)[:_MOST_TERMS]

    @cached_property
    def _parity(self) -> Floats:
        """(n + 1, q): the terms at the pairs."""
        return self._few.evaluate(self.fit.x).astype(np.float64)

    @cached_property
    def _projected(self) -> Floats:
        """(n + 1, q): Q P."""
        return self.fit.project(self._parity)

    @cached_property
    def _inner(self) -> Floats:
        """(q, q): P' Q P."""
        return np.asarray(self._parity.T @ self._projected)

    @cached_property
    def _gains(self) -> Floats:
        """(q, d): what a unit of each term adds to the values, less what the shared fit sees."""
        own = self._few.shares()[:, None] * self._few.members
        return np.asarray(own - self._parity.T @ self.fit.influence)

    @cached_property
    def _few(self) -> ParityTerms:
        return ParityTerms(self.terms.members[:_MOST_TERMS], self.terms.coefficients[:_MOST_TERMS])
