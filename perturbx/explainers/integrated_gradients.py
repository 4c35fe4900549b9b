"""Integrated gradients, from outputs alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from perturbx.containers import holds_texts
from perturbx.errors import InvalidInputError
from perturbx.explainers._base import BaseExplainer
from perturbx.explainers._plan import RecipeContext
from perturbx.maskers import Baseline, Fade, Masker, Superpixels
from perturbx.samplers import Paths, Sampler, cells_for
from perturbx.solvers import PathIntegral, Solver


@dataclass(eq=False, repr=False)
class IntegratedGradients(BaseExplainer):
    """The integral of the gradient along the straight path from a baseline to the instance.

    The score of a column is (x - baseline) times the mean partial derivative on the path
    (Sundararajan, Taly & Yan, ICML 2017), from differences of outputs along it. For images and
    series it is the Aumann-Shapley value of a region or segment, which fades into its fill while
    all others fade too. Scores sum to the output minus that of the baseline, up to the error of
    the differences: `residual` says by how much they miss it.

    Scores are shares of the output, in its own unit. Nothing but the cuts of the path is random,
    and `standard_errors` contain the error of the differences and of the path's quadrature.

    Parameters
    ----------
    {common}

    Notes
    -----
    The baseline is that of the masker, ``px.Fade(px.Baseline("mean"))`` for tables and
    ``px.Fade(px.Superpixels())`` for images. With ``px.Fade(px.Background())`` scores are averages
    over many baselines (expected gradients: Erion et al., 2021). All columns that differ from the
    baseline must hold numbers. The path costs 24 model rows for each feature at least (times
    baselines); more budget cuts it finer.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> masker = px.Fade(px.Baseline([0.0, 0.0]))
    >>> explainer = px.IntegratedGradients(
    ...     lambda X: X[:, 0] * X[:, 1] + X[:, 1] ** 2, masker=masker, random_state=0
    ... )
    >>> explainer.explain([[2.0, 3.0]]).values.round(6)
    array([[ 3., 12.]])
    """

    series_masker: ClassVar[str] = 'px.Fade(px.SeriesSegments(fill="mean"))'

    def recipe(self, context: RecipeContext) -> tuple[Sampler, Solver]:
        usual = Paths().default(context.n_features) * context.n_background
        if context.stochastic:  # noise adds up over cells, and averages out over paths
            return Paths(cells=1), PathIntegral()
        n = context.affordable(context.n_background, usual)
        return Paths(cells_for(context.n_features, n)), PathIntegral()

    def _masker_for(self, X: Any) -> Masker:
        if self.masker is None and holds_texts(X):
            raise InvalidInputError(
                "there is no path between words: use px.KernelShap, px.Lime or px.Occlusion."
            )
        masker = super()._masker_for(X)
        if self.masker is None and isinstance(masker, (Baseline, Superpixels)):
            return Fade(masker)
        return masker

    table_masker: ClassVar[type[Masker]] = Baseline
