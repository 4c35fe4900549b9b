"""The errors of scores that come from the background being a sample of rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from perturbx._typing import Floats
from perturbx.designs import Evaluations, Sums
from perturbx.game import Parts
from perturbx.solvers import Solution


def of_parts(
    whole: Evaluations, outputs: Floats, empty: Floats, sums: Sums | None = None
) -> Evaluations:
    """The evaluations of each part of the background, as additional outputs.

    `outputs` (1 + n_parts, m, n, k) and `empty` (1 + n_parts, n, k) are those of the whole
    background and of its parts; `sums` are what is known of outputs of parts that were not kept.
    """

    def as_outputs(array: Floats) -> Floats:
        """(n_parts, ..., k) to (..., n_parts * k)."""
        return np.moveaxis(array, 0, -2).reshape(*array.shape[1:-1], len(array) * array.shape[-1])

    return replace(
        whole,
        outputs=as_outputs(outputs[1:]),
        full=np.tile(whole.full, len(outputs) - 1),
        empty=as_outputs(empty[1:]),
        empty_rows=None,
        row_weights=None,
        variances=None,
        sums=sums,
    )


def with_background_errors(solution: Solution, values: Floats, parts: Parts) -> Solution:
    """The solution with the errors that the scores `values` (n, d, n_parts * k) of parts show."""
    values = values.reshape(*solution.values.shape[:2], len(parts), -1)
    errors = parts.error(np.swapaxes(values, 2, 3))
    if solution.noise_errors is not None:  # it makes parts differ too
        errors = np.sqrt(np.maximum(errors**2 - solution.noise_errors**2, 0.0))
    return replace(solution, background_errors=errors)
