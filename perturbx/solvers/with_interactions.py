"""Scores of features, and of pairs of features, from the same answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from perturbx._validation import check_kind, invalid
from perturbx.designs import Design, Pairs
from perturbx.solvers._base import Answers, Scores, Solver
from perturbx.solvers.interactions import PairwiseInteractions


@dataclass(frozen=True)
class WithInteractions(Solver):
    """A solver's scores, and pairwise interactions from the same pairs of coalitions.

    Parameters
    ----------
    solver : Solver
        Reads the same designs: pairs of coalitions.

    Raises
    ------
    InvalidParameterError
        If `solver` is none, or reads no pairs.

    Examples
    --------
    >>> from perturbx.solvers import KernelShapRegression, WithInteractions
    >>> WithInteractions(KernelShapRegression()).additive
    True
    """

    reads: ClassVar[tuple[type[Design], ...]] = (Pairs,)

    solver: Solver

    def __post_init__(self) -> None:
        expected = "a solver that reads pairs of coalitions, such as KernelShapRegression()"
        check_kind("solver", self.solver, Solver, expected)
        if not issubclass(Pairs, self.solver.reads):
            raise invalid("solver", expected, self.solver)

    @property
    def additive(self) -> bool:  # type: ignore[override]
        return self.solver.additive

    def working(self, n_features: int) -> float:
        return self.solver.working(n_features) + 2.5 * n_features * (n_features - 1)

    def linear(self) -> Solver:
        return self.solver.linear()

    def exact(self, answers: Answers) -> Scores:
        return self.estimate(answers)

    def estimate(self, answers: Answers) -> Scores:
        found = PairwiseInteractions().of(answers)
        return replace(self.solver.scores(answers), interactions=found)
