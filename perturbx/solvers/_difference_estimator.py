"""The difference estimator of survey sampling: totals over all coalitions, from a sample of them.

A total H'y over all pairs of coalitions is estimated from a ridge fit to the sample. The total of
the fit is known in closed form, that of its residuals is estimated (Horvitz & Thompson, Journal
of the American Statistical Association 47, 1952). The sum is unbiased whatever the fit leaves
out, and exact where the fit is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from perturbx._typing import Floats, Ints
from perturbx.solvers._svd import thin_svd

STRENGTHS = np.concatenate([[0.0], 10.0 ** np.arange(-6.0, 2.0, 0.75)])
"""Ridge penalties in units of the mean eigenvalue; the first is least squares."""

_PINNED = 1e-7
"""A pair with no more than this left after its leverage is fitted exactly, whatever its answer."""


@dataclass(frozen=True, eq=False)
class Total:
    """p totals over all coalitions, which are scale * b where y = X b, and their sample."""

    scale: float
    sampled: Floats
    """(c, p): the weight of each row's y in the totals, over its probability of being sampled."""
    rows: Floats
    """(c, p): X."""

    @cached_property
    def missed(self) -> Floats:
        """(p, p): the totals for y = X, less those of the sample. Zero on average."""
        return np.asarray(self.scale * np.eye(self.rows.shape[1]) - self.rows.T @ self.sampled)


@dataclass(frozen=True, eq=False)
class Fit:
    """b that minimizes sum of w (y - X b)^2 + strength b'b, for t targets of one strength.

    Where ``determined`` is false there are too few rows for least squares: then a total is that
    of the fit alone, since the residuals of such a fit carry no information.
    """

    targets: Ints
    """(t,): their numbers."""
    coefficients: Floats
    """(p, t)."""
    residual: Floats
    """(c, t): y - X b."""
    left_out: Floats
    """(c, t): leave-one-out residuals."""
    factors: tuple[Floats, Floats]
    """(c, r) and (r, p): the transpose of their product times y is b."""
    determined: bool

    def estimate(self, total: Total) -> Floats:
        """(p, t): the totals."""
        of_fit = total.scale * self.coefficients
        if not self.determined:
            return of_fit
        return np.asarray(of_fit + total.sampled.T @ self.residual)

    def influence(self, total: Total) -> Floats:
        """(c, p): what each row's y adds to the estimate, the fit's change included."""
        left, right = self.factors
        return np.asarray(total.sampled + left @ (right @ total.missed))


def fits(rows: Floats, weights: Floats, y: Floats) -> Iterator[Fit]:
    """The fits of every target, grouped by strength, from one factorization.

    Each target takes the strength with the smallest weighted leave-one-out error (Allen,
    Technometrics 16, 1974). `rows` (c, p), `weights` (c,), `y` (c, t).
    """
    root = np.sqrt(weights / weights.mean())[:, None]
    (c, p), (left, squares, right) = rows.shape, thin_svd(root * rows, 1e-11)
    determined, back = len(squares) == p < c, right * np.sqrt(squares)
    inverses = 1 / (squares + STRENGTHS[:, None] * squares.mean())
    spare = np.maximum(1 - left**2 @ (squares * inverses).T, 0.0)
    turned = left.T @ (root * y)
    judged = spare[:, 0] > _PINNED
    if 2 * judged.sum() < len(judged):
        judged[:] = True
    # Residuals are those of least squares, and in the span of `left` what a penalty adds. So a
    # strength takes products with the few columns of `left`, and no matrix as large as y.
    some, room = left[judged], np.maximum(spare[judged], 1e-12)
    least = (root * y)[judged] - some @ turned
    missed = room.T**-2.0 @ least**2
    for i in range(len(STRENGTHS)):
        weighted = some / room[:, i, None] ** 2
        added = (1 - squares * inverses[i])[:, None] * turned
        pulled = 2 * (weighted.T @ least) + np.linalg.multi_dot([weighted.T, some, added])
        missed[i] += np.einsum("rt,rt->t", added, pulled)
    if not determined:
        missed[0] = np.inf
    chosen = missed.argmin(axis=0)
    for i in np.unique(chosen):
        targets = np.flatnonzero(chosen == i)
        b = back @ (inverses[i][:, None] * turned[:, targets])
        residual = y[:, targets] - rows @ b
        free = np.where(spare[:, i, None] > _PINNED, spare[:, i, None], np.inf)
        factors = (root * left * inverses[i], back.T)
        yield Fit(targets, b, residual, residual / free, factors, determined)
