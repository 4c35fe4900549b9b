"""Shapley values by regression over coalitions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from perturbx._validation import check_choice, check_flag
from perturbx.errors import InvalidParameterError
from perturbx.explainers._base import BaseExplainer, by_value
from perturbx.explainers._plan import Plan, Problem, RecipeContext
from perturbx.explainers._teach import Teachers, is_worth_it, sampled, teach
from perturbx.maskers import Instances
from perturbx.samplers import BackgroundPermutations, OptimalPairs, Sampler, ShapleyCoalitions
from perturbx.solvers import (
    BackgroundContributions,
    GaussianProcess,
    KernelShapRegression,
    Solver,
    SparseRegression,
    WithInteractions,
)

Estimator: TypeAlias = Literal["auto", "regression", "process", "rows"]
Prior: TypeAlias = Literal["auto", "shared", "own"]

_SECONDS_A_ROW, _SECONDS_AN_IMAGE = 5e-5, 2e-3
"""What a model may be expected to take; the process is worth its time where it takes less."""


_MANY_FEATURES = 500
"""From so many features on, the process is fitted to those that matter, and the regression reads
what is left."""

_MOST_BYTES = 2**26
"""The most memory that a design of chains, a byte a feature and row, is worth."""


@dataclass(eq=False, repr=False)
class KernelShap(BaseExplainer):
    """Shapley values from coalitions of features.

    Every score is the feature's share of f(x) minus the average output; shares add up to it
    exactly. Coalitions come in complementary pairs, without repetition, every size equally often
    (Lundberg & Lee, NeurIPS 2017, eq. 8-9; Covert & Lee, AISTATS 2021; Musco & Witter, ICLR
    2025). Where the budget allows all 2^d coalitions the values are exact. Where it does not,
    their answers are read by one of three estimators; `Explanation.method` says which.

    Parameters
    ----------
    {common}
    estimator : "auto", "regression", "process" or "rows"
        "regression" is Kernel SHAP's weighted regression. "process" adds a Gaussian process over
        the interactions that the regression treats as noise, and asks the most informative pairs
        (`perturbx.samplers.OptimalPairs`): a fifth of the squared error or less at the same
        budget (games of models, from 5 coalitions a feature on), for about a second
        per instance (`perturbx.solvers.GaussianProcess`). From 500 features on it fits the
        interactions of the few that carry them, and the regression reads what that leaves
        (`perturbx.solvers.SparseRegression`); "auto" then does so for every model.
        "rows" spends single background rows along permutations, and works where the budget
        cannot pay for the whole background behind each coalition
        (`perturbx.solvers.BackgroundContributions`), at almost no time. "auto" takes "rows"
        without a budget and while it is small against features times background rows, and then
        "process" where it costs less time than asking a model of 50 microseconds a row (2
        milliseconds an image). It goes by budget, features and background rows, never by the
        clock, so that a seed fixes the scores: for a near-free model and a large budget take
        "regression".
    prior : "auto", "shared" or "own"
        Where the process learns which features interact. "own": from the answers about each
        instance. "shared": once, from 24 rows that `fit` saw (of the first call, if it saw none),
        for all later calls: milliseconds per instance, with about half of the squared error at
        2 coalitions a feature, a little less at 5, and about as much from 10 on (games that did
        not choose it: 1/2.4, 1/1.2, 1/.9). A row's scores then do not depend on the rows that
        are explained with it. The teachers' model rows, for 10 coalitions a feature or as many
        as an instance gets, come on top of the budget in the call that asks them. "auto" shares
        from the first call on to which teaching adds at most a quarter; until then each
        instance learns its own. For tables, without `interactions`.
    interactions : bool
        Also score pairs of features from the same answers: ``explanation.interactions``. The
        process reads them too, with a third to a half of the regression's squared error at 20
        coalitions a feature.

    Notes
    -----
    Standard errors speak of the coalitions that were not tried. What no estimator can see is an
    interaction that no tried coalition met, such as a rare conjunction of six features.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> X = np.random.default_rng(0).normal(size=(50, 3))
    >>> explainer = px.KernelShap(lambda X: 2 * X[:, 0] - X[:, 1], random_state=0).fit(X)
    >>> explanation = explainer.explain(X[:1])
    >>> np.allclose(explanation.values, [2, -1, 0] * (X[:1] - X.mean(axis=0)))
    True
    """

    estimator: Estimator = field(default="auto", kw_only=True)
    interactions: bool = field(default=False, kw_only=True)
    prior: Prior = field(default="auto", kw_only=True)

    def fit(self, X: Any = None) -> KernelShap:
        for learned in ("taught_", "teachers_"):
            self.__dict__.pop(learned, None)
        super().fit(X)
        return self

    fit.__doc__ = BaseExplainer.fit.__doc__

    def recipe(self, context: RecipeContext) -> tuple[Sampler, Solver]:
        estimator = check_choice("estimator", self.estimator, get_args(Estimator))
        check_flag("interactions", self.interactions)
        if check_choice("prior", self.prior, get_args(Prior)) == "shared":
            self._check_shared(context)
        if estimator == "rows":
            self._check_rows(context)
        rows = BackgroundPermutations(context.n_background)
        serves = context.knows_rows and not self.interactions
        wanted = estimator == "rows" or (estimator == "auto" and _rows_are_better(context, rows))
        if serves and wanted:
            return rows, BackgroundContributions()
        if self._is_sparse(context):
            return ShapleyCoalitions(), SparseRegression()
        pairs = context.affordable(context.n_background, _default(context)) // 2
        pays = context.shares_prior or _worth_it(context, pairs)
        is_slow = estimator == "auto" and not pays
        is_plain = estimator == "regression" or is_slow
        if self.interactions:
            if is_plain:
                return ShapleyCoalitions(), WithInteractions(KernelShapRegression())
            return OptimalPairs(), WithInteractions(GaussianProcess(), "process")
        if is_plain:
            return ShapleyCoalitions(), KernelShapRegression()
        return OptimalPairs(), GaussianProcess()

    def _is_sparse(self, context: RecipeContext) -> bool:
        """Whether a sparse fit finds what a process of so many features has no time to look for."""
        plain = self.estimator == "regression" or self.interactions or self.prior == "shared"
        return context.n_features >= _MANY_FEATURES and not plain

    def _saw(self, instances: Instances) -> None:
        rng = np.random.default_rng(np.random.SeedSequence(self.fit_random_state_, spawn_key=(3,)))
        self.teachers_ = sampled(instances, rng)

    def _prepared(self, X: Any) -> tuple[Problem, Plan]:
        """With the prior that is shared, which is learned now if it pays and was not before."""
        problem, own = super()._prepared(X)
        bound = problem.bound[0]
        if self.prior == "own" or self.interactions or bound.regions is not None:
            return problem, own
        plan = replace(own, shares_prior=True, tasks={})
        if not isinstance(plan.task(bound).solver, GaussianProcess):
            return problem, own
        explained = by_value(self.outputs), self.link
        taught = vars(self).get("taught_")
        if taught is None or taught.explained != explained:
            if self.prior == "auto" and not is_worth_it(problem, plan):
                return problem, own
            taught, cost = teach(self._teachers(problem, plan), problem, plan, explained)
            self.taught_ = taught
            problem = replace(problem, asked=problem.asked + cost)
        if taught.prior is None:
            return replace(problem, notes=(taught.note,)), own
        return problem, replace(plan, prior=taught.prior)

    def _teachers(self, problem: Problem, plan: Plan) -> Teachers:
        """Rows that `fit` saw; of those that are explained, if it saw none."""
        if "teachers_" in vars(self):
            rows, source = self.teachers_, "rows that fit saw"
        else:
            rows, source = sampled(problem.instances, plan.rng(3)), "rows of the first call"
        return Teachers([problem.masker.check(row) for row in rows], source)

    def _check_shared(self, context: RecipeContext) -> None:
        lacking = {
            f'estimator="{self.estimator}", which has no prior': self.estimator
            in ("regression", "rows"),
            "interactions=True": self.interactions,
            "images, each of which has regions of its own": context.is_image,
        }
        for what, is_so in lacking.items():
            if is_so:
                raise InvalidParameterError(
                    f'prior="shared" cannot serve {what}: pass prior="auto".'
                )

    def _check_rows(self, context: RecipeContext) -> None:
        lacking = {
            "interactions=True, which need pairs of coalitions": self.interactions,
            f'link="{context.link}", which applies to averages': context.link != "identity",
            "a masker with one row behind each perturbation": context.n_background == 1,
            "a masker that draws all rows of a coalition together": not context.single_rows,
        }
        for what, is_so in lacking.items():
            if is_so:
                raise InvalidParameterError(
                    f'estimator="rows" spends single background rows, and cannot serve {what}: '
                    'pass estimator="auto".'
                )


def _rows_are_better(context: RecipeContext, rows: BackgroundPermutations) -> bool:
    """Before the crossover, unless a design of chains would not fit into little memory.

    The regression never beats rows before 40 coalitions a feature; the process does from 4 to 13
    on: measured on nine games of 10 to 60 features. Who sets no budget is in a hurry.
    """
    d, default = context.n_features, rows.default(context.n_features)
    if context.pays_for_all(default):
        return False
    is_large = context.affordable(1, default) * d > _MOST_BYTES
    if is_large and context.affordable(context.n_background, _default(context)) >= 2 * d:
        return False
    whole = context.affordable(context.n_background, default)
    crossover = 8 * d if _worth_it(context, whole // 2) else 40 * d
    if context.shares_prior:
        crossover = 3 * d
    return context.budget is None or whole < crossover


def _default(context: RecipeContext) -> int:
    return ShapleyCoalitions().default(context.n_features) * context.n_background


def _worth_it(context: RecipeContext, pairs: int) -> bool:
    """Whether solving by the process takes less time than asking an ordinary model."""
    seconds = _SECONDS_AN_IMAGE if context.is_image else _SECONDS_A_ROW
    return bool(0.2 + 0.002 * pairs < 2 * pairs * context.n_background * seconds)
