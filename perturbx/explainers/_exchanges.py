"""How much a loss grows when a feature's values come from elsewhere, for many rows."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from perturbx._shared import Shared
from perturbx._typing import Floats, Ints
from perturbx._workers import in_workers
from perturbx.designs import CustomCoalitions
from perturbx.explainers._losses import Losses
from perturbx.features import Columns
from perturbx.game import Cost, Game, Swaps
from perturbx.maskers import Instances

_TOGETHER = 32
"""Rows whose draws are one task of a worker."""

_LEAST = 0.05
"""The least variance, relative to the largest that the spread of the rows allows."""


@dataclass(eq=False)
class Exchanges:
    """The growth of the loss of m rows for d features, summed over some times.

    Parameters
    ----------
    losses : Losses
    own : (n,) array
        The loss of each row as it is.
    rows : (m,) int array
        The rows that are used, in random order.
    n_jobs : int or None
    cost : Cost
    times : int
        How often all features of all rows were replaced.
    taken : (m, d) array or 0.0
        The sum of what each row lost with values of others.
    mean, squares : (d,) array or 0.0
        The mean growth, and the sum of squares about it, of all rows and times.
    """

    losses: Losses
    own: Floats
    rows: Ints
    n_jobs: int | None
    cost: Cost
    times: int = field(init=False, default=0)
    taken: Floats | float = field(init=False, default=0.0)
    mean: Floats | float = field(init=False, default=0.0)
    squares: Floats | float = field(init=False, default=0.0)

    def extend(self, times: int) -> None:
        """Replace every feature of every row until that was done so many times."""
        while self.times < times:
            self.times += 1
            self._add(self._once(self.times))

    def _add(self, growth: Floats) -> None:
        """Add what a time found (m, d) to the sums, which take the memory of one time."""
        own = growth.mean(axis=0)
        change = own - self.mean
        within = ((growth - own) ** 2).sum(axis=0)
        self.mean = self.mean + change / self.times
        self.squares = self.squares + within + change**2 * len(growth) * (1 - 1 / self.times)
        self.taken = self.taken + growth

    @abstractmethod
    def _once(self, time: int) -> Floats:
        """(m, d): the growth of the losses the next time."""

    @abstractmethod
    def estimate(self) -> tuple[Floats, Floats]:
        """(d,) mean growths and standard errors."""

    def _grown(self, rows: Ints, outputs: Floats) -> Floats:
        return np.asarray(self.losses(rows, outputs) - self.own[rows])


@dataclass(eq=False)
class WithinRows(Exchanges):
    """Values of another of the same rows, as a permutation of the column has them.

    The rows stand in a ring in random order, and the t-th time each gets the value of the row t
    places on. So no row gets its own value, as it does in one of n cases of a permutation, and
    every row gives as often as it takes.
    """

    swaps: Swaps
    columns: Columns
    given: Floats | float = field(init=False, default=0.0)

    def _add(self, growth: Floats) -> None:
        super()._add(growth)
        self.given = self.given + np.roll(growth, self.times, axis=0)

    @cached_property
    def _shared(self) -> list[Shared]:
        return [Shared(self.swaps)]

    def _once(self, time: int) -> Floats:
        donors, d = np.roll(self.rows, -time), len(self.columns.names)
        tasks = []
        for j, name in enumerate(self.columns.names):
            members = np.flatnonzero(self.columns.feature_of == j)
            place = f"rows with the {name} of other rows"
            turn = (1 + time * d + j) * self.swaps.predictor.varies  # 1: the rows as they are
            tasks.append((self.swaps, self.rows, [(donors, members)], place, turn))
        found = np.empty((len(self.rows), d))
        answers = in_workers(Swaps.ask, tasks, self.n_jobs, self._shared)
        for j, (outputs, cost) in enumerate(answers):
            found[:, j] = self._grown(self.rows, outputs)
            self.cost += cost
        return found

    def estimate(self) -> tuple[Floats, Floats]:
        """The mean over pairs of rows is a U-statistic: a row counts as taker and as giver.

        Let its influence be the mean growth as taker plus that as giver. Its variance exceeds that
        of the true influence by the variance of what a pair adds, twice, and by those of what
        others give and take; the variance of the mean contains what a pair adds once. What is left
        to subtract is the variance of all growths, divided by the times.
        """
        times, m, values = self.times, len(self.rows), np.asarray(self.mean)
        influence = np.asarray((self.taken + self.given) / times - 2 * values)
        spread = (influence**2).sum(axis=0) / (m - 1)
        of_all = self.squares / (times * m - 1)
        variance = np.maximum(spread - of_all / times, _LEAST * spread)
        return values, np.sqrt(variance / m)


@dataclass(eq=False)
class FromMasker(Exchanges):
    """Values as a masker draws them, such as given the other features."""

    game: Game
    instances: Instances
    n_features: int
    rng: np.random.Generator

    @cached_property
    def _shared(self) -> list[Shared]:
        return [Shared(self.game, self.instances)]

    def _once(self, time: int) -> Floats:
        parts = [self.rows[i : i + _TOGETHER] for i in range(0, len(self.rows), _TOGETHER)]
        seeds = self.rng.integers(2**63, size=len(parts))
        tasks = [
            (self.game, self.instances, part, self.n_features, int(seed))
            for part, seed in zip(parts, seeds, strict=True)
        ]
        found = np.zeros((len(self.rows), self.n_features))
        start = 0
        answers = in_workers(_drawn, tasks, self.n_jobs, self._shared)
        for takers, features, outputs, cost in answers:
            rows = self.rows[start + takers]
            found[start + takers, features] = self._grown(rows, outputs)
            start += _TOGETHER
            self.cost += cost
        return found

    def estimate(self) -> tuple[Floats, Floats]:
        """Rows are independent, and their spread contains that of the draws."""
        each = np.asarray(self.taken / self.times)
        return each.mean(axis=0), each.std(axis=0, ddof=1) / np.sqrt(len(each))


def _drawn(
    game: Game, instances: Instances, rows: Ints, n_features: int, seed: int
) -> tuple[Ints, Ints, Floats, Cost]:
    """Positions in `rows`, features, and the outputs with that feature of that row replaced."""
    rng, cost = np.random.default_rng(seed), Cost()
    columns = np.arange(game.predictor.n_outputs)[None]
    takers, features, answers = [], [], []
    for place, row in enumerate(rows):
        (bound,) = instances.bind(int(row), int(row) + 1)
        active = np.flatnonzero(bound.active)
        n_behind = bound.rows_per_perturbation
        draws = rng.choice(n_behind, size=n_features, p=bound.weights)[active]
        if not len(active):
            continue
        z = np.ones((len(active), n_features), dtype=bool)
        z[np.arange(len(active)), active] = False
        named = draws if n_behind > 1 else None
        design = CustomCoalitions(z, np.ones(len(z)), np.arange(len(z)), background_row=named)
        outputs, asked = game.evaluate([bound], columns, design, rows[place : place + 1])
        takers.append(np.full(len(active), place))
        features.append(active)
        answers.append(outputs[0, :, 0])
        cost += asked
    if not takers:
        nothing = np.arange(0)
        return nothing, nothing, np.empty((0, game.predictor.n_outputs)), cost
    return np.concatenate(takers), np.concatenate(features), np.concatenate(answers), cost
