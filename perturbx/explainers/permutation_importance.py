"""Permutation importance: how much the loss grows without what one feature tells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from perturbx._validation import check_random_state
from perturbx._workers import workers_kept
from perturbx.containers import layout_of, training_rows
from perturbx.errors import BudgetError, InvalidInputError, InvalidParameterError
from perturbx.explainers._base import BaseExplainer
from perturbx.explainers._exchanges import Exchanges, FromMasker, WithinRows
from perturbx.explainers._losses import Loss, check_whole, resolve
from perturbx.explainers._notes import warn_of_doubts
from perturbx.explainers._plan import RecipeContext
from perturbx.explainers._provenance import provenance
from perturbx.explainers._threads import threads_kept
from perturbx.features import Columns
from perturbx.game import Cost, Game, Swaps, probe_cost
from perturbx.maskers import Background, FittedMasker, Instances, Masker
from perturbx.predictor import Predictor
from perturbx.result import Explanation
from perturbx.samplers import OneAtATime, Sampler
from perturbx.solvers import Deltas, Solver

_PAIRS = 10_000
"""Without a budget, each feature is replaced so often, or once in every row."""

_MOST_TIMES = 10
"""Without a budget, no row is used more often for one feature: rows matter more."""

_TIMES_WITH_TOL = 64
"""The same with `tol`, which stops earlier where that is precise enough."""

_FEWEST = 16
"""Fewer rows than this give no honest error."""


@dataclass(eq=False, repr=False)
class PermutationImportance(BaseExplainer):
    """Global importance: how much the model's loss grows when a feature tells nothing.

    The values of one feature are exchanged between rows, which breaks its relation to the label
    and to the other features (Breiman, Machine Learning 45, 2001; Fisher, Rudin & Dominici, JMLR
    20:177, 2019, eq. 5). The score is the growth of the mean loss. A feature of which others tell
    the same has a small score; scores add up to nothing in particular. `Sage` divides the loss
    among features, at many times the model rows. Without labels the loss is the squared distance to
    the model's own prediction.

    The result has one score for each feature, and no axis of instances.

    Parameters
    ----------
    {common}
    loss : "auto", "log_loss", "squared_error" or callable
        A callable maps labels (m, ...) and outputs (m, k) to (m,) losses. "auto" is the log loss
        where the outputs are probabilities and y holds the model's classes, and the squared error
        otherwise.

    Notes
    -----
    `budget` is the total of all model rows, and `tol` refers to the range of the scores. Without a
    budget every row is used once for each feature, and in up to 5,000 rows several times.

    Without a masker, values come from the other rows of X, and ``fit`` is not needed. Intervals
    then hold for the population of X's rows: they contain that other rows would take and give
    values, and that not all pairs were tried. With a masker, such as ``px.ConditionalNearest()``,
    values are draws of that masker given the other features, and a score tells what a feature
    adds to the others; the rows that it learned from are taken as they are.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> X = np.random.default_rng(0).normal(size=(2000, 3))
    >>> model = lambda X: 2 * X[:, 0] + X[:, 1]
    >>> found = px.PermutationImportance(model, random_state=0).explain(X, model(X))
    >>> bool(7 < found.values[0] < 9), bool(1.8 < found.values[1] < 2.2), float(found.values[2])
    (True, True, 0.0)
    """

    loss: Loss = field(default="auto", kw_only=True)

    def recipe(self, context: RecipeContext) -> tuple[Sampler, Solver]:
        return OneAtATime(), Deltas()

    def explain(self, X: Any, y: Any = None) -> Explanation:  # type: ignore[override]
        """How much the mean loss over the rows of X grows without each feature.

        Parameters
        ----------
        X : table of rows
            Rows that the loss is averaged over, such as a test set.
        y : (n,) or (n, k) array, optional
            Their labels or targets; None for the model's own predictions.

        Returns
        -------
        Explanation
            ``values`` has shape (d,). ``base_values`` and ``predictions`` are the mean loss.

        Raises
        ------
        InvalidInputError
            If there are fewer than 16 rows, if labels are missing, or if the model does not know
            one of them.
        InvalidParameterError
            If the loss does not fit the outputs, or `outputs` or `link` is set.
        BudgetError
            If the budget pays for fewer than 16 rows.
        """
        with threads_kept(), workers_kept():
            explanation = self._explained(X, y)
        warn_of_doubts(explanation, self.tol)
        return explanation

    def _explained(self, X: Any, y: Any) -> Explanation:
        seeds = check_random_state(self.random_state)
        start = self._start(X, self.loss, y, np.random.default_rng(seeds))
        exchanges = start.exchanges
        for total in self._totals(start.times):
            exchanges.extend(total)
            values, errors = exchanges.estimate()
            is_precise = bool(errors.max() <= (self.tol or 0.0) * np.ptp(values))
            if is_precise:
                break
        seed = seeds.entropy
        assert isinstance(seed, int)
        name = exchanges.losses.name
        mean = np.asarray(exchanges.own.mean())
        n, most = start.n, len(exchanges.rows)
        part = (f"a random sample of {most:,} of the {n:,} rows",) if most < n else ()
        done = exchanges.times
        how = "values from other rows" if self.masker is None else start.masker.value_function
        return Explanation(
            values=values,
            standard_errors=errors,
            base_values=mean,
            predictions=mean,
            residual=None,
            data=None,
            feature_names=start.feature_names,
            output_names=(f"growth of the {name}",),
            axes=("feature",),
            method=f"PermutationImportance: {done} {'times' if done > 1 else 'time'} {most:,} rows",
            value_function=f"growth of the mean {name} of {start.predictor.name}, {how}",
            n_rows=exchanges.cost.n_rows,
            n_calls=exchanges.cost.n_calls,
            degrees_of_freedom=most - 1.0,
            converged=is_precise if self.tol else None,
            notes=(*start.masker.notes, *part),
            provenance=provenance(self, start.predictor.name, seed, self.fit_random_state_),
        )

    def _foreseen(self, X: Any) -> tuple[Cost, Predictor, bool]:
        rng = np.random.default_rng(check_random_state(self.random_state))
        start = self._start(X, "auto", None, rng, dry=True)
        start.exchanges.extend(start.times)
        return start.exchanges.cost, start.predictor, bool(self.tol)

    def _start(
        self, X: Any, loss: Loss, y: Any, rng: np.random.Generator, dry: bool = False
    ) -> _Start:
        """The rows that are used, before any value is exchanged; with `dry` nothing is asked."""
        self._check_parameters()
        check_whole(self)
        masker, predictor = self._fitted(X)
        instances, asked = masker.check(X), Cost()
        n, n_features, names = self._shape(instances)
        most, times = self._affordable(n, n_features)
        if predictor is None:
            predictor = self._unasked(instances) if dry else self._probe(instances)
            asked = probe_cost(predictor)
        few = predictor.first_answers[:n]
        resolve(loss, y, predictor, few, n)(np.arange(len(few)), few)  # before rows are paid
        if most < n:
            chosen = np.sort(rng.choice(n, most, replace=False))
            rows = instances.take(0, n)
            instances = masker.check(layout_of(rows, self.feature_names).take(rows, chosen))
            y = None if y is None else np.asarray(y)[chosen]
        stochastic = predictor.varies
        game = Game(predictor, "identity", self.batch_size, 1, dry=dry, stochastic=stochastic)
        exchanges = self._exchanges(game, instances, loss, y, asked, rng)
        return _Start(exchanges, times, masker, predictor, n, names)

    def _masker_for(self, X: Any) -> Masker:
        """Without a masker nothing but the layout of the columns is learned."""
        if self.masker is not None:
            return self.masker
        rows = training_rows(X)
        return Background(layout_of(rows).take(rows, np.arange(1)))

    def _shape(self, instances: Instances) -> tuple[int, int, tuple[str, ...]]:
        """The number of rows and of features, and the names of these."""
        (first,) = instances.bind(0, 1)
        if first.regions is not None or instances.single or len(instances) < _FEWEST:
            raise InvalidInputError(
                "PermutationImportance averages over the rows of a table, and needs at least "
                f"{_FEWEST} of them: pass X of shape (n, d)."
            )
        if not first.single_rows or first.knows_answers:
            raise InvalidParameterError(
                f"PermutationImportance needs single draws, and {type(self.masker).__name__} has "
                "averages: pass masker=px.ConditionalNearest(), or leave masker out."
            )
        return len(instances), first.n_features, first.feature_names

    def _affordable(self, n: int, n_features: int) -> tuple[int, int]:
        """How many rows are used, and how many times."""
        if self.budget is None:
            times = _TIMES_WITH_TOL if self.tol else min(max(1, _PAIRS // n), _MOST_TIMES)
            return n, min(times, n - 1)
        rows = self.budget // (1 + n_features)
        if rows < _FEWEST:
            raise BudgetError(
                f"budget={self.budget} is too small: PermutationImportance needs at least "
                f"{_FEWEST * (1 + n_features)} model rows, {1 + n_features} for each of {_FEWEST} "
                "rows of X. Raise budget, or join columns by groups."
            )
        if rows < n:
            return rows, 1
        return n, min((self.budget - n) // (n * n_features), n - 1)

    def _totals(self, most: int) -> Iterator[int]:
        """The number of times after each round; with `tol`, rounds double."""
        total = most if not self.tol else 1
        while total < most:
            yield total
            total *= 2
        yield most

    def _exchanges(
        self,
        game: Game,
        instances: Instances,
        loss: Loss,
        y: Any,
        asked: Cost,
        rng: np.random.Generator,
    ) -> Exchanges:
        """The rows with their losses as they are, before any value is exchanged."""
        n, predictor = len(instances), game.predictor
        outputs, cost = game.predictions(instances)
        losses = resolve(loss, y, predictor, outputs, n)
        own = losses(np.arange(n), outputs)
        n_jobs = None if game.dry else self.n_jobs
        shared = losses, own, rng.permutation(n), n_jobs, asked + cost
        if self.masker is None:
            rows = instances.take(0, n)
            layout = layout_of(rows, self.feature_names)
            columns = Columns.grouped(layout.names, layout.labels, self.groups)
            (cells,) = layout.encode(rows)
            everything = np.arange(predictor.n_outputs)
            swaps = Swaps(layout, cells, predictor, everything, self.batch_size, game.dry)
            return WithinRows(*shared, swaps, columns)
        (first,) = instances.bind(0, 1)
        return FromMasker(*shared, game, instances, first.n_features, rng)


@dataclass(frozen=True, eq=False)
class _Start:
    """What is known before values are exchanged: `n` rows were given, each is used `times`."""

    exchanges: Exchanges
    times: int
    masker: FittedMasker
    predictor: Predictor
    n: int
    feature_names: tuple[str, ...]
