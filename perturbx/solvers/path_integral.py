"""The integral of the gradient along a path, from differences across its cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx.designs import PathDifferences
from perturbx.solvers._answers import Answers, Noise, Scores
from perturbx.solvers._base import Solver


@dataclass(frozen=True)
class PathIntegral(Solver):
    """Aumann-Shapley values: the integral of the partial derivatives along straight paths.

    On presences z of features, phi_j is the integral of dv/dz_j at (t, ..., t) over t from 0 to 1
    (Aumann & Shapley, 1974); with z blending a baseline into the instance these are integrated
    gradients (Sundararajan, Taly & Yan, ICML 2017, equation 1). In place of derivatives each cell
    of a path is crossed by one feature, with the others at the cell's middle. What features add by
    themselves is so exact, jumps included; for interactions the error falls with the square of the
    cells' width, and extrapolation from cells and their halves removes its first term (Richardson,
    1911).

    Scores plus the empty output equal the full one up to the error of the cells. The standard error
    contains both how far paths with other cuts differ, and all of the correction by which the
    extrapolation moved the score, and so is larger than the error where v is smooth.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.designs import Evaluations
    >>> from perturbx.samplers import Paths
    >>> from perturbx.solvers import PathIntegral
    >>> design = Paths().draw(2, 200, np.random.default_rng(0))
    >>> answers = Evaluations.of_game(design, lambda z: z[:, 0] * z[:, 1] + 3 * z[:, 1] ** 2)
    >>> PathIntegral().solve(answers).values.ravel().round(6)
    array([0.5, 3.5])
    """

    reads = (PathDifferences,)

    nearly_additive = True
    samples = False

    def estimate(self, answers: Answers[PathDifferences]) -> Scores:
        design, variances = answers.design, answers.variances
        coarse, fine = design.crossings(answers.outputs)
        each, n_paths = fine + (fine - coarse) / 3, len(fine)
        values = each.mean(axis=0)
        spread = each.var(axis=0, ddof=1) / n_paths if n_paths > 1 else np.full_like(values, np.nan)
        moved = (values - fine.mean(axis=0)) ** 2
        total = None if variances is None else design.doubts(variances.outputs)
        n_cells = design.edges.shape[1] - 1
        return Scores(
            values,
            np.sqrt(spread + moved),
            f"differences across {n_cells} cells and their halves on {n_paths} paths",
            degrees_of_freedom=float(max(n_paths - 1, 1)),
            noise=None if total is None else Noise(total, np.zeros_like(total)),
        )
