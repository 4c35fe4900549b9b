"""The effect of removing one feature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx.designs import LeaveOneOut
from perturbx.solvers._answers import Answers, Noise, Scores
from perturbx.solvers._base import Solver


@dataclass(frozen=True)
class Deltas(Solver):
    """The full output less the output without a feature: occlusion, leave one out.

    Zeiler & Fergus (ECCV 2014, section 4.2). Nothing is sampled, so the standard errors are
    those of arithmetic, or of answers that are random. The scores do not sum to the output.
    Features that were not removed have a score of NaN.

    Examples
    --------
    >>> from perturbx.designs import Evaluations, LeaveOneOut
    >>> from perturbx.solvers import Deltas
    >>> answers = Evaluations.of_game(LeaveOneOut(2), lambda z: z @ [7.0, 2.0])
    >>> Deltas().solve(answers).values.ravel()
    array([7., 2.])
    """

    reads = (LeaveOneOut,)

    def estimate(self, answers: Answers[LeaveOneOut]) -> Scores:
        noise, variances = None, answers.variances
        if variances is not None:
            both = variances.full + variances.outputs
            noise = Noise(both, both)
        values = answers.full - answers.outputs
        missing = answers.design.n_features - len(values)
        if not missing:
            return Scores(values, noise=noise)
        values = np.pad(values, ((0, missing), (0, 0)), constant_values=np.nan)
        return Scores(values, values * 0.0)
