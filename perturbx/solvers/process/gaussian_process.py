"""The fit itself: a free linear part plus a Gaussian process, with standard errors.

g = X b + h + noise, b free (a flat prior), h ~ N(0, s K), noise ~ N(0, 1 / weights), all times
one unknown variance. The noise is part of the game: interactions that no two pairs share. So what
is left of a pair counts in the Shapley values by their definition. Notation as in Rasmussen &
Williams (2006), section 2.7: A = s K + noise, H the basis of the free part,
Q = A^-1 - A^-1 H (H' A^-1 H)^-1 H' A^-1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, lapack

from perturbx._typing import Floats, Ints
from perturbx.solvers._triangles import mirrored
from perturbx.solvers.process.covariance import Covariance
from perturbx.solvers.process.odd_pairs import (
    MOST_ROWS,
    Signs,
    direct_shares,
    squares_of_all,
    unseen_shares,
)

_POOLED = 0.1
"""The share of the variance that is averaged over the features."""

JACKKNIFE = 1 / 3
"""The jackknife's share in the blend of standard errors, unless another is asked for."""

SURPRISE = 10.0
"""An end that is further than so many standard deviations from what the pairs predict is a jump.

Smooth games come to 8, since they curve more there than the pairs show; jumps start at about 20."""

"""Predictions are made in blocks of so many pairs."""

_ARITHMETIC = 2e-9
"""The least error, in units of the target's scale: the factorization is good to so many digits.

A game of a few strong interactions, such as a conjunction, is fitted to the last of them."""

PINNED = 1e-9
"""A pair of which less than this is left over says nothing of how well the others predict it."""


@dataclass(frozen=True, eq=False)
class Posterior:
    """Shapley values (d,) with standard errors (d,); (d, t) for t targets.

    `elsewhere` (k,), or (k, t), is the mean at other pairs, where it was asked for. `score` is that
    of leave-one-out by which a prior was chosen, where one was. `noise` (2, d)
    are the variances that random answers add, in all and of the full and the empty coalition alone,
    where the answers have variances.
    """

    values: Floats
    standard_errors: Floats
    elsewhere: Floats = field(default_factory=lambda: np.zeros(0))
    score: float = np.inf
    noise: Floats | None = None


@dataclass(frozen=True, eq=False)
class Reading:
    """What a fit makes of t targets, once for scores, values and errors.

    Parameters
    ----------
    smooth : (n + 1, t) array
        G without its jumps.
    projected : (n + 1, t) array
        Q times that.
    half_gain : (t,) array
        The last row of g, with its jumps.
    is_freed : (t,) bool array
        Which targets have one.
    """

    smooth: Floats
    projected: Floats
    half_gain: Floats
    is_freed: NDArray[np.bool_]

    def of(self, targets: Ints) -> Reading:
        """Of some of the targets."""
        return Reading(
            self.smooth[:, targets],
            self.projected[:, targets],
            self.half_gain[targets],
            self.is_freed[targets],
        )


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


