"""Scores of features, and of pairs of features, from the same answers."""

from __future__ import annotations

from dataclasses import dataclass, replace

from perturbx._validation import check_kind
from perturbx.perturbations import Evaluations
from perturbx.solvers._base import Solution, Solver
from perturbx.solvers.interactions import PairwiseInteractions


@dataclass(frozen=True)
class WithInteractions(Solver):
    """A solver's scores, and pairwise interactions from the same pairs of coalitions.

    Parameters
    ----------
    solver : Solver
        Reads the same designs as `PairwiseInteractions`: those of ShapleyCoalitions.

    Raises
    ------
    InvalidParameterError
        If `solver` is none.
    RejectPerturbations
        If the perturbations are not pairs of complementary coalitions.

    Examples
    --------
    >>> from perturbx.solvers import KernelShapRegression, WithInteractions
    >>> WithInteractions(KernelShapRegression()).additive
    True
    """

    solver: Solver

    def __post_init__(self) -> None:
        check_kind("solver", self.solver, Solver, "a solver, such as KernelShapRegression()")

    @property
    def additive(self) -> bool:  # type: ignore[override]
        return self.solver.additive

    def working(self, n_features: int) -> float:
        return self.solver.working(n_features) + 2.5 * n_features * (n_features - 1)

    def linear(self) -> Solver:
        return self.solver.linear()

    def solve(self, evaluations: Evaluations) -> Solution:
        found = PairwiseInteractions().solve(evaluations)
        return replace(self.solver.solve(evaluations), interactions=found)
