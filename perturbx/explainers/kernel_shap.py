"""Shapley values by regression over coalitions."""

from __future__ import annotations

from dataclasses import dataclass

from perturbx.explainers._base import BaseExplainer
from perturbx.explainers._plan import Setting
from perturbx.samplers import Sampler, ShapleyCoalitions
from perturbx.solvers import KernelShapRegression, Solver


@dataclass(eq=False, repr=False)
class KernelShap(BaseExplainer):
    """Shapley values by weighted regression over coalitions of features.

    Every score is the feature's share of f(x) minus the average output; shares add up to it
    exactly. Coalitions come in complementary pairs, without repetition, every size equally often
    (Lundberg & Lee, NeurIPS 2017, eq. 8-9; Covert & Lee, AISTATS 2021; Musco & Witter, ICLR
    2025). Where the budget allows all 2^d coalitions the values are exact.

    Parameters
    ----------
    {common}

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> X = np.random.default_rng(0).normal(size=(50, 3))
    >>> explainer = px.KernelShap(lambda X: 2 * X[:, 0] - X[:, 1], random_state=0).fit(X)
    >>> explanation = explainer.explain(X[:1])
    >>> np.allclose(explanation.values, [2, -1, 0] * (X[:1] - X.mean(axis=0)))
    True
    """

    def recipe(self, setting: Setting) -> tuple[Sampler, Solver]:
        return ShapleyCoalitions(), KernelShapRegression()
