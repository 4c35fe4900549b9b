"""The loop of ``explain``: rounds of sampling, asking and solving, for chunks of instances."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints, Outputs
from perturbx.designs import Design, Evaluations
from perturbx.errors import RejectPerturbations
from perturbx.explainers._assemble import Scored, assemble
from perturbx.explainers._cohort import Cohort, with_all_features
from perturbx.explainers._heavy_tails import widened
from perturbx.explainers._memory import check_memory
from perturbx.explainers._plan import Plan, Problem, Task, task
from perturbx.explainers._threads import one_thread
from perturbx.game import Cost, Game, Parts, averages
from perturbx.maskers import BoundMasker, FittedMasker
from perturbx.result import Explanation
from perturbx.samplers import AdaptiveSampler, Sampler
from perturbx.solvers import Solution, floor

_OUTPUT_BYTES = 2**23
"""The most memory that the answers of one chunk of instances may take."""

_FIRST_ROUND = 16
"""With `tol`, the first round takes this part of the budget; each later one doubles the sum."""

_PARTS = 10
"""Parts of the background whose scores tell how much they owe to the choice of rows."""

_FEWEST_DEGREES = 16
"""With fewer degrees of freedom than this, a small error does not end the search."""

_WIDENING = 3.0
"""By how many standard errors the range of several equal scores is too wide."""

_FEWEST_ROWS = 4
"""Fewer background rows than this say nothing of their own spread."""


def explain(problem: Problem, plan: Plan) -> Explanation:
    """Scores of every feature of every instance."""
    masker, X, bound = problem.masker, problem.X, problem.bound
    n, first = masker.count(X), bound[0]
    price = task(plan, first)
    parts = _parts(plan, first)
    _check_memory(problem, plan, price, parts)
    with _progress_bar(plan.verbose) as (expect, progress):
        game = Game(problem.predictor, problem.link, plan.batch_size, plan.n_jobs, progress)
        expect(n * (price.n_rows + 1) + first.rows_per_perturbation)
        raw, cost = game.predictions(masker, X)
        columns, keeps_outputs = problem.predictor.select(problem.outputs, raw)
        full = game.linked(np.take_along_axis(raw, columns, axis=1))
        scored = []
        kept = 1 if price.sampler.draws.per_background_row else 1 + _PARTS
        step = _chunk(masker, price.n_perturbations, columns.shape[1] * kept)
        for start in range(0, n, step):
            part = slice(start, min(start + step, n))
            known = part.stop <= len(bound)
            removals = bound[part] if known else masker.bind(X, part.start, part.stop)
            chunk = removals, columns[part], full[part], start
            scored.append(_solve_chunk(game, plan, price.sampler, parts, *chunk))
    return assemble(
        scored,
        problem=problem,
        plan=plan,
        columns=columns,
        full=full,
        keeps_outputs=keeps_outputs,
        costs=(cost + problem.asked).divided(n) + np.concatenate([part.costs for part in scored]),
        solver=price.solver,
    )


def _check_memory(problem: Problem, plan: Plan, price: Task, parts: Parts | None) -> None:
    columns, _ = problem.predictor.select(problem.outputs, problem.predictor.first_answers)
    n_parts = 0 if parts is None or price.sampler.draws.per_background_row else len(parts)
    check_memory(price, plan, columns.shape[1] * (1 + n_parts))


def _solve_chunk(
    game: Game,
    plan: Plan,
    sampler: Sampler,
    parts: Parts | None,
    removals: Sequence[BoundMasker],
    columns: Ints,
    full: Floats,
    first: int,
) -> Scored:
    """Instances with the same active features share a design: one factorization serves them."""
    adapts = isinstance(sampler, AdaptiveSampler)
    apart = adapts and sampler.draws.per_background_row
    parts = None if apart else parts
    rows, empty, cost = _empty(game, removals, columns, first, parts, apart)
    costs = cost.divided(len(removals))
    solutions: list[Any] = [None] * len(removals)
    converged = np.ones(len(removals), dtype=bool)
    actives = np.array([removal.active for removal in removals])
    for group in _groups(actives, adapts or removals[0].reads_alone):
        active, members = actives[group[0]], [removals[i] for i in group]
        cohort = Cohort(
            members,
            active,
            columns[group],
            group + first,
            full[group],
            empty[group],
            None if rows is None else rows[:, group],
            game.rounding,
            parts,
        )
        if active.any():
            found, converged[group], price = _solve(game, plan, cohort)
            costs[group] += price
        else:
            found = [cohort.unmoved(place) for place in range(len(group))]
        for i, solution in zip(group, found, strict=True):
            solutions[i] = solution
    return Scored(removals, solutions, costs, converged)


def _groups(actives: NDArray[np.bool_], alone: bool) -> Iterator[Ints]:
    """Instances that share a design: those with the same active features, or each alone."""
    if alone:
        yield from np.arange(len(actives))[:, None]
        return
    for active in np.unique(actives, axis=0):
        yield np.flatnonzero((actives == active).all(axis=1))


def _solve(
    game: Game, plan: Plan, cohort: Cohort
) -> tuple[list[Solution], NDArray[np.bool_], Ints]:
    """Rounds until the budget is spent or every instance is precise enough.

    Also which instances are, and the (n, 2) rows and calls of each.
    """
    todo = task(plan, cohort.removals[0])
    rng = np.random.default_rng(np.random.SeedSequence(plan.seeds.entropy, spawn_key=(1,)))
    undone = np.arange(len(cohort.removals))
    solutions: list[Any] = [None] * len(undone)
    costs = np.zeros((len(undone), 2), dtype=np.intp)
    design: Design | None = None
    n_outputs = (
        cohort.full.shape[1] if todo.sampler.draws.per_background_row else cohort.empty.shape[1]
    )
    outputs = np.empty((0, len(undone), n_outputs))
    for total in _totals(plan, todo):
        known = -1 if design is None else len(design)
        design, outputs, price = _grown(game, cohort, todo, undone, total, rng, design, outputs)
        costs[undone] += price.divided(len(undone))
        if len(design) == known:
            continue
        evaluations = cohort.evaluations(design, outputs, undone)
        least = floor(evaluations)
        by_part = cohort.by_part(evaluations, outputs, undone)
        solution = _solution(todo, evaluations, by_part, cohort.parts)
        for place, i in enumerate(undone):
            solutions[i] = with_all_features(solution, place, cohort.active, least)
        done = _precise(solution, plan.tol, evaluations, cohort.active)
        undone, outputs = undone[~done], outputs[:, ~done]
        if not len(undone):
            break
    converged = np.isin(np.arange(len(solutions)), undone, invert=True)
    return solutions, converged, costs


def _grown(
    game: Game,
    cohort: Cohort,
    todo: Task,
    undone: Ints,
    total: int,
    rng: np.random.Generator,
    design: Design | None,
    outputs: Outputs,
) -> tuple[Design, Outputs, Cost]:
    """Up to `total` perturbations and their outputs, which an adaptive sampler goes by."""
    sampler, cost = todo.sampler, Cost()
    while True:
        known = -1 if design is None else len(design)
        if design is not None and isinstance(sampler, AdaptiveSampler):
            design = sampler.follow(cohort.evaluations(design, outputs, undone), total, rng)
        else:
            design = sampler.draw(todo.n_features, total, rng, design)
        if len(design) == known:
            return design, outputs, cost
        _check_drawn(sampler, design)
        asked, price = _ask(game, cohort, undone, design, max(known, 0))
        cost += price
        outputs = np.concatenate([outputs, asked]) if len(outputs) else asked
        if not isinstance(sampler, AdaptiveSampler):
            return design, outputs, cost


def _check_drawn(sampler: Sampler, design: Design) -> None:
    """Refuse a design that is not of the class by which the solver was matched."""
    if not (isinstance(design, sampler.draws) or design.complete):
        name, drawn = type(sampler).__name__, type(design).__name__
        raise RejectPerturbations(
            f"{name} declares that it draws {sampler.draws.__name__}: got {drawn}. "
            f"Set draws = {drawn} in the sampler's class."
        )


def _ask(
    game: Game, cohort: Cohort, undone: Ints, design: Design, known: int
) -> tuple[Floats, Cost]:
    """What the model answers to the new perturbations of a design."""
    rows = design.background_row
    return game.evaluate(
        [cohort.removals[i] for i in undone],
        cohort.columns[undone],
        design.tile(slice(known, None)),
        cohort.places[undone],
        None if rows is None else rows[known:],
        cohort.parts if rows is None else None,
        cohort.active,
    )


def _parts(plan: Plan, removal: BoundMasker) -> Parts | None:
    """The parts of the background that are kept apart; None where it has too few rows."""
    n_rows = removal.rows_per_perturbation
    if n_rows < _FEWEST_ROWS:
        return None
    rng = np.random.default_rng(np.random.SeedSequence(plan.seeds.entropy, spawn_key=(2,)))
    return Parts.dealt(n_rows, min(_PARTS, n_rows), rng, removal.weights)


def _empty(
    game: Game,
    removals: Sequence[BoundMasker],
    columns: Ints,
    first: int,
    parts: Parts | None,
    apart: bool,
) -> tuple[Floats | None, Floats, Cost]:
    """The outputs of the background rows, where they are told apart, and of their averages.

    `apart` says that each row is a game of its own, linked by itself, and not a sample of rows.
    """
    if removals[0].rows_per_perturbation == 1 or (game.link != "identity" and not apart):
        return None, *game.empty(removals, columns, first, parts)
    rows, cost = game.empty_rows(removals, columns, first)
    weights = removals[0].weights
    means = [averages(of_one, parts, weights) for of_one in rows.swapaxes(0, 1)]
    return rows, np.stack(means), cost


def _solution(
    todo: Task, whole: Evaluations, by_part: Evaluations | None, parts: Parts | None
) -> Solution:
    """The solver's answer, with the part of the error that comes from the background."""
    with one_thread():
        solution = todo.solver.solve(whole)
        if todo.solver.samples:
            solution = widened(solution, whole)
        if by_part is None or parts is None:
            return solution
        values = todo.solver.linear().solve(by_part).values
    values = values.reshape(*solution.values.shape, len(parts))
    return replace(solution, background_errors=parts.error(values))


