"""Local linear surrogates."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from perturbx.designs import NoiseDraws
from perturbx.explainers._base import BaseExplainer
from perturbx.explainers._plan import RecipeContext
from perturbx.maskers import GaussianNoise, Masker
from perturbx.samplers import BernoulliMasks, Sampler
from perturbx.samplers import GaussianNoise as GaussianDraws
from perturbx.solvers import Solver, WeightedRidge


@dataclass(eq=False, repr=False)
class Lime(BaseExplainer):
    """A weighted linear fit of the model around each instance.

    For tables, Gaussian noise is added to the instance. The score of a number is the slope of the
    fit per standard deviation of the column, and the score of a category is the effect of keeping
    it instead of redrawing it. For images, random superpixels are removed, for texts random
    words, and a score is the effect of the presence of one of them (Ribeiro, Singh & Guestrin, KDD
    2016). The weighted R2 of the fit (`fidelity`) measures how well it describes the model.

    Parameters
    ----------
    {common}
    kernel_width : float, optional
        How near a perturbation must be to count: its weight is exp(-distance^2 / width^2). The
        default for tables gives an effective sample size of a quarter of the samples; for images
        it is 0.25, in cosine distance. (The lime package uses the square root of that weight.)

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> X = np.random.default_rng(0).normal(size=(500, 2)) * [1.0, 10.0]
    >>> explainer = px.Lime(lambda X: X @ [3.0, 0.2], random_state=0).fit(X)
    >>> np.allclose(explainer.explain(X[:1]).values, [3.0, 0.2] * X.std(axis=0), rtol=1e-4)
    True
    """

    kernel_width: float | None = field(default=None, kw_only=True)

    table_masker: ClassVar[type[Masker]] = GaussianNoise

    def recipe(self, context: RecipeContext) -> tuple[Sampler, Solver]:
        sampler = GaussianDraws() if context.accepts is NoiseDraws else BernoulliMasks()
        return sampler, WeightedRidge(kernel_width=self.kernel_width)
