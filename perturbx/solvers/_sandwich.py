"""Standard errors of weighted least squares that trust no model of the noise."""

from __future__ import annotations

import numpy as np

from perturbx._typing import Floats, Ints


def slope_errors(
    rows: Floats, inverse: Floats, weights: Floats, residual: Floats, unit: Ints
) -> Floats:
    """(d, t): clustered sandwich errors with leverage taken out, of t targets' d slopes.

    Each unit's residuals are those of the fit without that unit (HC3 for single rows: MacKinnon
    & White, 1985; CR3 for units: Bell & McCaffrey, Survey Methodology 28, 2002). `rows` (m, d)
    have weighted mean 0, `weights` (m,) add up to 1, and `inverse` (d, d) is of the normal matrix.
    """
    starts = np.flatnonzero(np.diff(unit, prepend=unit[:1] - 1))
    influence = weights[:, None] * (rows @ inverse)
    left_out = _left_out(rows, influence, weights, residual, starts)
    errors = np.empty((rows.shape[1], residual.shape[1]))
    for target in range(residual.shape[1]):
        of_units = np.add.reduceat(influence * left_out[:, target, None], starts, axis=0)
        errors[:, target] = np.sqrt((of_units**2).sum(axis=0))
    return errors


def _left_out(
    rows: Floats, influence: Floats, weights: Floats, residual: Floats, starts: Ints
) -> Floats:
    """(m, t): residuals of each unit from the fit to all others, (I - H)^-1 r unit by unit."""
    out = np.empty_like(residual)
    sizes = np.diff(starts, append=len(rows))
    for size in np.unique(sizes):
        members = starts[sizes == size][:, None] + np.arange(size)
        hat = np.einsum("uid,ujd->uij", rows[members], influence[members])
        spare = np.eye(size) - hat - weights[members][:, None, :]
        # A unit that alone fixes a slope is met exactly: its residual is 0, and may stay so.
        spare += 1e-9 * np.eye(size)
        out[members] = np.linalg.solve(spare, residual[members])
    return out
