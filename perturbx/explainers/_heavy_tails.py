"""Heavy tails: outputs whose variation comes mostly from a few perturbations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.stats import t

from perturbx._typing import Floats, Outputs
from perturbx.designs import Evaluations, NoiseDraws
from perturbx.solvers import Solution

_FEWEST_OUTPUTS = 16
"""Fewer outputs are too few to detect heavy tails."""

_FEW_NOISY = 5.0
"""The threshold for noise, where the kernel of a local fit gives distant outputs less weight."""

_MOST_NUMBERS = 2**18
"""Outputs are read in blocks of this many, as they may fill much of the memory."""


def widened(solution: Solution, evaluations: Evaluations) -> Solution:
    """The solution with larger standard errors for outputs with heavy tails, which it marks.

    Standard errors are estimated from squared deviations. If a few outputs dominate these, the
    estimate has fewer degrees of freedom than there are such outputs, and is usually too small,
    because the largest outputs were not sampled. Errors are therefore enlarged until the 95%
    interval is that of a t distribution with this few degrees of freedom, but at least two.
    """
    sums = evaluations.sums
    n_outputs = len(evaluations.outputs) if sums is None else sums.outputs.count
    if evaluations.design.complete or n_outputs < _FEWEST_OUTPUTS:
        return solution
    effective = effective_outputs(evaluations.outputs) if sums is None else sums.outputs.effective
    few = np.sqrt(n_outputs)
    if isinstance(evaluations.design, NoiseDraws):
        few = min(few, _FEW_NOISY)
    is_sampled = (solution.standard_errors > evaluations.floor).any(axis=1)
    heavy = is_sampled & (effective < few)
    degrees = np.minimum(np.maximum(effective - 1, 2.0), solution.degrees_of_freedom)
    factor = t.ppf(0.975, degrees) / t.ppf(0.975, solution.degrees_of_freedom)
    errors = solution.standard_errors * np.where(heavy, factor, 1.0)[:, None]
    return replace(solution, standard_errors=errors, heavy_tails=heavy)


def effective_outputs(outputs: Outputs) -> Floats:
    """(n, k): the effective number of deviations from the mean among m outputs.

    It is (sum of squares)^2 / (sum of fourth powers), or m over the kurtosis: m / 3 for normally
    distributed outputs, and m for constant outputs.
    """
    mean = outputs.mean(axis=0)
    largest = np.maximum(outputs.max(axis=0) - mean, mean - outputs.min(axis=0))
    unit = np.where(largest > 0, largest, 1.0)
    second, fourth = np.zeros((2, *mean.shape))
    step = max(1, _MOST_NUMBERS // max(mean.size, 1))
    for start in range(0, len(outputs), step):
        squares = ((outputs[start : start + step] - mean) / unit) ** 2
        second += squares.sum(axis=0)
        fourth += np.einsum("mnk,mnk->nk", squares, squares)
    effective = second**2 / np.where(fourth > 0, fourth, 1.0)
    return np.asarray(np.where(largest > 0, effective, len(outputs)))
