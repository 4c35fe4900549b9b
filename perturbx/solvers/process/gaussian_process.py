"""The fit itself: a free linear part plus a Gaussian process, with standard errors.

g = X b + h + noise, b free (a flat prior), h ~ N(0, s K), noise ~ N(0, 1 / weights), all times
one unknown variance. Notation as in Rasmussen & Williams (2006), section 2.7: A = s K + noise,
H the basis of the free part, Q = A^-1 - A^-1 H (H' A^-1 H)^-1 H' A^-1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, lapack

from perturbx._typing import Floats
from perturbx.solvers.process.covariance import Covariance
from perturbx.solvers.process.odd_pairs import OddPairs

_POOLED = 0.1
"""The share of the variance that is averaged over the features."""

_JACKKNIFE = 1 / 3
"""The jackknife's share in the blend of standard errors, unless another is asked for."""


@dataclass(frozen=True, eq=False)
class Posterior:
    """Shapley values (d,) with standard errors (d,)."""

    values: Floats
    standard_errors: Floats


@dataclass(frozen=True, eq=False)
class Free:
    """The part of g that no prior ties down: X times `directions` (d, p)."""

    directions: Floats

    @classmethod
    def linear(cls, d: int) -> Free:
        return cls(np.eye(d))

    @classmethod
    def sum_only(cls, d: int) -> Free:
        """Only the sum of the values is free; for designs with too few pairs for more."""
        return cls(np.full((d, 1), 1 / d))


def posterior(
    pairs: OddPairs, covariance: Covariance, signal: float, free: Free, *, share: float = _JACKKNIFE
) -> Posterior:
    """Shapley values of the posterior mean, from one factorization.

    Standard errors are the posterior's own, the one unknown variance being the mean square of
    leave-one-out residuals, each over its own predicted variance (Dubrule, Mathematical Geology
    15, 1983): a prior that does not fit shows there. They are blended, on the scale of logarithms,
    with the jackknife, which needs no prior but assumes that residuals do not cancel; `share` is
    its share. A tenth of the variance is pooled over the features.
    """
    x, y, noise = pairs.with_end()
    n, d = pairs.shape
    prior_matrix = covariance.matrix(x)
    prior_matrix *= signal
    inverse = _inverse(prior_matrix, noise)
    del prior_matrix
    basis = x @ free.directions
    solved = inverse @ basis
    gram = solved.T @ basis
    gram.flat[:: len(gram) + 1] += 1e-12 * np.trace(gram) / len(gram)
    gram_inverse = np.linalg.inv(gram)
    kept = gram_inverse @ solved.T
    projected = inverse @ y - solved @ (kept @ y)
    diagonal = np.diag(inverse) - np.einsum("np,pn->n", solved, kept)
    received = covariance.shapley(x)
    through = inverse @ received
    influence = 2 * (free.directions @ kept).T + signal * (through - solved @ (kept @ received))
    values = influence.T @ y
    values += (2 * pairs.half_gain - values.sum()) / d

    slack = 2 * free.directions.T - signal * (solved.T @ received)
    prior = signal * covariance.shapley_variance()
    explained = signal**2 * np.einsum("ni,ni->i", received, through)
    variance = prior - explained + np.einsum("pi,pi->i", slack, gram_inverse @ slack)
    influence -= influence.mean(axis=1, keepdims=True)
    squares = _squared_errors(
        influence[:n], np.maximum(variance, 0.0), projected[:n], diagonal[:n], noise[:n], share
    )
    errors = np.sqrt((1 - _POOLED) * squares + _POOLED * squares.mean())
    return Posterior(values, errors)


def _inverse(matrix: Floats, noise: Floats) -> Floats:
    """The inverse of matrix + diag(noise), with as little jitter as rounding asks for."""
    mean = float(np.trace(matrix)) / len(matrix)
    for jitter in (1e-10, 1e-8, 1e-6):
        shifted = matrix.copy()
        shifted.flat[:: len(matrix) + 1] += noise + jitter * mean
        # The transpose is the same matrix, in the order that needs no copy.
        factor, failed = lapack.dpotrf(shifted.T, lower=1, overwrite_a=1)
        if not failed:
            lower, _ = lapack.dpotri(factor, lower=1, overwrite_c=1)
            inverse = np.tril(lower)
            inverse += np.tril(lower, -1).T
            return np.asarray(inverse)
    raise LinAlgError("the covariance of the pairs is not positive definite")


def _squared_errors(
    influence: Floats,
    variance: Floats,
    projected: Floats,
    diagonal: Floats,
    noise: Floats,
    share: float,
) -> Floats:
    """(d,): see `posterior`. Of n pairs (Q y) and the diagonal of Q, and their noise."""
    seen = diagonal * noise > 1e-9
    if not seen.any():
        return np.full(len(variance), np.nan)
    safe = np.where(seen, diagonal, 1.0)
    left_out = np.where(seen, projected / safe, 0.0)
    own = variance * float((projected[seen] ** 2 / safe[seen]).mean())
    return np.asarray(own ** (1 - share) * ((influence**2).T @ left_out**2) ** share)
