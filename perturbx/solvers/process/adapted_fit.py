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
from itertools import chain

import numpy as np
from scipy.linalg import LinAlgError, blas, lapack

from perturbx._typing import Floats, Ints
from perturbx._workers import spread
from perturbx.solvers.process.covariance import Covariance
from perturbx.solvers.process.gaussian_process import (
    JACKKNIFE,
    PINNED,
    Fit,
    Free,
    Posterior,
    Reading,
    standard_errors,
)
from perturbx.solvers.process.odd_pairs import MOST_ROWS, OddPairs, Signs
from perturbx.solvers.process.parity import ParityTerms

_MOST_TERMS = 300
"""How many terms may be raised: the largest that the teachers have."""

_MOST_RAISED, _ROUNDS = 50, 2
"""More terms, raised more often, take four times as long, and are no better: the squared error of
1,000 terms, 100 raised, 3 rounds was 1.0 to 1.3 times as large (photos, forests, a network)."""

ADAPTS = 3
"""From so many pairs a feature on, a target's own answers bend the prior."""

_AT_ONCE = 32
"""How many targets a thread solves before it takes the next ones."""

_MOST_OPTIMISM = 1.5
"""By how much errors under the shared prior may raise those under the bent one, at most."""

_ARITHMETIC = 1e-7
"""The least error, in units of the target's scale: strong priors cost half of the digits."""


