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
from typing import Any

import numpy as np

from perturbx._typing import Floats, Ints
from perturbx.solvers._strata import slices
from perturbx.solvers._svd import Matrix, ThinSvd

STRENGTHS = np.concatenate([[0.0], 10.0 ** np.arange(-6.0, 2.0, 0.75)])
"""Ridge penalties in units of the mean eigenvalue; the first is least squares."""

_PINNED = 1e-7
"""A pair with no more than this left after its leverage is fitted exactly, whatever its answer."""


@dataclass(frozen=True, eq=False)
class Total:
    """p totals over all coalitions, which are scale * b where y = X b, and their sample."""

    scale: float
    sampled: Matrix
    """(c, p): the weight of each row's y in the totals, over its probability of being sampled."""
    rows: Matrix
    """(c, p): X."""

    @cached_property
    def missed(self) -> Floats:
        """(p, p): the totals for y = X, less those of the sample. Zero on average."""
        found = self.scale * np.eye(self.rows.shape[1])
        for part in slices(*self.rows.shape):
            found -= self.rows[part].T @ self.sampled[part]
        return found


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
    rows: Matrix
    """(c, p): X."""
    y: Matrix
    """(c, all targets)."""
    svd: ThinSvd
    """Of X, each row times the root of its weight."""
    root: Floats
    """(c, 1): these roots."""
    inverse: Floats
    """(r,): one over the squared singular values plus the penalty."""
    determined: bool

    def residual(self, rows: Any = slice(None)) -> Floats:
        """(b, t): y - X b of some rows."""
        return np.asarray(self.y[rows][:, self.targets] - self.rows[rows] @ self.coefficients)

    def left_out(self, rows: Any = slice(None)) -> Floats:
        """(b, t): leave-one-out residuals of some rows; 0 where the fit is exact whatever y is."""
        spare = _spare(self.svd.left(rows), self.svd.squares * self.inverse)
        return self.residual(rows) / np.where(spare > _PINNED, spare, np.inf)[:, None]

    def estimate(self, total: Total) -> Floats:
        """(p, t): the totals."""
        of_fit = total.scale * self.coefficients
        if not self.determined:
            return of_fit
        of_residuals = np.zeros_like(of_fit)
        for part in slices(*total.sampled.shape):
            of_residuals += total.sampled[part].T @ self.residual(part)
        return np.asarray(of_fit + of_residuals)

    def influence(self, total: Total) -> Influence:
        """What each row's y adds to the estimate, the fit's change included."""
        right = self.svd.right
        turn = np.linalg.multi_dot([right * self.inverse, right.T, total.missed])
        return Influence(total.sampled, self.rows, self.root**2, turn)


@dataclass(frozen=True, eq=False)
class Influence:
    """Of c rows on p totals: a (c, p) matrix, made a part at a time."""

    sampled: Matrix
    rows: Matrix
    """(c, q): X."""
    weights: Floats
    """(c, 1)."""
    turn: Floats
    """(q, p): ``weights * rows @ turn``, transposed, times y is what the fit's change adds."""

    @property
    def shape(self) -> tuple[int, ...]:
        return self.sampled.shape

    def __getitem__(self, part: Any) -> Floats:
        found = self.rows[part] @ self.turn
        found *= self.weights[part]
        found += self.sampled[part]
        return found


def fits(rows: Matrix, weights: Floats, y: Matrix) -> Iterator[Fit]:
    """The fits of every target, grouped by strength, from one factorization.

    Each target takes the strength with the smallest weighted leave-one-out error (Allen,
    Technometrics 16, 1974). `rows` (c, p), `weights` (c,), `y` (c, t).
    """
    root = np.sqrt(weights / weights.mean())[:, None]
    (c, p), svd = rows.shape, ThinSvd.of(Scaled(rows, root), 1e-11)
    squares = svd.squares
    determined, back = len(squares) == p < c, svd.right * np.sqrt(squares)
    inverses = 1 / (squares + STRENGTHS[:, None] * squares.mean())
    turned, judged = np.zeros((len(squares), y.shape[1])), np.zeros(c, dtype=bool)
    for part in slices(c, p):
        left = svd.left(part)
        turned += left.T @ (root[part] * y[part])
        judged[part] = _spare(left, squares * inverses[0]) > _PINNED
    if 2 * judged.sum() < len(judged):
        judged[:] = True
    missed = np.zeros((len(STRENGTHS), y.shape[1]))
    for part in slices(c, p):
        mine = judged[part]
        missed += _missed(svd.left(part)[mine], (root[part] * y[part])[mine], inverses, svd, turned)
    if not determined:
        missed[0] = np.inf
    chosen = missed.argmin(axis=0)
    for i in np.unique(chosen):
        targets = np.flatnonzero(chosen == i)
        b = back @ (inverses[i][:, None] * turned[:, targets])
        yield Fit(targets, b, rows, y, svd, root, inverses[i], determined)


def _missed(left: Floats, y: Floats, inverses: Floats, svd: ThinSvd, turned: Floats) -> Floats:
    """(strengths, t): the squared leave-one-out errors of some rows, times the root of a weight.

    Residuals are those of least squares, and in the span of `left` what a penalty adds. So a
    strength takes products with the few columns of `left`, and no matrix as large as y.
    """
    room = np.maximum(np.maximum(1 - left**2 @ (svd.squares * inverses).T, 0.0), 1e-12)
    least = y - left @ turned
    missed = np.asarray(room.T**-2.0 @ least**2)
    for i, inverse in enumerate(inverses):
        weighted = left / room[:, i, None] ** 2
        added = (1 - svd.squares * inverse)[:, None] * turned
        pulled = 2 * (weighted.T @ least) + np.linalg.multi_dot([weighted.T, left, added])
        missed[i] += np.einsum("rt,rt->t", added, pulled)
    return missed


def _spare(left: Floats, shrunk: Floats) -> Floats:
    """(b,): one minus the leverage of some rows."""
    return np.maximum(1 - left**2 @ shrunk, 0.0)


@dataclass(frozen=True, eq=False)
class Scaled:
    """Rows, each times a factor (c, 1), made a part at a time."""

    rows: Matrix
    factor: Floats

    @property
    def shape(self) -> tuple[int, ...]:
        return self.rows.shape

    def __getitem__(self, part: Any) -> Floats:
        return np.asarray(self.factor[part] * self.rows[part])
