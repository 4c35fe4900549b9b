"""The steps of ``explain``: predictions first, then a run for each group of instances."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Ints
from perturbx.errors import PredictFnError
from perturbx.explainers._collected import Collected
from perturbx.explainers._memory import check_memory
from perturbx.explainers._noisy_answers import Empty
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
    check_memory(task, plan, known.shape[1] * kept)
    draws: dict[Any, Draws] = {}
    to_come = n * (task.n_perturbations * task.rows_each + 1) + task.context.n_background
    with _progress_bar(to_come) if plan.verbose else nullcontext() as bar:
        progress = None if bar is None else bar.update
        settings = plan.link, plan.batch_size, plan.n_jobs, progress, plan.dry, plan.stochastic
        game = Game(problem.predictor, *settings)
        ask_empty = partial(_empty, game, parts, separate)
        raw, cost = game.predictions(instances)
        columns, keeps_outputs = problem.predictor.select(problem.outputs, raw)
        full = game.linked(np.take_along_axis(raw, columns, axis=1))
        costs = (cost + problem.asked).divided(n)
        collected = Collected(problem, plan, columns, full, costs)
        n_bytes = 8 * max(task.n_perturbations, 1) * columns.shape[1] * kept
        at_once = int(np.clip(_OUTPUT_BYTES // n_bytes, 1, instances.chunk))
        for part in instances.chunks(at_once):
            ready = part.stop <= len(problem.bound)
            bound = problem.bound[part] if ready else instances.bind(part.start, part.stop)
            collected.see(bound)
            here = np.arange(part.start, part.stop)
            if collected.stops is not None:
                collected.lose(here, collected.stops)
                continue
            try:
                rows, empty, cost = ask_empty(bound, columns[part], part.start)
            except (PredictFnError, KeyboardInterrupt) as error:
                if not plan.partial:
                    raise
                collected.lose(here, error)
                continue
            costs = cost.divided(len(bound))
            for group in _groups(bound, adapts or bound[0].reads_alone):
                places = group + part.start
                if collected.stops is not None:
                    collected.lose(places, collected.stops)
                    continue
                Run(
                    game,
                    plan,
                    _draws(plan, bound[group[0]], draws),
                    [bound[i] for i in group],
                    places,
                    columns[places],
                    full[places],
                    empty[:, group],
                    None if rows is None else rows[:, group],
                    parts,
                    costs[group],
                    ask_empty,
                ).finish(collected)
    return collected.explanation(keeps_outputs)


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


def _groups(bound: list[BoundMasker], alone: bool) -> Iterator[Ints]:
    """Instances that share a design: with the same active features, or each by itself."""
    if alone:
        yield from np.arange(len(bound))[:, None]
        return
    actives: NDArray[np.bool_] = np.array([one.active for one in bound])
    for active in np.unique(actives, axis=0):
        yield np.flatnonzero((actives == active).all(axis=1))


def _empty(
    game: Game,
    parts: Parts | None,
    separate: bool,
    bound: list[BoundMasker],
    columns: Ints,
    first: int,
) -> Empty:
    """The outputs with all features absent, of each background row if they can be averaged."""
    if bound[0].rows_per_perturbation == 1 or (game.link != "identity" and not separate):
        return None, *game.empty(bound, columns, first, parts)
    rows, cost = game.empty(bound, columns, first, each_row=True)
    n_background, n, k = rows.shape
    means = averages(rows.reshape(n_background, n * k), n_background, parts, bound[0].weights)
    return rows, means.reshape(-1, n, k), cost


def _progress_bar(n_rows: int) -> Any:
    """A progress bar over `n_rows` model rows."""
    from tqdm.auto import tqdm

    return tqdm(unit=" rows", unit_scale=True, desc="model", total=n_rows)
