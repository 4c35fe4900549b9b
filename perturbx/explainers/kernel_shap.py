"""Shapley values by regression over coalitions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from perturbx._validation import check_choice, check_flag
from perturbx.errors import InvalidParameterError
from perturbx.explainers._base import BaseExplainer, by_value
from perturbx.explainers._choice import CHOICE
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
        (`perturbx.solvers.SparseRegression`).
        "rows" spends single background rows along permutations, and works where the budget
        cannot pay for the whole background behind each coalition
        (`perturbx.solvers.BackgroundContributions`), at almost no time. "auto" takes "rows"
        without a budget, and while the budget pays for few coalitions: up to 15 per feature with
        100 background rows, 8 with 50. Then, and without a budget with fewer than 40 background
        rows or a single one, it takes "process", unless that costs more than twice the time of a
        model of 50 microseconds a row (2 milliseconds an image), as with several outputs. It
        goes by budget, features, outputs and background rows, never by the clock, so that a
        seed fixes the scores: for a near-free model and a large budget take "regression".
    prior : "auto", "shared" or "own"
        Where the process learns which features interact. "own": from the answers about each
        instance. "shared": once, from 24 rows that `fit` saw (of the first call, if it saw none),
        for all later calls: milliseconds per instance, with about three quarters of the squared
        error at 2 to 5 coalitions a feature, and about as much from 10 on
        (benchmarks/tables/prior_accuracy). A row's scores then do not depend on the rows that
        are explained with it. The teachers' model rows, for 10 coalitions a feature or as many
        as an instance gets, come on top of the budget in the call that asks them. "auto" shares
        from the first call on to which teaching adds at most a quarter, or, without a budget, in
        which it saves time; until then each instance learns its own. For tables, without
        `interactions`.
    interactions : bool
        Also score pairs of features from the same answers: ``explanation.interactions``. The
        process reads them too, with a third to a half of the regression's squared error at 20
        coalitions a feature.

    Notes
    -----
    Without a budget, up to ten instances get the full default each: every coalition where that is
    cheap, ten permutations per background row and at least 1,000, or 20 coalitions per feature for
    the process. With more instances each gets a share, down to three tenths, which
    leaves the mean |score| precise and the errors of an instance at about 2% of the range of its
    scores; a note then says how many model rows each got, and which ``budget`` gives more. With
    a budget, how many instances are explained changes nothing.

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
        wanted = estimator == "rows" or (estimator == "auto" and self._rows_are_better(context))
        if serves and wanted:
            return rows, BackgroundContributions()
        if estimator == "auto" and not self.interactions and _pays_for_all(context):
            return ShapleyCoalitions(), KernelShapRegression()
        if self._is_sparse(context):
            return ShapleyCoalitions(), SparseRegression()
        is_plain = estimator == "regression" or (estimator == "auto" and not self._pays(context))
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
        return context.n_features >= CHOICE.many_features and not plain

    def _spends(self, context: RecipeContext, sampler: Sampler) -> int:
        """Everything, if that is cheap; what the estimator needs; a share of it for many rows."""
        d, full = context.n_features, sampler.default(context.n_features)
        if isinstance(sampler, BackgroundPermutations):
            enough = max(context.n_background, CHOICE.usual_background) if d > 2 else 1
            full = max(full, BackgroundPermutations(enough).default(d))
            least = sampler.minimum(d) * context.n_background
        elif _pays_for_all(context):
            return context.n_coalitions
        elif self.interactions:
            return full
        elif isinstance(sampler, OptimalPairs) and not context.is_image:
            full = min(full, 2 * CHOICE.default_pairs(d, context.n_background))
            least = CHOICE.least_coalitions * d
        else:
            least = 2 * CHOICE.least_coalitions * d
        return max(int(full * CHOICE.share(context.n_instances)), min(full, least))

    def _pays(self, context: RecipeContext) -> bool:
        """Whether the process is worth its time, for an ordinary model or few background rows."""
        n_outputs, n_background = context.n_outputs, context.n_background
        pairs = context.affordable(n_background, self._default_rows(context)) // 2
        if context.stochastic:
            return pairs < CHOICE.noisy_pairs * context.n_features
        is_table = not (context.is_image or self.interactions)
        few = n_background < CHOICE.few_background and is_table
        if context.shares_prior or (few and CHOICE.targets(n_outputs) <= CHOICE.few_targets):
            return True
        return CHOICE.is_worth_it(pairs, 2 * pairs * n_background, n_outputs, context.is_image)

    def _default_rows(self, context: RecipeContext) -> int:
        return self._spends(context, OptimalPairs()) * context.n_background

    def _rows_are_better(self, context: RecipeContext) -> bool:
        """Without a budget, unless background rows are few; with one, before the crossover."""
        n_background = context.n_background
        if _pays_for_all(context):
            return False
        if context.budget is None:
            return n_background >= CHOICE.few_background
        whole = context.affordable(n_background, 0)
        if context.stochastic:
            return whole < CHOICE.noisy * context.n_features
        crossover = CHOICE.plain
        if self._pays(context) and not self._is_sparse(context):
            own_or_shared = CHOICE.shared if context.shares_prior else CHOICE.own
            crossover = CHOICE.crossover(own_or_shared, n_background)
        return whole < crossover * context.n_features

    def _saw(self, instances: Instances) -> None:
        if instances.chunk == 1:  # images and texts, each of which has features of its own
            return
        rng = np.random.default_rng(np.random.SeedSequence(self.fit_random_state_, spawn_key=(3,)))
        self.teachers_ = sampled(instances, rng)

    def _prepared(self, X: Any, dry: bool = False) -> tuple[Problem, Plan]:
        problem, plan = super()._prepared(X, dry)
        columns, _ = problem.predictor.select(self.outputs, problem.predictor.first_answers)
        known = {"n_instances": len(problem.instances), "n_outputs": columns.shape[1]}
        problem, plan = self._taught(problem, replace(plan, spends=self._spends, tasks={}, **known))
        if plan.budget is None and len(problem.instances) > CHOICE.few_instances:
            problem = replace(problem, notes=(*problem.notes, *_frugality(problem, plan)))
        return problem, plan

    def _taught(self, problem: Problem, own: Plan) -> tuple[Problem, Plan]:
        """With the prior that is shared, which is learned now if it pays and was not before."""
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
            if plan.dry:
                return problem, plan
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
            "images, texts and lists, each of which has features of its own": context.is_image,
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


def _pays_for_all(context: RecipeContext) -> bool:
    return context.pays_for_all(
        BackgroundPermutations(context.n_background).default(context.n_features)
    )


def _frugality(problem: Problem, plan: Plan) -> tuple[str, ...]:
    """The note that many instances got less than the full default each, if they did."""
    bound, n = problem.bound[0], len(problem.instances)
    each, alone = (
        task.n_perturbations * task.rows_each + task.context.n_fixed
        for task in (plan.task(bound), replace(plan, n_instances=1, tasks={}).task(bound))
    )
    if each >= alone:
        return ()
    return (
        f"{each:_} model rows for each of {n:,} instances, where a single one gets {alone:_}: "
        "enough for the mean |score|, and for errors of about 2% of the range of an instance's "
        f"scores. Pass budget={alone:_} for more",
    )
