"""Shapley values from random orders of the features."""

from __future__ import annotations

from dataclasses import dataclass

from perturbx.explainers._base import BaseExplainer
from perturbx.explainers._plan import RecipeContext
from perturbx.samplers import BackgroundPermutations, Permutations, Sampler
from perturbx.solvers import BackgroundContributions, MarginalContributions, Solver


@dataclass(eq=False, repr=False)
class PermutationShap(BaseExplainer):
    """Shapley values as mean marginal contributions along random orders of the features.

    Every order is used forwards and backwards (Castro, Gómez & Tejada, Computers & Operations
    Research 2009; antithetic pairs: Mitchell, Cooper, Frank & Holmes, JMLR 2022). With several
    background rows, each order uses one of them, so the budget pays for many more orders, and the
    sum of the scores is exact for each row. The scores are unbiased from two orders on, and a
    feature that never changes the output has a score of exactly 0.

    Parameters
    ----------
    {common}

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> X = np.random.default_rng(0).normal(size=(50, 3))
    >>> explainer = px.PermutationShap(lambda X: X[:, 0] * X[:, 1], random_state=0).fit(X)
    >>> explainer.explain(X[:1]).values[0, 2]
    np.float64(0.0)
    """

    def recipe(self, context: RecipeContext) -> tuple[Sampler, Solver]:
        rows = BackgroundPermutations(context.n_background)
        if context.knows_rows and not context.pays_for_all(rows.default(context.n_features)):
            return rows, BackgroundContributions(unbiased=True)
        return Permutations(), MarginalContributions()
