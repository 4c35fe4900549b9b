"""The loop of ``explain``: rounds of sampling, asking and solving, for chunks of instances."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Floats, Ints, Noise
from perturbx.explainers._assemble import Scored, assemble
from perturbx.explainers._plan import Plan, Problem, affordable, check_plan
from perturbx.explanation import Explanation
from perturbx.game import Cost, Game
from perturbx.maskers._base import FittedMasker, Removal
from perturbx.perturbations import Evaluations, Perturbations
from perturbx.solvers import Solution
from perturbx.solvers._base import floor

_OUTPUT_BYTES = 2**25
"""The most memory that the answers of one chunk of instances may take."""

_FIRST_ROUND = 16
"""With `tol`, the first round takes this part of the budget; each later one doubles the sum."""


def explain(problem: Problem, plan: Plan) -> Explanation:
    """Scores of every feature of every instance."""
    masker, X = problem.masker, problem.X
    n = masker.count(X)
    check_plan(problem, plan)
    with _progress_bar(plan.verbose) as (expect, progress):
        game = Game(problem.predictor, problem.link, plan.batch_size, plan.n_jobs, progress)
        first = masker.bind(X, 0, 1)
        m = affordable(plan, first[0])
        expect(n * (1 + (m + 1) * first[0].rows_per_perturbation))
        raw, cost = game.predictions(masker, X)
        columns, keeps_outputs = problem.predictor.select(problem.outputs, raw)
        full = game.linked(np.take_along_axis(raw, columns, axis=1))
        scored = []
        step = _chunk(masker, m, columns.shape[1])
        for start in range(0, n, step):
            part = slice(start, min(start + step, n))
            alone = part == slice(0, 1)
            removals = first if alone else masker.bind(X, part.start, part.stop)
            found = _solve_chunk(game, plan, removals, columns[part], full[part], start)
            scored.append(found)
            cost += found.cost
    return assemble(
        scored,
        predictor=problem.predictor,
        columns=columns,
        full=full,
        is_single=problem.is_single,
        keeps_outputs=keeps_outputs,
        cost=cost,
        method=plan.method,
        value_function=_value_function(problem),
        notes=masker.notes,
        additive=plan.solver.additive,
        tol=plan.tol,
    )


def _solve_chunk(
    game: Game, plan: Plan, removals: list[Removal], columns: Ints, full: Floats, first: int
) -> Scored:
    """Instances with the same active features share a design: one factorisation serves them."""
    empty, cost = game.empty(removals, columns, first)
    solutions: list[Any] = [None] * len(removals)
    converged = np.ones(len(removals), dtype=bool)
    actives = np.array([removal.active for removal in removals])
    for active in np.unique(actives, axis=0):
        group = np.flatnonzero((actives == active).all(axis=1))
        cohort = Cohort([removals[i] for i in group], active, columns[group], group + first)
        if not active.any():
            found: list[Solution] = [_nothing_moves(full[i], empty[i], len(active)) for i in group]
        else:
            found, converged[group], price = _solve(game, plan, cohort, full[group], empty[group])
            cost += price
        for i, solution in zip(group, found, strict=True):
            solutions[i] = solution
    return Scored(removals, solutions, cost, converged)


@dataclass(frozen=True, eq=False)
class Cohort:
    """Instances whose active features are the same."""

    removals: list[Removal]
    active: NDArray[np.bool_]
    columns: Ints
    places: Ints

    def full_z(self, z: Coalitions | Noise) -> Coalitions | Noise:
        """Perturbations of the active features as perturbations of all; the rest stay."""
        stays = np.ones if z.dtype == np.bool_ else np.zeros
        out: Any = stays((len(z), len(self.active)), dtype=z.dtype)
        out[:, self.active] = z
        return np.asarray(out)

    def read(self, design: Perturbations) -> Perturbations:
        """The design as a solver reads it."""
        z = self.removals[0].interpretable(self.full_z(design.z))[:, self.active]
        return Perturbations(z, design.weights, design.unit, design.complete)


def _solve(
    game: Game, plan: Plan, cohort: Cohort, full: Floats, empty: Floats
) -> tuple[list[Solution], NDArray[np.bool_], Cost]:
    """Rounds until the budget is spent or every instance is precise enough."""
    d, cost = int(cohort.active.sum()), Cost()
    rng = np.random.default_rng(np.random.SeedSequence(plan.seeds.entropy, spawn_key=(1,)))
    undone = np.arange(len(cohort.removals))
    solutions: list[Any] = [None] * len(undone)
    design: Perturbations | None = None
    outputs = np.empty((0, len(undone), cohort.columns.shape[1]))
    for total in _totals(plan, d, affordable(plan, cohort.removals[0])):
        known = -1 if design is None else len(design)
        design = plan.sampler.draw(d, total, rng, design)
        if len(design) == known:
            continue
        z = cohort.full_z(design.z[max(known, 0) :])
        asked, price = game.evaluate(
            [cohort.removals[i] for i in undone], cohort.columns[undone], z, cohort.places[undone]
        )
        cost += price
        outputs = np.concatenate([outputs, asked])
        evaluations = Evaluations(cohort.read(design), outputs, full[undone], empty[undone])
        solution = plan.solver.solve(evaluations)
        for place, i in enumerate(undone):
            solutions[i] = _instance(solution, place, cohort.active, evaluations)
        done = _precise(solution, plan.tol, floor(evaluations)) | design.complete
        undone, outputs = undone[~done], outputs[:, ~done]
        if not len(undone):
            break
    converged = np.isin(np.arange(len(solutions)), undone, invert=True)
    return solutions, converged, cost


def _nothing_moves(full: Floats, empty: Floats, d: int) -> Solution:
    """The solution of an instance that equals its background in every feature."""
    zeros = np.zeros((1, d, len(full)))
    return Solution(
        zeros, zeros + 1e-12 * np.abs(full), full[None] if np.isnan(empty).any() else empty[None]
    )


def _totals(plan: Plan, d: int, m: int) -> Iterator[int]:
    """How many perturbations there are after each round."""
    total = m
    if plan.tol is not None:
        total = max(plan.sampler.minimum(d), m // _FIRST_ROUND)
    while total < m:
        yield total
        total *= 2
    yield m


def _precise(solution: Solution, tol: float | None, arithmetic: Floats) -> Any:
    """Which instances have every standard error below tol times the range of their scores.

    What is as exact as arithmetic is precise, also where all scores are 0.
    """
    if tol is None:
        return np.zeros(len(solution.values), dtype=bool)
    reach = np.ptp(solution.values, axis=1, keepdims=True)
    return (solution.standard_errors <= np.maximum(tol * reach, arithmetic)).all(axis=(1, 2))


def _instance(
    solution: Solution, place: int, active: NDArray[np.bool_], evaluations: Evaluations
) -> Solution:
    """One instance's part, with 0 for the features that change nothing."""
    one = slice(place, place + 1)
    shape = (1, len(active), solution.values.shape[2])
    values = np.zeros(shape)
    errors = np.broadcast_to(floor(evaluations)[one], shape).copy()
    values[:, active], errors[:, active] = solution.values[one], solution.standard_errors[one]
    return Solution(
        values,
        errors,
        solution.base[one],
        solution.degrees_of_freedom,
        None if solution.fidelity is None else solution.fidelity[one],
        solution.effective_samples,
        solution.estimator,
    )


def _chunk(masker: FittedMasker, m: int, k: int) -> int:
    return int(np.clip(_OUTPUT_BYTES // (8 * max(m, 1) * k), 1, masker.chunk))


def _value_function(problem: Problem) -> str:
    through = "" if problem.link == "identity" else f"{problem.link} of "
    return f"{through}{problem.predictor.name}, {problem.masker.value_function}"


@contextmanager
def _progress_bar(
    verbose: int,
) -> Iterator[tuple[Callable[[int], Any], Callable[[int], Any]]]:
    """(expect, progress): told the rows to come, and the rows that were answered."""
    if not verbose:
        yield (lambda n_rows: None), (lambda n_rows: None)
        return
    from tqdm.auto import tqdm

    with tqdm(unit=" rows", unit_scale=True, desc="model") as bar:
        yield (lambda n_rows: bar.reset(total=n_rows)), bar.update
