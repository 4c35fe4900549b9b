"""Random orders of the features for sampled rows, and the mean of what each feature adds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from perturbx._shared import Shared
from perturbx._typing import Floats, Ints
from perturbx._workers import in_workers, n_workers
from perturbx.designs import CustomCoalitions
from perturbx.errors import InvalidInputError
from perturbx.explainers._losses import Loss, Losses, resolve
from perturbx.explainers._threads import one_thread
from perturbx.game import Cost, Game
from perturbx.maskers import Instances

_STRENGTH = 10.0
"""The ridge penalty of standardized controls, in rows. Chosen from 0 to 100 on boosted trees
(diabetes): .58 of the variance of the plain mean at 128 and at 256 rows, .68 and .59 without a
penalty; on a logistic regression that did not choose it (breast cancer) .52 and .59."""

_TOGETHER = 32
"""Rows whose orders are one task of a worker."""


@dataclass(frozen=True, eq=False)
class Population:
    """The n rows that a loss is averaged over, with what is known about each of them.

    Parameters
    ----------
    game : Game
    instances : Instances
    losses : Losses
    with_all, without : (n,) array
        The loss with all features known, and with none.
    controls : (n, p) array
        Numbers of each row, whose mean over the population is known.
    feature_names : tuple of d str
    rows_per_order : int
        Model rows for one order of the features.
    cost : Cost
    """

    game: Game
    instances: Instances
    losses: Losses
    with_all: Floats
    without: Floats
    controls: Floats
    feature_names: tuple[str, ...]
    rows_per_order: int
    cost: Cost

    @classmethod
    def of(cls, game: Game, instances: Instances, loss: Loss, y: Any, asked: Cost) -> Population:
        """Ask the model for every row, and for the background."""
        (first,), n = instances.bind(0, 1), len(instances)
        if first.regions is not None or instances.single or not first.shares_empty:
            raise InvalidInputError(
                "Sage averages over the rows of a table, and needs several of them, removed with "
                "the same background: pass X of shape (n, d)."
            )
        few = game.predictor.first_answers[:n]
        resolve(loss, y, game.predictor, few, n)(np.arange(len(few)), few)  # before rows are paid
        full, of_full = game.predictions(instances)
        losses = resolve(loss, y, game.predictor, full, n)
        columns = np.arange(full.shape[1])[None]
        empty, of_empty = game.empty([first], columns, 0)
        with_all = losses(np.arange(n), full)
        without = losses(np.arange(n), np.repeat(empty[0], n, axis=0))
        return cls(
            game,
            instances,
            losses,
            with_all,
            without,
            _controls(instances, without - with_all),
            first.feature_names,
            (first.n_features - 1) * first.rows_per_perturbation,
            asked + of_full + of_empty,
        )

    def __len__(self) -> int:
        return len(self.instances)

    @property
    def gains(self) -> Floats:
        """(n,): how much less the loss is with all features than with none."""
        return np.asarray(self.without - self.with_all)

    def contributions(self, places: list[int], orders: list[Ints]) -> tuple[Floats, Cost]:
        """(len(places), d): what each feature adds when it joins, in one order for each row."""
        found, cost = np.zeros((len(places), len(self.feature_names))), Cost()
        columns = np.arange(self.game.predictor.n_outputs)[None]
        for row, place, order in zip(found, places, orders, strict=True):
            (bound,) = self.instances.bind(place, place + 1)
            order = order[bound.active[order]]
            if not len(order):
                continue
            z = np.ones((len(order) - 1, bound.n_features), dtype=bool)
            for step in range(len(z)):
                z[step, order[step + 1 :]] = False
            steps = [self.without[place], self.with_all[place]]
            if len(z):
                ones = np.ones(len(z))
                design = CustomCoalitions(z, ones, np.arange(len(z)))
                outputs, asked = self.game.evaluate([bound], columns, design, np.array([place]))
                steps[1:1] = self.losses(place, outputs[0, :, 0])
                cost += asked
            row[order] = -np.diff(steps)
        return found, cost


class Sample:
    """Rows of a population, each with a random order; all rows once before any comes again."""

    def __init__(
        self, population: Population, rng: np.random.Generator, n_jobs: int | None
    ) -> None:
        self.population, self.cost = population, population.cost
        self._rng, self._n_jobs, self._shared = rng, n_jobs, [Shared(population)]
        self._places: list[int] = []
        self._values: list[Floats] = []

    def __len__(self) -> int:
        return len(self._places)

    def extend(self, total: int) -> None:
        """Sample until there are `total` orders."""
        n, d = len(self.population), len(self.population.feature_names)
        places: list[int] = []
        while len(self) + len(places) < total:
            at = (len(self) + len(places)) % n
            if at == 0:
                self._pass = self._rng.permutation(n)
            places.append(int(self._pass[at]))
        orders = [self._rng.permutation(d) for _ in places]
        for values, cost in self._answered(places, orders):
            self._values.append(values)
            self.cost += cost
        self._places += places

    def _answered(self, places: list[int], orders: list[Ints]) -> Iterator[tuple[Floats, Cost]]:
        parts = [slice(i, i + _TOGETHER) for i in range(0, len(places), _TOGETHER)]
        if n_workers(self._n_jobs) == 1:
            yield from (self.population.contributions(places[p], orders[p]) for p in parts)
            return
        tasks = ((self.population, places[p], orders[p]) for p in parts)
        yield from in_workers(Population.contributions, tasks, self._n_jobs, self._shared)

    def estimate(self) -> tuple[Floats, Floats]:
        """(d,) scores and standard errors, by a regression on the controls."""
        population = self.population
        with one_thread():
            places, values = _by_row(np.array(self._places), np.concatenate(self._values))
            return _calibrated(values, population.controls, places)


def _by_row(places: Ints, values: Floats) -> tuple[Ints, Floats]:
    """Each row once, with the mean of its orders."""
    rows, at, counts = np.unique(places, return_inverse=True, return_counts=True)
    sums = np.zeros((len(rows), values.shape[1]))
    np.add.at(sums, at.ravel(), values)
    return rows, sums / counts[:, None]


def _calibrated(values: Floats, controls: Floats, places: Ints) -> tuple[Floats, Floats]:
    """The mean of the population, and its error: that of the sample, and that of the population.

    The first control, the gain, is not penalized, so that scores sum to its mean. Residuals are
    enlarged by their leverage (HC2).
    """
    known = np.column_stack([np.ones(len(controls)), controls])
    sampled = known[places]
    penalty = np.sqrt(_STRENGTH) * np.eye(known.shape[1])[2:]
    inverse = np.linalg.pinv(np.concatenate([sampled, penalty]), rcond=1e-9)[:, : len(sampled)]
    predicted, weights = known @ (inverse @ values), known.mean(axis=0) @ inverse
    leverage = np.einsum("ij,ji->i", sampled, inverse)
    squares = (values - predicted[places]) ** 2 / np.maximum(1 - leverage, 1e-3)[:, None]
    errors = np.sqrt(weights**2 @ squares + predicted.var(axis=0) / len(known))
    return weights @ values, errors


def _controls(instances: Instances, gains: Floats) -> Floats:
    """(n, 1 + 2 * c): the gain, the c numeric columns that vary, and their products with it.

    All are standardized, since the penalty is the same for all.
    """
    data = np.concatenate(
        [
            np.stack([np.asarray(bound.data, dtype=object) for bound in part])
            for part in (instances.bind(p.start, p.stop) for p in instances.chunks())
        ]
    )
    columns = []
    for column in data.T:
        try:
            numbers = column.astype(np.float64)
        except (TypeError, ValueError):
            continue
        known = np.isfinite(numbers)
        columns.append(np.where(known, numbers, numbers[known].mean() if known.any() else 0.0))
    varying = _standardized(np.array(columns).reshape(len(columns), len(gains)).T)
    gain = _standardized(gains[:, None])
    if not gain.shape[1]:  # no feature changes any loss
        return np.column_stack([np.zeros(len(gains)), varying])
    return np.column_stack([gain, varying, _standardized(varying * gain)])


def _standardized(columns: Floats) -> Floats:
    """Columns of mean 0 and variance 1, without those that do not vary."""
    centered = columns - columns.mean(axis=0)
    spread = columns.std(axis=0)
    kept = spread > 1e-12 * np.maximum(np.abs(columns).max(axis=0, initial=0.0), 1e-300)
    return np.asarray(centered[:, kept] / spread[kept])
