"""Solutions of chunks of instances to one `Explanation`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx.explainers._notes import error_remarks, fit_remarks, nothing_remarks, tail_remarks
from perturbx.explainers._plan import Plan, Problem
from perturbx.maskers import BoundMasker
from perturbx.predictor import Predictor
from perturbx.result import Explanation, Interactions
from perturbx.result.per_instance import PerInstance
from perturbx.solvers import Solution, Solver


@dataclass(frozen=True, eq=False)
class Scored:
    """What was found for a chunk of instances; `costs` are the (n, 2) rows and calls of each."""

    removals: Sequence[BoundMasker]
    solutions: Sequence[Solution]
    costs: Ints
    converged: NDArray[np.bool_]


def assemble(
    scored: Sequence[Scored],
    *,
    problem: Problem,
    plan: Plan,
    columns: Ints,
    full: Floats,
    keeps_outputs: bool,
    costs: Ints,
    solver: Solver,
) -> Explanation:
    """One explanation of all instances; a single one loses its axis, and so does one output."""
    removals = [r for part in scored for r in part.removals]
    solutions = [s for part in scored for s in part.solutions]
    values = _padded([s.values for s in solutions])
    errors = _padded([s.standard_errors for s in solutions])
    base = np.concatenate([s.base for s in solutions])
    rounding = np.concatenate([s.rounding for s in solutions if s.rounding is not None])
    fidelity = _fidelity(solutions)
    estimators = tuple(s.estimator for s in solutions)
    spent = costs[:, 0] if solver.samples else None
    remarks = (
        nothing_remarks(removals),
        *fit_remarks(fidelity),
        tail_remarks(solutions),
        *error_remarks(values, errors, rounding, plan, removals, spent),
    )
    converged = None if plan.tol is None else np.concatenate([part.converged for part in scored])
    rows, calls = costs.T
    each = PerInstance(estimators, rows, calls, converged, remarks)
    explanation = Explanation(
        values=values,
        standard_errors=errors,
        base_values=base,
        predictions=full,
        data=_data(removals),
        feature_names=max((r.feature_names for r in removals), key=len),
        output_names=_output_names(problem.predictor, columns),
        axes=("instance", "feature", "output"),
        value_function=_value_function(problem),
        degrees_of_freedom=min(s.degrees_of_freedom for s in solutions),
        residual=full - base - np.nansum(values, axis=1) if solver.additive else None,
        fidelity=fidelity,
        effective_samples=_fewest([s.effective_samples for s in solutions]),
        regions=_regions(removals),
        score_kind="slopes" if any(s.score_kind == "slopes" for s in solutions) else "shares",
        background_errors=_background_errors(solutions),
        interactions=_interactions(solutions),
        rounding=rounding,
        notes=(*problem.masker.notes, *each.notes),
        per_instance=each,
        **each.together(plan.method),
    )
    explanation = explanation if keeps_outputs else explanation[:, :, 0]
    return explanation[0] if problem.is_single else explanation


def _padded(arrays: Sequence[Floats]) -> Floats:
    """(n, d, k) of n arrays (1, d_i, k); NaN beyond an instance's own features."""
    d = max(array.shape[1] for array in arrays)
    out = np.full((len(arrays), d, arrays[0].shape[2]), np.nan)
    for i, array in enumerate(arrays):
        out[i, : array.shape[1]] = array[0]
    return out


def _background_errors(solutions: Sequence[Solution]) -> Floats | None:
    """Of every instance; 0 for one that equals its background, None if none is known."""
    known = [s.background_errors for s in solutions]
    if all(errors is None for errors in known):
        return None
    zeros = [np.zeros_like(s.values) for s in solutions]
    return _padded([z if e is None else e for e, z in zip(known, zeros, strict=True)])


def _interactions(solutions: Sequence[Solution]) -> Interactions | None:
    """Of every instance; 0 for one that equals its background."""
    known = [s.interactions for s in solutions if s.interactions is not None]
    if not known:
        return None
    nothing = known[0].map(np.zeros_like)
    each = [nothing if s.interactions is None else s.interactions for s in solutions]
    return Interactions(
        np.concatenate([found.shapley for found in each]),
        np.concatenate([found.faith_shap for found in each]),
        np.concatenate([found.shapley_errors for found in each]),
        np.concatenate([found.faith_shap_errors for found in each]),
        min(found.degrees_of_freedom for found in each),
    )


def _value_function(problem: Problem) -> str:
    through = "" if problem.link == "identity" else f"{problem.link} of "
    return f"{through}{problem.predictor.name}, {problem.masker.value_function}"


def _fidelity(solutions: Sequence[Solution]) -> Floats | None:
    """R2 of every local fit; NaN for an instance that needed none."""
    if all(s.fidelity is None for s in solutions):
        return None
    none = [np.full_like(s.base, np.nan) if s.fidelity is None else s.fidelity for s in solutions]
    return np.concatenate(none)


def _fewest(numbers: Sequence[float | None]) -> float | None:
    there = [number for number in numbers if number is not None]
    return min(there) if there else None


def _regions(removals: Sequence[BoundMasker]) -> Any:
    regions = tuple(r.regions for r in removals if r.regions is not None)
    return regions or None


def _data(removals: Sequence[BoundMasker]) -> Any:
    """Rows as (n, d); images as one array if they are of one size, else as a tuple."""
    data = [r.data for r in removals]
    if len({np.shape(x) for x in data}) == 1:
        return np.stack(data)
    return tuple(data)


def _output_names(predictor: Predictor, columns: Ints) -> Any:
    names = np.asarray(predictor.output_names, dtype=object)[columns]
    return tuple(names[0]) if (columns == columns[:1]).all() else names
