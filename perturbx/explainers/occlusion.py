"""Occlusion: the change of the output when one feature is removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from perturbx.explainers._base import BaseExplainer
from perturbx.explainers._plan import RecipeContext
from perturbx.maskers import Masker, Windows
from perturbx.samplers import OneAtATime, Sampler
from perturbx.solvers import Deltas, Solver


@dataclass(eq=False, repr=False)
class Occlusion(BaseExplainer):
    """The output minus the output without one feature, for each feature.

    On images, a window slides over the image, and a pixel's score is the mean over the windows that
    cover it (Zeiler & Fergus, ECCV 2014). On tables, each column is replaced by that of the
    background rows. Nothing is sampled: the scores are exact, but they do not sum to the output.

    Parameters
    ----------
    {common}

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> X = np.array([[0.0, 0.0], [2.0, 2.0]])
    >>> px.Occlusion(lambda X: X[:, 0] * X[:, 1]).fit(X).explain([[3.0, 2.0]]).values
    array([[4., 3.]])
    """

    image_masker: ClassVar[type[Masker]] = Windows

    def recipe(self, context: RecipeContext) -> tuple[Sampler, Solver]:
        return OneAtATime(), Deltas()