def _totals(plan: Plan, todo: Task) -> Iterator[int]:
    """How many perturbations there are after each round."""
    m, total = todo.n_perturbations, todo.n_perturbations
    is_adaptive = isinstance(todo.sampler, AdaptiveSampler)
    everything = not is_adaptive and m >= todo.sampler.most(todo.n_features)
    if plan.tol is not None and not everything:
        total = max(todo.sampler.minimum(todo.n_features), m // _FIRST_ROUND)
    while total < m:
        yield total
        total *= 2
    yield m


def _precise(
    solution: Solution, tol: float | None, evaluations: Evaluations, active: NDArray[np.bool_]
) -> Any:
    """Which instances have every standard error below tol times the range of their scores.

    All of them, where every perturbation was tried. The features that change nothing score 0.
    Errors widen the range, so it is taken as it would be without them. What is as exact as
    arithmetic is precise, also where all scores are 0. An error that few perturbations tell may be
    small by chance: it ends nothing. Nor do errors of 0 where no perturbation changed the output,
    though all of them together do.
    """
    n = len(solution.values)
    if evaluations.design.complete:
        return np.ones(n, dtype=bool)
    if tol is None or solution.degrees_of_freedom < _FEWEST_DEGREES:
        return np.zeros(n, dtype=bool)
    highest, lowest = solution.values.max(axis=1), solution.values.min(axis=1)
    if not active.all():
        highest, lowest = np.maximum(highest, 0.0), np.minimum(lowest, 0.0)
    errors, arithmetic = solution.standard_errors, floor(evaluations)
    unmoved = np.ptp(evaluations.outputs, axis=0)[:, None] <= arithmetic
    gain = np.abs(evaluations.full - evaluations.empty)[:, None]
    errors = np.where(unmoved & (gain > 4 * arithmetic), np.inf, errors)
    reach = (highest - lowest - _WIDENING * errors.max(axis=1))[:, None]
    return (errors <= np.maximum(tol * reach, arithmetic)).all(axis=(1, 2))


def _chunk(masker: FittedMasker, m: int, k: int) -> int:
    return int(np.clip(_OUTPUT_BYTES // (8 * max(m, 1) * k), 1, masker.chunk))


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
