"""Randomized input sampling: RISE."""

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
    """Random smooth masks, and what the output has to do with what they show.

    A coarse grid of present and absent cells is drawn for each mask, shifted by a random part of
    a cell, and stretched smoothly over the image; no mask is kept (Petsiuk, Das & Saenko, BMVC
    2018). The map has one score for each point of a lattice, and is linear between them.
    Series and volumes work alike; columns and superpixels are present or absent at random.

    Parameters
    ----------
    {common}
    estimator : "ridge", "covariance" or "mean"
        How the answers are read. "mean" is published RISE: the average of the masks, weighted by
        the output; its scores are relative, and hold a common offset and how often a place
        happened to be shown. "covariance" removes both. "ridge" fits all places at once,
        and so takes apart what masks show together: the sharpest map for the same rows, with a
        `fidelity` that says how well it predicts answers to masks that it has not seen.
    p : float
        The probability of a cell to be present.

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
        if context.accepts is not SoftMasks:
            return BernoulliMasks(p)
        lattice = context.lattice
        return RandomGrids(p=p) if lattice is None else RandomGrids(lattice.nodes, lattice.steps, p)
