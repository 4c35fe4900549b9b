"""A weighted ridge regression of many targets on one set of rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx.solvers._sandwich import slope_errors

Selection: TypeAlias = Callable[[Floats, Floats], NDArray[np.bool_]]
"""Gram matrix (d, d) and cross products (d, t) of standardised features to those kept (d, t)."""


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
    z: Floats,
    targets: Floats,
    weights: Floats,
    unit: Ints,
    alpha: float,
    select: Selection,
    rounding: Floats,
) -> LocalFit:
    """Ridge of targets (m, t) on z (m, d) with weights (m,) that add up to 1.

    `alpha` is the penalty on the slopes of standardised features, as a share of all weights;
    `rounding` (t,) is how far a target that never changes may still range.
    """
    centre, mean = weights @ z, weights @ targets
    square = weights @ (z - centre) ** 2
    varied = (np.ptp(z, axis=0) > 0) & (square > 0)
    scale = np.where(varied, np.sqrt(square), 1.0)
    rows = np.where(varied, (z - centre) / scale, 0.0)
    # A constant output has no scale: what rounding leaves of it must not become a score.
    change = np.where(np.ptp(targets, axis=0) > rounding, targets - mean, 0.0)
    weighted = weights[:, None] * rows
    gram, cross = rows.T @ weighted, weighted.T @ change
    kept = select(gram, cross) & varied[:, None]
    slopes, errors = np.zeros_like(cross), np.full_like(cross, np.nan)
    residual = np.empty_like(change)
    for pattern, of in _patterns(kept):
        inverse = _inverse(gram, alpha, pattern)
        slopes[:, of] = inverse @ cross[:, of]
        residual[:, of] = change[:, of] - rows @ slopes[:, of]
        errors[:, of] = slope_errors(rows, inverse, weights, residual[:, of], unit)
    spread, unexplained = weights @ change**2, weights @ residual**2
    share = np.divide(unexplained, spread, out=np.full_like(spread, np.nan), where=spread > 0)
    slopes /= scale[:, None]
    errors = np.where(kept, errors / scale[:, None], np.nan)
    return LocalFit(slopes, errors, mean - centre @ slopes, 1 - share)


def _patterns(kept: NDArray[np.bool_]) -> list[tuple[NDArray[np.bool_], Ints]]:
    """Each set of features that some targets keep, and those targets; most often one for all."""
    if (kept == kept[:, :1]).all():
        return [(kept[:, 0], np.arange(kept.shape[1]))]
    patterns, which = np.unique(kept, axis=1, return_inverse=True)
    which = which.ravel()
    return [(patterns[:, p], np.flatnonzero(which == p)) for p in range(patterns.shape[1])]


def _inverse(gram: Floats, alpha: float, kept: NDArray[np.bool_]) -> Floats:
    """The inverse of the penalised normal matrix of the kept features, zero elsewhere."""
    out = np.zeros_like(gram)
    block = np.ix_(kept, kept)
    out[block] = np.linalg.inv(gram[block] + alpha * np.eye(int(kept.sum())))
    return out
