"""A weighted ridge regression of many targets on one set of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Floats, Ints, Noise
from perturbx.solvers._sandwich import slope_errors

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


def local_fit(
    z: Coalitions | Noise,
    targets: Floats,
    weights: Floats,
    cluster: Ints,
    alpha: float,
    select: Selection,
    rounding: Floats,
) -> LocalFit:
    """Ridge of targets (m, t) on z (m, d) with weights (m,) that add up to 1.

    `alpha` is the penalty on the slopes of standardized features, as a share of all weights;
    `rounding` (t,) is how far a target that never changes may still range.
    """
    # Blocks, since z may fill much of the memory: no copy of it is ever made.
    mean, center, square = weights @ targets, np.zeros(z.shape[1]), np.zeros(z.shape[1])
    for part in _parts(z):
        center += weights[part] @ z[part].astype(np.float64)
    for part in _parts(z):
        square += weights[part] @ (z[part] - center) ** 2
    varied = (z.max(axis=0) > z.min(axis=0)) & (square > 0)
    standard = Standard(z, center, np.where(varied, np.sqrt(square), np.inf))
    # A constant output has no scale: what rounding leaves of it must not become a score.
    change = np.where(np.ptp(targets, axis=0) > rounding, targets - mean, 0.0)
    gram, cross = np.zeros((z.shape[1], z.shape[1])), np.zeros((z.shape[1], targets.shape[1]))
    for part in _parts(z):
        rows = standard.rows(part)
        weighted = weights[part, None] * rows
        gram += rows.T @ weighted
        cross += weighted.T @ change[part]
    kept = select(gram, cross) & varied[:, None]
    slopes, errors = np.zeros_like(cross), np.full_like(cross, np.nan)
    residual = change.copy()
    for pattern, of in _patterns(kept):
        inverse = _inverse(gram, alpha, pattern)
        slopes[:, of] = inverse @ cross[:, of]
        for part in _parts(z):
            residual[part, of] -= standard.rows(part) @ slopes[:, of]
        errors[:, of] = slope_errors(standard.rows, inverse, weights, residual[:, of], cluster)
    spread, unexplained = weights @ change**2, weights @ residual**2
    share = np.divide(unexplained, spread, out=np.full_like(spread, np.nan), where=spread > 0)
    slopes /= standard.scale[:, None]
    errors = np.where(kept, errors / standard.scale[:, None], np.nan)
    return LocalFit(slopes, errors, mean - center @ slopes, 1 - share)


@dataclass(frozen=True, eq=False)
class Standard:
    """Design of weighted mean 0 and variance 1; 0 where a feature never changed."""

    z: Coalitions | Noise
    center: Floats
    scale: Floats
    """(d,): inf where a feature never changed."""

    def rows(self, members: Ints | slice) -> Floats:
        return np.asarray((self.z[members] - self.center) / self.scale)


def _parts(z: Coalitions | Noise) -> Iterator[slice]:
    """Blocks of rows."""
    step = max(1, _MOST_NUMBERS // z.shape[1])
    yield from (slice(start, start + step) for start in range(0, len(z), step))


def _patterns(kept: NDArray[np.bool_]) -> list[tuple[NDArray[np.bool_], Ints]]:
    """Each set of features that some targets keep, and those targets; most often one for all."""
    if (kept == kept[:, :1]).all():
        return [(kept[:, 0], np.arange(kept.shape[1]))]
    patterns, which = np.unique(kept, axis=1, return_inverse=True)
    which = which.ravel()
    return [(patterns[:, p], np.flatnonzero(which == p)) for p in range(patterns.shape[1])]


def _inverse(gram: Floats, alpha: float, kept: NDArray[np.bool_]) -> Floats:
    """The inverse of the penalized normal matrix of the kept features, zero elsewhere."""
    out = np.zeros_like(gram)
    block = np.ix_(kept, kept)
    out[block] = np.linalg.inv(gram[block] + alpha * np.eye(int(kept.sum())))
    return out
