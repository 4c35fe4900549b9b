"""What is explained, how, and whether the two fit together: known before the model is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from perturbx._typing import LinkName, OutputSelection
from perturbx.errors import BudgetError, InvalidParameterError
from perturbx.game import link
from perturbx.maskers._base import FittedMasker, Removal
from perturbx.perturbations import Evaluations, Perturbations
from perturbx.predictor import Predictor
from perturbx.samplers import Sampler
from perturbx.solvers import Solver

_REHEARSED = 5
"""Features of the small game on which sampler and solver are tried."""


@dataclass(frozen=True, eq=False)
class Problem:
    """What is explained: the instances, the model, how features go, which outputs."""

    masker: FittedMasker
    predictor: Predictor
    X: Any
    is_single: bool
    outputs: OutputSelection
    link: LinkName


@dataclass(frozen=True, eq=False)
class Plan:
    """How it is explained: the recipe and its price."""

    method: str
    sampler: Sampler
    solver: Solver
    budget: int | None
    tol: float | None
    batch_size: int | None
    n_jobs: int | None
    verbose: int
    seeds: np.random.SeedSequence


def check_plan(problem: Problem, plan: Plan) -> None:
    """Whatever can be known to fail, at once, so that nothing is computed in vain.

    Raises
    ------
    InvalidParameterError
        If outputs do not exist, the masker cannot read what the sampler draws, or the budget is
        too small for one of the instances.
    PredictFnError
        If the link does not apply to what the model answered to the first rows.
    RejectPerturbations
        If the solver cannot read what the sampler draws.
    """
    first = problem.predictor.first_answers
    columns, _ = problem.predictor.select(problem.outputs, first)
    link(np.take_along_axis(first, columns, axis=1), problem.link)
    _rehearse(plan, problem.masker)
    if plan.budget is not None:
        _check_budget(problem.masker, problem.X, plan)


def _check_budget(masker: FittedMasker, X: Any, plan: Plan) -> None:
    """Instances differ in how many features can change, and so in what they need."""
    n, step = masker.count(X), masker.chunk
    for start in range(0, n, step):
        for removal in masker.bind(X, start, min(start + step, n)):
            affordable(plan, removal)


def _rehearse(plan: Plan, masker: FittedMasker) -> None:
    """Sampler and solver on an additive game."""
    rng, sampler = np.random.default_rng(0), plan.sampler
    design = sampler.draw(_REHEARSED, sampler.minimum(_REHEARSED), rng)
    drawn = "coalitions" if design.is_coalitions else "noise"
    if drawn != masker.reads:
        raise InvalidParameterError(
            f"{type(sampler).__name__} draws {drawn}, but the masker reads {masker.reads}: "
            "pair noise with GaussianNoise, and coalitions with any other masker."
        )
    plan.solver.solve(_additive(design))


def _additive(design: Perturbations) -> Evaluations:
    outputs = design.z.sum(axis=1, dtype=np.float64)[:, None, None]
    full = np.array([[float(_REHEARSED) if design.is_coalitions else 0.0]])
    return Evaluations(design, outputs, full, np.array([[0.0 if design.is_coalitions else np.nan]]))


def affordable(plan: Plan, removal: Removal) -> int:
    """How many perturbations of one instance the budget pays for."""
    d, per = int(removal.active.sum()), removal.rows_per_perturbation
    n_empty = per * (removal.reads == "coalitions")
    fixed = 1 + n_empty
    minimum = plan.sampler.minimum(d)
    if plan.budget is None:
        return max(minimum, plan.sampler.default(d))
    n = (plan.budget - fixed) // per
    if n < minimum:
        needed = minimum * per + fixed
        also = " + 1 for the instance" + f" + {n_empty} for the empty state" * bool(n_empty)
        cure = " or remove with fewer background rows" if per > 1 else ""
        raise BudgetError(
            f"budget={plan.budget} is too small: {plan.method} needs at least {needed} model rows "
            f"for {d} features ({minimum} perturbations of {per} rows{also}). Raise budget{cure}."
        )
    return int(n)
