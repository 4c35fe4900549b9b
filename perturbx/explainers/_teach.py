"""A prior that a few instances teach, before others are explained under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np

from perturbx._typing import Ints, LinkName
from perturbx.designs import Evaluations, Pairs
from perturbx.explainers._choice import CHOICE
from perturbx.explainers._plan import Plan, Problem
from perturbx.explainers._threads import one_thread
from perturbx.game import Cost, Game
from perturbx.maskers import BoundMasker, Instances
from perturbx.solvers import Answers, LearnedPrior

N_TEACHERS = 24
"""How many instances teach: 40 do hardly better, and 6 as well from 5 coalitions a feature on."""

_COALITIONS_A_FEATURE = 10
"""How many coalitions a teacher is asked, or as many as those who are explained, if that is more.
At 2 coalitions a feature, what teachers of 10 taught has a fifth of the squared error of what
teachers of 2 did."""

_TURN = 2**32
"""Numbers the first evaluation of teachers, apart from all of those they teach."""

_MOST_OF_THE_CALL = 0.25
"""Teaching is worth its model rows up to this part of those that the call asks anyway."""


@dataclass(frozen=True, eq=False)
class Taught:
    """The prior that was learned for some outputs and a link; None if there was nothing to learn.

    `note` says why, if so.
    """

    explained: tuple[Any, LinkName]
    prior: LearnedPrior | None
    note: str = ""


@dataclass(frozen=True, eq=False)
class Teachers(Instances):
    """Single instances, each checked by itself."""

    each: Sequence[Instances]
    source: str

    single = False
    chunk = 1

    def __len__(self) -> int:
        return len(self.each)

    def take(self, start: int, stop: int) -> Any:
        assert stop == start + 1  # chunks are of one
        return self.each[start].take(0, 1)

    def bind(self, start: int, stop: int) -> list[BoundMasker]:
        return [bound for one in self.each[start:stop] for bound in one.bind(0, 1)]


def sampled(instances: Instances, rng: np.random.Generator) -> list[Any]:
    """Copies of a few instances, in the user's container."""
    n = len(instances)
    chosen = np.sort(rng.choice(n, min(n, N_TEACHERS), replace=False))
    return [instances.take(i, i + 1) for i in chosen.tolist()]


def is_worth_it(problem: Problem, plan: Plan) -> bool:
    """Whether teaching adds few model rows to the call; without a budget, whether it saves time."""
    task, n = plan.task(problem.bound[0]), len(problem.instances)
    asked = N_TEACHERS * max(task.n_perturbations, _COALITIONS_A_FEATURE * task.n_features)
    if plan.budget is not None:
        return asked <= _MOST_OF_THE_CALL * task.n_perturbations * n
    teaching = CHOICE.teaching + CHOICE.model_seconds(asked * task.rows_each, is_image=False)
    return teaching < n * CHOICE.process_seconds(task.n_perturbations // 2, plan.n_outputs)


def teach(
    teachers: Teachers, problem: Problem, plan: Plan, explained: tuple[Any, LinkName]
) -> tuple[Taught, Cost]:
    """What the teachers with the most common active features teach, and what they cost."""
    bound = teachers.bind(0, len(teachers))
    members = _most_alike(bound)
    said = f"{len(members)} {teachers.source}"
    few, active = [bound[i] for i in members], bound[members[0]].active
    task = plan.task(few[0])
    n = max(task.n_perturbations, _COALITIONS_A_FEATURE * task.n_features)
    design = task.sampler.draw(task.n_features, n, plan.rng(3)) if active.any() else None
    if len(members) < LearnedPrior.fewest or not isinstance(design, Pairs) or design.complete:
        return Taught(explained, None, _note(said, "have the same features to remove")), Cost()
    settings = plan.link, plan.batch_size, plan.n_jobs, None, plan.dry, plan.stochastic
    game = Game(problem.predictor, *settings, turns=count(_TURN))
    raw, cost = game.predictions(teachers)
    columns, _ = problem.predictor.select(problem.outputs, raw)
    full = game.linked(np.take_along_axis(raw, columns, axis=1))[members]
    columns = columns[members]
    empty, of_empty = game.empty(few, columns, 0)
    outputs, of_design = game.evaluate(few, columns, design, members, active=active)
    if plan.dry:
        return Taught(explained, None), cost + of_empty + of_design
    evaluations = Evaluations(design, outputs[0], full, empty[0], rounding=game.rounding)
    with one_thread():
        prior = LearnedPrior.learn(Answers.of(evaluations), teachers=said)
    note = (
        "" if prior else _note(f"fewer than {LearnedPrior.fewest} of {said}", "show interactions")
    )
    taught = Taught(explained, prior and prior.widened(active), note)
    return taught, cost + of_empty + of_design


def _note(teachers: str, why: str) -> str:
    return (
        f"no prior is shared: {teachers} {why}, and it takes at least {LearnedPrior.fewest}. Each "
        "instance learns its own"
    )


def _most_alike(bound: Sequence[BoundMasker]) -> Ints:
    """The instances that share the most common active features; the most features, if equal."""
    actives = np.array([one.active for one in bound])
    _, place, count = np.unique(actives, axis=0, return_inverse=True, return_counts=True)
    n_active = np.bincount(place.ravel(), actives.sum(axis=1)) / count
    best = max(range(len(count)), key=lambda i: (count[i], n_active[i]))
    return np.flatnonzero(place.ravel() == best)
