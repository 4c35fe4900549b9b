"""Banzhaf values from the coalitions that Shapley values are computed from."""

from __future__ import annotations

from dataclasses import dataclass

from perturbx.explainers._base import BaseExplainer
from perturbx.explainers._plan import RecipeContext
from perturbx.samplers import Sampler, ShapleyCoalitions
from perturbx.solvers import BanzhafRegression, Solver


@dataclass(eq=False, repr=False)
class Banzhaf(BaseExplainer):
    """Banzhaf values: the mean effect of a feature when all coalitions are equally likely.

    Shapley values give the same weight to every size of coalition, and Banzhaf values to every
    coalition (Banzhaf, Rutgers Law Review 19, 1965). They do not sum to f(x) minus the average
    output, but among all such averages they are the most robust to a noisy model (Wang & Jia,
    AISTATS 2023). They are estimated from the same pairs of complementary coalitions as the values
    of `KernelShap`, with other weights. If the budget allows all 2^d coalitions, they are exact.

    Parameters
    ----------
    {common}

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> X = np.random.default_rng(0).normal(size=(50, 3))
    >>> explainer = px.Banzhaf(lambda X: 2 * X[:, 0] - X[:, 1], random_state=0).fit(X)
    >>> explanation = explainer.explain(X[:1])
    >>> np.allclose(explanation.values, [2, -1, 0] * (X[:1] - X.mean(axis=0)))
    True
    """

    def recipe(self, context: RecipeContext) -> tuple[Sampler, Solver]:
        return ShapleyCoalitions(), BanzhafRegression()
