"""A weighted ridge regression of many targets on one set of rows, with clustered errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx.solvers._weighted_rows import Moments, WeightedRows

Selection: TypeAlias = Callable[[Floats, Floats], NDArray[np.bool_]]
"""Gram matrix (d, d) and cross products (d, t) of standardized features to those kept (d, t)."""

_MOST_NUMBERS = 2**17

_INVERSES = 2**22
"""Numbers in the inverse matrices that one pass over the design uses."""


@dataclass(frozen=True, eq=False)
class LocalFit:
    """A fit of d slopes for each of t targets."""

    slopes: Floats
    """(d, t), in the units of the features; 0 where a feature was left out."""
    errors: Floats
    """(d, t): their standard errors; NaN where a feature was left out or never changed."""
    intercept: Floats
    """(t,)"""
    r2: Floats
    """(t,): weighted; NaN where the target never changed."""
    noise: Floats
    """(d, t): the variance of the slopes that comes from that of the targets; 0 if not given."""


def local_fit(
    moments: Moments,
    alpha: float,
    select: Selection | None,
    rounding: Floats,
    variances: Floats | None = None,
) -> LocalFit:
    """Ridge of the outputs (m, t) on the z (m, d) of a design, which is read a block at a time.

    `alpha` is the penalty on the slopes of standardized features, as a fraction of all weights; a
    target that varies by no more than `rounding` (t,) is constant. `variances` (m, t) are those of
    the outputs.
    """
    spread = np.diag(moments.gram)
    varied = spread > 0
    scale = np.sqrt(np.where(varied, spread, np.inf))
    # A constant output has no scale: a rounding error must not become a score.
    moves = np.ptp(moments.outputs, axis=0) > rounding
    gram = moments.gram / scale / scale[:, None]
    cross = np.where(moves, moments.cross / scale[:, None], 0.0)
    kept = varied[:, None] & np.ones(cross.shape, dtype=bool)
    if select is not None:
        kept &= select(gram, cross)
    slopes, noise, errors = np.zeros((3, *cross.shape))
    errors[~kept], r2 = np.nan, np.full(len(moves), np.nan)
    for fits in _passes(kept, gram, cross, alpha):
        for block in moments.rows(variances):
            for fit in fits:
                fit.read(block, scale)
        for fit in fits:
            at = np.ix_(fit.kept, fit.targets)
            slopes[at], errors[at], noise[at] = fit.slopes, np.sqrt(fit.variance), fit.noise
            r2[fit.targets] = 1 - fit.unexplained / np.where(fit.spread > 0, fit.spread, np.nan)
    slopes, errors = slopes / scale[:, None], errors / scale[:, None]
    errors[:, ~moves] *= 0.0
    r2[~moves] = np.nan
    noise /= scale[:, None] ** 2
    return LocalFit(slopes, errors, moments.mean - moments.center @ slopes, r2, noise)


@dataclass(eq=False)
class _Fit:
    """The fit of those u targets that keep the same s features, and sums over blocks of rows."""

    kept: Ints
    targets: Ints
    inverse: Floats
    """(s, s): of the normal matrix."""
    slopes: Floats
    """(s, u), of standardized features, like the sums below."""
    variance: Floats
    noise: Floats
    spread: Floats
    unexplained: Floats

    def read(self, block: WeightedRows, scale: Floats) -> None:
        """Add a block of rows to the sums."""
        rows = block.rows if len(self.kept) == len(scale) else block.rows[:, self.kept]
        rows = rows / scale[self.kept]
        answers, sums = block.answers[:, self.targets], block.sums[:, self.targets]
        influence, residual = rows @ self.inverse, answers - rows @ self.slopes
        of_sums = (sums**2).sum(axis=0)
        self.spread += (answers**2).sum(axis=0) + of_sums
        self.unexplained += (residual**2).sum(axis=0) + of_sums
        if block.doubt is not None:
            self.noise += (influence**2).T @ block.doubt[:, self.targets]
        self.variance += _squares(rows, influence, block.ones, residual, block.first)


def _passes(
    kept: NDArray[np.bool_], gram: Floats, cross: Floats, alpha: float
) -> Iterator[list[_Fit]]:
    """A fit for each set of features (d,) that some targets keep, those of one pass together.

    Most often all targets keep the same features.
    """
    patterns, which = kept[:, :1], np.zeros(kept.shape[1], dtype=np.intp)
    if (kept != patterns).any():
        patterns, which = np.unique(kept, axis=1, return_inverse=True)
    fits: list[_Fit] = []
    for p, pattern in enumerate(patterns.T):
        own, targets = np.flatnonzero(pattern), np.flatnonzero(which.ravel() == p)
        if fits and sum(len(fit.kept) ** 2 for fit in fits) + len(own) ** 2 > _INVERSES:
            yield fits
            fits = []
        normal = gram[np.ix_(own, own)] + alpha * np.eye(len(own))
        inverse = np.asarray(np.linalg.inv(normal), dtype=np.float64)
        slopes = inverse @ cross[np.ix_(own, targets)]
        zeros = *np.zeros((2, *slopes.shape)), *np.zeros((2, len(targets)))
        fits.append(_Fit(own, targets, inverse, slopes, *zeros))
    yield fits


def _squares(
    rows: Floats, influence: Floats, ones: Floats, residual: Floats, first: Ints
) -> Floats:
    """(s, u): the sums over clusters of the square of what each adds to the slopes.

    Each cluster's residuals are divided by the root of one minus its leverage, which makes their
    squares unbiased where the noise is even (HC2 for single rows: MacKinnon & White, 1985; CR2 for
    clusters: Bell & McCaffrey, Survey Methodology 28, 2002). Leave-one-out residuals (HC3) are
    larger by that factor once more: with hardly more rows than slopes, intervals would be too
    wide. Rows (b, s), ones (b, 1) and residuals (b, u) are times the roots of the weights.
    """
    (s, u), sizes = (rows.shape[1], residual.shape[1]), np.diff(first, append=len(rows))
    variance = np.zeros((s, u))
    for size in np.unique(sizes).tolist():
        alike = first[sizes == size][:, None] + np.arange(size)
        step = max(_MOST_NUMBERS // max(s * u * (size > 1), size * max(s, u, size)), 1)
        for start in range(0, len(alike), step):
            members = alike[start : start + step]
            own, carried = rows[members], influence[members].swapaxes(1, 2)
            # The cluster's own block of the hat matrix; the second term is the intercept's.
            hat = own @ carried + ones[members] * ones[members].swapaxes(1, 2)
            spare, vectors = np.linalg.eigh(np.eye(size) - hat)
            # A cluster that alone determines a slope is fitted exactly: its residual stays 0.
            turned = vectors.swapaxes(1, 2) @ residual[members]
            adjusted = vectors @ (turned / np.sqrt(np.maximum(spare, 1e-9))[:, :, None])
            if size == 1:  # a sum of squares of products is a product of squares
                variance += (carried[:, :, 0] ** 2).T @ adjusted[:, 0] ** 2
            else:
                variance += ((carried @ adjusted) ** 2).sum(axis=0)
    return variance
