"""The rounds of instances that share a design: draw, evaluate and solve until they are done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints, Noise
from perturbx.designs import (
    AntitheticChains,
    ConvertedNoise,
    Design,
    Evaluations,
    NoiseDraws,
    Sums,
    Variances,
)
from perturbx.errors import PredictFnError, RejectPerturbations
from perturbx.explainers._background_errors import of_parts, with_background_errors
from perturbx.explainers._collected import Collected, Finished
from perturbx.explainers._heavy_tails import widened
from perturbx.explainers._noisy_answers import AskEmpty, NoisyAnswers
from perturbx.explainers._notes import FEWER
from perturbx.explainers._plan import Plan, Task
from perturbx.explainers._precision import is_precise
from perturbx.explainers._threads import one_thread
from perturbx.game import Game, of_all_features
from perturbx.maskers import BoundMasker
from perturbx.samplers import AdaptiveSampler
from perturbx.solvers import Answers, Solution

_FIRST_ROUND = 16
"""With `tol`, the first round spends 1/16 of the budget, and each later round doubles the total."""

_STEPS = 16
"""Where a failure of the model must not lose its answers, they are asked for in so many rounds."""

_MOST_NUMBERS = 2**18
"""Noise is converted in blocks of this many numbers."""


@dataclass(eq=False)
class Draws:
    """The designs of one sampler: each extends the previous one and is drawn once."""

    task: Task
    rng: np.random.Generator
    found: dict[int, Design] = field(init=False, default_factory=dict)

    def upto(self, total: int) -> Design:
        """The design of at most `total` perturbations; totals never decrease."""
        if total not in self.found:
            before = self.found[max(self.found)] if self.found else None
            sampler, d = self.task.sampler, self.task.n_features
            design = sampler.draw(d, total, self.rng, before)
            if not (isinstance(design, sampler.draws) or design.complete):
                name, drawn = type(sampler).__name__, type(design).__name__
                raise RejectPerturbations(
                    f"{name} declares that it draws {sampler.draws.__name__}: got {drawn}. "
                    f"Set draws = {drawn} in the sampler's class."
                )
            if isinstance(design, AntitheticChains):  # earlier ones are where it begins
                for n, found in self.found.items():
                    assert isinstance(found, AntitheticChains)
                    self.found[n] = design.part(slice(0, len(found.place)))
            self.found[total] = design
        return self.found[total]

    def following(self, evaluations: Evaluations, total: int) -> Design:
        """The design of an adaptive sampler, extended on the basis of the outputs so far."""
        assert isinstance(self.task.sampler, AdaptiveSampler)
        return self.task.sampler.follow(evaluations, total, self.rng)


@dataclass(eq=False)
class Run:
    """n instances with the same active features, from the first round to the last.

    Outputs are kept, so that nothing is evaluated twice. The solution of an instance is written
    into the result as soon as the instance is done.

    Parameters
    ----------
    game : Game
    plan : Plan
    draws : Draws
        Shared by all instances with these active features.
    bound : list of n BoundMasker
    places : (n,) int array
        The positions of the instances in the user's X.
    columns : (n, k) int array
        The explained outputs of each instance.
    full : (n, k) array
        The outputs of the instances themselves.
    empty : (1 + n_parts, n, k) array
        The outputs with all features absent, averaged over the background and over each part.
    rows : (n_background, n, k) array or None
        The same outputs of each background row.
    costs : (n, 2) int array
        Model rows and calls of each instance so far.
    ask_empty : callable
        Asks for empty outputs once more.
    """

    game: Game
    plan: Plan
    draws: Draws
    bound: list[BoundMasker]
    places: Ints
    columns: Ints
    full: Floats
    empty: Floats
    rows: Floats | None
    costs: Ints
    ask_empty: AskEmpty
    task: Task = field(init=False)
    active: NDArray[np.bool_] = field(init=False)
    undone: Ints = field(init=False)
    design: Design | None = field(init=False, default=None)
    outputs: Floats = field(init=False)
    sums: tuple[Sums, ...] = field(init=False, default=())
    noisy: NoisyAnswers | None = field(init=False, default=None)
    variances: Variances | None = field(init=False, default=None)
    values_of_parts: Floats | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.task = self.draws.task
        self.active = self.bound[0].active
        self.undone = np.arange(len(self.bound))
        if self.plan.stochastic and self.active.any():
            self.noisy = NoisyAnswers(
                self.game,
                self.task,
                self.bound,
                self.places,
                self.columns,
                self.active,
                self.ask_empty,
                self.full[None],
                self.empty[None],
                None if self.rows is None else self.rows[None],
            )

    def finish(self, collected: Collected) -> None:
        """Run all rounds, until the budget is spent or every instance is precise enough."""
        if not self.active.any():
            self._write(
                collected, self._without_active(), self.game.rounding.of(self.full)[:, None]
            )
            return
        tol, m = self.plan.tol, self.task.n_perturbations
        unsolved = False
        for total in [m] if tol is None and not self.plan.partial else self._totals(m):
            try:
                unsolved |= self._evaluate(total)
                if not unsolved or self.plan.dry or (total < m and (tol is None or self._is_all)):
                    continue
                solution, evaluations = self._solved(is_last=total >= m)
            except (PredictFnError, KeyboardInterrupt) as error:
                if not self.plan.partial:
                    raise
                self._write_what_is_known(collected, error)
                return
            unsolved, least = False, evaluations.floor
            is_known = evaluations.design.complete and self.noisy is None
            done = np.full(len(self.undone), is_known)
            if tol is not None and not done.all():
                done = is_precise(solution, evaluations, tol, self.active, self.task.solver.samples)
            noise = None if self.noisy is None else self.noisy.row_noise
            some = None if noise is None else noise[done]
            if not done.any():
                continue
            self._write(collected, solution.of(done), least[done], self.undone[done], some)
            if done.all():
                return
            self.undone, self.outputs = self.undone[~done], self.outputs[:, :, ~done]
            self.sums = tuple(sums.of_instances(~done) for sums in self.sums)
            if self.noisy is not None:
                self.noisy.keep(~done)
        if self.plan.dry:
            collected.count(self.places, self.costs)
            return
        rest = None if noise is None else noise[~done]
        self._write(collected, solution.of(~done), least[~done], self.undone, rest, converged=False)

    def _write_what_is_known(self, collected: Collected, error: BaseException) -> None:
        """Write scores from the answers until the model failed, or none if they are too few."""
        places, least = self.places[self.undone], self.task.sampler.fewest(self.task.n_features)
        if self.design is None or len(self.design) < least:
            collected.lose(places, error)
            return
        noise = None if self.noisy is None else self.noisy.row_noise
        solution, evaluations = self._solved(is_last=True)
        self._write(collected, solution, evaluations.floor, noise=noise, converged=False)
        share = len(self.design) / max(self.task.n_perturbations, 1)
        collected.fail(places, error, f"{FEWER} {share:.0%} of the perturbations")

    @property
    def _is_all(self) -> bool:
        """True if the answers will be those to all perturbations there are, each asked once."""
        sampler, m = self.task.sampler, self.task.n_perturbations
        grows = isinstance(sampler, AdaptiveSampler) or self.noisy is not None
        return not grows and m >= sampler.most(self.task.n_features)

    def _totals(self, m: int) -> Iterator[int]:
        """The number of perturbations after each round; finally `m`."""
        sampler, total, step = self.task.sampler, m, 0
        if self.plan.tol is None or self._is_all:
            step = max(1, -(-m // _STEPS))
        if not self._is_all:
            total = max(sampler.minimum(self.task.n_features), m // _FIRST_ROUND)
        elif self.plan.partial and sampler.continues:
            total = max(sampler.fewest(self.task.n_features), step)
        while total < m:
            yield total
            total += step or total
        yield m

    def _evaluate(self, total: int) -> bool:
        """Evaluate up to `total` perturbations; returns False if there were no new ones."""
        if self.noisy is not None:
            return self._ask_again(self.noisy, total)
        adapts, before = isinstance(self.task.sampler, AdaptiveSampler), self.design
        room: Floats | None = None
        while True:
            known = 0 if self.design is None else len(self.design)
            if adapts and self.design is not None:
                design = self.draws.following(self._evaluations(), total)
            else:
                design = self.draws.upto(total)
            if self.design is not None and len(design) == known:
                return self.design is not before
            if self.task.solver.sums_up and isinstance(design, AntitheticChains) and len(design):
                self._sum_up(design, known)
                return True
            asked, cost = self.game.evaluate(
                [self.bound[i] for i in self.undone],
                self.columns[self.undone],
                design,
                self.places[self.undone],
                known,
                self.active,
            )
            m = known + asked.shape[1]
            if not adapts:
                asked = np.concatenate([self.outputs, asked], axis=1) if known else asked
            else:
                if room is None:  # many small rounds must not copy all outputs each
                    size = int(min(total, self.task.sampler.most(self.task.n_features)))
                    room = np.empty((len(asked), size, *asked.shape[2:]))
                    if known:
                        room[:, :known] = self.outputs
                room[:, known:m] = asked
                asked = room[:, :m]
            self.design, self.outputs = design, asked  # at once, so that both are of use
            self.costs[self.undone] += cost.divided(len(self.undone))
            if not adapts:
                return True

    def _sum_up(self, design: AntitheticChains, known: int) -> None:
        """Evaluate further chains piece by piece, and keep of their answers what is needed.

        What is kept is replaced as a whole, so that it can be used if a later piece fails.
        """
        solver, (n, k) = self.task.solver, self.columns[self.undone].shape
        averages = 1 if design.per_background_row else len(self.empty)
        for chains in design.pieces(averages * n * k, known // design.length):
            part = design.part(chains)
            outputs, cost = self.game.evaluate(
                [self.bound[i] for i in self.undone],
                self.columns[self.undone],
                part,
                self.places[self.undone],
                active=self.active,
                first=chains.start * design.length,
            )
            self.costs[self.undone] += cost.divided(n)
            sums = self.sums
            if not self.plan.dry:
                every = [self._evaluations(part, outputs)]
                if len(outputs) > 1:
                    every.append(of_parts(every[0], outputs, self.empty[:, self.undone]))
                sums = tuple(
                    solver.summed(Answers.of(evaluations), before)
                    for evaluations, before in zip(every, sums or (None,) * len(every), strict=True)
                )
            there, none = design.part(slice(0, chains.stop)), outputs[:, :0].copy()
            self.design, self.outputs, self.sums = there, none, sums

    def _ask_again(self, noisy: NoisyAnswers, total: int) -> bool:
        """Spend `total` answers of a noisy model; returns False if there were no new ones."""
        sampler, first, is_first = self.task.sampler, len(noisy.index), self.design is None
        most = sampler.distinct(self.task.n_features, total)
        while True:
            known, before = 0 if self.design is None else len(self.design), len(noisy.index)
            if isinstance(sampler, AdaptiveSampler) and self.design is not None:
                design = self.draws.following(self._evaluations(), most)
            else:
                design = self.draws.upto(most)
            self.costs[self.undone] += noisy.ask(design, total).divided(len(self.undone))
            means = noisy.means(len(design))
            variances = noisy.variances(means[0])
            self.design, self.outputs, self.variances = design, means, variances
            self.full[self.undone] = noisy.full.mean(axis=0)
            self.empty[:, self.undone] = noisy.empty.mean(axis=0)
            if self.rows is not None and noisy.rows is not None:
                self.rows[:, self.undone] = noisy.rows.mean(axis=0)
            grown = len(design) > known
            if not (isinstance(sampler, AdaptiveSampler) and grown):
                return is_first or len(noisy.index) > first or before > first

    def _evaluations(
        self, design: Design | None = None, outputs: Floats | None = None
    ) -> Evaluations:
        """The design and outputs of the instances that are not done, as a solver reads them.

        Those so far, by default.
        """
        sums = self.sums[0] if self.sums and design is None else None
        design = self.design if design is None else design
        outputs = self.outputs if outputs is None else outputs
        assert design is not None
        if isinstance(design, NoiseDraws):
            noise: Any = ConvertedNoise(design.noise, self._interpretable)
            if isinstance(design.noise, np.ndarray):
                noise = self._interpretable(design.noise)
            design = replace(design, noise=noise, drawn=None)
        return Evaluations(
            design,
            outputs[0],
            self.full[self.undone],
            self.empty[0, self.undone],
            None if self.rows is None else self.rows[:, self.undone],
            self.game.rounding,
            None if self.rows is None else self.bound[0].weights,
            self.variances,
            sums,
        )

    def _interpretable(self, z: Noise) -> Noise:
        """The noise of the active features as a solver reads it, converted in blocks."""
        interpretable = self.bound[0].interpretable
        if self.active.all():
            return np.asarray(interpretable(z), dtype=np.float64)
        read, step = np.empty_like(z), max(1, _MOST_NUMBERS // len(self.active))
        for start in range(0, len(z), step):
            part = slice(start, start + step)
            read[part] = interpretable(of_all_features(z[part], self.active))[:, self.active]
        return read

    def _solved(self, is_last: bool) -> tuple[Solution, Evaluations]:
        """The solution, with the standard errors due to the sample of background rows.

        Where it `is_last`, the outputs of parts of the background are forgotten once they are
        solved, as they are most of the outputs, and their scores are kept, as it may be interrupted
        and made again.
        """
        solver, parts, values = self.task.solver, self.game.parts, self.values_of_parts
        with one_thread(self.plan.n_jobs):
            if parts is not None and len(self.outputs) > 1:
                evaluations = of_parts(
                    self._evaluations(), self.outputs, self.empty[:, self.undone], *self.sums[1:]
                )
                values = solver.linear().solve(evaluations).values
                if is_last:
                    self.outputs, self.values_of_parts = self.outputs[:1].copy(), values
            evaluations = self._evaluations()
            solution = solver.solve(evaluations)
            if solver.samples:
                solution = widened(solution, evaluations)
        if values is None or parts is None:
            return solution, evaluations
        return with_background_errors(solution, values, parts), evaluations

    def _without_active(self) -> Solution:
        """The solution of instances without active features, which equal their background."""
        zeros = np.zeros((len(self.bound), 0, self.full.shape[1]))
        base = np.where(np.isnan(self.empty[0]).any(axis=1)[:, None], self.full, self.empty[0])
        return Solution(zeros, zeros, base)

    def _write(
        self,
        collected: Collected,
        solution: Solution,
        least: Floats,
        members: Ints | None = None,
        noise: Floats | None = None,
        converged: bool = True,
    ) -> None:
        """Write the solutions of some instances, by default all that are not done."""
        members = self.undone if members is None else members
        if self.bound[0].draws:
            parts = self.game.parts
            solution = solution.with_draws(1.0 if parts is None else len(parts) - 1.0)
        collected.put(
            Finished(
                self.places[members],
                self.bound[members[0]],
                self.active,
                solution,
                least,
                self.costs[members],
                converged,
                self.task,
                self.full[members],
                noise,
            )
        )
