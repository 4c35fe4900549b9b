"""Owen values: Shapley values of features in trees."""

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
    """Owen values: Shapley values in a tree of features, split branch by branch, best first.

    The tree joins superpixels of an image in ever larger regions, columns of a table by their
    correlation, or words of a text by sentences and paragraphs. The effect of a branch is divided
    among its parts by their Shapley values, where the other branches are present or absent as a
    whole (Owen, "Values of games with a priori unions", 1977). The branch with the largest weighted
    effect is always split next, so the budget goes where the output changes most.

    Scores sum to f(x) minus the output with all features absent, at every budget. When everything
    is split, they are the exact Owen values; for a tree that joins all features at once these are
    the exact Shapley values. The effect of a branch that is never split is divided as in other
    contexts in which the branch was split, or else by size (by the number of pixels; equally for
    columns). The standard errors include the error of doing so.

    For images there are two trees, one filled with a light blur and one with gray, since every fill
    favors some images. The scores are the means of both. The heat map spreads the score of a piece
    over its pixels, so the map has the same sum.

    Parameters
    ----------
    {common}
    splits_per_round : int
        The number of branches that are split at once. A smaller number spends the budget slightly
        better; a larger one makes larger calls of predict_fn.

    Notes
    -----
    The masker must have trees: `SuperpixelTrees` (the default for images), `ColumnTree` (for
    tables), `SeriesSegments`, `Tokens` (for texts) or `Segments` (for lists). Without a budget,
    1,000 coalitions are evaluated, or fewer if they split everything. Several outputs are explained
    from the same model rows, and the priority of a branch is its largest over all outputs. Select
    the outputs that you need, as in ``outputs="top3"``, since different classes call for different
    splits.

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
                "OwenShap needs a tree of features, and this masker has none: pass "
                "masker=px.ColumnTree(X) for tables, px.SuperpixelTrees() for images, "
                "px.SeriesSegments() for series, or px.Tokens() for texts. Volumes have no trees: "
                "px.KernelShap(predict_fn, masker=px.Windows(...))."
            )
        return OwenSplits(context.trees, self.splits_per_round), OwenValues()
