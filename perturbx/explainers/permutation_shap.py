"""Shapley values from random orders of the features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from perturbx.explainers._base import BaseExplainer
from perturbx.explainers._plan import RecipeContext
from perturbx.samplers import BackgroundPermutations, Permutations, Sampler, ShapleyCoalitions
from perturbx.solvers import (
    BackgroundContributions,
    KernelShapRegression,
    MarginalContributions,
    Solver,
)


@dataclass(eq=False, repr=False)
class PermutationShap(BaseExplainer):
    """Shapley values as mean marginal contributions along random orders of the features.

    Every order is used forwards and backwards (Castro, Gómez & Tejada, Computers & Operations
    Research 2009; antithetic pairs: Mitchell, Cooper, Frank & Holmes, JMLR 2022). With several
    background rows, each order uses one of them, so the budget pays for many more orders, and the
    sum of the scores is exact for each row. The scores are unbiased from two orders on, and a
    feature that never changes the output has a score of exactly 0.

    A budget for every coalition asks each once, and the scores are exact. If the model fails
    before that, with ``on_error="partial"``, they are those of a regression on the coalitions that
    were answered, as in `KernelShap`.

    With `order` the scores are asymmetric Shapley values (Frye, Rowat & Feige, NeurIPS 2020): the
    mean over the orders that let causes join before their effects. A cause is then credited with
    what it does through its effects, as far as the masker lets absent features depend on present
    ones. The sum of the scores is the same.

    Parameters
    ----------
    {common}
    order : list of lists, or mapping, optional
        What comes first: levels that hold every feature once, such as ``[["age", "sex"],
        ["income"]]``, or the causes of features, such as ``{"income": ["age", "sex"]}``; features
        that a mapping does not name are free. Features are named by label, by name, or by
        position, and a group by its name. Every consistent order is equally likely.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> X = np.random.default_rng(0).normal(size=(50, 3))
    >>> explainer = px.PermutationShap(lambda X: X[:, 0] * X[:, 1], random_state=0).fit(X)
    >>> explainer.explain(X[:1]).values[0, 2]
    np.float64(0.0)

    The second feature adds everything to the first, which alone adds nothing:

    >>> model = lambda X: X[:, 0] * X[:, 1]
    >>> explainer = px.PermutationShap(model, masker=px.Baseline([0.0, 0.0]), order=[[0], [1]])
    >>> explainer.explain([[2.0, 3.0]]).values
    array([[0., 6.]])
    """

    order: Sequence[Any] | Mapping[Any, Any] | None = field(  # type: ignore[misc]
        default=None, kw_only=True
    )

    def recipe(self, context: RecipeContext) -> tuple[Sampler, Solver]:
        order = context.order if context.order is not None and context.order.before.any() else None
        rows, averaged = BackgroundPermutations(context.n_background, order), Permutations(order)
        d, n_background = context.n_features, context.n_background
        if context.knows_rows and not context.pays_for_all(rows.default(d), averaged.most(d)):
            return rows, BackgroundContributions(unbiased=True)
        n = context.affordable(n_background, averaged.default(d) * n_background)
        if order is None and n >= averaged.most(d) and not context.stochastic:
            # The scores are exact, and a part of the pairs is of use where the model fails.
            return ShapleyCoalitions(), KernelShapRegression()
        return averaged, MarginalContributions()
