"""Which instances are precise enough, so that their rounds may end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx.designs import Evaluations
from perturbx.solvers import Solution

_FEWEST_DEGREES = 16
"""With fewer degrees of freedom, a small standard error may be chance, and rounds go on."""

_WIDENING = 3.0
"""Noise widens the range of equal scores by about this many standard errors."""


def is_precise(
    solution: Solution,
    evaluations: Evaluations,
    tol: float,
    active: NDArray[np.bool_],
    samples: bool,
) -> NDArray[np.bool_]:
    """(n,): which instances have all standard errors below tol times the range of their scores.

    The range includes the score 0 of features that are not `active`, and is reduced by what noise
    adds to it. Errors up to rounding are always precise enough. Where the solver `samples`, few
    degrees of freedom never end a run, as errors may be small by chance. Neither do errors of 0 if
    no perturbation changed the output but removing all features does.
    """
    least, sums = evaluations.floor, evaluations.sums
    if samples and solution.degrees_of_freedom < _FEWEST_DEGREES:
        return np.zeros(len(evaluations.full), dtype=bool)
    highest, lowest = solution.values.max(axis=1), solution.values.min(axis=1)
    if not active.all():
        highest, lowest = np.maximum(highest, 0.0), np.minimum(lowest, 0.0)
    changes: Floats | float = np.inf  # a single feature needs no perturbation
    if sums is not None:
        changes = (sums.outputs.highest - sums.outputs.lowest)[:, None]
    elif len(evaluations.outputs):
        changes = np.ptp(evaluations.outputs, axis=0)[:, None]
    unchanged = changes <= least
    gain = np.abs(evaluations.full - evaluations.empty)[:, None]
    errors = np.where(unchanged & (gain > 4 * least), np.inf, solution.standard_errors)
    reach = (highest - lowest - _WIDENING * errors.max(axis=1))[:, None]
    return np.asarray((errors <= np.maximum(tol * reach, least)).all(axis=(1, 2)))
