"""What is lost when one feature goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from perturbx.designs import Design, LeaveOneOut
from perturbx.solvers._base import Answers, Scores, Solver


@dataclass(frozen=True)
class Deltas(Solver):
    """The full output less the output without a feature: occlusion, leave one out.

    Zeiler & Fergus (ECCV 2014, section 4.2). Nothing is sampled, so the standard errors are
    those of arithmetic. The scores do not add up to the output.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.designs import Evaluations
    >>> from perturbx.samplers import OneAtATime
    >>> from perturbx.solvers import Deltas
    >>> design = OneAtATime().draw(2, 2, np.random.default_rng(0))
    >>> answers = Evaluations(
    ...     design,
    ...     outputs=np.array([3.0, 8.0]).reshape(2, 1, 1),
    ...     full=np.array([[10.0]]),
    ...     empty=np.array([[0.0]]),
    ... )
    >>> Deltas().solve(answers).values.ravel()
    array([7., 2.])
    """

    reads: ClassVar[tuple[type[Design], ...]] = (LeaveOneOut,)

    def estimate(self, answers: Answers) -> Scores:
        return Scores(answers.full - answers.outputs)
