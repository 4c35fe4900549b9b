"""The steps of ``explain``: predictions first, then a run for each group of instances."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._progress import progress_bar
from perturbx._typing import Ints
from perturbx.errors import PredictFnError
from perturbx.explainers._collected import Collected
from perturbx.explainers._memory import Sizes, check_memory
from perturbx.explainers._noisy_answers import AskEmpty, Empty
from perturbx.explainers._plan import Plan, Problem
from perturbx.explainers._run import Draws, Run
from perturbx.game import Game, Parts, averages
from perturbx.maskers import BoundMasker
from perturbx.result import Explanation
from perturbx.samplers import AdaptiveSampler

_OUTPUT_BYTES = 2**23
"""The most memory for the outputs of instances that are explained together."""

_MOST_DESIGNS = 8
"""The most designs that are kept for later instances with the same active features."""


def explain(problem: Problem, plan: Plan) -> Explanation:
    """Scores of every feature of every instance."""
    instances, first = problem.instances, problem.bound[0]
    n, task = len(instances), plan.task(first)
    per_row = task.sampler.draws.per_background_row
    adapts = isinstance(task.sampler, AdaptiveSampler)
    separate = adapts and per_row  # the rows are several games, not a sample of rows
    parts = None
    if not separate:
        parts = Parts.dealt(first.rows_per_perturbation, first.weights, plan.rng(2))
    kept = 1 if per_row or parts is None else 1 + len(parts)
    known, _ = problem.predictor.select(problem.outputs, problem.predictor.first_answers)
    d, m, numbers = task.n_features, task.n_perturbations, float(task.n_perturbations)
    sums_up = task.solver.sums_up and not plan.stochastic and m < task.sampler.most(d)
    if sums_up:
        numbers = task.solver.kept(d, m, task.context.n_background)
    fitting = _OUTPUT_BYTES // (8 * max(numbers, 1) * known.shape[1] * kept)
    at_once = int(np.clip(fitting, 1, instances.chunk))
    sizes = Sizes(known.shape[1], kept, n, min(n, at_once), first.row_bytes)
    check_memory(task, plan, sizes, sums_up)
    to_come = n * (task.n_perturbations * task.rows_each + 1) + task.context.n_background
    with progress_bar(to_come) if plan.verbose else nullcontext() as bar:
        progress = None if bar is None else bar.update
        settings = plan.link, plan.batch_size, plan.n_jobs, progress, plan.dry, plan.stochastic
        game = Game(problem.predictor, *settings, parts)
        raw, cost = game.predictions(instances)
        columns, keeps_outputs = problem.predictor.select(problem.outputs, raw)
        full = game.linked(np.take_along_axis(raw, columns, axis=1))
        costs = (cost + problem.asked).divided(n)
        collected = Collected(problem, plan, columns, full, costs)
        ask_empty = partial(_empty, game, separate)
        for run in _runs(problem, plan, game, ask_empty, collected, at_once, adapts):
            run.finish(collected)
    return collected.explanation(keeps_outputs)


def _runs(
    problem: Problem,
    plan: Plan,
    game: Game,
    ask_empty: AskEmpty,
    collected: Collected,
    at_once: int,
    adapts: bool,
) -> Iterator[Run]:
    """A run for each group of instances that share a design: with the same active features.

    Where designs adapt, or depend on the instance, each is a group by itself. Once the model is
    gone, the rest has no scores.
    """
    draws: dict[Any, Draws] = {}
    for part in problem.instances.chunks(at_once):
        ready = part.stop <= len(problem.bound)
        bound = problem.bound[part] if ready else problem.instances.bind(part.start, part.stop)
        collected.see(bound)
        del game.shared[1:]
        places, columns = np.arange(part.start, part.stop), collected.columns[part]
        try:
            if collected.stops is not None:
                raise collected.stops
            rows, empty, cost = ask_empty(bound, columns, part.start)
        except (PredictFnError, KeyboardInterrupt) as error:
            if not plan.partial:
                raise
            collected.lose(places, error)
            continue
        costs, alone = cost.divided(len(bound)), adapts or bound[0].reads_alone
        active: NDArray[Any] = np.array([one.active for one in bound])
        same = np.arange(len(bound)) if alone else np.unique(active, axis=0, return_inverse=True)[1]
        for which in range(same.max() + 1):
            group = np.flatnonzero(same.ravel() == which)
            if collected.stops is not None:
                collected.lose(places[group], collected.stops)
                continue
            yield Run(
                game,
                plan,
                _draws(plan, bound[group[0]], draws),
                [bound[i] for i in group],
                places[group],
                columns[group],
                collected.full[places[group]],
                empty[:, group],
                None if rows is None else rows[:, group],
                costs[group],
                ask_empty,
            )


def _draws(plan: Plan, bound: BoundMasker, known: dict[Any, Draws]) -> Draws:
    """The designs of an instance, drawn once for all instances with the same active features.

    The features must also have the same structure, as a sampler may depend on it.
    """
    task = plan.task(bound)
    lattice = task.context.lattice
    shape = None if lattice is None else (lattice.nodes, lattice.steps)
    key = bound.active.tobytes(), task.context.trees, shape
    if isinstance(task.sampler, AdaptiveSampler):
        return Draws(task, plan.rng(1))
    if key not in known:
        if len(known) == _MOST_DESIGNS:
            del known[next(iter(known))]
        known[key] = Draws(task, plan.rng(1))
    return known[key]


def _empty(
    game: Game,
    separate: bool,
    bound: list[BoundMasker],
    columns: Ints,
    first: int,
) -> Empty:
    """The outputs with all features absent, of each background row if they can be averaged."""
    if bound[0].rows_per_perturbation == 1 or (game.link != "identity" and not separate):
        return None, *game.empty(bound, columns, first)
    rows, cost = game.empty(bound, columns, first, each_row=True)
    n_background, n, k = rows.shape
    flat = rows.reshape(n_background, n * k)
    means = averages(flat, n_background, game.parts, bound[0].weights)
    return rows, means.reshape(-1, n, k), cost