@dataclass(frozen=True, eq=False)
class Fit:
    """A prior and a design, factorized once: each target then costs a few matrix products.

    Parameters
    ----------
    x : (n + 1, d) array
        The pairs in {-1, 1}, the full coalition last.
    noise : (n + 1,) array
        Its variance at each pair.
    covariance, signal, free
        The prior.
    influence : (n + 1, d) array
        What each pair's g adds to each Shapley value.
    inverse : (n + 1, n + 1) array
        A^-1.
    solved, kept : (n + 1, p) and (p, n + 1) arrays
        A^-1 H, and (H' A^-1 H)^-1 H' A^-1: Q is inverse - solved kept.
    variance : (d,) array
        The posterior variance of each value, in units of the one unknown variance.
    unseen : (d,) array
        What the noise of pairs that are not in x adds to it: noise is part of the game. 0 for
        pairs at random, where sampling theory counts it.
    """

    x: Floats
    noise: Floats
    covariance: Covariance
    signal: float
    free: Free
    influence: Floats
    inverse: Floats
    solved: Floats
    kept: Floats
    variance: Floats
    unseen: Floats

    @classmethod
    def of(
        cls,
        x: Floats,
        noise: Floats,
        covariance: Covariance,
        signal: float,
        free: Free,
        *,
        is_random: bool = False,
    ) -> Fit:
        """Of pairs x (n + 1, d), the full coalition last, and the variances of their noise.

        `is_random` if the pairs were drawn at random.
        """
        prior_matrix = covariance.matrix(x)
        prior_matrix *= signal
        inverse = inverse_of(prior_matrix, noise)
        del prior_matrix
        basis = x @ free.directions
        solved = inverse @ basis
        gram = solved.T @ basis
        gram.flat[:: len(gram) + 1] += 1e-12 * np.trace(gram) / len(gram)
        gram_inverse = np.linalg.inv(gram)
        kept = gram_inverse @ solved.T
        direct = direct_shares(x)
        own = noise[:, None] * direct
        received = covariance.shapley(x) + own / signal
        through = inverse @ received
        influence = 2 * (free.directions @ kept).T + signal * (through - solved @ (kept @ received))
        slack = 2 * free.directions.T - signal * (solved.T @ received)
        prior = signal * covariance.shapley_variance() + (own**2 / noise[:, None]).sum(axis=0)
        explained = signal**2 * np.einsum("ni,ni->i", received, through)
        variance = prior - explained + np.einsum("pi,pi->i", slack, gram_inverse @ slack)
        prior_parts = (x, noise, covariance, signal, free)
        unseen = unseen_shares(direct[:-1], squares_of_all(direct_shares, x.shape[1]))
        unseen *= 0.0 if is_random else noise[:-1].mean()
        return cls(*prior_parts, influence, inverse, solved, kept, variance, unseen)

    def read(self, y: Floats) -> Reading:
        """Of g (n + 1, t), whose last row is half the gain: the end as the pairs predict it.

        A game may jump at the full or the empty coalition, by rounding or because the removal of
        the last feature is another one. Where the end is far from what the pairs predict, it says
        nothing of them: then all features share the jump alike.
        """
        projected = self.project(y)
        jump = self._jumps(projected)
        is_freed = jump != 0
        if not is_freed.any():
            return Reading(y, projected, y[-1], is_freed)
        smooth = y.copy()
        smooth[-1] -= jump
        projected[:, is_freed] = self.project(smooth[:, is_freed])
        return Reading(smooth, projected, y[-1], is_freed)

    def posterior(
        self, reading: Reading, share: Floats, others: Floats | Signs | None = None
    ) -> Posterior:
        """Values and errors (d, t), with the mean at other pairs (k, d).

        Standard errors are the posterior's own, the one unknown variance being the mean square of
        leave-one-out residuals, each over its own predicted variance (Dubrule, Mathematical
        Geology 15, 1983): a prior that does not fit shows there. They are blended, on the scale of
        logarithms, with the jackknife, which needs no prior but assumes that residuals do not
        cancel; `share` (t,) is its share. Neither sees the noise of unseen pairs, which is added.
        A tenth of the variance is pooled over the features.
        """
        values = self.influence.T @ reading.smooth
        values += (2 * reading.half_gain - values.sum(axis=0)) / len(values)
        of_end = (self.influence[-1] - self.influence[-1].mean()) ** 2 / self.end[-1]
        errors = standard_errors(
            self.influence[:-1],
            self.variance[:, None] + np.outer(of_end, reading.is_freed),
            reading.projected[:-1],
            self.diagonal[:-1],
            self.noise[:-1],
            share,
            self.unseen,
        )
        if others is None:
            return Posterior(values, errors)
        return Posterior(values, errors, self.mean(others, reading.smooth))

    def mean(self, others: Floats | Signs, smooth: Floats) -> Floats:
        """(k, t): the posterior mean at other pairs (k, d), of y (n + 1, t) without jumps."""
        found = np.empty((len(others), smooth.shape[1]))
        if not len(others):
            return found
        slopes = self.free.directions @ (self.kept @ smooth)
        of_prior = self.covariance.mean_of(self.x, self.signal * self.project(smooth))
        for start in range(0, len(found), MOST_ROWS):
            rows = slice(start, start + MOST_ROWS)
            x = others[rows]
            found[rows] = x @ slopes + of_prior(x)
        return found

    def added_by(self, doubt: Floats) -> Floats:
        """(2, d, t): the variance added by that of g (n + 1, t), in all and by the end alone.

        Values sum to twice the end, so its error is shared.
        """
        missing = -self.influence.sum(axis=1, keepdims=True)
        missing[-1] += 2
        squares = (self.influence + missing / self.influence.shape[1]) ** 2
        return np.stack([squares.T @ doubt, np.outer(squares[-1], doubt[-1])])

    def score(self, reading: Reading) -> Floats:
        """(t,): the weighted mean square of leave-one-out residuals, infinite if none is known."""
        diagonal, noise = self.diagonal[:-1], self.noise[:-1]
        seen = diagonal * noise > PINNED
        if 2 * seen.sum() <= len(seen):
            return np.full(len(reading.half_gain), np.inf)
        left_out = reading.projected[:-1][seen] / diagonal[seen, None]
        return np.asarray(np.average(left_out**2, axis=0, weights=1 / noise[seen]))

    def _jumps(self, projected: Floats) -> Floats:
        """(t,): how far the end is from what the pairs predict, where that is far; Q y is given."""
        spread, noise = self.end[-1], self.noise[:-1]
        nothing = np.zeros(projected.shape[1])
        if spread <= PINNED * self.inverse[-1, -1]:
            return nothing
        jump = projected[-1] / spread
        rest = projected[:-1] - np.outer(self.end[:-1], jump)
        spare = np.maximum(self.diagonal[:-1] - self.end[:-1] ** 2 / spread, 0.0)
        seen = spare * noise > PINNED
        if not seen.any():
            return nothing
        common = (rest[seen] ** 2 / spare[seen, None]).mean(axis=0)
        return np.where(jump**2 * spread > SURPRISE**2 * common, jump, 0.0)

    @cached_property
    def end(self) -> Floats:
        """(n + 1,): the last column of Q."""
        return np.asarray(self.inverse[:, -1] - self.solved @ self.kept[:, -1])

    def project(self, y: Floats) -> Floats:
        """Q y, for one or more columns."""
        return np.asarray(self.inverse @ y - self.solved @ (self.kept @ y))

    @cached_property
    def diagonal(self) -> Floats:
        """(n + 1,): of Q."""
        taken = np.einsum("np,pn->n", self.solved, self.kept)
        return np.asarray(np.diag(self.inverse) - taken)


