"""RISE: randomized input sampling."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeAlias, get_args

from perturbx._validation import check_choice, check_number
from perturbx.designs import SoftMasks
from perturbx.explainers._base import BaseExplainer
from perturbx.explainers._plan import RecipeContext
from perturbx.maskers import Masker, SmoothGrid
from perturbx.samplers import BernoulliMasks, RandomGrids, Sampler
from perturbx.solvers import PresenceMeans, PresenceRidge, PresenceSlopes, Solver

Estimator: TypeAlias = Literal["ridge", "covariance", "mean"]


@dataclass(eq=False, repr=False)
class Rise(BaseExplainer):
    """Scores from random smooth masks, by how the output depends on the places that they show.

    For each mask, a coarse grid of present and absent cells is drawn, shifted by a random fraction
    of a cell, and interpolated over the image (Petsiuk, Das & Saenko, BMVC 2018). The map has one
    score per point of a lattice, and is linear between points. Series and volumes work the same
    way; columns and superpixels are present or absent at random.

    Parameters
    ----------
    {common}
    estimator : "ridge", "covariance" or "mean"
        How scores are computed. "mean" is published RISE: the average of the masks, weighted by
        the output. Its scores include a common offset, and the chance frequency with which a place
        was shown. "covariance" removes both. "ridge" fits all places jointly, to separate places
        that masks show together. It gives the sharpest map for the same number of rows, and a
        `fidelity` that measures how well it predicts outputs for new masks.
    p : float
        The probability that a cell is present.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> image = np.random.default_rng(0).random((32, 32))
    >>> explainer = px.Rise(
    ...     lambda batch: batch[:, 20, 8], masker=px.SmoothGrid(), random_state=0
    ... )
    >>> heat = explainer.explain(image).heatmap()
    >>> row, column = np.unravel_index(heat.argmax(), heat.shape)
    >>> bool(abs(row - 20) <= 2 and abs(column - 8) <= 2)
    True
    """

    estimator: Estimator = field(default="ridge", kw_only=True)
    p: float = field(default=0.5, kw_only=True)

    image_masker: ClassVar[type[Masker]] = SmoothGrid
    for_images: ClassVar[bool] = True

    def recipe(self, context: RecipeContext) -> tuple[Sampler, Solver]:
        estimator = check_choice("estimator", self.estimator, get_args(Estimator))
        p = check_number("p", self.p, above=0, below=1)
        solvers: dict[str, Solver] = {
            "mean": PresenceMeans(),
            "covariance": PresenceSlopes(),
            "ridge": PresenceRidge(),
        }
        return self._sampler(context, p), solvers[estimator]

    def _sampler(self, context: RecipeContext, p: float) -> Sampler:
        if not issubclass(SoftMasks, context.accepts):
            return BernoulliMasks(p)
        lattice = context.lattice
        return RandomGrids(p=p) if lattice is None else RandomGrids(lattice.nodes, lattice.steps, p)
