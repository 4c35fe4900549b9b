"""Owen values: Shapley values of features that sit in trees."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from perturbx._validation import check_integer
from perturbx.errors import InvalidParameterError
from perturbx.explainers._base import BaseExplainer
from perturbx.explainers._plan import RecipeContext
from perturbx.maskers import ColumnTree, Masker, SuperpixelTrees
from perturbx.samplers import OwenSplits, Sampler
from perturbx.solvers import OwenValues, Solver


@dataclass(eq=False, repr=False)
class OwenShap(BaseExplainer):
    """Owen values: what a tree's branches add, shared out branch by branch, best first.

    Features sit in a tree: an image's pieces in superpixels that are joined to ever larger
    regions, a table's columns by their correlation. What a branch adds is shared among its parts
    by their Shapley value, given that the rest of the branch's surroundings are present or absent
    as a whole (Owen, "Values of games with a priori unions", 1977). The budget goes where the
    output changes most: the branch that adds most, weighed by what it counts, is split next.
    Scores add up to f(x) minus the output without any feature at every budget; when everything
    is split they are the exact Owen values, and for a tree that joins all features at once
    the exact Shapley values. What is never split is shared as the same branch was in other
    surroundings, or by size (pixels; columns evenly), and the standard errors say how far that may
    be off.

    For images there are two trees, one removed to a light blur and one to gray, since every fill
    favors some pictures; the scores are the mean of both, and a score is a piece's own: the
    heat map spreads it over the piece's pixels, so that the map adds up too.

    Parameters
    ----------
    {common}
    splits_per_round : int
        How many branches are split before their answers are seen. Fewer spend the budget a
        little better, more make larger calls of predict_fn.

    Notes
    -----
    The masker must have trees: `SuperpixelTrees` (the default for images) or `ColumnTree` (for
    tables). Without a budget 1,000 coalitions are asked, or what splits everything. Several outputs
    are explained from the same rows, a branch being as urgent as it is for the output for which
    it matters most: name those that you need, as in ``outputs="top3"``, as a thousand
    classes want a thousand different splits.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> X = np.random.default_rng(0).normal(size=(50, 4))
    >>> explainer = px.OwenShap(lambda X: X[:, 0] * X[:, 1] + X[:, 2], random_state=0).fit(X)
    >>> explanation = explainer.explain(X[:1])
    >>> explanation.values[0, 3], bool(abs(explanation.residual[0]) < 1e-12)
    (np.float64(0.0), True)
    """

    splits_per_round: int = field(default=8, kw_only=True)

    table_masker: ClassVar[type[Masker]] = ColumnTree
    image_masker: ClassVar[type[Masker]] = SuperpixelTrees
    for_images: ClassVar[bool] = True

    def recipe(self, context: RecipeContext) -> tuple[Sampler, Solver]:
        check_integer("splits_per_round", self.splits_per_round, minimum=1)
        if not context.trees:
            raise InvalidParameterError(
                "OwenShap goes down a tree of features, and this masker has none: pass "
                "masker=px.ColumnTree(X) for tables, or px.SuperpixelTrees() for images. Series "
                "and volumes have no trees: px.KernelShap(predict_fn, masker=px.Windows(...))."
            )
        return OwenSplits(context.trees, self.splits_per_round), OwenValues()