def inverse_of(matrix: Floats, noise: Floats) -> Floats:
    """The inverse of matrix + diag(noise), with as little jitter as rounding asks for.

    It takes the memory of `matrix`, which is symmetric and in C order.
    """
    diagonal = matrix.diagonal().copy()
    mean = float(diagonal.sum()) / len(matrix)
    for jitter in (1e-10, 1e-8, 1e-6):
        matrix.flat[:: len(matrix) + 1] = diagonal + (noise + jitter * mean)
        # The transpose is the same matrix, in the order that needs no copy. The routine leaves the
        # other triangle as it is.
        factor, failed = lapack.dpotrf(matrix.T, lower=1, overwrite_a=1, clean=0)
        if not failed:
            inverse, _ = lapack.dpotri(factor, lower=1, overwrite_c=1)
            return np.asarray(mirrored(inverse))
        mirrored(matrix)
    raise LinAlgError("the covariance of the pairs is not positive definite")


def standard_errors(
    influence: Floats,
    variance: Floats,
    projected: Floats,
    diagonal: Floats,
    noise: Floats,
    share: Floats,
    unseen: Floats,
) -> Floats:
    """(d, t): see `Fit.posterior`. Of n pairs Q y (n, t) and the diagonal of Q, and their noise.

    The `variance` is (d, t), or (d, 1) for all targets; `unseen` (d,) is that of `Fit`.
    """
    seen = diagonal * noise > PINNED
    if not seen.any():
        return np.full((len(variance), len(share)), np.nan)
    influence = influence - influence.mean(axis=1, keepdims=True)
    safe = np.where(seen, diagonal, 1.0)[:, None]
    left_out = np.where(seen[:, None], projected / safe, 0.0)
    common = (projected[seen] ** 2 / safe[seen]).mean(axis=0)
    own = np.maximum(variance, 0.0) * common
    squares = own ** (1 - share) * ((influence**2).T @ left_out**2) ** share
    squares += np.outer(unseen, common)
    errors = np.sqrt((1 - _POOLED) * squares + _POOLED * squares.mean(axis=0))
    return np.asarray(np.maximum(errors, _ARITHMETIC))
