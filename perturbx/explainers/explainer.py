"""Any combination of masker, sampler and solver."""

from __future__ import annotations

from dataclasses import dataclass, field

from perturbx._validation import invalid
from perturbx.explainers._base import BaseExplainer
from perturbx.explainers._plan import RecipeContext
from perturbx.samplers import Sampler, ShapleyCoalitions
from perturbx.solvers import KernelShapRegression, Solver


@dataclass(eq=False, repr=False)
class Explainer(BaseExplainer):
    """Your own method: any combination of masker, sampler and solver.

    Covert, Lundberg & Lee (JMLR 22:209, 2021) show that most published methods are such
    combinations. Test your own parts with `perturbx.testing`.

    Parameters
    ----------
    {common}
    sampler : Sampler
        The perturbations on which the model is evaluated.
    solver : Solver
        How scores are computed from the outputs.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> from perturbx.samplers import OneAtATime
    >>> from perturbx.solvers import Deltas
    >>> explainer = px.Explainer(
    ...     lambda X: X.sum(axis=1),
    ...     masker=px.Baseline([0.0, 0.0]),
    ...     sampler=OneAtATime(),
    ...     solver=Deltas(),
    ... )
    >>> explainer.explain([[3.0, 2.0]]).values
    array([[3., 2.]])
    """

    sampler: Sampler = field(default_factory=ShapleyCoalitions, kw_only=True)
    solver: Solver = field(default_factory=KernelShapRegression, kw_only=True)

    def recipe(self, context: RecipeContext) -> tuple[Sampler, Solver]:
        for name, kind in (("sampler", Sampler), ("solver", Solver)):
            if not isinstance(getattr(self, name), kind):
                raise invalid(name, f"a {kind.__name__}", getattr(self, name))
        return self.sampler, self.solver
