"""Outputs of which a few hold nearly all of the variation: what a sample says of them is little."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.stats import t

from perturbx._typing import Floats, Outputs
from perturbx.designs import Evaluations, NoiseDraws
from perturbx.solvers import Solution

_FEWEST_OUTPUTS = 16
"""Fewer outputs do not show their tails."""

_FEW_NOISY = 5.0
"""Of outputs of noise, as the kernel of a local fit discounts those that are far away."""


def widened(solution: Solution, evaluations: Evaluations) -> Solution:
    """The solution with larger errors where outputs have heavy tails, which it then says.

    Errors are estimated from squares, and squares that come from few outputs say little: such an
    estimate has no more degrees of freedom than one less than these outputs, and most often it is
    too small, because the largest outputs have not been met. So errors are raised until the
    interval of 95% is that of a t distribution with so few degrees of freedom, but at least two.
    """
    if evaluations.design.complete or len(evaluations.outputs) < _FEWEST_OUTPUTS:
        return solution
    effective = effective_outputs(evaluations.outputs)
    few = np.sqrt(len(evaluations.outputs))
    if isinstance(evaluations.design, NoiseDraws):
        few = min(few, _FEW_NOISY)
    is_sampled = (solution.standard_errors > evaluations.floor).any(axis=1)
    heavy = is_sampled & (effective < few)
    degrees = np.minimum(np.maximum(effective - 1, 2.0), solution.degrees_of_freedom)
    factor = t.ppf(0.975, degrees) / t.ppf(0.975, solution.degrees_of_freedom)
    errors = solution.standard_errors * np.where(heavy, factor, 1.0)[:, None]
    return replace(solution, standard_errors=errors, heavy_tails=heavy)


def effective_outputs(outputs: Outputs) -> Floats:
    """(n, k): of how many of m equally large deviations from the mean the squares could come.

    (Sum of squares)^2 / sum of squared squares, which is m over the kurtosis: a third of m normal
    outputs, and m where none deviates.
    """
    deviation = outputs - outputs.mean(axis=0)
    largest = np.abs(deviation).max(axis=0)
    squares = (deviation / np.where(largest > 0, largest, 1.0)) ** 2
    fourth = np.einsum("mnk,mnk->nk", squares, squares)
    effective = squares.sum(axis=0) ** 2 / np.where(fourth > 0, fourth, 1.0)
    return np.asarray(np.where(largest > 0, effective, len(outputs)))
