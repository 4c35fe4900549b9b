"""Standard errors of weighted least squares that trust no model of the noise."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from perturbx._typing import Floats, Ints

_MOST_NUMBERS = 2**17


def slope_errors(
    rows_of: Callable[[Ints], Floats],
    inverse: Floats,
    weights: Floats,
    residual: Floats,
    unit: Ints,
) -> Floats:
    """(d, t): clustered sandwich errors with leverage taken out, of t targets' d slopes.

    Each unit's residuals are divided by the root of what the fit leaves of them, which makes
    their squares right on average where the noise is even (HC2 for single rows: MacKinnon &
    White, 1985; CR2 for units: Bell & McCaffrey, Survey Methodology 28, 2002). Residuals of the
    fit without the unit (HC3) are larger by that factor once more: with hardly more rows than
    slopes, intervals would be wider than they say. The rows (m, d), of which `rows_of` gives some,
    have weighted mean 0, `weights` (m,) add up to 1, and `inverse` (d, d) is of the normal matrix.
    """
    root = np.sqrt(weights)[:, None]
    variance = np.zeros((len(inverse), residual.shape[1]))
    for members in _units(unit, *variance.shape):
        own_root = root[members]
        rows = own_root * rows_of(members)
        influence = (rows @ inverse).swapaxes(1, 2)
        # The unit's own block of the hat matrix, whose second term is the intercept's.
        own = rows @ influence
        own += own_root * own_root.swapaxes(1, 2)
        spare, vectors = np.linalg.eigh(np.eye(members.shape[1]) - own)
        # A unit that alone fixes a slope is met exactly: its residual is 0, and may stay so.
        turned = vectors.swapaxes(1, 2) @ (own_root * residual[members])
        adjusted = vectors @ (turned / np.sqrt(np.maximum(spare, 1e-9))[:, :, None])
        variance += ((influence @ adjusted) ** 2).sum(axis=0)
    return np.asarray(np.sqrt(variance))


def _units(unit: Ints, d: int, t: int) -> Iterator[Ints]:
    """(units, size): rows of units of one size, so few that they take little memory."""
    starts = np.flatnonzero(np.diff(unit, prepend=unit[:1] - 1))
    sizes = np.diff(starts, append=len(unit))
    for size in np.unique(sizes):
        members = starts[sizes == size][:, None] + np.arange(size)
        step = max(_MOST_NUMBERS // max(d * t, int(size) * max(d, t, int(size))), 1)
        for start in range(0, len(members), step):
            yield members[start : start + step]
