"""SAGE: how much each feature reduces the model's loss, over a whole data set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from perturbx._validation import check_random_state
from perturbx._workers import workers_kept
from perturbx.errors import BudgetError
from perturbx.explainers._base import BaseExplainer
from perturbx.explainers._losses import Loss, check_whole
from perturbx.explainers._notes import warn_of_doubts
from perturbx.explainers._orders import Population, Sample
from perturbx.explainers._plan import RecipeContext
from perturbx.explainers._provenance import provenance
from perturbx.explainers._threads import threads_kept
from perturbx.game import Cost, Game, probe_cost
from perturbx.maskers import FittedMasker
from perturbx.predictor import Predictor
from perturbx.result import Explanation
from perturbx.samplers import Permutations, Sampler
from perturbx.solvers import MarginalContributions, Solver

_ORDERS = 512
"""Without a budget, so many orders of the features are tried, each for another row of X."""

_FEWEST = 16
"""Fewer orders than this give no honest error."""

_FIRST_ROUND = 64
"""With `tol`, the orders of the first round; each later round doubles them."""

_MOST_PASSES = 16
"""With `tol` and without a budget, the most orders for each row of X."""


@dataclass(eq=False, repr=False)
class Sage(BaseExplainer):
    """Global importance: the share of each feature in the reduction of the model's loss.

    The value of a coalition is minus the expected loss of the model's average output when the
    other features are removed (SAGE: Covert, Lundberg & Lee, NeurIPS 2020, eq. 6). Scores are its
    Shapley values: they sum to the reduction of the mean loss from knowing no feature to knowing
    all, and a feature that makes predictions worse has a negative score. Without labels the loss
    is the squared distance to the model's own prediction, and scores are shares of its variance.

    The result has one score for each feature, and no axis of instances.

    Parameters
    ----------
    {common}
    loss : "auto", "log_loss", "squared_error" or callable
        A callable maps labels (m, ...) and averaged outputs (m, k) to (m,) losses. "auto" is the
        log loss where the outputs are probabilities and y holds the model's classes, and the
        squared error otherwise.

    Notes
    -----
    `budget` is the total of all model rows, and `tol` refers to the range of the scores. Each
    sampled row of X pays for one random order of the features, so that rows, which differ most,
    are as many as the budget allows. The reduction of the loss is known for every row of X at one
    model row each, and so are the rows: a regression on both removes what they explain of the
    sampling error (regression estimator; Cochran, Sampling Techniques, 1977, chapter 7), about
    half of the variance on two real data sets. Intervals hold for the population of X's rows.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> y = 2 * X[:, 0] + X[:, 1]
    >>> model = lambda X: 2 * X[:, 0] + X[:, 1]
    >>> found = px.Sage(model, random_state=0).fit(X[:50]).explain(X, y)
    >>> bool(found.values[0] > 3 * found.values[1] > 0), float(found.values[2])
    (True, 0.0)
    """

    loss: Loss = field(default="auto", kw_only=True)

    def recipe(self, context: RecipeContext) -> tuple[Sampler, Solver]:
        return Permutations(), MarginalContributions()

    def explain(self, X: Any, y: Any = None) -> Explanation:  # type: ignore[override]
        """The share of every feature in the reduction of the loss over the rows of X.

        Parameters
        ----------
        X : table of rows
            Rows that the loss is averaged over, such as a test set.
        y : (n,) or (n, k) array, optional
            Their labels or targets; None for the model's own predictions.

        Returns
        -------
        Explanation
            ``values`` has shape (d,). ``base_values`` is minus the loss with no feature known.

        Raises
        ------
        InvalidInputError
            If labels are missing, or the model does not know one of them.
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
        population, masker = self._population(X, self.loss, y)
        predictor = population.game.predictor
        sample = Sample(population, np.random.default_rng(seeds), self.n_jobs)
        for total in self._totals(population):
            sample.extend(total)
            values, errors = sample.estimate()
            is_precise = bool(errors.max() <= (self.tol or 0.0) * np.ptp(values))
            if is_precise:
                break
        seed = seeds.entropy
        assert isinstance(seed, int)
        name = population.losses.name
        return Explanation(
            values=values,
            standard_errors=errors,
            base_values=np.asarray(-population.without.mean()),
            predictions=np.asarray(-population.with_all.mean()),
            residual=np.asarray(population.gains.mean() - values.sum()),
            data=None,
            feature_names=population.feature_names,
            output_names=(f"minus {name}",),
            axes=("feature",),
            method=f"Sage: {len(sample):,} orders of the features in {len(population):,} rows",
            value_function=(f"minus the mean {name} of {predictor.name}, {masker.value_function}"),
            n_rows=sample.cost.n_rows,
            n_calls=sample.cost.n_calls,
            converged=is_precise if self.tol else None,
            notes=masker.notes,
            provenance=provenance(self, predictor.name, seed, self.fit_random_state_),
        )

    def _foreseen(self, X: Any) -> tuple[Cost, Predictor, bool]:
        population, _ = self._population(X, "auto", None, dry=True)
        rng = np.random.default_rng(check_random_state(self.random_state))
        sample = Sample(population, rng, 1)
        sample.extend(self._affordable(population))
        return sample.cost, population.game.predictor, bool(self.tol)

    def _population(
        self, X: Any, loss: Loss, y: Any, dry: bool = False
    ) -> tuple[Population, FittedMasker]:
        """The rows of X with what is known about each; with `dry` the model is not asked."""
        self._check_parameters()
        check_whole(self)
        masker, predictor = self._fitted(X)
        instances, asked = masker.check(X), Cost()
        if predictor is None:
            predictor = self._unasked(instances) if dry else self._probe(instances)
            asked = probe_cost(predictor)
        game = Game(predictor, "identity", self.batch_size, 1, dry=dry)
        return Population.of(game, instances, loss, y, asked), masker

    def _totals(self, population: Population) -> Iterator[int]:
        """The number of orders after each round; with `tol`, rounds double."""
        most = self._affordable(population)
        total = most if not self.tol else min(most, _FIRST_ROUND)
        while total < most:
            yield total
            total *= 2
        yield most

    def _affordable(self, population: Population) -> int:
        each = population.rows_per_order
        if self.budget is None:
            return _ORDERS if not self.tol else max(_ORDERS, _MOST_PASSES * len(population))
        n = int((self.budget - population.cost.n_rows) // max(each, 1))
        if n < _FEWEST:
            raise BudgetError(
                f"budget={self.budget} is too small: Sage needs at least "
                f"{population.cost.n_rows + _FEWEST * each} model rows, {population.cost.n_rows} "
                f"for the rows of X and {each} for each of {_FEWEST} orders. Raise budget, pass "
                "fewer rows, or remove with fewer background rows."
            )
        return n
