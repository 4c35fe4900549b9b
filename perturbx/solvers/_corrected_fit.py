"""Ridge regression of a strength that each target chooses, and sums over all coalitions by it.

What is asked is a sum over all pairs of coalitions, H'y, of which a sample is known. The sum of
a fit is known in closed form, that of its residuals is estimated (Horvitz & Thompson, Journal of
the American Statistical Association 47, 1952): the difference estimator of survey sampling. It
is right on average whatever the fit leaves out, and exact where the fit is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from perturbx._typing import Floats, Ints

STRENGTHS = np.concatenate([[0.0], 10.0 ** np.arange(-6.0, 2.0, 0.75)])
"""Of the ridge, in units of the mean eigenvalue; the first is least squares."""

_PINNED = 1e-7
"""A pair with no more than this left of itself is met by the fit, whatever its answer."""


@dataclass(frozen=True, eq=False)
class Total:
    """p sums over all coalitions that are scale * b for a y that X b meets, and their sample."""

    scale: float
    sampled: Floats
    """(c, p): what each row's y counts in the sums, over the row's chance of being sampled."""
    rows: Floats
    """(c, p): X."""

    @cached_property
    def missed(self) -> Floats:
        """(p, p): the sums for y = X, less those of the sample. Zero on average."""
        return np.asarray(self.scale * np.eye(self.rows.shape[1]) - self.rows.T @ self.sampled)


@dataclass(frozen=True, eq=False)
class Fit:
    """b that minimizes sum of w (y - X b)^2 + strength b'b, for t targets of one strength.

    Where ``determined`` is false there are too few rows for least squares: then a total is that
    of the fit alone, since the residuals of so free a fit say nothing.
    """

    targets: Ints
    """(t,): which they are."""
    coefficients: Floats
    """(p, t)."""
    residual: Floats
    """(c, t): y - X b."""
    left_out: Floats
    """(c, t): the residuals of the fits that were each made without the row."""
    reader: tuple[Floats, Floats]
    """Two factors, (c, r) and (r, p), of the matrix whose transpose makes b of y."""
    determined: bool

    def estimate(self, total: Total) -> Floats:
        """(p, t)."""
        of_fit = total.scale * self.coefficients
        if not self.determined:
            return of_fit
        return np.asarray(of_fit + total.sampled.T @ self.residual)

    def influence(self, total: Total) -> Floats:
        """(c, p): what each row's y adds to the estimate, the fit's change included."""
        return np.asarray(total.sampled + self.reader[0] @ (self.reader[1] @ total.missed))


def fits(rows: Floats, weights: Floats, y: Floats) -> Iterator[Fit]:
    """The fits of every target, those of one strength together: one factorization for all.

    Each target takes the strength with the smallest weighted leave-one-out squares (Allen,
    Technometrics 16, 1974). `rows` (c, p), `weights` (c,), `y` (c, t).
    """
    root = np.sqrt(weights / weights.mean())[:, None]
    spectrum = _Spectrum.of(root * rows)
    turned = spectrum.vectors.T @ (root * y)
    shrunk, spare = spectrum.shrinkage()
    judged = spare[:, 0] > _PINNED
    if 2 * judged.sum() < len(judged):
        judged[:] = True
    squares = np.full((len(STRENGTHS), y.shape[1]), np.inf)
    for i in range(0 if spectrum.determined else 1, len(STRENGTHS)):
        residual = (root * y - spectrum.vectors @ (shrunk[:, i, None] * turned))[judged]
        squares[i] = ((residual / np.maximum(spare[judged, i, None], 1e-12)) ** 2).sum(axis=0)
    chosen = squares.argmin(axis=0)
    for i in np.unique(chosen):
        targets = np.flatnonzero(chosen == i)
        inverse = spectrum.inverse(STRENGTHS[i])
        b = spectrum.back @ (inverse[:, None] * turned[:, targets])
        residual = y[:, targets] - rows @ b
        free = np.where(spare[:, i, None] > _PINNED, spare[:, i, None], np.inf)
        reader = (root * spectrum.vectors * inverse, spectrum.back.T)
        yield Fit(targets, b, residual, residual / free, reader, spectrum.determined)


@dataclass(frozen=True, eq=False)
class _Spectrum:
    """Singular values, squared, of a matrix A (c, p), from its smaller Gram matrix."""

    values: Floats
    """(r,)."""
    vectors: Floats
    """(c, r): on the side of the rows."""
    back: Floats
    """(p, r): A' vectors."""
    determined: bool
    """True if r = p < c: least squares has one solution, and a residual."""

    @classmethod
    def of(cls, matrix: Floats) -> _Spectrum:
        c, p = matrix.shape
        if c > p:
            values, basis = np.linalg.eigh(matrix.T @ matrix)
            kept = values > 1e-11 * values[-1]
            values, basis = values[kept], basis[:, kept]
            root = np.sqrt(values)
            return cls(values, matrix @ (basis / root), basis * root, bool(kept.all()))
        values, vectors = np.linalg.eigh(matrix @ matrix.T)
        kept = values > 1e-11 * values[-1]
        return cls(values[kept], vectors[:, kept], matrix.T @ vectors[:, kept], False)

    def inverse(self, strength: float) -> Floats:
        return np.asarray(1 / (self.values + strength * self.values.mean()))

    def shrinkage(self) -> tuple[Floats, Floats]:
        """For each strength, (r, g) what is kept and (c, g) one minus the leverage of each row."""
        shrunk = np.stack([self.values * self.inverse(s) for s in STRENGTHS], axis=1)
        return shrunk, np.maximum(1 - self.vectors**2 @ shrunk, 0.0)
