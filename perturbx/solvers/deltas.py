"""What is lost when one feature goes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx.errors import RejectPerturbations
from perturbx.perturbations import Evaluations
from perturbx.solvers._base import Solution, Solver, floor


@dataclass(frozen=True)
class Deltas(Solver):
    """The full output less the output without a feature: occlusion, leave one out.

    Zeiler & Fergus (ECCV 2014, section 4.2). Nothing is sampled, so the standard errors are
    those of arithmetic. The scores do not add up to the output.

    Raises
    ------
    RejectPerturbations
        If row i of the perturbations is not "all but feature i".

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.perturbations import Evaluations
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

    def solve(self, evaluations: Evaluations) -> Solution:
        design = evaluations.perturbations
        d = design.n_features
        if not design.is_coalitions or not np.array_equal(design.z, ~np.eye(d, dtype=bool)):
            raise RejectPerturbations(
                f"Deltas reads {d} perturbations, of which the i-th removes feature i alone: got "
                f"{len(design)} others. Draw them with the sampler OneAtATime()."
            )
        values = evaluations.full[:, None, :] - evaluations.outputs.swapaxes(0, 1)
        errors = np.broadcast_to(floor(evaluations), values.shape).copy()
        return Solution(values, errors, evaluations.empty)
