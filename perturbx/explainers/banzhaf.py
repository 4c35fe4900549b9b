"""Banzhaf values from the coalitions that Shapley values are computed from."""

from __future__ import annotations

from dataclasses import dataclass

from perturbx.explainers._base import BaseExplainer
from perturbx.explainers._plan import RecipeContext
from perturbx.samplers import Sampler, ShapleyCoalitions
from perturbx.solvers import BanzhafRegression, Solver


@dataclass(eq=False, repr=False)
class Banzhaf(BaseExplainer):
    """Banzhaf values: what a feature adds to the others, every coalition of them as likely.

    Shapley values give every size of coalition the same weight, Banzhaf values every coalition
    (Banzhaf, Rutgers Law Review 19, 1965). They do not add up to f(x) less the average output,
    but no average of its kind is steadier when the model is noisy (Wang & Jia, AISTATS 2023). They
    come from the same evaluations as `KernelShap`'s values: pairs of complementary coalitions,
    reweighted. Where the budget allows all 2^d coalitions the values are exact.

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
