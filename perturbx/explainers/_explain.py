"""The way of ``explain``: predictions first, then a run for each group of instances."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx.explainers._collected import Collected
from perturbx.explainers._memory import check_memory
from perturbx.explainers._plan import Plan, Problem
from perturbx.explainers._run import Draws, Run
from perturbx.game import Cost, Game, Parts, averages
from perturbx.maskers import BoundMasker
from perturbx.result import Explanation
from perturbx.samplers import AdaptiveSampler

_OUTPUT_BYTES = 2**23
"""The most memory that the answers of one chunk of instances may take."""

_PARTS = 10
"""Parts of the background whose scores tell how much they owe to the choice of rows."""

_FEWEST_ROWS = 4
"""Fewer background rows than this say nothing of their own spread."""

_MOST_DESIGNS = 8
"""Designs that are kept for later instances with the same active features."""

Empty: TypeAlias = tuple[Floats | None, Floats, Cost]
"""The outputs of the background rows, where they are told apart, of their averages, the cost."""


def explain(problem: Problem, plan: Plan) -> Explanation:
    """Scores of every feature of every instance."""
    instances, first = problem.instances, problem.bound[0]
    n, task = len(instances), plan.task(first)
    names_rows = task.sampler.draws.per_background_row
    adapts = isinstance(task.sampler, AdaptiveSampler)
    apart = adapts and names_rows  # each row is a game of its own, and not a sample of rows
    parts = None if apart else _parts(plan, first)
    kept = 1 if names_rows or parts is None else 1 + len(parts)
    known, _ = problem.predictor.select(problem.outputs, problem.predictor.first_answers)
    check_memory(task, plan, known.shape[1] * kept)
    draws: dict[bytes, Draws] = {}
    to_come = n * (task.n_perturbations * task.rows_each + 1) + task.context.n_background
    with _progress_bar(to_come) if plan.verbose else nullcontext() as bar:
        progress = None if bar is None else bar.update
        game = Game(problem.predictor, plan.link, plan.batch_size, plan.n_jobs, progress)
        raw, cost = game.predictions(instances)
        columns, keeps_outputs = problem.predictor.select(problem.outputs, raw)
        full = game.linked(np.take_along_axis(raw, columns, axis=1))
        costs = (cost + problem.asked).divided(n)
        collected = Collected(problem, plan, columns, full, costs)
        answers = 8 * max(task.n_perturbations, 1) * columns.shape[1] * kept
        at_once = int(np.clip(_OUTPUT_BYTES // answers, 1, instances.chunk))
        for part in instances.chunks(at_once):
            ready = part.stop <= len(problem.bound)
            bound = problem.bound[part] if ready else instances.bind(part.start, part.stop)
            collected.see(bound)
            rows, empty, cost = _empty(game, bound, columns[part], part.start, parts, apart)
            costs = cost.divided(len(bound))
            for group in _groups(bound, adapts or bound[0].reads_alone):
                places = group + part.start
                Run(
                    game,
                    plan,
                    plan.task(bound[group[0]]),
                    _draws(plan, bound[group[0]], draws),
                    [bound[i] for i in group],
                    places,
                    columns[places],
                    full[places],
                    empty[:, group],
                    None if rows is None else rows[:, group],
                    parts,
                    costs[group],
                ).finish(collected)
    return collected.explanation(keeps_outputs)


def _draws(plan: Plan, bound: BoundMasker, known: dict[bytes, Draws]) -> Draws:
    """The designs for an instance: drawn once for all instances with the same active features."""
    task, key = plan.task(bound), bound.active.tobytes()
    if isinstance(task.sampler, AdaptiveSampler):
        return Draws(task, plan.rng(1))
    if key not in known:
        if len(known) == _MOST_DESIGNS:
            del known[next(iter(known))]
        known[key] = Draws(task, plan.rng(1))
    return known[key]


def _groups(bound: list[BoundMasker], alone: bool) -> Iterator[Ints]:
    """Instances that share a design: those with the same active features, or each alone."""
    if alone:
        yield from np.arange(len(bound))[:, None]
        return
    actives: NDArray[np.bool_] = np.array([one.active for one in bound])
    for active in np.unique(actives, axis=0):
        yield np.flatnonzero((actives == active).all(axis=1))


def _parts(plan: Plan, bound: BoundMasker) -> Parts | None:
    """The parts of the background that are kept apart; None where it has too few rows."""
    n_background = bound.rows_per_perturbation
    if n_background < _FEWEST_ROWS:
        return None
    return Parts.dealt(n_background, min(_PARTS, n_background), plan.rng(2), bound.weights)


def _empty(
    game: Game,
    bound: list[BoundMasker],
    columns: Ints,
    first: int,
    parts: Parts | None,
    apart: bool,
) -> Empty:
    """The outputs with nothing present; each background row's own where they can be averaged."""
    if bound[0].rows_per_perturbation == 1 or (game.link != "identity" and not apart):
        return None, *game.empty(bound, columns, first, parts)
    rows, cost = game.empty(bound, columns, first, each_row=True)
    n_background, n, k = rows.shape
    means = averages(rows.reshape(n_background, n * k), n_background, parts, bound[0].weights)
    return rows, means.reshape(-1, n, k), cost


def _progress_bar(n_rows: int) -> Any:
    """A bar that is told how many rows were answered, of `n_rows` to come."""
    from tqdm.auto import tqdm

    return tqdm(unit=" rows", unit_scale=True, desc="model", total=n_rows)