def posterior(
    pairs: OddPairs,
    covariance: Covariance,
    signal: float,
    free: Free,
    *,
    share: float = JACKKNIFE,
    elsewhere: Signs | None = None,
    bends: bool = False,
    is_random: bool = False,
) -> Posterior:
    """Shapley values of the posterior mean of one target, from one factorization.

    `elsewhere` (k, d) are other pairs at which the posterior mean is wanted. A prior with terms
    that `bends` raises some of them to what the target shows. `is_random` if the pairs were drawn
    at random.
    """
    x, y, noise = pairs.with_end()
    fit = Fit.of(x, noise, covariance, signal, free, is_random=is_random)
    reading, shares = fit.read(y[:, None]), np.array([share])
    others = x[:0] if elsewhere is None else elsewhere
    terms = covariance.terms if bends and covariance.share > 0 else None
    solver = fit if terms is None else AdaptedFit(fit, terms)
    found = solver.posterior(reading, shares, others)
    added = None if pairs.doubt is None else fit.added_by(pairs.doubt[:, None])[:, :, 0]
    mean = found.elsewhere[:, 0]
    return Posterior(found.values[:, 0], found.standard_errors[:, 0], mean, noise=added)


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

    def posterior(self, reading: Reading, share: Floats, others: Floats | Signs) -> Posterior:
        """Values and errors (d, t), as `Fit.posterior`; the mean at `others`."""
        fit, projected = self.fit, reading.projected
        shared = fit.posterior(reading, share)
        received = np.ascontiguousarray((self._parity @ projected).T)
        squares = np.einsum("nt,nt->t", reading.smooth, projected)
        values = fit.influence.T @ reading.smooth
        errors, raising = np.empty_like(values), np.zeros((len(self._few), len(share)))

        def solved(t: int) -> tuple[Ints, Floats, Floats, Floats]:
            bent = self._bent(received[t], float(squares[t]))
            is_freed = bool(reading.is_freed[t])
            moved, own = self._errors(bent, projected[:, t], share[[t]], is_freed)
            return bent.raised, bent.coefficients, bent.gains.T @ bent.pull + moved, own[:, 0]

        chunks = [range(t, min(t + _AT_ONCE, len(share))) for t in range(0, len(share), _AT_ONCE)]
        found = spread(lambda targets: [solved(t) for t in targets], chunks)
        for t, (raised, coefficients, more, own) in enumerate(chain.from_iterable(found)):
            raising[raised, t], errors[:, t] = coefficients, own
            values[:, t] += more
        values += (2 * reading.half_gain - values.sum(axis=0)) / len(values)
        # Residuals of pairs that have bent the prior are too small by a factor that they do not
        # tell; those of the shared prior are honest, but of a worse fit.
        errors = np.clip(shared.standard_errors, errors, _MOST_OPTIMISM * errors)
        elsewhere = fit.mean(others, reading.smooth - self._parity.T @ raising)
        for start in range(0, len(others), MOST_ROWS):
            rows = slice(start, start + MOST_ROWS)
            elsewhere[rows] += self._few.evaluate(others[rows]) @ raising
        return Posterior(values, np.maximum(errors, _ARITHMETIC), elsewhere)

    def _errors(
        self, bent: _Bent, projected: Floats, share: Floats, is_freed: bool
    ) -> tuple[Floats, Floats]:
        """What predicting a freed end anew adds to the values (d,), and errors (d, 1).

        Of one target, with Q y (n + 1,). The shared prior has predicted an end that jumps; the bent
        one predicts it better.
        """
        fit, through = self.fit, bent.through
        diagonal = fit.diagonal - np.einsum("kn,kn->n", through, through)
        variance = fit.variance + np.einsum("ki,ki->i", bent.gains, bent.gains)
        influence = fit.influence + through.T @ bent.gains
        rest, moved = projected - bent.pull @ through, np.zeros(len(variance))
        if is_freed:
            spread = max(float(diagonal[-1]), PINNED * float(fit.diagonal[-1]))
            jump = rest[-1] / spread
            rest = rest - jump * (fit.end - through.T @ through[:, -1])
            variance = variance + (influence[-1] - influence[-1].mean()) ** 2 / spread
            moved = -jump * influence[-1]
        errors = standard_errors(
            influence[:-1],
            variance[:, None],
            rest[:-1, None],
            diagonal[:-1],
            fit.noise[:-1],
            share,
            fit.unseen,
        )
        return moved, errors

    def _bent(self, received: Floats, square: float) -> _Bent:
        """Of one target, of which `received` (q,) is P' Q y, and `square` y' Q y."""
        degrees = max(len(self.fit.x) - self.fit.free.directions.shape[1], 1)
        most = min((len(self.fit.x) - 1) // 2, _MOST_RAISED)
        variances, left = self._variances, received
        scale, least = square / degrees, 1e-12 * square / degrees
        for i in range(_ROUNDS):
            added = (variances * left) ** 2 / scale - self._variances
            raised = _largest(added, most)
            inner = self._inner[raised]
            factor = _factor(inner[:, raised], 1 / added[raised])
            pull = _solved(factor, received[raised, None])
            if i == _ROUNDS - 1:
                break
            left = received - _solved(factor, pull, transposed=True)[:, 0] @ inner
            scale = max(float(square - pull[:, 0] @ pull[:, 0]) / degrees, least)
            variances = self._variances.copy()
            variances[raised] += added[raised]
        return _Bent(
            raised,
            _solved(factor, pull, transposed=True)[:, 0],
            pull[:, 0],
            _solved(factor, self._projected[raised]),
            _solved(factor, self._gains[raised]),
        )

    @cached_property
    def _variances(self) -> Floats:
        """(q,): the shared prior variance of each term."""
        return self.fit.signal * self.fit.covariance.variances(self.terms.members)[:_MOST_TERMS]

    @cached_property
    def _parity(self) -> Floats:
        """(q, n + 1): the terms at the pairs."""
        return np.ascontiguousarray(self._few.evaluate(self.fit.x).T, dtype=np.float64)

    @cached_property
    def _projected(self) -> Floats:
        """(q, n + 1): Q P."""
        return np.ascontiguousarray(self.fit.project(self._parity.T).T)

    @cached_property
    def _inner(self) -> Floats:
        """(q, q): P' Q P."""
        return np.asarray(self._parity @ self._projected.T)

    @cached_property
    def _gains(self) -> Floats:
        """(q, d): what a unit of each term adds to the values, less what the shared fit sees."""
        own = self._few.shares()[:, None] * self._few.members
        return np.asarray(own - self._parity @ self.fit.influence)

    @cached_property
    def _few(self) -> ParityTerms:
        return ParityTerms(self.terms.members[:_MOST_TERMS], self.terms.coefficients[:_MOST_TERMS])


@dataclass(frozen=True, eq=False)
class _Bent:
    """Which k terms are `raised`, their `coefficients`, and what they change.

    With the Cholesky factor L of the raised terms' system: L^-1 times what they received of y
    (`pull`, (k,)), of the pairs (`through`, (k, n + 1)), and of the values (`gains`, (k, d)).
    """

    raised: Ints
    coefficients: Floats
    pull: Floats
    through: Floats
    gains: Floats


def _largest(added: Floats, most: int) -> Ints:
    """The places of the `most` largest numbers, as far as they are positive, in their order."""
    if most < len(added):
        found = np.sort(np.argpartition(-added, most)[:most])
    else:
        found = np.arange(len(added))
    return np.asarray(found[added[found] > 0])


def _factor(inner: Floats, penalty: Floats) -> Floats:
    """The lower Cholesky factor of a matrix (k, k) with a penalty (k,) on its diagonal."""
    inner.flat[:: len(inner) + 1] += penalty + 1e-12 * np.trace(inner)
    factor, failed = lapack.dpotrf(inner.T, lower=1, overwrite_a=1)
    if failed:
        raise LinAlgError("the raised terms are not told apart")
    return np.asarray(factor)


def _solved(factor: Floats, right: Floats, *, transposed: bool = False) -> Floats:
    """L^-1 times the columns of `right` (k, c), or the transpose of L^-1."""
    if not len(factor):
        return right
    # From the right, the transpose needs no copy in another order.
    turned = blas.dtrsm(1.0, factor, right.T, side=1, lower=1, trans_a=int(not transposed))
    return np.asarray(turned.T)
