"""A weighted ridge regression of many targets on one set of rows, with clustered errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Floats, Ints, Noise

Selection: TypeAlias = Callable[[Floats, Floats], NDArray[np.bool_]]
"""Gram matrix (d, d) and cross products (d, t) of standardized features to those kept (d, t)."""

_MOST_NUMBERS = 2**17


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
    z: Coalitions | Noise,
    targets: Floats,
    weights: Floats,
    cluster: Ints,
    alpha: float,
    select: Selection | None,
    rounding: Floats,
    variances: Floats | None = None,
) -> LocalFit:
    """Ridge of targets (m, t) on z (m, d) with weights (m,) that sum to 1.

    `alpha` is the penalty on the slopes of standardized features, as a fraction of all weights;
    a target that varies by no more than `rounding` (t,) is constant. `variances` (m, t) are those
    of the targets.
    """
    mean, standard = weights @ targets, _Standardized.of(z, weights)
    # A constant output has no scale: a rounding error must not become a score.
    change = np.where(np.ptp(targets, axis=0) > rounding, targets - mean, 0.0)
    gram, cross = np.zeros((z.shape[1], z.shape[1])), np.zeros((z.shape[1], targets.shape[1]))
    for part in _parts(z):
        rows = standard.rows(part)
        weighted = weights[part, None] * rows
        gram += rows.T @ weighted
        cross += weighted.T @ change[part]
    kept = np.isfinite(standard.scale)[:, None] & np.ones(cross.shape, dtype=bool)
    if select is not None:
        kept &= select(gram, cross)
    slopes, errors = np.zeros_like(cross), np.full_like(cross, np.nan)
    residual, noise = change.copy(), np.zeros_like(cross)
    # Each set of features that some targets keep; most often one for all of them.
    patterns, which = kept[:, :1], np.zeros(kept.shape[1], dtype=np.intp)
    if (kept != patterns).any():
        patterns, which = np.unique(kept, axis=1, return_inverse=True)
    for p, pattern in enumerate(patterns.T):
        of, block = np.flatnonzero(which.ravel() == p), np.ix_(pattern, pattern)
        inverse = np.zeros_like(gram)
        inverse[block] = np.linalg.inv(gram[block] + alpha * np.eye(int(pattern.sum())))
        slopes[:, of] = inverse @ cross[:, of]
        for part in _parts(z):
            rows = standard.rows(part)
            residual[part, of] -= rows @ slopes[:, of]
            if variances is not None:
                influence = (weights[part, None] * rows) @ inverse
                noise[:, of] += (influence**2).T @ variances[part][:, of]
        errors[:, of] = _slope_errors(standard, inverse, weights, residual[:, of], cluster)
    spread, unexplained = weights @ change**2, weights @ residual**2
    ratio = np.divide(unexplained, spread, out=np.full_like(spread, np.nan), where=spread > 0)
    slopes /= standard.scale[:, None]
    errors = np.where(kept, errors / standard.scale[:, None], np.nan)
    noise /= standard.scale[:, None] ** 2
    return LocalFit(slopes, errors, mean - standard.center @ slopes, 1 - ratio, noise)


@dataclass(frozen=True, eq=False)
class _Standardized:
    """z with weighted mean 0 and variance 1, in blocks: z may fill much of the memory."""

    z: Coalitions | Noise
    center: Floats
    scale: Floats
    """(d,): inf where a feature never changed, so that its column is 0."""

    @classmethod
    def of(cls, z: Coalitions | Noise, weights: Floats) -> _Standardized:
        center, square = np.zeros((2, z.shape[1]))
        for part in _parts(z):
            center += weights[part] @ z[part].astype(np.float64)
        for part in _parts(z):
            square += weights[part] @ (z[part] - center) ** 2
        varied = (z.max(axis=0) > z.min(axis=0)) & (square > 0)
        return cls(z, center, np.where(varied, np.sqrt(square), np.inf))

    def rows(self, members: Ints | slice) -> Floats:
        return np.asarray((self.z[members] - self.center) / self.scale)


def _parts(z: Coalitions | Noise) -> Iterator[slice]:
    """Blocks of rows."""
    step = max(1, _MOST_NUMBERS // z.shape[1])
    yield from (slice(start, start + step) for start in range(0, len(z), step))


def _slope_errors(
    standard: _Standardized, inverse: Floats, weights: Floats, residual: Floats, cluster: Ints
) -> Floats:
    """(d, t): clustered sandwich errors, adjusted for leverage, of t targets' d slopes.

    Each cluster's residuals are divided by the root of one minus its leverage, which makes their
    squares unbiased where the noise is even (HC2 for single rows: MacKinnon & White, 1985; CR2 for
    clusters: Bell & McCaffrey, Survey Methodology 28, 2002). Leave-one-out residuals (HC3) are
    larger by that factor once more: with hardly more rows than slopes, intervals would be too
    wide. Rows have weighted mean 0, `weights` (m,) sum to 1, and `inverse` (d, d) is of the normal
    matrix.
    """
    (d, t), root = (len(inverse), residual.shape[1]), np.sqrt(weights)[:, None]
    variance = np.zeros((d, t))
    starts = np.flatnonzero(np.diff(cluster, prepend=cluster[:1] - 1))
    sizes = np.diff(starts, append=len(cluster))
    for size in np.unique(sizes).tolist():
        alike = starts[sizes == size][:, None] + np.arange(size)
        step = max(_MOST_NUMBERS // max(d * t * (size > 1), size * max(d, t, size)), 1)
        for first in range(0, len(alike), step):
            members = alike[first : first + step]
            own_root = root[members]
            rows = own_root * standard.rows(members)
            influence = (rows @ inverse).swapaxes(1, 2)
            # The cluster's own block of the hat matrix; the second term is the intercept's.
            own = rows @ influence + own_root * own_root.swapaxes(1, 2)
            spare, vectors = np.linalg.eigh(np.eye(size) - own)
            # A cluster that alone determines a slope is fitted exactly: its residual stays 0.
            turned = vectors.swapaxes(1, 2) @ (own_root * residual[members])
            adjusted = vectors @ (turned / np.sqrt(np.maximum(spare, 1e-9))[:, :, None])
            if size == 1:  # a sum of squares of products is a product of squares
                variance += (influence[:, :, 0] ** 2).T @ adjusted[:, 0] ** 2
            else:
                variance += ((influence @ adjusted) ** 2).sum(axis=0)
    return np.asarray(np.sqrt(variance))
